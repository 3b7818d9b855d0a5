/** Keys of callers: made, and read from files. */
import { loadKeyFile as loadFile, loadKeyStream } from '../net/key-file.js'

export { generateKey } from '../net/keys.js'

/**
 * The key in a file or pipe; one newline at the end (LF or CRLF) is trimmed. Rejects with
 * ERR_FR_KEY when it is missing, too short, can be read by every user, or by a group that this
 * process is not in.
 */
export async function loadKeyFile(path: string): Promise<Uint8Array> {
  return (await loadFile(path)).bytes
}

/** The same of a file in a directory that is private to this process, whatever its mode. */
export async function loadPrivateKeyFile(path: string): Promise<Uint8Array> {
  return (await loadFile(path, true)).bytes
}

/** The same of standard input, to its end. */
export async function loadKeyFromStdin(): Promise<Uint8Array> {
  return (await loadKeyStream(process.stdin, '- (standard input)')).bytes
}
