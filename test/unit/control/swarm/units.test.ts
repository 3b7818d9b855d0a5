import { describe, expect, it } from 'vitest'
import { blockBytesFor, GIB, limits, MIB } from '../../../../src/base/limits.js'
import { bytesOf, geometryOf, UnitSet, unitsTouched } from '../../../../src/control/swarm/units.js'

describe('units', () => {
  it('are whole blocks, as many as may be at most, and one of nothing', () => {
    for (const size of [0, 1, MIB, 64 * MIB + 1, 10 * GIB, 8_192 * GIB, limits.fileBytes]) {
      const { unitBytes, count } = geometryOf(size)
      expect(unitBytes % blockBytesFor(size)).toBe(0)
      expect(count).toBe(Math.max(1, Math.ceil(size / unitBytes)))
      expect(count).toBeLessThanOrEqual(limits.swarmUnits)
    }
  })

  it('are not smaller than block files, up to a bound', () => {
    expect(geometryOf(64 * MIB, 3 * MIB).unitBytes).toBe(4 * MIB)
    expect(geometryOf(GIB, GIB).unitBytes).toBe(limits.swarmUnitBytesMax)
  })

  it('have the bytes of the content, the last one fewer', () => {
    const geometry = geometryOf(5 * MIB + 3)
    expect(bytesOf(geometry, 0, 2)).toEqual([0, 2 * MIB])
    expect(bytesOf(geometry, 5, 1)).toEqual([5 * MIB, 3])
    expect(bytesOf(geometryOf(0), 0, 1)).toEqual([0, 0])
  })

  it('are touched in the order of ranges, and each once', () => {
    const geometry = geometryOf(8 * MIB)
    const ranges = [
      [6 * MIB + 1, 1],
      [MIB - 1, 2],
      [0, 3 * MIB],
      [5, 0],
    ] as const
    expect(unitsTouched(geometry, ranges)).toEqual([6, 0, 1, 2])
  })

  it('are held when they are whole', () => {
    const geometry = geometryOf(5 * MIB + 3)
    const within = (...ranges: [number, number][]) => UnitSet.within(geometry, ranges).runs(10)
    expect(within([1, 3 * MIB])).toEqual([[1, 2]])
    expect(within([0, MIB], [4 * MIB, MIB + 3])).toEqual([
      [0, 1],
      [4, 2],
    ])
    expect(within([4 * MIB, MIB + 2])).toEqual([[4, 1]])
  })
})

describe('a set of units', () => {
  it('is read from runs, and told in so many', () => {
    const set = UnitSet.ofRuns(6, [
      [0, 1],
      [2, 1],
      [4, 9],
    ])
    expect([set.size, set.isAll, set.has(5), set.has(6)]).toEqual([4, false, true, false])
    expect(set.runs(2)).toEqual([
      [0, 1],
      [2, 1],
    ])
  })
})
