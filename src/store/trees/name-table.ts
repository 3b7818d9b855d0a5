/**
 * Hashes of names, 12 bytes each: what a push has listed, and which names a file system takes for
 * one another.
 *
 * The idea: a million names would cost 200 MB as strings. 64 bits of a hash, keyed at random by
 * each process, tell them apart; two names with one hash, which nobody can make on purpose, leave a
 * file that should have been removed.
 */
import { randomBytes } from 'node:crypto'

const [seedA = 0, seedB = 0] = new Uint32Array(new Uint8Array(randomBytes(8)).buffer)

/** Two words of 32 bits, the first never 0. */
export function hashOf(name: Uint8Array, length = name.length): readonly [number, number] {
  let a = seedA
  let b = seedB
  for (let at = 0; at < length; at++) {
    const byte = name[at] as number
    a = Math.imul(a ^ byte, 0x9e37_79b1)
    a ^= a >>> 15
    b = Math.imul(b ^ byte, 0x85eb_ca77)
    b ^= b >>> 13
  }
  return [mixed(a ^ length) || 1, mixed(b + Math.imul(a, 0x2745_937f))]
}

function mixed(word: number): number {
  let mix = Math.imul(word ^ (word >>> 16), 0x85eb_ca6b)
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2_ae35)
  return (mix ^ (mix >>> 16)) >>> 0
}

/** A map from hashes to words of 32 bits. */
export class HashTable {
  #rows = new Uint32Array(3 * 1024)
  #size = 0

  get size(): number {
    return this.#size
  }

  get([first, second]: readonly [number, number]): number | undefined {
    const at = this.#find(this.#rows, first, second)
    return this.#rows[at] === 0 ? undefined : this.#rows[at + 2]
  }

  /** Keeps what is there; true: it is new. */
  add([first, second]: readonly [number, number], value = 0): boolean {
    const at = this.#find(this.#rows, first, second)
    if (this.#rows[at] !== 0) return false
    this.#rows.set([first, second, value], at)
    this.#size++
    if (this.#size * 6 > this.#rows.length) this.#grow()
    return true
  }

  #find(rows: Uint32Array, first: number, second: number): number {
    const slots = rows.length / 3
    for (let slot = first & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
      const at = 3 * slot
      if (rows[at] === 0 || (rows[at] === first && rows[at + 1] === second)) return at
    }
  }

  #grow(): void {
    const before = this.#rows
    const rows = new Uint32Array(2 * before.length)
    for (let at = 0; at < before.length; at += 3) {
      const first = before[at] as number
      if (first === 0) continue
      const row = before.subarray(at, at + 3)
      rows.set(row, this.#find(rows, first, row[1] as number))
    }
    this.#rows = rows
  }
}

/** A name as file systems that ignore case and the form of characters compare it. */
export function foldedName(name: Uint8Array): Uint8Array {
  let isPlain = true
  for (const byte of name) {
    if (byte < 0x80 && (byte < 0x41 || byte > 0x5a)) continue
    isPlain = false
    break
  }
  if (isPlain) return name
  const text = Buffer.from(name.buffer, name.byteOffset, name.length)
  const utf8 = text.toString('utf8')
  // What is no text is compared as it is.
  if (!Buffer.from(utf8).equals(text)) return name
  return Buffer.from(utf8.normalize('NFKD').toLowerCase().normalize('NFC'))
}
