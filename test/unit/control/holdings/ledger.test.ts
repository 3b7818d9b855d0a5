import { describe, expect, it } from 'vitest'
import { isBlockRun, StreamLedger } from '../../../../src/control/holdings/ledger.js'

const block = 100
/** Three blocks, the last one short. */
const make = () => new StreamLedger(250, block, 2)
const digests = (...values: number[]) => Uint8Array.from(values.flatMap((value) => [value, value]))

describe('StreamLedger', () => {
  it.each(['data first', 'digests first'])('%s: equal digests verify', (order) => {
    const ledger = make()
    const announce = () => ledger.announce(0, 250, digests(1, 2, 3))
    const compute = () => ledger.compute(0, 250, digests(1, 2, 3))
    const [first, second] = order === 'data first' ? [compute, announce] : [announce, compute]
    expect(first()).toEqual([])
    expect(ledger.verifiedBytes).toBe(0)
    expect(second()).toEqual([])
    expect(ledger.verifiedBytes).toBe(250)
    expect(ledger.isVerified).toBe(true)
  })

  it('landing alone verifies nothing', () => {
    const ledger = make()
    ledger.land(0, 250)
    ledger.announce(0, 250, digests(1, 2, 3))
    expect(ledger.isVerified).toBe(false)
    expect(ledger.missing([[0, 250]]).toArray()).toEqual([])
  })

  it('a bad block is repaired only through scratch with the right digest', () => {
    const ledger = make()
    ledger.announce(0, 250, digests(1, 2, 3))
    expect(ledger.compute(0, 250, digests(1, 9, 3))).toEqual([[100, 100]])
    expect([0, 1, 2].map((at) => ledger.isBlockVerified(at))).toEqual([true, false, true])
    expect(ledger.badRanges().toArray()).toEqual([[100, 100]])
    // The same wrong bytes again change nothing, nor does a second opinion on the file itself.
    expect(ledger.compute(100, 100, digests(2))).toEqual([])
    expect(ledger.isVerified).toBe(false)
    expect(ledger.computeScratch(100, 100, digests(8)).bad).toEqual([[100, 100]])
    expect(ledger.computeScratch(100, 100, digests(2)).verified).toEqual([[100, 100]])
    expect(ledger.isVerified).toBe(false)
    ledger.repaired(100, 100)
    expect([ledger.isVerified, ledger.repairedBytes, ledger.verifiedBytes]).toEqual([false, 0, 150])
    // Scratch changed after it was looked at: what was copied in is wrong.
    expect(ledger.compute(100, 100, digests(7))).toEqual([[100, 100]])
    ledger.repaired(100, 100)
    expect(ledger.compute(100, 100, digests(2))).toEqual([])
    expect([ledger.isVerified, ledger.repairedBytes, ledger.verifiedBytes]).toEqual([
      true,
      100,
      250,
    ])
    // Once is enough.
    ledger.repaired(100, 100)
    expect(ledger.repairedBytes).toBe(100)
  })

  it('counts a copy of what was not bad as no repair', () => {
    const ledger = make()
    ledger.announce(0, 250, digests(1, 2, 3))
    ledger.repaired(0, 100)
    ledger.compute(0, 250, digests(1, 2, 3))
    expect([ledger.isVerified, ledger.repairedBytes]).toEqual([true, 0])
  })

  it.each([
    ['begin in a block', 50, 200],
    ['end in one', 0, 50],
    ['go past the end', 200, 100],
  ])('takes no digests of runs that %s', (_, offset, length) => {
    const given = digests(...Array(Math.ceil(length / block)).keys())
    expect(() => make().compute(offset, length, given)).toThrow(RangeError)
  })

  it('the first announcement stays', () => {
    const ledger = make()
    ledger.announce(0, 100, digests(1))
    ledger.announce(0, 100, digests(7))
    ledger.compute(0, 100, digests(1))
    expect(ledger.isBlockVerified(0)).toBe(true)
  })

  it('a run fills the gaps of what is known', () => {
    const ledger = make()
    ledger.announce(100, 100, digests(2))
    ledger.announce(0, 250, digests(1, 8, 3))
    expect(ledger.digests).toEqual(digests(1, 2, 3))
    ledger.compute(0, 100, digests(9))
    expect(ledger.compute(0, 250, digests(1, 2, 3))).toEqual([])
    expect(ledger.badRanges().toArray()).toEqual([[0, 100]])
    expect(ledger.verifiedBytes).toBe(150)
  })

  it('scratch of a block that is not bad says nothing', () => {
    const ledger = make()
    ledger.announce(0, 250, digests(1, 2, 3))
    expect(ledger.computeScratch(0, 100, digests(1))).toEqual({ verified: [], bad: [] })
    ledger.repaired(0, 100)
    expect(ledger.verifiedBytes).toBe(0)
  })

  it('knows what is missing, by whole blocks', () => {
    const ledger = make()
    ledger.land(100, 100)
    const asked = [
      [50, 10],
      [190, 20],
    ] as const
    expect(ledger.missing(asked).toArray()).toEqual([
      [0, 100],
      [200, 50],
    ])
    expect(ledger.missing([[120, 10]]).toArray()).toEqual([])
    expect(ledger.missing([]).toArray()).toEqual([])
  })

  it('refuses digests that are not those of whole blocks', () => {
    expect(() => make().announce(0, 150, digests(1, 2))).toThrow(RangeError)
    expect(() => make().announce(50, 100, digests(1))).toThrow(RangeError)
    expect(() => make().announce(200, 100, digests(1))).toThrow(RangeError)
    expect(() => make().compute(0, 250, digests(1, 2))).toThrow(RangeError)
    expect(isBlockRun(200, 50, block, 250)).toBe(true)
    expect(isBlockRun(200, 40, block, 250)).toBe(false)
    expect(isBlockRun(0, 0, block, 250)).toBe(false)
  })

  it('counts tries per block', () => {
    const ledger = make()
    expect(ledger.countTry(0, 100)).toBe(1)
    expect(ledger.countTry(0, 250)).toBe(2)
    expect(ledger.countTry(200, 50)).toBe(2)
  })

  it('an empty stream is verified as it is', () => {
    const ledger = new StreamLedger(0, block, 2)
    expect([ledger.isVerified, ledger.blocks]).toEqual([true, 0])
  })
})
