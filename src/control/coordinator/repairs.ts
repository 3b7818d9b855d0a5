/**
 * Who sends a block again that was bad at a node.
 *
 * The idea: relays pass on what they have not verified yet, so what was bad at one is bad at all
 * that have it from there. Each is sent the repair by whoever passed the block on to it, as soon as
 * that one holds it verified. So the origin repairs what was bad at those that it feeds, and each
 * other hop what it has spoiled. What is asked for once more comes from the origin.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet, slicesOf } from '../../base/ranges.js'
import { nextBlock } from '../../base/sections.js'
import type { Dealer } from '../dealing/dealer.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { Frame } from '../messages/types.js'
import type { Extent } from './extent.js'
import type { OriginOutbox } from './outbox.js'

export class OriginRepairs {
  readonly #extent: Extent
  readonly #dealer: Dealer
  readonly #peers: Peers
  readonly #outbox: OriginOutbox
  /** By node what mates were told to send it again. */
  readonly #told = new Map<number, RangeSet>()

  constructor(extent: Extent, dealer: Dealer, peers: Peers, outbox: OriginOutbox) {
    this.#extent = extent
    this.#dealer = dealer
    this.#peers = peers
    this.#outbox = outbox
  }

  /** Tells mates to send what they passed on of these blocks; returns what is the origin's. */
  divide(peer: Peer, ranges: readonly RangePair[]): RangePair[] {
    const told = this.#told.get(peer.node) ?? new RangeSet()
    this.#told.set(peer.node, told)
    const own = RangeSet.of(ranges)
    const open = RangeSet.of(own)
    open.subtract(told)
    // What it passes on to its mates it has from none of them.
    const passedOn = this.#blocksOf(open, this.#dealer.dealt(peer.node))
    const mates = new Set(this.#dealer.chain.mates(peer.node))
    for (const node of this.#feedersOf(peer)) {
      if (open.isEmpty) break
      const part = this.#blocksOf(open, this.#dealer.dealt(node))
      if (mates.has(node)) part.subtract(passedOn)
      if (part.isEmpty) continue
      open.subtract(part)
      own.subtract(part)
      for (const range of part) told.add(...range)
      for (const frame of mendFrames(peer, part)) this.#outbox.say(this.#peers.of(node), frame)
    }
    return own.toArray()
  }

  /** Those who pass on to this node what they are dealt, and keep it. */
  #feedersOf(peer: Peer): number[] {
    const { chain } = this.#dealer
    const isFeeder = (node: number): boolean =>
      chain.matesFedBy(node).includes(peer.node) ||
      chain.routes(node).some(({ to }) => to.some(({ member }) => member === peer.node))
    return chain.neighbours(peer.node).filter((node) => {
      const { isServing, role, relay, presence } = this.#peers.of(node)
      if (!isServing || role === 'gateway' || relay !== 'relays' || presence !== 'alive')
        return false
      return !peer.lostFrom.has(node) && isFeeder(node)
    })
  }

  /** The blocks of `open` that begin in `dealt`: so each has one sender, and there is no circle. */
  #blocksOf(open: RangeSet, dealt: readonly RangePair[]): RangeSet {
    const { bytes, blockBytes } = this.#extent
    const up = (offset: number): number => nextBlock(offset, blockBytes)
    const brought = RangeSet.of(dealt)
    const blocks = new RangeSet()
    for (const range of open)
      for (const [offset, length] of brought.present(...range)) {
        const start = up(offset)
        const end = Math.min(bytes, up(offset + length))
        if (start < offset + length) blocks.add(start, end - start)
      }
    return blocks
  }
}

function mendFrames({ node: member }: Peer, blocks: RangeSet): Frame[] {
  const parts = slicesOf(blocks.toArray(), limits.needRanges)
  return parts.map((ranges) => ({ type: 'mend', member, ranges }))
}
