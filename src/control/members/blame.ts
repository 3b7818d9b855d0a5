/**
 * Where a block first went bad.
 *
 * The idea: relays forward what they have not verified yet, so the sender of a bad block is most
 * often innocent. The blocks that each node found bad tell the hop: bad at the mate but not at its
 * relay is the hop between them; bad at the relay as well, or never relayed, is the hop from the
 * origin. A relay that has not judged yet counts as innocent of the hop before it; when it finds
 * the block bad after all, its own report names the earlier hop, so the last word on a block is
 * right. A gateway judges nothing: what is bad at two of those it feeds was bad when it left it.
 */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Peer } from './peer.js'

export interface BadHop {
  /** 'the origin', or an address as the caller wrote it. */
  readonly from: string
  readonly to: string
  /** Whoever passed the block on; null: the origin sent it itself. */
  readonly relay: Peer | null
}

/**
 * The first hop at which the run was bad, by what is known now. `peer` has just reported it;
 * `dealt` says what a node was given to relay.
 */
export function firstBadHop(
  group: readonly Peer[],
  peer: Peer,
  [offset, length]: RangePair,
  dealt: (node: number) => readonly RangePair[],
): BadHop {
  const origin = 'the origin'
  const relay = group.find(
    (other) => other !== peer && RangeSet.of(dealt(other.node)).present(offset, length).length > 0,
  )
  if (relay === undefined) return { from: origin, to: peer.link.address, relay: null }
  const isBad = (other: Peer): boolean => other.bad.present(offset, length).length > 0
  const others = group.filter((other) => other !== peer)
  const wasBadThere = relay.role === 'gateway' ? others.some(isBad) : isBad(relay)
  return wasBadThere
    ? { from: origin, to: relay.link.address, relay }
    : { from: relay.link.address, to: peer.link.address, relay }
}
