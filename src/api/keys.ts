/** Keys of callers: made, and read from files. */
import { loadKeyFile as loadKey } from '../runtime/keys.js'

export { generateKey } from '../runtime/keys.js'

/**
 * The key in a file that only its owner can read; one trailing newline is trimmed. Rejects with
 * ERR_FR_KEY when it is missing, too short, or readable by group or others.
 */
export async function loadKeyFile(path: string): Promise<Uint8Array> {
  return (await loadKey(path)).bytes
}
