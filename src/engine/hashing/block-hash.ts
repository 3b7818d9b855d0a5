/**
 * Digests of the blocks of a file range: XXH64 (seed 0, 8 bytes big-endian) or SHA-256.
 *
 * With the addon the bytes never enter JavaScript; without it they are read in pieces into one
 * buffer and hashed by xxhash-wasm or node:crypto. A file that ends early is ERR_FR_SOURCE_CHANGED.
 */
import { createHash } from 'node:crypto'
import { readSync } from 'node:fs'
import type { DigestAlgorithm } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import { MIB } from '../../base/limits.js'
import type { ByteRange, HashSource } from '../../ports.js'

export interface BlockHashTask {
  readonly source: HashSource
  readonly range: ByteRange
  readonly blockBytes: number
  readonly algorithm: DigestAlgorithm
}

const pieceBytes = MIB

interface Running {
  update(bytes: Uint8Array): void
  finish(): Uint8Array
}

export async function hashBlocks(task: BlockHashTask): Promise<Uint8Array> {
  if (task.source.kind === 'native') {
    const { hashNative } = await import('../native/hash.js')
    return hashNative(task.source.file, task.range, task.blockBytes, task.algorithm)
  }
  return hashDescriptor(task.source.fd, task, await makerOf(task.algorithm))
}

async function makerOf(algorithm: DigestAlgorithm): Promise<() => Running> {
  if (algorithm === 'sha256') {
    return () => {
      const hash = createHash('sha256')
      return { update: (bytes) => void hash.update(bytes), finish: () => hash.digest() }
    }
  }
  const { create64 } = await wasm()
  return () => {
    const hash = create64()
    return {
      update: (bytes) => void hash.update(bytes),
      finish: () => {
        const digest = Buffer.alloc(8)
        digest.writeBigUInt64BE(hash.digest())
        return digest
      },
    }
  }
}

let loaded: Promise<import('xxhash-wasm').XXHashAPI> | undefined

function wasm(): Promise<import('xxhash-wasm').XXHashAPI> {
  loaded ??= import('xxhash-wasm').then((module) => module.default())
  return loaded
}

function hashDescriptor(fd: number, task: BlockHashTask, make: () => Running): Uint8Array {
  const { offset, length } = task.range
  const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, length))
  const digests: Uint8Array[] = []
  for (let at = offset; at < offset + length; at += task.blockBytes) {
    const end = Math.min(at + task.blockBytes, offset + length)
    const hash = make()
    for (let cursor = at; cursor < end; ) {
      const read = readSync(fd, buffer, 0, Math.min(buffer.length, end - cursor), cursor)
      if (read === 0)
        throw new FrError('ERR_FR_SOURCE_CHANGED', 'the file ends before the range to hash')
      hash.update(buffer.subarray(0, read))
      cursor += read
    }
    digests.push(hash.finish())
  }
  // A copy of its own: a view into Node's shared pool would drag all of it across the thread
  // border.
  return Uint8Array.from(Buffer.concat(digests))
}
