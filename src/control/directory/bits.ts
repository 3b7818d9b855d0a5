/** A set of small numbers, which grows as it needs to. */
export class Bits {
  #words: Uint32Array

  constructor(words: Uint32Array = new Uint32Array(0)) {
    this.#words = words
  }

  static of(...bits: readonly number[]): Bits {
    const made = new Bits()
    for (const bit of bits) made.add(bit)
    return made
  }

  /** Of `text`; null: it is none. */
  static fromHex(hex: string): Bits | null {
    if (hex.length % 8 !== 0 || !/^[0-9a-f]*$/.test(hex)) return null
    const words = new Uint32Array(hex.length / 8)
    for (let i = 0; i < words.length; i++)
      words[i] = Number.parseInt(hex.slice(8 * i, 8 * i + 8), 16)
    return new Bits(words)
  }

  /** Eight digits for each 32 bits, without those at the end that are empty. */
  get text(): string {
    let used = this.#words.length
    while (used > 0 && this.#words[used - 1] === 0) used -= 1
    let text = ''
    for (let i = 0; i < used; i++) text += (this.#words[i] as number).toString(16).padStart(8, '0')
    return text
  }

  get isEmpty(): boolean {
    return this.#words.every((word) => word === 0)
  }

  /** The greatest number that it may hold, and one. */
  get length(): number {
    return 32 * this.#words.length
  }

  has(bit: number): boolean {
    return ((this.#words[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0
  }

  add(bit: number): this {
    this.#grow((bit >>> 5) + 1)
    const at = bit >>> 5
    this.#words[at] = ((this.#words[at] as number) | (1 << (bit & 31))) >>> 0
    return this
  }

  /** All that are in either. */
  or(other: Bits): Bits {
    const [long, short] = this.#words.length >= other.#words.length ? [this, other] : [other, this]
    const words = long.#words.slice()
    for (let i = 0; i < short.#words.length; i++)
      words[i] = ((words[i] as number) | (short.#words[i] as number)) >>> 0
    return new Bits(words)
  }

  /** All that are in both. */
  and(other: Bits): Bits {
    const words = this.#words.slice(0, other.#words.length)
    for (let i = 0; i < words.length; i++)
      words[i] = ((words[i] as number) & (other.#words[i] as number)) >>> 0
    return new Bits(words)
  }

  *[Symbol.iterator](): IterableIterator<number> {
    for (let bit = 0; bit < this.length; bit++) if (this.has(bit)) yield bit
  }

  #grow(words: number): void {
    if (words <= this.#words.length) return
    const grown = new Uint32Array(words)
    grown.set(this.#words)
    this.#words = grown
  }
}
