/**
 * fastreplica: one file on many machines, as fast as the network allows.
 *
 *     const node = await startNode({ listen: '127.0.0.1:0', dataDir })
 *     const result = await push('model.bin', { to: [node.address] }).result
 */
import { loadKeyFile as loadKey } from '../runtime/keys.js'

export { errorTable, FrError, type FrErrorCode, type FrErrorDetails } from '../errors.js'
export { generateKey } from '../runtime/keys.js'
export { digestFile } from './digest.js'
export { startNode } from './node.js'
export { push } from './push.js'
export { addNode, fetchStatus } from './status.js'
export type * from './types.js'
export { version } from './version.js'

/**
 * The key in a file that only its owner can read; one trailing newline is trimmed. Rejects with
 * ERR_FR_KEY when it is missing, too short, or readable by group or others.
 */
export async function loadKeyFile(path: string): Promise<Uint8Array> {
  return (await loadKey(path)).bytes
}
