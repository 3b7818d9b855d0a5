/** Who is dealt which descriptor, and how long that takes. */
import { describe, expect, it } from 'vitest'
import { shapeOf } from '../../../../src/control/dealing/planning.js'
import {
  forecastDescriptors,
  relayedBytes,
  relaysOf,
} from '../../../../src/control/plan/descriptors.js'

const nodes = (...uplinks: (number | undefined)[]) =>
  uplinks.map((up, i) => ({
    address: `node-${i}:7400`,
    ...(up !== undefined && { uplinkBytesPerSecond: up }),
  }))

describe('descriptors', () => {
  it('go to a node each, as long as there are nodes', () => {
    const [four, two] = [Array.from({ length: 4 }), Array.from({ length: 2 })]
    expect(relaysOf([5, 5, 5], nodes(...four.map(() => undefined)))).toEqual([0, 1, 2])
    expect(relaysOf([5, 5, 5, 5, 5], nodes(...two.map(() => 9)))).toEqual([0, 1, 0, 1, 0])
  })

  it('go to the widest uplinks, the longest first', () => {
    expect(relaysOf([1, 9, 5], nodes(10, undefined, 30, 20))).toEqual([0, 2, 3])
    expect(relayedBytes([1, 9, 5], [0, 2, 3], 4)).toEqual([1, 0, 9, 5])
  })

  it('take as long as the node that has most to pass on', () => {
    const origin = { uplinkBytesPerSecond: 100 }
    const three = nodes(100, 100, 10)
    expect(forecastDescriptors([100, 100], [0, 1], origin, three)).toEqual({
      ...{ boundSeconds: 2, predictedSeconds: 2, limiting: 'origin uplink' },
    })
    const slow = forecastDescriptors([100, 100, 100], [0, 1, 2], origin, three)
    expect([slow.predictedSeconds, slow.limiting]).toEqual([20, 'uplink of node-2:7400'])
    expect(forecastDescriptors([100], [0], {}, nodes(undefined, undefined))).toEqual({
      ...{ boundSeconds: null, predictedSeconds: null, limiting: null },
    })
  })

  it('are exchanged, however short they are', () => {
    const file = { bytes: 10, dataBytes: 10, blockBytes: 65_536 }
    const about = { strategy: 'adaptive', origin: {}, groups: {} } as const
    const planning = { ...about, file, nodes: nodes(1, 1) }
    expect(shapeOf('auto', planning)).toBe('unicast')
    expect(shapeOf('auto', { ...planning, isDealtWhole: true })).toBe('group')
  })
})
