/** Block digests by the addon: what a hash worker calls; no byte of the file enters JavaScript. */

import type { BlockAlgorithm } from '../../base/digests.js'
import type { ByteRange } from '../../ports.js'
import { algorithmNumber, fromNative, loadAddon } from './addon.js'

export function indexNative(file: number, { offset, length }: ByteRange): Uint8Array {
  try {
    return loadAddon().indexChunks(file, offset, length)
  } catch (error) {
    throw fromNative(error)
  }
}

export function hashNative(
  file: number,
  range: ByteRange,
  blockBytes: number,
  algorithm: BlockAlgorithm,
): Uint8Array {
  try {
    const { offset, length } = range
    const kind = algorithmNumber[algorithm]
    return loadAddon().hashBlocks(file, offset, length, blockBytes, kind, false) as Uint8Array
  } catch (error) {
    throw fromNative(error)
  }
}
