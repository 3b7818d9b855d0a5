/**
 * The worker: block digests of a range of an open file, or frames of coded content, one task at a
 * time, in a thread of its own. It opens nothing, and writes only where frames are decoded.
 */
import type { DecodeTask, EncodeTask } from '../../ports.js'
import { type BlockHashTask, type ChunkTask, cutChunks, hashBlocks } from './block-hash.js'

export type WorkerTask = BlockHashTask | ChunkTask | EncodeTask | DecodeTask

export default async function run(task: WorkerTask): Promise<Uint8Array | undefined> {
  if (!('coding' in task)) return 'algorithm' in task ? hashBlocks(task) : cutChunks(task)
  const { decodeNative, encodeNative } = await import('../native/frames.js')
  if (!('coded' in task)) return encodeNative(task)
  decodeNative(task)
  return undefined
}
