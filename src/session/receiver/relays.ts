/**
 * The relay side of a node's transfer: feeds to mates, and the digests that go with the bytes.
 *
 * The engine relays payload by itself. Digest records are relayed here, as they came. A feed that
 * opens later gets what is kept for it (control/receiver/kept-digests.ts).
 */
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import type { Mate } from '../../control/messages/types.js'
import { KeptDigests } from '../../control/receiver/kept-digests.js'
import type { DataEngine, DigestSpec, FeedHandle } from '../../ports.js'

export interface RelayHooks {
  /** Dials the mate and has the engine adopt the connection as a relay feed. */
  readonly open: (mate: Mate) => Promise<FeedHandle>
  readonly opened: (index: number, feed: FeedHandle) => void
  readonly closed: (index: number, code: FrErrorCode, text: string) => void
}

export class Relays {
  readonly #engine: DataEngine
  readonly #hooks: RelayHooks
  readonly #feeds = new Map<number, FeedHandle>()
  readonly #refused = new Set<number>()
  readonly #kept = new KeptDigests<DigestSpec>()
  #isClosed = false

  constructor(engine: DataEngine, hooks: RelayHooks) {
    this.#engine = engine
    this.#hooks = hooks
  }

  /** The plan is known: whoever is to be dialled is dialled from now on, in this turn. */
  planned(): void {
    this.#kept.planned()
  }

  async dial(mate: Mate): Promise<void> {
    this.#kept.dialling(mate.number)
    try {
      const feed = await this.#hooks.open(mate)
      if (this.#isClosed || this.#refused.has(mate.number)) return this.#engine.close(feed)
      this.#feeds.set(mate.number, feed)
      this.#hooks.opened(mate.number, feed)
      for (const record of this.#kept.records)
        if (this.#feeds.has(mate.number)) this.#send(mate.number, feed, record)
    } catch (error) {
      const failure = asFrError(error, 'ERR_FR_UNREACHABLE')
      if (!this.#isClosed && !this.#refused.has(mate.number)) {
        this.#hooks.closed(mate.number, failure.code, failure.message)
      }
    } finally {
      this.#kept.settled(mate.number)
    }
  }

  /** Digests that came marked for relay. */
  forward(record: DigestSpec): void {
    for (const [index, feed] of this.#feeds) this.#send(index, feed, record)
    this.#kept.keep(record, record.offset, record.payload.length)
  }

  /** The mate at the other end of this feed, when it is a relay feed; it is forgotten. */
  feedClosed(feed: FeedHandle): number | undefined {
    const index = this.indexOf(feed)
    if (index !== undefined) this.#feeds.delete(index)
    return index
  }

  /** The mate is gone: no feed to it, now or later. */
  refuse(index: number): void {
    this.#refused.add(index)
    const feed = this.#feeds.get(index)
    this.#feeds.delete(index)
    if (feed !== undefined) this.#engine.close(feed)
  }

  /** The feed to this mate; null: it is being opened. */
  feedTo(index: number): FeedHandle | null | undefined {
    const feed = this.#feeds.get(index)
    if (feed !== undefined) return feed
    return this.#kept.isDialling(index) ? null : undefined
  }

  indexOf(feed: FeedHandle): number | undefined {
    for (const [index, open] of this.#feeds) if (open === feed) return index
    return undefined
  }

  close(): void {
    this.#isClosed = true
    this.#feeds.clear()
  }

  #send(index: number, feed: FeedHandle, record: DigestSpec): void {
    try {
      this.#engine.sendDigests(feed, record)
    } catch (error) {
      if (!(error instanceof FrError)) throw error
      this.#feeds.delete(index)
      this.#engine.close(feed)
      this.#hooks.closed(index, error.code, error.message)
    }
  }
}
