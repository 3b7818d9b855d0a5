/** Large holes: everybody is told of them at once, and no relay is dealt any. */
import { describe, expect, it } from 'vitest'
import { GIB, MIB } from '../../../../src/base/limits.js'
import { adaptiveDealer } from './dealers.js'

describe('an adaptive deal of a file with holes', () => {
  const bytes = 4 * GIB
  const dealer = adaptiveDealer(bytes, new Map(), [
    [MIB, GIB],
    [2 * GIB, 2 * GIB - MIB],
  ])
  const sends = dealer.handle({ type: 'started', nodes: [0, 1, 2], nowMs: 0 })
  const ofHoles = sends.filter(({ why }) => why === 'hole')

  it('tells every node of every hole, for nobody to pass on', () => {
    expect(ofHoles.map(({ node, offset, length }) => [node, offset, length])).toEqual(
      [0, 1, 2].flatMap((node) => [
        [node, MIB, GIB],
        [node, 2 * GIB, 2 * GIB - MIB],
      ]),
    )
    expect(ofHoles.some(({ relay, scratch }) => relay || scratch)).toBe(false)
  })

  it('deals the rest, and counts the holes neither as dealt nor as sent to everybody', () => {
    const shared = sends.filter(({ why }) => why === 'share')
    expect(shared.length).toBeGreaterThan(0)
    const dealt = [0, 1, 2].reduce((sum, node) => sum + dealer.dealtBytes(node), 0)
    expect(dealt + dealer.openBytes).toBe(bytes - GIB - 2 * GIB + MIB)
    expect(dealer.directBytes).toBe(0)
    for (const node of [0, 1, 2]) expect(dealer.queueBytes(node)).toBe(dealer.dealtBytes(node))
  })
})
