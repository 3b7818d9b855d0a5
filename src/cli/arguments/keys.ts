/**
 * Where the key comes from: a file, a pipe or standard input named by an option, else FR_KEY, else
 * the credential fr.key of the service manager. Never an argument, because every user can read
 * those.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import type { TlsOptions } from '../../api/types.js'
import type { Context } from '../render/context.js'

const credentialName = 'fr.key'

/** What a command says of a key, or of certificates in its place. */
export interface Proof {
  readonly keyFile?: string
  readonly tls?: TlsOptions
}

/** `{ key }`, `{ tls }`, or nothing: only loopback is then served and dialled. */
export async function keyOption(
  { keyFile, tls }: Proof,
  context: Context,
): Promise<{ key?: Uint8Array | string; tls?: TlsOptions }> {
  if (tls !== undefined) return { tls }
  if (keyFile !== undefined) return { key: await readKey(keyFile, context) }
  const key = context.env['FR_KEY']
  // An empty FR_KEY was meant to be a key: it is refused, not ignored.
  if (key !== undefined) return { key }
  const credential = path.join(credentialsOf(context) ?? '', credentialName)
  if (credentialsOf(context) === undefined || !existsSync(credential)) return {}
  return { key: await readKey(credential, context) }
}

/**
 * Reads the key that an option names; `-` is standard input. In the directory that the service
 * manager made for this service, modes are not checked: its access list looks as if the group could
 * read the files.
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
