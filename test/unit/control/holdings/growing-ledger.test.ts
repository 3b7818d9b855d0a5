/** What is known of a stream that grows: in the end what one ledger of its size knows. */

import { describe, expect, it } from 'vitest'
import { GIB, KIB, MIB } from '../../../../src/base/limits.js'
import { type RangePair, RangeSet } from '../../../../src/base/ranges.js'
import { GrowingLedger } from '../../../../src/control/holdings/growing-ledger.js'
import { StreamLedger } from '../../../../src/control/holdings/ledger.js'
import fc from '../../../support/property.js'

const block = 64 * KIB
const digestBytes = 4

/** A digest that is another one for every beginning of every block. */
function digestOf(start: number, end: number): Uint8Array {
  const digest = new Uint8Array(digestBytes)
  new DataView(digest.buffer).setUint32(0, Math.imul(start / block + 1, 2_654_435_761) ^ end)
  return digest
}

function digests([offset, length]: RangePair, bytes = block): Uint8Array {
  const end = offset + length
  const all: number[] = []
  for (let at = offset; at < end; at += bytes) all.push(...digestOf(at, Math.min(at + bytes, end)))
  return Uint8Array.from(all)
}

const wrong = (range: RangePair): Uint8Array => digests(range).map((byte) => byte ^ 1)
const down = (at: number): number => Math.floor(at / block) * block

/** A content that is cut here and there, and ends at last; each step may come in any order. */
interface Story {
  readonly size: number
  /** The author's records. */
  readonly records: readonly RangePair[]
  /** Digests of these were computed; those of `bad` over wrong bytes. */
  readonly computed: readonly RangePair[]
  readonly bad: ReadonlySet<number>
  /** Of the records, then of what is computed, each by its place in the list of both. */
  readonly order: readonly number[]
  /** Steps after which the end is known. */
  readonly endsAfter: number
}

const stories: fc.Arbitrary<Story> = fc
  .record({
    size: fc.integer({ min: 0, max: 5 * block + 99 }),
    cuts: fc.uniqueArray(fc.integer({ min: 1, max: 5 * block }), { maxLength: 8 }),
    bad: fc.uniqueArray(fc.integer({ min: 0, max: 5 })),
    repeats: fc.integer({ min: 0, max: 2 }),
    endsAfter: fc.integer({ min: 0, max: 20 }),
  })
  .chain(({ size, cuts, bad, repeats, endsAfter }) => {
    const ends = cuts.filter((cut) => cut < size).sort((a, b) => a - b)
    if (down(size) > 0) ends.push(down(size))
    const records = ends
      .sort((a, b) => a - b)
      .map((end, i): RangePair => {
        const from = down(ends[i - 1] ?? 0)
        return [from, end - from]
      })
    const computed = [...records]
    for (let at = 0; at + block <= size; at += block) computed.push([at, block])
    const steps = [...records, ...computed].map((_, i) => i)
    const all = [...steps, ...steps.slice(0, repeats)]
    return fc.shuffledSubarray(all, { minLength: all.length }).map((order) => {
      return { size, records, computed, bad: new Set(bad), order, endsAfter }
    })
  })

/** Both ledgers, and what of the content was both announced and found right. */
class Pair {
  readonly growing = new GrowingLedger(digestBytes)
  readonly fixed: StreamLedger
  readonly #announced = new Set<string>()
  readonly #right = new Set<string>()
  readonly #proved = new RangeSet()
  readonly #size: number
  #most = 0
  #isOver = false

  constructor(size: number) {
    this.#size = size
    this.fixed = new StreamLedger(size, block, digestBytes)
  }

  announce(range: RangePair): void {
    expect(this.growing.announce(...range, digests(range))).toEqual(
      this.#whole(range, (some) => this.fixed.announce(...some, digests(some))),
    )
    this.#note(range, this.#announced)
  }

