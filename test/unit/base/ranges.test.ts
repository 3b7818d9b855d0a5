import { describe, expect, it } from 'vitest'
import { type RangePair, RangeSet } from '../../../src/base/ranges.js'
import fc from '../../support/property.js'

const size = 64
const operation = fc.tuple(
  fc.boolean(),
  fc.integer({ min: 0, max: size - 1 }),
  fc.integer({ min: 0, max: 20 }),
)

/** The plain model: one flag per byte. */
function model(operations: readonly (readonly [boolean, number, number])[]): boolean[] {
  const flags = new Array<boolean>(size + 32).fill(false)
  for (const [adds, offset, length] of operations) flags.fill(adds, offset, offset + length)
  return flags
}

function runs(flags: readonly boolean[]): RangePair[] {
  const found: RangePair[] = []
  for (let i = 0; i < flags.length; i++) {
    if (flags[i] !== true) continue
    const start = i
    while (flags[i] === true) i++
    found.push([start, i - start])
  }
  return found
}

describe('RangeSet', () => {
  it('is a set of bytes', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 30 }),
        fc.nat(size),
        fc.nat(20),
        (operations, from, length) => {
          const set = new RangeSet()
          for (const [adds, offset, bytes] of operations) {
            if (adds) set.add(offset, bytes)
            else set.remove(offset, bytes)
          }
          const flags = model(operations)
          expect(set.toArray()).toEqual(runs(flags))
          expect(set.bytes).toBe(flags.filter(Boolean).length)
          expect(set.contains(from, length)).toBe(flags.slice(from, from + length).every(Boolean))
          const within = (wanted: boolean) =>
            runs(flags.map((flag, i) => flag === wanted && i >= from && i < from + length))
          expect(set.present(from, length)).toEqual(within(true))
          expect(set.missing(from, length)).toEqual(within(false))
        },
      ),
    )
  })

  it('subtracts', () => {
    const set = RangeSet.of([
      [0, 10],
      [20, 10],
    ])
    set.subtract(RangeSet.of([[5, 20]]))
    expect(set.toArray()).toEqual([
      [0, 5],
      [25, 5],
    ])
  })

  it('compacts by closing the smallest gaps, never by dropping a byte', () => {
    const set = RangeSet.of([
      [0, 1],
      [2, 1],
      [10, 1],
      [12, 1],
      [100, 1],
    ])
    expect(set.compacted(5)).toEqual(set.toArray())
    expect(set.compacted(3)).toEqual([
      [0, 3],
      [10, 3],
      [100, 1],
    ])
    expect(set.compacted(1)).toEqual([[0, 101]])
  })
})
