/** Digests of what is in an open file, read and made at once on this thread. */
import type { BlockAlgorithm } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { ByteRange } from '../../ports.js'
import { known } from '../checks.js'
import type { BlockHashers } from '../hashing/block-hash.js'
import type { OpenFile } from './files.js'

export class FileHashes {
  readonly #hashers: BlockHashers
  readonly #count: (bytes: number) => void

  /** `count`: bytes that were in JavaScript memory. */
  constructor(hashers: BlockHashers, count: (bytes: number) => void) {
    this.#hashers = hashers
    this.#count = count
  }

  /** Of the blocks in a range of at most limits.hashInlineBytes, laid end to end. */
  blocks(
    file: OpenFile,
    range: ByteRange,
    blockBytes: number,
    algorithm: BlockAlgorithm,
  ): Uint8Array {
    const hasher = known('algorithm', algorithm, this.#hashers[algorithm])
    const bytes = this.#read(file, range.offset, range.length)
    const digests: Uint8Array[] = []
    for (let at = 0; at < bytes.length; at += blockBytes) {
      hasher.start(range.offset + at)
      hasher.update(bytes.subarray(at, at + blockBytes))
      digests.push(hasher.finish())
    }
    return Buffer.concat(digests)
  }

  /** BLAKE3 subtree value of the beginning of a block. */
  subtree(file: OpenFile, { offset, length }: ByteRange): Uint8Array {
    const hasher = this.#hashers.blake3
    hasher.start(offset)
    const most = limits.hashInlineBytes
    for (let at = 0; at < length; at += most)
      hasher.update(this.#read(file, offset + at, Math.min(most, length - at)))
    return hasher.finish()
  }

  #read(file: OpenFile, offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length)
    if (file.readNow(bytes, offset) !== bytes.length) throw new FrError('ERR_FR_SOURCE_CHANGED')
    this.#count(length)
    return bytes
  }
}