  compute(range: RangePair, isWrong: boolean): void {
    const seen = isWrong ? wrong(range) : digests(range)
    expect(this.growing.compute(...range, seen)).toEqual(
      this.#whole(range, (some) => {
        return this.fixed.compute(
          ...some,
          seen.subarray(0, Math.ceil(some[1] / block) * digestBytes),
        )
      }),
    )
    if (!isWrong) this.#note(range, this.#right)
  }

  end(): void {
    expect(this.growing.ends(this.#size)).toBe(true)
    this.#isOver = true
  }

  /** What was bad comes again, by way of scratch. */
  repair(): void {
    expect(this.growing.badRanges().toArray()).toEqual(this.fixed.badRanges().toArray())
    for (const range of this.fixed.badRanges())
      for (const ledger of [this.growing, this.fixed]) {
        expect(ledger.computeScratch(...range, digests(range)).verified).toEqual([range])
        ledger.repaired(...range)
        expect(ledger.compute(...range, digests(range))).toEqual([])
      }
  }

  /** What must be true at any time. */
  look(): void {
    const { prefix, verifiedBytes } = this.growing
    expect(prefix).toBeGreaterThanOrEqual(this.#most)
    this.#most = prefix
    expect(this.#proved.contains(0, prefix)).toBe(true)
    expect(this.growing.held([[0, prefix]])).toEqual(prefix === 0 ? [] : [[0, prefix]])
    expect(verifiedBytes).toBeGreaterThanOrEqual(this.fixed.verifiedBytes)
    expect(verifiedBytes - this.fixed.verifiedBytes).toBeLessThan(block)
  }

  /** The part of a range that the other ledger can be told of. */
  #whole([offset, length]: RangePair, tell: (range: RangePair) => RangePair[]): RangePair[] {
    const end = this.#isOver && offset + length === this.#size ? this.#size : down(offset + length)
    return end > offset ? tell([offset, end - offset]) : []
  }

  #note([offset, length]: RangePair, which: Set<string>): void {
    const end = offset + length
    for (let at = offset; at < end; at += block) {
      const part: RangePair = [at, Math.min(block, end - at)]
      which.add(part.join())
      if (this.#announced.has(part.join()) && this.#right.has(part.join()))
        this.#proved.add(...part)
    }
  }
}

describe('a ledger of what grows', () => {
  it('knows in the end what one of its size does, whatever comes in which order', () => {
    fc.assert(
      fc.property(stories, ({ size, records, computed, bad, order, endsAfter }) => {
        const pair = new Pair(size)
        for (const [at, step] of order.entries()) {
          if (at === endsAfter) pair.end()
          const record = records[step]
          const range = computed[step - records.length]
          if (record !== undefined) pair.announce(record)
          else if (range !== undefined) {
            const isWrong = range[1] === block && bad.has(range[0] / block)
            pair.compute(range, isWrong)
          }
          if (bad.size === 0) pair.look()
        }
        if (order.length <= endsAfter) pair.end()
        const last: RangePair = [down(size), size - down(size)]
        if (last[1] > 0) {
          pair.announce(last)
          pair.compute(last, bad.has(5))
        }
        pair.repair()
        const { growing, fixed } = pair
        const all: RangePair[] = [[0, size]]
        expect(growing.digests).toEqual(fixed.digests)
        expect(growing.held(all)).toEqual(fixed.held(all))
        expect(growing.missing(all).toArray()).toEqual(fixed.missing(all).toArray())
        expect(growing.unannounced().toArray()).toEqual(fixed.unannounced().toArray())
        expect([growing.isVerified, growing.verifiedBytes]).toEqual([true, size])
        expect([growing.prefix, growing.repairedBytes]).toEqual([size, fixed.repairedBytes])
      }),
    )
  })

  it('says what is verified by a cut, until more of the block is', () => {
    const ledger = new GrowingLedger(digestBytes)
    const say = (...range: RangePair) => ledger.announce(...range, digests(range))
    const see = (...range: RangePair) => ledger.compute(...range, digests(range))
    say(0, 100)
    expect(ledger.prefix).toBe(0)
    see(0, 100)
    expect([ledger.prefix, ledger.verifiedBytes, ledger.isVerified]).toEqual([100, 100, false])
    // A newer cut counts once it was found right; the older one was right already.
    say(0, 300)
    expect(ledger.prefix).toBe(100)
    see(0, 200)
    expect(ledger.prefix).toBe(100)
    say(0, 200)
    see(0, 300)
    expect(ledger.prefix).toBe(300)
    expect(ledger.takeVerified()).toEqual([{ offset: 0, length: 300, digests: digestOf(0, 300) }])
    say(0, block + 5)
    see(block, 5)
    // The first block is not there as a whole, but its beginning was.
    expect([ledger.prefix, ledger.held([[0, 2 * block]])]).toEqual([
      300,
      [
        [0, 300],
        [block, 5],
      ],
    ])
    see(0, block)
    expect([ledger.prefix, ledger.verifiedBytes]).toEqual([block + 5, block + 5])
    expect(ledger.takeVerified().map(({ offset, length }) => [offset, length])).toEqual([
      [0, block],
      [block, 5],
    ])
    expect(ledger.takeVerified()).toEqual([])
  })

  it('is wrong about nothing when a cut is', () => {
    const ledger = new GrowingLedger(digestBytes)
    ledger.announce(0, 100, digests([0, 100]))
    expect(ledger.compute(0, 100, wrong([0, 100]))).toEqual([])
    expect([ledger.prefix, ledger.badRanges().isEmpty]).toEqual([0, true])
    // The block as a whole says so.
    ledger.announce(0, block, digests([0, block]))
    expect(ledger.compute(0, block, wrong([0, block]))).toEqual([[0, block]])
  })

  it('ends once', () => {
    const ledger = new GrowingLedger(digestBytes)
    ledger.announce(0, block, digests([0, block]))
    expect(ledger.ends(block - 1)).toBe(false)
    expect(ledger.isFinal).toBe(false)
    expect([ledger.ends(block + 7), ledger.ends(block + 7), ledger.ends(block)]).toEqual([
      true,
      true,
      false,
    ])
    expect(ledger.size).toBe(block + 7)
    expect(() => ledger.announce(block, 8, digests([block, 8]))).toThrow(RangeError)
    expect(ledger.unannounced().toArray()).toEqual([[block, 7]])
    expect(ledger.missing([[0, 9 * block]]).toArray()).toEqual([[0, block + 7]])
    const empty = new GrowingLedger(digestBytes)
    expect([empty.isVerified, empty.ends(0), empty.isVerified]).toEqual([false, true, true])
    expect(empty.digests).toEqual(new Uint8Array())
  })

  it('lacks of a block that may not be there as a whole what it was asked for', () => {
    const ledger = new GrowingLedger(digestBytes)
    expect(ledger.missing([[0, 100]]).toArray()).toEqual([[0, 100]])
    ledger.announce(0, 40, digests([0, 40]))
    ledger.compute(0, 40, digests([0, 40]))
    expect(ledger.missing([[0, 100]]).toArray()).toEqual([[40, 60]])
    expect(ledger.unannounced().toArray()).toEqual([])
    ledger.land(block, block)
    expect(ledger.missing([[10, 5 * block]]).toArray()).toEqual([
      [40, block - 40],
      [2 * block, 3 * block + 10],
    ])
    expect(ledger.unannounced().toArray()).toEqual([[0, 2 * block]])
  })

  it('has larger blocks in later sections, and runs of one section each', () => {
    const ledger = new GrowingLedger(digestBytes)
    const border = 4 * GIB
    const runs: RangePair[] = [
      [border - block, block],
      [border, 4 * block + 9],
    ]
    for (const run of runs) {
      const seen = digests(run, run[0] < border ? block : 2 * block)
      ledger.announce(...run, seen)
      ledger.compute(...run, seen)
    }
    expect(ledger.held([[0, 2 * border]])).toEqual([[border - block, 5 * block + 9]])
    expect(ledger.takeVerified().map(({ offset, length }) => [offset, length])).toEqual([
      [border - block, block],
      [border, 4 * block],
      [border + 4 * block, 9],
    ])
    const numbers = [65_535, 65_536, 65_537, 65_538]
    expect(numbers.map((number) => ledger.isBlockVerified(number))).toEqual([
      true,
      true,
      true,
      false,
    ])
    expect(ledger.prefix).toBe(0)
    // The last section has blocks of 64 MiB.
    const far = border * 1023
    ledger.land(far, 64 * MIB)
    expect(ledger.missing([[far, 65 * MIB]]).toArray()).toEqual([[far + 64 * MIB, MIB]])
  })

  it('takes what was verified before, and gives it to nobody again', () => {
    const ledger = new GrowingLedger(digestBytes)
    ledger.restore(0, block + 9, digests([0, block + 9]))
    expect([ledger.prefix, ledger.takeVerified()]).toEqual([block + 9, []])
    const more = { offset: block, length: 30, digests: digests([block, 30]) }
    ledger.announce(block, 30, more.digests)
    expect(ledger.matching(more)).toEqual([[block, 30]])
    expect(ledger.prefix).toBe(block + 9)
    expect(ledger.confirm(more)).toEqual([[block, 30]])
    expect(ledger.prefix).toBe(block + 30)
    expect(ledger.ends(block + 30)).toBe(true)
    expect(ledger.isVerified).toBe(true)
    expect(ledger.isAnnounced(0, block + 30)).toBe(true)
  })
})
