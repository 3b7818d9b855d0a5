/** Which shape a push takes where its caller leaves it open. */
import { describe, expect, it } from 'vitest'
import { GIB, KIB, MIB } from '../../../../src/base/limits.js'
import {
  forecasts,
  type Planning,
  planOf,
  shapeOf,
} from '../../../../src/control/dealing/planning.js'

const planning = (bytes: number, count: number, over: Partial<Planning> = {}): Planning => ({
  strategy: 'adaptive',
  file: { bytes, dataBytes: bytes, blockBytes: 65_536 },
  origin: {},
  nodes: Array.from({ length: count }, (_, i) => ({ address: `n${i}:1` })),
  groups: {},
  ...over,
})

describe('the shape of a push', () => {
  it('is what was asked for', () => {
    expect(shapeOf('group', planning(1, 1))).toBe('group')
    expect(shapeOf('unicast', planning(GIB, 64))).toBe('unicast')
  })

  it.each([
    [GIB, 1, 'unicast'],
    [2 * MIB, 1, 'unicast'],
    [4 * KIB, 8, 'unicast'],
    [MIB, 8, 'unicast'],
    [MIB, 9, 'group'],
    [MIB + 1, 2, 'group'],
    [128 * KIB, 64, 'unicast'],
    [129 * KIB, 64, 'tree'],
    [32 * MIB, 64, 'chain'],
  ] as const)('without known speeds: %i bytes to %i nodes: %s', (bytes, nodes, shape) => {
    expect(shapeOf('auto', planning(bytes, nodes))).toBe(shape)
  })

  it('without known speeds, all nodes on one host: its processors open every feed', () => {
    const nodes = Array.from({ length: 32 }, (_, i) => ({ address: `127.0.0.1:${i + 1}` }))
    expect(shapeOf('auto', planning(MIB, 32))).toBe('group')
    expect(shapeOf('auto', planning(MIB, 0, { nodes }))).toBe('unicast')
    expect(shapeOf('auto', planning(64 * MIB, 0, { nodes }))).toBe('group')
    expect(shapeOf('auto', planning(4 * MIB, 0, { nodes: nodes.slice(0, 4) }))).toBe('group')
  })

  // 1,000,000 bytes a second: 50 ms are 50,000 bytes.
  it.each([
    [GIB, 1, 1_000_000, 'unicast'],
    [50_000, 2, 1_000_000, 'unicast'],
    [50_001, 2, 1_000_000, 'group'],
    [10_000, 6, 1_000_000, 'unicast'],
    [10_000, 7, 1_000_000, 'group'],
    [8 * MIB, 8, 1_250_000_000, 'unicast'],
    [9 * MIB, 8, 1_250_000_000, 'group'],
  ] as const)(
    'by the known uplink: %i bytes to %i nodes at %i: %s',
    (bytes, nodes, rate, shape) => {
      expect(
        shapeOf('auto', planning(bytes, nodes, { origin: { uplinkBytesPerSecond: rate } })),
      ).toBe(shape)
    },
  )

  it('is a chain for many nodes or several sites, a tree where a chain is too long', () => {
    expect(shapeOf('auto', planning(GIB, 33))).toBe('chain')
    expect(shapeOf('auto', planning(GIB, 4, { groups: { groupSize: 3 } }))).toBe('chain')
    // A node that copies, and feeds three at most.
    const few = { groups: { originFeeds: 3 } }
    expect(shapeOf('auto', planning(KIB, 3, few))).toBe('unicast')
    expect(['chain', 'tree']).toContain(shapeOf('auto', planning(KIB, 4, few)))
    const made = planOf('chain', planning(GIB, 8, few))
    expect(made.groups.map(({ length }) => length)).toEqual([3, 2, 3])
    const nodes = ['a', 'b'].map((site) => ({ address: `${site}:1`, site }))
    expect(shapeOf('auto', planning(GIB, 0, { nodes }))).toBe('chain')
    // 625 groups: 1 s along a chain, where the file takes 0.08 s.
    expect(shapeOf('auto', planning(10 * MIB, 10_000))).toBe('tree')
    expect(shapeOf('auto', planning(10 * GIB, 10_000))).toBe('chain')
  })

  it('is predicted together with the others', () => {
    const uplinkBytesPerSecond = 1_000_000
    const nodes = Array.from({ length: 40 }, (_, i) => ({ address: `n${i}`, uplinkBytesPerSecond }))
    const over = { origin: { uplinkBytesPerSecond }, nodes }
    const seconds = new Map(
      forecasts('chain', planning(100_000_000, 0, over)).shapes.map((one) => [
        one.shape,
        one.predictedSeconds,
      ]),
    )
    expect([...seconds.keys()]).toEqual(['unicast', 'group', 'chain', 'tree', 'binomial'])
    expect(seconds.get('unicast')).toBeCloseTo(4_000)
    expect(seconds.get('chain')).toBeCloseTo(100, 0)
    // A node of the first of three groups sends to its mates, and to two others.
    expect(seconds.get('tree')).toBeGreaterThan(105)
    expect(seconds.get('binomial')).toBeGreaterThan(500)
  })
})
