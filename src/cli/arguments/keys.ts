/**
 * Where the key comes from: a file, a pipe or standard input that an option names, else FR_KEY,
 * else the file fr.key among the credentials that the service manager gives; never an argument,
 * which every user can read.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import type { Context } from '../render/context.js'

const credentialName = 'fr.key'

/** `{ key }`, or nothing where there is none and only loopback is served and dialled. */
export async function keyOption(
  keyFile: string | undefined,
  context: Context,
): Promise<{ key?: Uint8Array | string }> {
  if (keyFile !== undefined) return { key: await readKey(keyFile, context) }
  const key = context.env['FR_KEY']
  // An empty FR_KEY is a key that somebody meant to give: it is refused, not taken for none.
  if (key !== undefined) return { key }
  const credential = path.join(credentialsOf(context) ?? '', credentialName)
  if (credentialsOf(context) === undefined || !existsSync(credential)) return {}
  return { key: await readKey(credential, context) }
}

/**
 * The key that an option names; `-` is standard input. Files in the directory that the service
 * manager made for this service alone are taken as they are: their access list shows up in the mode
 * as if the group could read them.
 */
export async function readKey(keyFile: string, context: Context): Promise<Uint8Array> {
  const keys = await import('../../api/keys.js')
  if (keyFile === '-' || keyFile === '/dev/stdin') return keys.loadKeyFromStdin()
  const isCredential = path.dirname(path.resolve(keyFile)) === credentialsOf(context)
  return isCredential ? keys.loadPrivateKeyFile(keyFile) : keys.loadKeyFile(keyFile)
}

function credentialsOf(context: Context): string | undefined {
  const directory = context.env['CREDENTIALS_DIRECTORY'] ?? ''
  return directory === '' ? undefined : path.resolve(directory)
}
