/** Where the key comes from: a file, or FR_KEY; never an argument, which every user can read. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { FrError } from '../errors.js'
import type { Context } from './context.js'

type LoadKeyFile = (path: string) => Promise<Uint8Array>

/** `{ key }`, or nothing where there is none and only loopback is served and dialled. */
export async function keyOption(
  keyFile: string | undefined,
  context: Context,
  loadKeyFile: LoadKeyFile,
): Promise<{ key?: Uint8Array | string }> {
  if (keyFile !== undefined) return { key: await readKey(keyFile, context, loadKeyFile) }
  const key = context.env['FR_KEY']
  // An empty FR_KEY is a key that somebody meant to give: it is refused, not taken for none.
  return key === undefined ? {} : { key }
}

/**
 * A key file. Those in the directory that the service manager made for this service alone are taken
 * as they are: their access list shows up in the mode as if the group could read them.
 */
export async function readKey(
  keyFile: string,
  context: Context,
  loadKeyFile: LoadKeyFile,
): Promise<Uint8Array> {
  const credentials = context.env['CREDENTIALS_DIRECTORY'] ?? ''
  if (credentials === '' || path.dirname(path.resolve(keyFile)) !== path.resolve(credentials)) {
    return loadKeyFile(keyFile)
  }
  try {
    const bytes = await readFile(keyFile)
    return bytes.at(-1) === 0x0a ? bytes.subarray(0, -1) : bytes
  } catch (error) {
    const text = `key file ${keyFile} cannot be read: ${(error as Error).message}`
    throw new FrError('ERR_FR_KEY', text, { path: keyFile, cause: error })
  }
}
