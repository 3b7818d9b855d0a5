/** The states of a node: which lead where, what each carries, and which edges there are not. */
import { describe, expect, it } from 'vitest'
import type { Peer } from '../../../../src/control/members/peer.js'
import type { PeerPhase } from '../../../../src/control/members/peer-state.js'
import { completeFrame, failure, peerThat } from '../peers.js'

const all: readonly PeerPhase[] = ['connecting', 'offered', 'ready', 'running', 'complete', 'out']
const linked = { type: 'linked', member: 0, nodeId: 'id0' } as const

/** What the machine decides, and the phases in which it may; anything else is a defect. */
const decisions: readonly [string, (peer: Peer) => unknown, readonly PeerPhase[]][] = [
  ['is linked', (peer) => peer.linked(linked, 0), ['connecting']],
  ['is dialled again', (peer) => peer.redials(failure, () => 1), ['connecting']],
  ['claims', (peer) => peer.claimed(0), ['offered']],
  ['accepts', (peer) => peer.accepts([]), ['offered']],
  ['joins', (peer) => peer.join(0), ['ready']],
  ['relays', (peer) => peer.relays(), ['running']],
  ['completes', (peer) => peer.completes(completeFrame, 'd'), ['running']],
  [
    'is to return',
    (peer) => peer.returns(failure, 1),
    ['connecting', 'offered', 'ready', 'running'],
  ],
  [
    'fails',
    (peer) => peer.fails('failed', failure, undefined),
    ['connecting', 'offered', 'ready', 'running'],
  ],
  ['is superseded', (peer) => peer.supersede(), ['connecting', 'out']],
]

describe('a node', () => {
  it.each(decisions)('%s in its phases alone', (_, decide, phases) => {
    const allowed = all.filter((phase) => {
      try {
        decide(peerThat(phase))
        return true
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError)
        return false
      }
    })
    expect(allowed).toEqual(phases)
  })

  it.each(all)('that is %s takes facts that do not concern it without a change', (phase) => {
    const peer = peerThat(phase)
    if (phase !== 'connecting') peer.lookUp(true, 5)
    if (phase !== 'offered') peer.fedOut()
    if (phase !== 'running') peer.moved(5)
    if (phase !== 'running') peer.spoke(5, 5)
    if (phase !== 'running' && phase !== 'complete') expect(peer.lags(true)).toBe(false)
    expect(peer.state).toEqual(peerThat(phase).state)
  })

  it('is ready by its word alone where nothing is to be sent to it, and is fed when it is', () => {
    const peer = peerThat('offered')
    peer.fedOut()
    expect(peer.feed).toEqual({ is: 'none' })
    peer.accepts([])
    expect(peer.phase).toBe('ready')
    expect([peer.wantsFeed(), peer.wantsFeed()]).toEqual([true, false])
    peer.fedOut()
    expect([peer.feed, peer.wantsFeed()]).toEqual([{ is: 'open' }, false])
    peer.unlinked()
    expect([peer.wantsFeed(), peerThat('out').wantsFeed()]).toEqual([false, false])
  })

  it('is ready by its word and the data connection that is opened, in whichever order', () => {
    const [word, feed] = [peerThat('offered'), peerThat('offered')]
    for (const peer of [word, feed]) peer.wantsFeed()
    word.accepts([])
    expect(word.phase).toBe('offered')
    word.fedOut()
    feed.fedOut()
    expect(feed.phase).toBe('offered')
    feed.accepts([[0, 1]])
    expect([word.phase, feed.phase, feed.had.have.bytes]).toEqual(['ready', 'ready', 1])
  })

  it('whose data connection broke is not ready until it is open again', () => {
    const peer = peerThat('offered')
    peer.unfed(failure, 10)
    peer.unfed({ code: 'ERR_FR_AUTH', text: 'later' }, 20)
    expect(peer.feed).toEqual({ is: 'cut', failure, untilMs: 10 })
    const refused = { code: 'ERR_FR_AUTH', text: 'another key' } as const
    peer.unfed(refused, 5)
    peer.accepts([])
    expect(peer.phase).toBe('offered')
    expect(peer.feed).toEqual({ is: 'cut', failure: refused, untilMs: 5 })
    peer.fedOut()
    expect([peer.phase, peer.feed]).toEqual(['ready', { is: 'open' }])
  })

  it('waits for its next dial or attempt with the reason, and for nothing else', () => {
    const peer = peerThat('connecting')
    peer.redials(failure, (dials) => 10 * dials)
    expect([peer.dueMs, peer.failure, peer.isComing]).toEqual([10, failure, false])
    peer.dials()
    expect(peer.dueMs).toBe(Number.POSITIVE_INFINITY)
    peer.redials(failure, (dials) => 10 * dials)
    expect(peer.dueMs).toBe(20)
    peer.linked(linked, 0)
    expect([peer.dueMs, peer.failure]).toEqual([Number.POSITIVE_INFINITY, undefined])
    peer.returns(failure, 70)
    expect([peer.dueMs, peer.isToReturn, peer.outcome]).toEqual([70, true, undefined])
    const settled = peer.fails('failed', failure, undefined)
    expect([peer.outcome, peer.isToReturn]).toEqual([settled, false])
  })

  it('names what failed before, unless it is the same cause', () => {
    const before = { code: 'ERR_FR_BUSY', text: 'taken' } as const
    expect(peerThat('offered').fails('failed', failure, before).reason).toBe(
      'ERR_FR_NODE_LOST: reset (before: ERR_FR_BUSY: taken)',
    )
    expect(peerThat('offered').fails('failed', failure, failure).reason).toBe(
      'ERR_FR_NODE_LOST: reset',
    )
  })

  it('that is complete serves until its link is gone, and keeps its outcome', () => {
    const peer = peerThat('complete')
    expect([peer.isServing, peer.outcome?.status]).toEqual([true, 'complete'])
    peer.unlinked()
    expect([peer.isServing, peer.outcome?.status]).toEqual([false, 'complete'])
  })

  it('that joined late catches up until its senders say that it keeps up, and may lag then', () => {
    const peer = peerThat('running')
    peer.trails('catchingUp')
    expect([peer.lags(true), peer.lag]).toEqual([false, 'catchingUp'])
    expect([peer.lags(false), peer.lag]).toEqual([true, 'none'])
    expect([peer.lags(true), peer.lag]).toEqual([true, 'lagging'])
  })
})
