/** When a node takes over from a coordinator that is gone, and whom it follows then. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { StreamLedger } from '../../../../src/control/holdings/ledger.js'
import {
  originNumber,
  type RosterFrame,
  type Term,
} from '../../../../src/control/messages/types.js'
import { Neighbourhood } from '../../../../src/control/receiver/neighbourhood.js'
import { Takeover } from '../../../../src/control/receiver/takeover.js'
import { originId, planOf } from '../plans.js'

const never = Number.POSITIVE_INFINITY
const first: Term = { counter: 1, member: originNumber }
const roster: RosterFrame = { type: 'roster', term: first, epoch: 2, entries: [] }

/** Node 1 of 0 to 3, as a standby of this rank among them. */
function nodeOf(standbys: readonly number[], isInformed = true) {
  const neighbours = new Neighbourhood()
  neighbours.take(planOf(1, [0, 1, 2, 3], { standbys }), originId)
  if (isInformed) neighbours.hold(roster)
  return { neighbours, takeover: new Takeover(neighbours) }
}

describe('a standby', () => {
  it.each([
    [0, [1, 0, 2]],
    [1, [0, 1, 2]],
    [2, [0, 2, 1]],
  ])('of rank %i waits the longer the later it comes', (rank, standbys) => {
    const { takeover } = nodeOf(standbys)
    expect([takeover.dueMs, takeover.take(1e9)]).toEqual([never, undefined])
    takeover.lost(100)
    const dueMs = 100 + limits.readyMs + rank * limits.suspectMs
    expect(takeover.dueMs).toBe(dueMs)
    expect(takeover.take(dueMs - 1)).toBeUndefined()
    expect(takeover.take(dueMs)).toEqual({ counter: 2, member: 1 })
  })

  it('counts from when it first lost the coordinator, and no more once that is back', () => {
    const { takeover } = nodeOf([1])
    takeover.lost(100)
    takeover.lost(400)
    expect(takeover.dueMs).toBe(100 + limits.readyMs)
    takeover.returned()
    expect(takeover.dueMs).toBe(never)
    takeover.lost(5_000)
    expect(takeover.dueMs).toBe(5_000 + limits.readyMs)
  })

  it('takes a higher term where nobody followed, and where it lost who took over', () => {
    const { takeover } = nodeOf([1])
    const againMs = limits.standbys * limits.suspectMs
    takeover.lost(0)
    expect(takeover.take(limits.readyMs)).toEqual({ counter: 2, member: 1 })
    expect(takeover.dueMs).toBe(limits.readyMs + againMs)
    expect(takeover.take(takeover.dueMs - 1)).toBeUndefined()
    expect(takeover.take(takeover.dueMs)).toEqual({ counter: 3, member: 1 })
    takeover.follow({ counter: 3, member: 3 })
    expect(takeover.dueMs).toBe(never)
    takeover.lost(50_000)
    expect(takeover.take(50_000 + limits.readyMs)).toEqual({ counter: 4, member: 1 })
  })

  it('whose link is broken follows another that has lost the origin as well', () => {
    const { takeover } = nodeOf([1])
    takeover.isDoubtful = true
    expect(takeover.refusal({ counter: 2, member: 0 }, 'id0')).toBeNull()
    expect(takeover.dueMs).toBe(never)
  })

  it.each([
    ['that is none', nodeOf([0, 2])],
    ['that knows of nobody else', nodeOf([1], false)],
  ])('%s takes over nothing', (_, { takeover }) => {
    takeover.lost(0)
    expect([takeover.dueMs, takeover.take(1e6)]).toEqual([never, undefined])
  })
})

