/**
 * A payload that is read in bounded pieces, by readers that do no I/O.
 *
 * The idea: a reader is a generator that yields the range it needs next and goes on with its
 * bytes. So the same code reads files, streams and arrays, and a budget bounds what any file can
 * cost: once it is spent, a reader keeps what it has found so far.
 */
import { contentLimits } from '../base/content-limits.js'
import type { RangePair } from '../base/ranges.js'

/** Yields ranges of the payload, is given their bytes (fewer at the end of a cut-off payload). */
export type Reading<T> = Generator<RangePair, T, Uint8Array>

/** The payload is not of the format that its reader is for, or contradicts itself. */
export class Malformed extends Error {}

/** No more of the payload may be read. */
export class Exhausted extends Error {}

const { analysisReadBytes, analysisReads, analysisAheadBytes, analysisAheadBytesMax } =
  contentLimits

export class Payload {
  readonly size: number
  #bytesLeft: number = analysisReadBytes
  #readsLeft: number = analysisReads
  #windowAt = 0
  #window: DataView = new DataView(new ArrayBuffer(0))
  #aheadBytes: number = analysisAheadBytes

  constructor(size: number) {
    this.size = size
  }

  /** Exactly these bytes. Throws Malformed where the payload ends before, Exhausted by budget. */
  *at(offset: number, length: number): Reading<DataView> {
    if (length < 0 || offset < 0 || offset + length > this.size) throw new Malformed('ends early')
    const inWindow = offset - this.#windowAt
    if (inWindow < 0 || inWindow + length > this.#window.byteLength)
      yield* this.#move(offset, length)
    const { buffer, byteOffset } = this.#window
    return new DataView(buffer, byteOffset + offset - this.#windowAt, length)
  }

  *#move(offset: number, length: number): Reading<void> {
    // Whoever reads on where the window ends is given more each time; whoever jumps, little.
    const windowEnd = this.#windowAt + this.#window.byteLength
    const readsOn = offset >= this.#windowAt && offset <= windowEnd && windowEnd > 0
    this.#aheadBytes = readsOn
      ? Math.min(2 * this.#aheadBytes, analysisAheadBytesMax)
      : analysisAheadBytes
    const wanted = Math.min(Math.max(length, this.#aheadBytes), this.size - offset)
    if (wanted > this.#bytesLeft || this.#readsLeft === 0) throw new Exhausted('read enough')
    this.#bytesLeft -= wanted
    this.#readsLeft--
    const bytes = yield [offset, wanted]
    if (bytes.length < length) throw new Malformed('ends early')
    this.#window = new DataView(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, wanted))
    this.#windowAt = offset
  }
}

/** Four characters, or more, of Latin-1. */
export function latin(view: DataView, at: number, length = 4): string {
  let text = ''
  for (let i = 0; i < length; i++) text += String.fromCharCode(view.getUint8(at + i))
  return text
}

/** A big-endian number below 2^53; larger ones are malformed. */
export function uint64(view: DataView, at: number): number {
  const value = view.getBigUint64(at)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Malformed('a number is too large')
  return Number(value)
}

/** Runs a reader until its budget is spent; what it has noted by then counts. */
export function* withinBudget(reader: Reading<void>): Reading<void> {
  try {
    yield* reader
  } catch (error) {
    if (!(error instanceof Exhausted)) throw error
  }
}
