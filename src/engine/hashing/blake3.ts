/**
 * BLAKE3 without the addon: the values of blocks, and the hash of a file from them
 * (native/core/hash/blake3.h says what a value is).
 *
 * The idea: packages give the hash of a whole input, never the value of a subtree inside one. But
 * hash-wasm saves and loads the state of a hash, so a state that stands at any chunk of a file can
 * be loaded; after 16 KiB more, its stack holds the values of the two halves. What it cannot give,
 * parents and a last short leaf, is compressed here. hash-wasm is pinned, and the tests hold all of
 * this against published vectors.
 */
import { createRequire } from 'node:module'
import type { IHasher } from 'hash-wasm'
import type { BlockHasher } from './block-hasher.js'

const wordsBytes = 64
const chunkBytes = 1024
const leafBytes = 16 * chunkBytes
const flag = { chunkStart: 1, chunkEnd: 2, parent: 4, root: 8 } as const

/** Where the state that hash-wasm saves has its chunk number and its stack. */
const savedChunk = 68
const savedStack = 149

const initial = Int32Array.of(
  ...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a],
  ...[0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
)
/** Which word of a message each gets in the next round. */
const permutation = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
const rounds = 7

const state = new Int32Array(16)
const at = (index: number): number => state[index] as number
const turned = (word: number, bits: number): number => (word >>> bits) | (word << (32 - bits))

function mix(a: number, b: number, c: number, d: number, x: number, y: number): void {
  state[a] = at(a) + at(b) + x
  state[d] = turned(at(d) ^ at(a), 16)
  state[c] = at(c) + at(d)
  state[b] = turned(at(b) ^ at(c), 12)
  state[a] = at(a) + at(b) + y
  state[d] = turned(at(d) ^ at(a), 8)
  state[c] = at(c) + at(d)
  state[b] = turned(at(b) ^ at(c), 7)
}

/** One compression of at most 64 bytes into `chain`. */
function compress(chain: Int32Array, bytes: Uint8Array, counter: number, flags: number): void {
  const block = new DataView(new ArrayBuffer(wordsBytes))
  new Uint8Array(block.buffer).set(bytes)
  let words = Array.from({ length: 16 }, (_, word) => block.getInt32(4 * word, true))
  state.set(chain)
  state.set(initial.subarray(0, 4), 8)
  state.set([counter, Math.floor(counter / 2 ** 32), bytes.length, flags], 12)
  for (let round = 0; round < rounds; round++) {
    const word = (index: number): number => words[index] as number
    mix(0, 4, 8, 12, word(0), word(1))
    mix(1, 5, 9, 13, word(2), word(3))
    mix(2, 6, 10, 14, word(4), word(5))
    mix(3, 7, 11, 15, word(6), word(7))
    mix(0, 5, 10, 15, word(8), word(9))
    mix(1, 6, 11, 12, word(10), word(11))
    mix(2, 7, 8, 13, word(12), word(13))
    mix(3, 4, 9, 14, word(14), word(15))
    words = permutation.map(word)
  }
  for (let i = 0; i < 8; i++) chain[i] = at(i) ^ at(i + 8)
}

function bytesOf(chain: Int32Array): Uint8Array {
  const value = new Uint8Array(32)
  const view = new DataView(value.buffer)
  for (const [i, word] of chain.entries()) view.setInt32(4 * i, word, true)
  return value
}

function parentOf(left: Uint8Array, right: Uint8Array, isRoot: boolean): Uint8Array {
  const chain = initial.slice()
  compress(chain, Buffer.concat([left, right]), 0, flag.parent | (isRoot ? flag.root : 0))
  return bytesOf(chain)
}

/** The value of a chunk: 1 KiB, or the last bytes of a file; none where the file is empty. */
function chunkValue(bytes: Uint8Array, chunk: number, isRoot: boolean): Uint8Array {
  const chain = initial.slice()
  const last = Math.max(0, Math.ceil(bytes.length / wordsBytes) - 1)
  for (let i = 0; i <= last; i++) {
    const ends = i === last ? flag.chunkEnd | (isRoot ? flag.root : 0) : 0
    const block = bytes.subarray(i * wordsBytes, (i + 1) * wordsBytes)
    compress(chain, block, chunk, ends | (i === 0 ? flag.chunkStart : 0))
  }
  return bytesOf(chain)
}

/** Subtrees in order, of one size but for the last, which may be smaller, become one node. */
class Tree {
  #held: { readonly value: Uint8Array; readonly size: number }[] = []

