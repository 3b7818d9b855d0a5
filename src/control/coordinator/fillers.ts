/**
 * What nodes have of the content when the plan is made, and need not be sent: blocks that they
 * hold, and those that they have filled from older content.
 *
 * The idea: what somebody holds his mates have from there. Of a block that some node fills, only
 * what one of those lacks is dealt. Whoever has filled nothing of it has the rest from them, once
 * they say that all of theirs is verified; where one leaves before that, from anybody, and at last
 * from the origin. What is dealt goes through all groups of a chain, and is left out only where
 * each of them finds it in itself.
 */
import { RangeSet } from '../../base/ranges.js'
import type { Dealer } from '../dealing/dealer.js'
import { blocksTouched, commonOf, filledByAll, heldBySome } from '../holdings/have.js'
import type { Peer } from '../members/peer.js'
import type { Chain } from '../plan/chain.js'
import type { Extent } from './extent.js'
import { detourFrames } from './frames.js'
import type { OriginOutbox } from './outbox.js'

interface Filler {
  /** Its blocks of which something is left out; they are not all verified there. */
  readonly blocks: RangeSet
  readonly mates: readonly Peer[]
}

export class OriginFillers {
  readonly #extent: Extent
  readonly #dealer: Dealer
  readonly #outbox: OriginOutbox
  readonly #open = new Map<Peer, Filler>()
  /** Blocks of which something is left out. */
  #leftOut = new RangeSet()

  constructor(extent: Extent, dealer: Dealer, outbox: OriginOutbox) {
    this.#extent = extent
    this.#dealer = dealer
    this.#outbox = outbox
  }

  /** Of what those of these groups have, what nobody is dealt. */
  start(groups: readonly (readonly Peer[])[]): RangeSet {
    // Else each is sent what it lacks.
    if (this.#dealer.shape === 'unicast') return new RangeSet()
    const leftOut = commonOf(groups.map((group) => this.#within(group)))
    this.#leftOut = blocksTouched(leftOut, this.#extent)
    for (const group of groups) for (const peer of group) this.joins(peer, group)
    return leftOut
  }

  joins(peer: Peer, group: readonly Peer[]): void {
    const { filled } = peer.had
    if (filled.isEmpty || this.#dealer.shape === 'unicast') return
    const blocks = commonOf([blocksTouched(filled, this.#extent), this.#leftOut])
    this.#open.set(peer, { blocks, mates: group.filter((other) => other !== peer) })
  }

  /** What it has filled is verified: its mates may have it from there. */
  whole(peer: Peer): void {
    if (!this.#open.has(peer)) return
    for (const range of blocksTouched(peer.had.filled, this.#extent)) peer.had.have.add(...range)
    this.#tell(peer, 'held')
  }

  left(peer: Peer): void {
    this.#tell(peer, 'away')
  }

  /** Those that fill such a block themselves are dealt what they lack of it. */
  #tell(peer: Peer, why: 'held' | 'away'): void {
    const { blocks, mates } = this.#open.get(peer) ?? nothing
    this.#open.delete(peer)
    for (const other of mates) {
      if (!other.isReceiver || other.phase !== 'running') continue
      const lacking = RangeSet.of(blocks)
      lacking.subtract(other.had.have)
      lacking.subtract(blocksTouched(other.had.filled, this.#extent))
      if (lacking.isEmpty) continue
      for (const frame of detourFrames(peer, why, lacking.toArray())) this.#outbox.say(other, frame)
    }
  }

  /** What nobody has to bring to a group. */
  #within(group: readonly Peer[]): RangeSet {
    const had = group.map((peer) => peer.had)
    return RangeSet.of([...heldBySome(had), ...filledByAll(had, this.#extent)])
  }
}

const nothing: Filler = { blocks: new RangeSet(), mates: [] }

/** Receivers in the groups that the plan has put them into. */
export function groupsOf({ receivers: planned }: Chain, receivers: readonly Peer[]): Peer[][] {
  const groups = planned.map((): Peer[] => [])
  const of = new Map(planned.flatMap((nodes, i) => nodes.map((node) => [node, i] as const)))
  for (const peer of receivers) groups[of.get(peer.node) ?? -1]?.push(peer)
  return groups.filter((group) => group.length > 0)
}
