/** Keys of callers: generated, or read from files; the token that follows from one. */
import { hkdfSync } from 'node:crypto'
import { loadKeyFile as loadFile, loadKeyStream } from '../net/key-file.js'
import { parseKey } from '../net/keys.js'

export { generateKey } from '../net/keys.js'

/**
 * Reads the key in a file or pipe and trims one newline at the end (LF or CRLF). Rejects with
 * ERR_FR_KEY when it is missing or too short, or when it can be read by every user or by a group
 * that this process is not in.
 */
export async function loadKeyFile(path: string): Promise<Uint8Array> {
  return (await loadFile(path)).bytes
}

/** Like loadKeyFile, for a directory that is private to this process: the mode is not checked. */
export async function loadPrivateKeyFile(path: string): Promise<Uint8Array> {
  return (await loadFile(path, true)).bytes
}

/** Reads the key from standard input, to its end. */
export async function loadKeyFromStdin(): Promise<Uint8Array> {
  return (await loadKeyStream(process.stdin, '- (standard input)')).bytes
}

/**
 * The bearer token for doors of nodes that have this key: 32 bytes in base64url. The key does not
 * follow from it. Throws ERR_FR_KEY.
 */
export function httpToken(key: string | Uint8Array): string {
  const { bytes } = parseKey(key)
  const derived = hkdfSync('sha256', bytes, '', 'fastreplica http token 1', 32)
  return Buffer.from(derived).toString('base64url')
}
