/**
 * The worker: block digests of a range of an open file, or frames of coded content, one task at a
 * time, in a thread of its own. It opens nothing, and writes only where frames are decoded.
 */
import type { DecodeTask, EncodeTask } from '../../ports.js'
import { type BlockHashTask, hashBlocks } from './block-hash.js'

export type WorkerTask = BlockHashTask | EncodeTask | DecodeTask

export default async function run(task: WorkerTask): Promise<Uint8Array | undefined> {
  if (!('coding' in task)) return hashBlocks(task)
  const { decodeNative, encodeNative } = await import('../native/frames.js')
  if (!('coded' in task)) return encodeNative(task)
  decodeNative(task)
  return undefined
}
