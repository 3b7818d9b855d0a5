/**
 * The incoming data connections of a reception: who sends on them, and whether the digests that
 * come on them are the author's.
 */
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { isBlockRun } from '../../control/holdings/ledger.js'
import type { Senders } from '../../control/receiver/senders.js'
import { nodePrimitives } from '../../net/crypto.js'
import type { EngineEvent, FeedHandle } from '../../ports.js'
import { readDigests, type SignedContent } from '../../protocol/digest-record.js'

interface InFeed {
  readonly index: number
  wrongDigests: number
}

/** The content that comes in, and the public key of its author. */
export interface ExpectedContent extends SignedContent {
  readonly author: Uint8Array
  readonly bytes: number
}

export class InFeeds {
  readonly #content: ExpectedContent
  readonly #feeds = new Map<FeedHandle, InFeed>()
  readonly #senders: Senders

  constructor(senders: Senders, content: ExpectedContent) {
    this.#senders = senders
    this.#content = content
  }

  add(index: number, feed: FeedHandle): void {
    this.#feeds.set(feed, { index, wrongDigests: 0 })
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

  /**
   * The digests of a record, found authentic. Throws ERR_FR_PROTOCOL otherwise: whoever sends on
   * the feed may only have passed it on. After many of them the feed's records are not looked at.
   */
  check(event: EngineEvent & { readonly type: 'digests' }): Uint8Array {
    const feed = this.#feeds.get(event.feed)
    const { stream, offset, length, payload } = event
    const { author, blockBytes, bytes } = this.#content
    try {
      if (feed === undefined || feed.wrongDigests >= limits.wrongDigestsPerFeed)
        throw new FrError('ERR_FR_PROTOCOL', 'this feed has brought too many wrong digests')
      if (stream !== 0 || !isBlockRun(offset, length, blockBytes, bytes))
        throw new FrError('ERR_FR_PROTOCOL', 'digests of no whole blocks of this file')
      return readDigests(nodePrimitives, author, this.#content, { offset, length }, payload)
    } catch (error) {
      if (feed !== undefined) feed.wrongDigests++
      throw error
    }
  }

  /** How many records of this feed were wrong so far. */
  wrongDigests(feed: FeedHandle): number {
    return this.#feeds.get(feed)?.wrongDigests ?? 0
  }
}
