/**
 * The incoming data connections of a reception: who sends on them, and whether the digests that
 * come on them are the origin's.
 */
import { FrError } from '../../base/errors.js'
import { isBlockRun } from '../../control/holdings/ledger.js'
import type { Senders } from '../../control/receiver/senders.js'
import { nodePrimitives } from '../../net/crypto.js'
import type { EngineEvent, FeedHandle } from '../../ports.js'
import {
  type DigestGeometry,
  DigestReceiver,
  type SignedDigests,
} from '../../protocol/digest-record.js'

interface InFeed {
  readonly index: number
  readonly receiver: DigestReceiver
}

export class InFeeds {
  readonly #originKey: Uint8Array
  readonly #geometry: DigestGeometry
  readonly #fileBytes: number
  readonly #feeds = new Map<FeedHandle, InFeed>()
  readonly #senders: Senders

  constructor(
    senders: Senders,
    originKey: Uint8Array,
    geometry: DigestGeometry,
    fileBytes: number,
  ) {
    this.#senders = senders
    this.#originKey = originKey
    this.#geometry = geometry
    this.#fileBytes = fileBytes
  }

  add(index: number, feed: FeedHandle, hopKey: Uint8Array): void {
    const receiver = new DigestReceiver(nodePrimitives, hopKey, this.#originKey)
    this.#feeds.set(feed, { index, receiver })
    this.#senders.opened(index)
  }

  /** The feed of this sender, while it lives. */
  feedOf(index: number): FeedHandle | undefined {
    for (const [feed, incoming] of this.#feeds) if (incoming.index === index) return feed
    return undefined
  }

  /** The sender at the other end; undefined when this is none of these feeds. */
  indexOf(feed: FeedHandle): number | undefined {
    return this.#feeds.get(feed)?.index
  }

  forget(feed: FeedHandle): void {
    const index = this.indexOf(feed)
    this.#feeds.delete(feed)
    if (index !== undefined) this.#senders.closed(index)
  }

  /** Forgets the feed of this sender and returns it, to be closed. */
  take(index: number): FeedHandle | undefined {
    const feed = this.feedOf(index)
    if (feed !== undefined) this.forget(feed)
    return feed
  }

  /** The digests of a record, found authentic; throws FrError when the feed deserves no trust. */
  check(event: EngineEvent & { readonly type: 'digests' }): SignedDigests {
    const feed = this.#feeds.get(event.feed)
    if (feed === undefined) throw new FrError('ERR_FR_CLOSED', 'the feed is closed')
    const { stream, offset, length, payload } = event
    const signed = feed.receiver.unwrap({ stream, offset, length }, this.#geometry, payload)
    if (stream !== 0 || !isBlockRun(offset, length, this.#geometry.blockBytes, this.#fileBytes)) {
      throw new FrError('ERR_FR_PROTOCOL', 'digests of no whole blocks of this file')
    }
    return signed
  }
}
