import { describe, expect, it } from 'vitest'
import { shareLink } from '../../../../src/control/plan/site-shares.js'
import fc from '../../../support/property.js'

describe('a link between two sites', () => {
  it('is shared by how many columns each sends over it', () => {
    const shares = shareLink(1_000, [
      { member: 1, columns: 1 },
      { member: 2, columns: 3 },
    ])
    expect([...shares]).toEqual([
      [1, 250],
      [2, 750],
    ])
  })

  it('leaves a sixteenth for all who send no column', () => {
    const shares = shareLink(1_600, [
      { member: 1, columns: 2 },
      { member: 2, columns: 0 },
      { member: 3, columns: 0 },
    ])
    expect([...shares.values()]).toEqual([1_500, 50, 50])
  })

  it('is shared evenly where nobody sends a column', () => {
    const crossers = [1, 2, 3, 4].map((member) => ({ member, columns: 0 }))
    expect([...shareLink(400, crossers).values()]).toEqual([100, 100, 100, 100])
  })

  it('is never more than there is, and nobody is left with nothing', () => {
    const columns = fc.array(fc.nat({ max: 48 }), { minLength: 1, maxLength: 300 })
    fc.assert(
      fc.property(fc.integer({ min: 65_536, max: 1e12 }), columns, (rate, counts) => {
        const shares = shareLink(
          rate,
          counts.map((columns, member) => ({ member, columns })),
        )
        const all = [...shares.values()]
        expect(all).toHaveLength(counts.length)
        expect(Math.min(...all)).toBeGreaterThanOrEqual(1)
        expect(all.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(rate)
      }),
    )
  })
})
