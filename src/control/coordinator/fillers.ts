/**
 * Nodes that have filled blocks from older content, and those that lack such blocks.
 *
 * The idea: of a block that some node fills, only what one of those lacks is dealt. Whoever has
 * filled nothing of it has the rest from them, once they say that all of theirs is verified; where
 * one leaves before that, from anybody, and at last from the origin.
 */
import { RangeSet } from '../../base/ranges.js'
import type { Dealer } from '../dealing/dealer.js'
import { blocksTouched, filledByAll } from '../holdings/have.js'
import type { Peer } from '../members/peer.js'
import type { OriginConfig } from './events.js'
import { detourFrames } from './frames.js'
import type { OriginOutbox } from './outbox.js'

export class OriginFillers {
  readonly #config: OriginConfig
  readonly #dealer: Dealer
  readonly #outbox: OriginOutbox
  /** Blocks of each that are not all verified there. */
  readonly #open = new Map<Peer, RangeSet>()

  constructor(config: OriginConfig, dealer: Dealer, outbox: OriginOutbox) {
    this.#config = config
    this.#dealer = dealer
    this.#outbox = outbox
  }

  /** Of what these have filled, what nobody is dealt. */
  start(peers: readonly Peer[]): RangeSet {
    if (!this.#areAsked) return new RangeSet()
    for (const peer of peers) this.joins(peer)
    return filledByAll(
      peers.map(({ had }) => had),
      this.#config,
    )
  }

  joins(peer: Peer): void {
    if (!this.#areAsked || peer.had.filled.isEmpty) return
    this.#open.set(peer, blocksTouched(peer.had.filled, this.#config))
  }

  /** What it has filled is verified: the others may have it from there. */
  whole(peer: Peer, group: Iterable<Peer>): void {
    const blocks = this.#open.get(peer)
    this.#open.delete(peer)
    if (blocks === undefined) return
    for (const range of blocks) peer.had.have.add(...range)
    this.#tell(peer, blocks, 'held', group)
  }

  left(peer: Peer, group: Iterable<Peer>): void {
    const blocks = this.#open.get(peer)
    this.#open.delete(peer)
    if (blocks !== undefined) this.#tell(peer, blocks, 'away', group)
  }

  /** Those that fill such a block themselves are dealt what they lack of it. */
  #tell(peer: Peer, blocks: RangeSet, why: 'held' | 'away', group: Iterable<Peer>): void {
    for (const other of group) {
      if (other === peer || !other.isReceiver || other.phase !== 'running') continue
      const lacking = RangeSet.of(blocks)
      lacking.subtract(other.had.have)
      lacking.subtract(blocksTouched(other.had.filled, this.#config))
      if (lacking.isEmpty) continue
      for (const frame of detourFrames(peer, why, lacking.toArray())) this.#outbox.say(other, frame)
    }
  }

  /** Else each byte goes to everybody, or to each what it lacks. */
  get #areAsked(): boolean {
    return this.#dealer.shape !== 'unicast' && this.#dealer.chain.isOne
  }
}