describe('whoever takes a term', () => {
  const refusals: readonly [string, boolean, Term, string, string | null][] = [
    ['is not followed while the origin is there', false, { counter: 2, member: 0 }, 'id0', 'BUSY'],
    ['is followed once it is gone', true, { counter: 2, member: 0 }, 'id0', null],
    ['has to be who it says', true, { counter: 2, member: 0 }, 'id2', 'PROTOCOL'],
    ['has to be a member', true, { counter: 2, member: 9 }, 'id9', 'PROTOCOL'],
    ['needs a newer one', true, first, originId, 'STALE'],
  ]
  it.each(refusals)('%s', (_, isLost, term, nodeId, code) => {
    const { takeover } = nodeOf([1])
    if (isLost) takeover.lost(0)
    const refusal = takeover.refusal(term, nodeId)
    expect(refusal?.code ?? null).toBe(code === null ? null : refusalCode(code))
  })

  it('is not followed by a node that has no plan that runs', () => {
    const neighbours = new Neighbourhood()
    const takeover = new Takeover(neighbours)
    const term = { counter: 2, member: 0 }
    takeover.lost(0)
    expect(takeover.refusal(term, 'id0')?.code).toBe('ERR_FR_NO_TRANSFER')
    neighbours.take(planOf(1, [0, 1], { phase: 'forming' }), originId)
    expect(takeover.refusal(term, 'id0')?.code).toBe('ERR_FR_NO_TRANSFER')
  })

  it('gives way to a higher term, by counter and then by member, and never to a lower one', () => {
    const { takeover } = nodeOf([1])
    takeover.lost(0)
    takeover.follow({ counter: 2, member: 2 })
    expect(takeover.succession).toEqual({ counter: 2, member: 2 })
    const codeOf = (counter: number, member: number) =>
      takeover.refusal({ counter, member }, `id${member}`)?.code ?? null
    expect(codeOf(2, 0)).toBe('ERR_FR_STALE')
    expect(codeOf(2, 2)).toBe('ERR_FR_STALE')
    expect(codeOf(2, 3)).toBeNull()
    expect(codeOf(3, 0)).toBeNull()
    takeover.follow({ counter: 3, member: 0 })
    expect(codeOf(2, 3)).toBe('ERR_FR_STALE')
  })

  it('has its term from its plans as well', () => {
    const { neighbours, takeover } = nodeOf([1])
    expect([takeover.isFollowing, takeover.succession]).toEqual([false, undefined])
    takeover.lost(0)
    takeover.follow({ counter: 2, member: 2 })
    const term = { counter: 2, member: 3 }
    neighbours.take(planOf(1, [0, 1, 2, 3], { term, coordinator: 3, epoch: 1 }), 'id3')
    expect(takeover.succession).toEqual(term)
  })
})

describe('what a node tells whoever took over', () => {
  const ledger = () => new StreamLedger(250, 100, 2)
  const verify = (of: StreamLedger, offset: number, length: number) => {
    const digests = new Uint8Array(2 * Math.ceil(length / 100)).fill(1)
    of.compute(offset, length, digests)
    of.announce(offset, length, digests)
  }

  it('is what it has verified, not what has landed', () => {
    const { takeover } = nodeOf([1])
    const held = ledger()
    held.land(0, 100)
    verify(held, 100, 150)
    expect(takeover.holds(held, 'digest', 0)).toEqual({
      type: 'holds',
      have: [[100, 150]],
      fileDigest: 'digest',
    })
  })

  it('comes again where there is more, every so often', () => {
    const { takeover } = nodeOf([1])
    const held = ledger()
    expect(takeover.news(held, null, 0)).toEqual([])
    takeover.follow({ counter: 2, member: 2 })
    takeover.holds(held, null, 1_000)
    const nextMs = 1_000 + limits.progressMs
    expect(takeover.news(held, null, nextMs)).toEqual([])
    verify(held, 0, 100)
    expect(takeover.news(held, null, nextMs - 1)).toEqual([])
    const [told, ...others] = takeover.news(held, null, nextMs)
    expect([told, others]).toMatchObject([{ type: 'holds', have: [[0, 100]] }, []])
    expect(takeover.news(held, null, 2 * nextMs)).toEqual([])
  })
})

function refusalCode(code: string): string {
  return `ERR_FR_${code}`
}
