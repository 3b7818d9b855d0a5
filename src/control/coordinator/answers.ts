/**
 * What a node of the exchange asks the origin for, and who answers: bytes that nobody else has come
 * from the origin (needs.ts), blocks that were bad from whoever passed them on (repairs.ts), and
 * digests from the origin itself.
 */
import type { RangePair } from '../../base/ranges.js'
import type { Dealer } from '../dealing/dealer.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { Frame } from '../messages/types.js'
import type { OriginDigestSends } from './digest-sends.js'
import type { Extent } from './extent.js'
import { describeRanges } from './frames.js'
import { OriginNeeds } from './needs.js'
import type { OriginOutbox } from './outbox.js'
import { OriginRepairs } from './repairs.js'
import type { OriginSends } from './sends.js'
import type { OriginSource } from './source.js'

export class OriginAnswers {
  readonly #source: OriginSource
  readonly #outbox: OriginOutbox
  readonly #digests: OriginDigestSends
  readonly #sends: OriginSends
  readonly #repairs: OriginRepairs
  readonly needs: OriginNeeds

  constructor(
    extent: Extent,
    dealer: Dealer,
    source: OriginSource,
    peers: Peers,
    outbox: OriginOutbox,
    sends: OriginSends,
    digests: OriginDigestSends,
  ) {
    this.#source = source
    this.#outbox = outbox
    this.#digests = digests
    this.#sends = sends
    this.#repairs = new OriginRepairs(extent, dealer, peers, outbox)
    this.needs = new OriginNeeds(dealer, peers, outbox, ({ node }, ranges, nowMs) =>
      sends.tell({ type: 'needed', node, scratch: false, ranges, nowMs }),
    )
  }

  /** A node asks for bytes of the file. */
  needed(peer: Peer, { scratch, ranges }: Frame & { type: 'need' }, nowMs: number): void {
    if (scratch) return this.#repair(peer, ranges, nowMs)
    this.#outbox.note('info', 'need', peer, describeRanges(ranges))
    this.#digests.direct(peer, ranges)
    this.needs.asked(peer, ranges, nowMs)
  }

  #repair(peer: Peer, bad: readonly RangePair[], nowMs: number): void {
    this.#outbox.note('info', 'repair', peer, describeRanges(bad))
    this.#outbox.wish(...this.#source.suspect(bad))
    const ranges = this.#repairs.divide(peer, bad)
    this.#sends.tell({ type: 'needed', node: peer.node, scratch: true, ranges, nowMs })
  }

  /** A node has bytes and nothing to compare them with. */
  neededDigests(peer: Peer, ranges: readonly RangePair[]): void {
    this.#outbox.note('info', 'need-digests', peer, describeRanges(ranges))
    this.#digests.direct(peer, ranges)
  }
}
