/**
 * Digests of the blocks of a file range, as ports.ts describes them for each algorithm.
 *
 * With the addon the bytes never enter JavaScript; without it they are read in pieces into one
 * buffer and hashed by packages and node:crypto. A file that ends early is ERR_FR_SOURCE_CHANGED.
 */
import { createHash, type Hash } from 'node:crypto'
import xxhash, { type XXHashAPI } from 'xxhash-wasm'
import type { BlockAlgorithm } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import { MIB } from '../../base/limits.js'
import type { ByteRange, HashSource } from '../../ports.js'
import { readNow, readSpread } from '../read-now.js'
import { createBlake3 } from './blake3.js'
import type { BlockHasher } from './block-hasher.js'
import { gearTable, indexChunks } from './chunks.js'

export interface BlockHashTask {
  readonly source: HashSource
  readonly range: ByteRange
  readonly blockBytes: number
  readonly algorithm: BlockAlgorithm
}

/** The range is cut into content-defined chunks. */
export type ChunkTask = Pick<BlockHashTask, 'source' | 'range'>

type Descriptor = Extract<HashSource, { kind: 'fd' }>

const pieceBytes = MIB

export async function hashBlocks(task: BlockHashTask): Promise<Uint8Array> {
  if (task.source.kind === 'native') {
    const { hashNative } = await import('../native/hash.js')
    return hashNative(task.source.file, task.range, task.blockBytes, task.algorithm)
  }
  hashers ??= xxhash().then(createBlockHashers)
  return hashDescriptor(task.source, task, (await hashers)[task.algorithm])
}

/** Entries of the chunks of the range, as native/core/hash/chunks.h has them. */
export async function cutChunks({ source, range }: ChunkTask): Promise<Uint8Array> {
  if (source.kind === 'native') {
    const { indexNative } = await import('../native/hash.js')
    return indexNative(source.file, range)
  }
  hashers ??= xxhash().then(createBlockHashers)
  const page = (await hashers)['blake3-page']
  const gear = gearTable(await xxhash())
  return indexChunks(range, gear, page, (into, offset) => fill(source, into, offset))
}

let hashers: Promise<BlockHashers> | undefined

export type BlockHashers = Readonly<Record<BlockAlgorithm, BlockHasher>>

/** One of each, which hash one block at a time. */
export async function createBlockHashers(xx: XXHashAPI): Promise<BlockHashers> {
  const blake3 = await createBlake3()
  return {
    xxh64: new Xxh64Block(xx),
    sha256: new Sha256Block(),
    blake3: blake3.block,
    'blake3-file': blake3.file,
    'blake3-page': new FirstBytes(blake3.file),
  }
}

class Xxh64Block implements BlockHasher {
  readonly #xx: XXHashAPI
  #hash: ReturnType<XXHashAPI['create64']>

  constructor(xx: XXHashAPI) {
    this.#xx = xx
    this.#hash = xx.create64()
  }

  start(): void {
    this.#hash = this.#xx.create64()
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }

  finish(): Uint8Array {
    const digest = Buffer.alloc(8)
    digest.writeBigUInt64BE(this.#hash.digest())
    return digest
  }
}

/** The first 8 bytes of what another one gives. */
class FirstBytes implements BlockHasher {
  readonly #whole: BlockHasher

  constructor(whole: BlockHasher) {
    this.#whole = whole
  }

  start(offset: number): void {
    this.#whole.start(offset)
  }

  update(bytes: Uint8Array): void {
    this.#whole.update(bytes)
  }

  finish(): Uint8Array {
    return this.#whole.finish().subarray(0, 8)
  }
}

class Sha256Block implements BlockHasher {
  #hash: Hash = createHash('sha256')

  start(): void {
    this.#hash = createHash('sha256')
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }

  finish(): Uint8Array {
    return this.#hash.digest()
  }
}

function hashDescriptor(source: Descriptor, task: BlockHashTask, hasher: BlockHasher): Uint8Array {
  const { offset, length } = task.range
  const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, length))
  const digests: Uint8Array[] = []
  for (let at = offset; at < offset + length; at += task.blockBytes) {
    const end = Math.min(at + task.blockBytes, offset + length)
    hasher.start(at)
    for (let cursor = at; cursor < end; ) {
      const piece = buffer.subarray(0, Math.min(buffer.length, end - cursor))
      fill(source, piece, cursor)
      hasher.update(piece)
      cursor += piece.length
    }
    digests.push(hasher.finish())
  }
  // A copy of its own: a view into Node's shared pool would drag all of it across the thread
  // border.
  return Uint8Array.from(Buffer.concat(digests))
}

function fill({ fd, spread }: Descriptor, piece: Uint8Array, offset: number): void {
  const have = spread ? readSpread(spread, piece, offset) : readNow(fd, piece, offset)
  if (have < piece.length)
    throw new FrError('ERR_FR_SOURCE_CHANGED', 'the file ends before the range to hash')
}
