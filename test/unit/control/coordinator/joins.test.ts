/** Who may add nodes to a push, and how many. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { OriginJoins } from '../../../../src/control/coordinator/joins.js'
import { OriginOutbox } from '../../../../src/control/coordinator/outbox.js'
import { Peer } from '../../../../src/control/members/peer.js'
import { Peers } from '../../../../src/control/members/peers.js'
import { failure, peerThat } from '../peers.js'

const asker = () => peerThat('running')

describe('adding nodes', () => {
  it("is the caller's alone unless the push lets others", () => {
    const by = asker()
    const closed = new OriginJoins(new OriginOutbox(), false, limits.nodesPerPush)
    expect(closed.refusal({ by, request: 0 }, 'x:1', new Peers([by]))).toMatchObject({
      code: 'ERR_FR_ADD_REFUSED',
    })
    expect(closed.refusal({ by: null, request: 0 }, 'x:1', new Peers([by]))).toBeNull()
    const open = new OriginJoins(new OriginOutbox(), true, limits.nodesPerPush)
    expect(open.refusal({ by, request: 0 }, 'x:1', new Peers([by]))).toBeNull()
  })

  it('has a bound for others, whatever becomes of what they add', () => {
    const by = asker()
    const joins = new OriginJoins(new OriginOutbox(), true, limits.nodesPerPush)
    for (let i = 0; i < limits.joinsPerPush; i++) {
      expect(joins.refusal({ by, request: i }, `x${i}:1`, new Peers([by]))).toBeNull()
      const peer = new Peer(i + 1, { address: `x${i}:1` }, 0)
      joins.wait({ by, request: i }, peer)
      joins.settled(peer, { code: 'ERR_FR_UNREACHABLE', text: 'nobody there' })
    }
    expect(joins.refusal({ by, request: 99 }, 'y:1', new Peers([by]))).toMatchObject({
      code: 'ERR_FR_LIMIT',
    })
    expect(joins.refusal({ by: null, request: 99 }, 'y:1', new Peers([by]))).toBeNull()
  })

  it('leaves a place for each node that is tried again', () => {
    const joins = new OriginJoins(new OriginOutbox(), true, limits.nodesPerPush)
    const returning = peerThat('running')
    returning.returns(failure, 1)
    const peers = new Peers([returning])
    while (peers.length < limits.placesPerPush - 1) {
      const before = new Peer(peers.length, { address: `x${peers.length}:1` }, 0)
      before.supersede()
      peers.add(before)
    }
    const refusal = (address: string) => joins.refusal({ by: null, request: 0 }, address, peers)
    expect(refusal('y:1')).toMatchObject({ code: 'ERR_FR_LIMIT' })
    expect(refusal(returning.link.address)).toBeNull()
  })
})
