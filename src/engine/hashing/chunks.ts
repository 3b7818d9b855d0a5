/**
 * Content-defined chunks without the addon: native/core/hash/chunks.h says how they are cut. The
 * entries are the same, and it takes many times as long.
 */
import type { XXHashAPI } from 'xxhash-wasm'
import { limits } from '../../base/limits.js'
import type { ByteRange } from '../../ports.js'
import type { BlockHasher } from './block-hasher.js'

const [least, mean, most] = [limits.chunkBytesMin, limits.chunkBytesMean, limits.chunkBytesMax]
const strict = 0xffff0000 | 0
const loose = 0xfff00000 | 0

/** For each byte, what it adds to the hash. */
export function gearTable(xx: XXHashAPI): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) =>
    Number(BigInt.asIntN(32, xx.h64Raw(Uint8Array.of(byte)) >> 32n)),
  )
}

/** Bytes of the first chunk of what lies there, one at least. */
export function chunkBytes(data: Uint8Array, gear: Int32Array): number {
  const last = Math.min(data.length, most)
  const turn = Math.min(last, mean)
  let hash = 0
  let at = Math.min(last, least)
  while (at < last) {
    const mask = at < turn ? strict : loose
    hash = ((hash << 1) + (gear[data[at++] as number] as number)) | 0
    if ((hash & mask) === 0) return at
  }
  return last
}

/** Entries of the chunks of a range. `read` fills a buffer from a place in the file. */
export function indexChunks(
  range: ByteRange,
  gear: Int32Array,
  hasher: BlockHasher,
  read: (into: Uint8Array, offset: number) => void,
): Uint8Array {
  const buffer = new Uint8Array(Math.min(16 * most, range.length))
  const entries: number[] = []
  let [begin, end, offset, left] = [0, 0, range.offset, range.length]
  while (left > 0 || begin < end) {
    if (left > 0 && end - begin < most) {
      buffer.copyWithin(0, begin, end)
      end -= begin
      begin = 0
      const piece = Math.min(left, buffer.length - end)
      read(buffer.subarray(end, end + piece), offset)
      end += piece
      offset += piece
      left -= piece
    }
    const length = chunkBytes(buffer.subarray(begin, end), gear)
    hasher.start(0)
    hasher.update(buffer.subarray(begin, begin + length))
    entries.push(length >> 16, (length >> 8) & 255, length & 255, ...hasher.finish())
    begin += length
  }
  return Uint8Array.from(entries)
}
