/** What goes past columns to nodes they do not reach: what it costs, how much is listed. */
import { describe, expect, it, vi } from 'vitest'
import { GIB, MIB } from '../../../../src/base/limits.js'
import { Beyond } from '../../../../src/control/coordinator/beyond.js'
import { OriginFlow } from '../../../../src/control/coordinator/flow.js'
import { OriginOutbox } from '../../../../src/control/coordinator/outbox.js'
import { OriginSends } from '../../../../src/control/coordinator/sends.js'
import { dealerOf } from '../../../../src/control/dealing/strategies.js'
import { Peers } from '../../../../src/control/members/peers.js'
import { peerThat } from '../peers.js'

const nodes = [0, 1, 2, 3, 4, 5, 6, 7, 8]

/** Three groups of three, where 4 has nothing more from 3. */
function cut() {
  const dealer = dealerOf('adaptive', 'chain', GIB, 65_536, {}, [], { groupSize: 3 })
  const peers = new Peers(nodes.map((node) => peerThat('running', node)))
  const outbox = new OriginOutbox()
  const { chain } = dealer
  const beyond = new Beyond(chain)
  const flow = new OriginFlow(dealer, peers)
  const sends = new OriginSends(dealer, peers, outbox, flow, beyond)
  chain.start(nodes.map((node) => ({ node })))
  dealer.handle({ type: 'started', nodes, nowMs: 0 })
  beyond.edgeLost(3, 4)
  /** Units of the column that 3 passes on, one after the other. */
  const list = (units: number): number[][] => {
    const unit = { node: 0, relay: true, scratch: false, why: 'share' } as const
    for (let i = 0; i < units; i++) {
      const [column] = chain.columnsFrom(0)
      sends.list([{ ...unit, offset: i * MIB, length: MIB, column: column as number }])
    }
    return lists()
  }
  const lists = (): number[][] =>
    outbox
      .take()
      .flatMap((wish) => (wish.type === 'list' ? [[wish.member, wish.offset, wish.length]] : []))
  return { dealer, chain, peers, sends, beyond, list, lists }
}

describe('what goes past a column', () => {
  it('is looked for once for a way, not for each unit', () => {
    const { chain, beyond, list } = cut()
    const looked = vi.spyOn(chain, 'entriesOf')
    expect(list(2)).toEqual([
      [0, 0, MIB],
      [4, 0, MIB],
      [0, MIB, MIB],
      [4, MIB, MIB],
    ])
    list(20)
    expect(looked).toHaveBeenCalledTimes(1)
    // Another way, another lost edge.
    chain.leave(5)
    list(20)
    beyond.edgeLost(6, 7)
    expect(list(1).map(([member]) => member)).toEqual([0, 4, 7])
    expect(looked.mock.calls.length).toBeLessThan(8)
  })

  it('is owed where much waits for the node, and comes in few pieces as that drains', () => {
    const { dealer, sends, peers, list, lists } = cut()
    const past = list(500).filter(([member]) => member === 4)
    expect(past.length).toBeLessThan(70)
    const counted = { sentBytes: 0, queuedBytes: 0, unackedBytes: 0, atMs: 1, nowMs: 1 }
    sends.list(dealer.handle({ type: 'counted', node: 4, ...counted }))
    const rest = lists()
    expect(rest.length).toBeLessThan(3)
    const brought = [...past, ...rest].reduce((sum, [, , length = 0]) => sum + length, 0)
    expect(brought).toBe(500 * MIB)
    expect(peers.of(4).counts.listedBytes).toBe(500 * MIB)
  })
})
