/**
 * The hash worker: block digests of a range of an open file, one task at a time, in a thread of
 * its own. It reads what the page cache holds; it never writes and opens nothing.
 */
import { type BlockHashTask, hashBlocks } from './block-hash.js'

export default function run(task: BlockHashTask): Promise<Uint8Array> {
  return hashBlocks(task)
}