  push(value: Uint8Array): void {
    // Late, because the last merge of all may be the root's.
    while (this.#held.length > 1 && this.#held.at(-1)?.size === this.#held.at(-2)?.size)
      this.#merge(false)
    this.#held.push({ value, size: 1 })
  }

  /** The value of the node over everything pushed, one at least. One alone is its own value. */
  finish(isRoot: boolean): Uint8Array {
    while (this.#held.length > 1) this.#merge(isRoot && this.#held.length === 2)
    const [node] = this.#held
    this.#held = []
    return node?.value as Uint8Array
  }

  #merge(isRoot: boolean): void {
    const [left, right] = this.#held.splice(-2)
    if (left === undefined || right === undefined) return
    const value = parentOf(left.value, right.value, isRoot)
    this.#held.push({ value, size: left.size + right.size })
  }
}

/** The hash of a file from the values of its blocks, laid end to end. */
export function blake3File(values: Uint8Array): Uint8Array {
  if (values.length === 0) return chunkValue(values, 0, true)
  const tree = new Tree()
  for (let offset = 0; offset < values.length; offset += 32)
    tree.push(values.slice(offset, offset + 32))
  return tree.finish(true)
}

/** Values of larger blocks: each of `perValue` that follow each other, the last of what is left. */
export function foldBlake3(values: Uint8Array, perValue: number): Uint8Array {
  const folded: Uint8Array[] = []
  for (let offset = 0; offset < values.length; offset += 32 * perValue) {
    const tree = new Tree()
    const end = Math.min(values.length, offset + 32 * perValue)
    for (let at = offset; at < end; at += 32) tree.push(values.slice(at, at + 32))
    folded.push(tree.finish(false))
  }
  return Buffer.concat(folded)
}

/** The values of blocks of 2^n KiB. */
class Blake3Block implements BlockHasher {
  readonly #wasm: IHasher
  /** As hash-wasm saves it before the first byte. */
  readonly #fresh: Buffer
  readonly #tree = new Tree()
  #chunk = 0

  constructor(wasm: IHasher) {
    this.#wasm = wasm
    this.#fresh = Buffer.from(wasm.init().save())
  }

  start(offset: number): void {
    this.#chunk = offset / chunkBytes
  }

  /** Whole leaves at a multiple of their size; or up to the end of the file. */
  update(bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.length; offset += leafBytes) {
      const leaf = bytes.subarray(offset, offset + leafBytes)
      this.#tree.push(leaf.length === leafBytes ? this.#leaf(leaf) : this.#shortLeaf(leaf))
      this.#chunk += leafBytes / chunkBytes
    }
  }

  finish(): Uint8Array {
    return this.#tree.finish(false)
  }

  #leaf(bytes: Uint8Array): Uint8Array {
    this.#fresh.writeBigUInt64LE(BigInt(this.#chunk), savedChunk)
    const saved = this.#wasm.load(this.#fresh).update(bytes).save()
    const right = savedStack + 32
    return parentOf(saved.subarray(savedStack, right), saved.subarray(right, right + 32), false)
  }

  #shortLeaf(bytes: Uint8Array): Uint8Array {
    const tree = new Tree()
    for (let offset = 0; offset < bytes.length; offset += chunkBytes) {
      const chunk = bytes.subarray(offset, offset + chunkBytes)
      tree.push(chunkValue(chunk, this.#chunk + offset / chunkBytes, false))
    }
    return tree.finish(false)
  }
}

/** The only block of a file: its value is the hash of the file. */
class Blake3File implements BlockHasher {
  readonly #wasm: IHasher

  constructor(wasm: IHasher) {
    this.#wasm = wasm
  }

  start(): void {
    this.#wasm.init()
  }

  update(bytes: Uint8Array): void {
    this.#wasm.update(bytes)
  }

  finish(): Uint8Array {
    return this.#wasm.digest('binary')
  }
}

type Blake3Package = Pick<typeof import('hash-wasm'), 'createBLAKE3'>

export async function createBlake3(): Promise<{ block: BlockHasher; file: BlockHasher }> {
  // This file of the package has nothing but BLAKE3 in it and loads ten times as fast.
  const path = 'hash-wasm/dist/blake3.umd.min.js'
  const { createBLAKE3 } = createRequire(import.meta.url)(path) as Blake3Package
  const wasm = await createBLAKE3()
  return { block: new Blake3Block(wasm), file: new Blake3File(wasm) }
}
