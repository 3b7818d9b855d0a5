/** Which shape a push takes where its caller leaves it open. */
import { describe, expect, it } from 'vitest'
import { GIB, KIB, MIB } from '../../../../src/base/limits.js'
import { shapeOf } from '../../../../src/control/dealing/strategies.js'

describe('the shape of a push', () => {
  it('is what was asked for', () => {
    expect(shapeOf('group', 1, 1)).toBe('group')
    expect(shapeOf('unicast', GIB, 64, 1)).toBe('unicast')
  })

  it.each([
    [GIB, 1, 'unicast'],
    [2 * MIB, 1, 'unicast'],
    [4 * KIB, 8, 'unicast'],
    [MIB, 8, 'unicast'],
    [MIB, 9, 'group'],
    [MIB + 1, 2, 'group'],
    [128 * KIB, 64, 'unicast'],
    [129 * KIB, 64, 'chain'],
  ] as const)('without known speeds: %i bytes to %i nodes: %s', (bytes, nodes, shape) => {
    expect(shapeOf('auto', bytes, nodes)).toBe(shape)
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
      expect(shapeOf('auto', bytes, nodes, rate)).toBe(shape)
    },
  )
})
