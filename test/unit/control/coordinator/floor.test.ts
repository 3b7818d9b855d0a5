import { describe, expect, it } from 'vitest'
import { limits, MIB } from '../../../../src/base/limits.js'
import { Floor } from '../../../../src/control/coordinator/floor.js'

function floorOf(...members: readonly number[]): Floor {
  const floor = new Floor()
  for (const member of members) floor.joins(member)
  return floor
}

describe('the floor', () => {
  it('is the least of those that keep up, and is said now and then', () => {
    const floor = floorOf(0, 1)
    floor.reached(0, 5 * MIB)
    expect(floor.advance(9 * MIB)).toEqual([])
    expect([floor.bytes, floor.news(0)]).toEqual([0, null])
    floor.reached(1, 3 * MIB)
    floor.advance(9 * MIB)
    expect([floor.bytes, floor.news(0), floor.news(0)]).toEqual([3 * MIB, 3 * MIB, null])
    floor.reached(1, 4 * MIB)
    floor.advance(9 * MIB)
    expect([floor.dueMs, floor.news(limits.floorMs - 1)]).toEqual([limits.floorMs, null])
    expect(floor.news(limits.floorMs)).toBe(4 * MIB)
    // An older word is void.
    floor.reached(1, MIB)
    floor.advance(9 * MIB)
    expect(floor.bytes).toBe(4 * MIB)
  })

  it('waits for nobody that lags: it asks mates, until it has what lies before the floor', () => {
    const floor = floorOf(0, 1, 2)
    for (const member of [0, 1, 2]) floor.reached(member, MIB)
    floor.lags(2, true)
    floor.reached(0, 4 * MIB)
    floor.reached(1, 3 * MIB)
    expect(floor.advance(9 * MIB)).toEqual([{ member: 2, range: [MIB, 2 * MIB] }])
    expect(floor.bytes).toBe(3 * MIB)
    floor.reached(1, 4 * MIB)
    // What it was told last is still to come.
    floor.reached(2, 2 * MIB)
    expect(floor.advance(9 * MIB)).toEqual([])
    floor.reached(2, 3 * MIB)
    expect(floor.advance(9 * MIB)).toEqual([{ member: 2, range: [3 * MIB, MIB] }])
    // It has as much as the others, and still lags.
    floor.reached(2, 4 * MIB)
    floor.reached(0, 6 * MIB)
    floor.reached(1, 5 * MIB)
    floor.lags(2, false)
    expect(floor.advance(9 * MIB)).toEqual([{ member: 2, range: [4 * MIB, MIB] }])
    floor.reached(2, 5 * MIB)
    floor.reached(0, 7 * MIB)
    floor.reached(1, 7 * MIB)
    floor.advance(9 * MIB)
    expect(floor.bytes).toBe(5 * MIB)
  })

  it('is not moved by who joins, and counts who is gone no more', () => {
    const floor = floorOf(0, 1)
    floor.reached(0, 2 * MIB)
    floor.reached(1, MIB)
    floor.advance(2 * MIB)
    floor.joins(2)
    expect(floor.advance(2 * MIB)).toEqual([{ member: 2, range: [0, MIB] }])
    floor.leaves(1)
    floor.advance(2 * MIB)
    expect(floor.bytes).toBe(2 * MIB)
    floor.leaves(0)
    floor.leaves(2)
    expect(floor.advance(2 * MIB)).toEqual([])
    expect(floor.bytes).toBe(2 * MIB)
  })

  it('waits for nobody that is a window behind, but for one of all', () => {
    const floor = floorOf(0, 1)
    const { growingWindowBytes } = limits
    floor.reached(0, MIB)
    floor.reached(1, 2 * MIB)
    expect(floor.advance(growingWindowBytes + 3 * MIB)).toEqual([{ member: 0, range: [MIB, MIB] }])
    expect(floor.bytes).toBe(2 * MIB)
  })
})
