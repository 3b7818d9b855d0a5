/** Where the key comes from: a file, or FR_KEY; never an argument, which every local user can read. */
import type { Context } from './context.js'

/** `{ key }`, or nothing where there is none and only loopback is served and dialled. */
export async function keyOption(
  keyFile: string | undefined,
  context: Context,
  loadKeyFile: (path: string) => Promise<Uint8Array>,
): Promise<{ key?: Uint8Array | string }> {
  if (keyFile !== undefined) return { key: await loadKeyFile(keyFile) }
  const key = context.env['FR_KEY']
  // An empty FR_KEY is a key that somebody meant to give: it is refused, not taken for none.
  return key === undefined ? {} : { key }
}
