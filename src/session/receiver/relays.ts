/**
 * The relay side of a node's transfer: feeds to mates, and the digests that go with the bytes.
 *
 * The engine relays payload by itself. Digests are relayed here: they are opaque to the engine,
 * and every hop signs them anew. A feed that opens later gets what is kept for it
 * (control/receiver/kept-digests.ts).
 */
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import type { Mate } from '../../control/messages/types.js'
import { KeptDigests } from '../../control/receiver/kept-digests.js'
import type { OutFeed } from '../../net/dial.js'
import type { DataEngine, FeedHandle } from '../../ports.js'
import type { DigestPlace, SignedDigests } from '../../protocol/digest-record.js'

interface Kept {
  readonly place: DigestPlace
  readonly signed: SignedDigests
}

export interface RelayHooks {
  /** Dials the mate and has the engine adopt the connection as a relay feed. */
  readonly open: (mate: Mate) => Promise<OutFeed>
  readonly opened: (index: number, feed: FeedHandle) => void
  readonly closed: (index: number, code: FrErrorCode, text: string) => void
}

export class Relays {
  readonly #engine: DataEngine
  readonly #hooks: RelayHooks
  readonly #feeds = new Map<number, OutFeed>()
  readonly #refused = new Set<number>()
  readonly #kept = new KeptDigests<Kept>()
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
    this.#kept.dialling(mate.index)
    try {
      const open = await this.#hooks.open(mate)
      if (this.#isClosed || this.#refused.has(mate.index)) return this.#engine.close(open.feed)
      this.#feeds.set(mate.index, open)
      this.#hooks.opened(mate.index, open.feed)
      for (const kept of this.#kept.records)
        if (this.#feeds.has(mate.index)) this.#send(mate.index, open, kept)
    } catch (error) {
      const failure = asFrError(error, 'ERR_FR_UNREACHABLE')
      if (!this.#isClosed && !this.#refused.has(mate.index)) {
        this.#hooks.closed(mate.index, failure.code, failure.message)
      }
    } finally {
      this.#kept.settled(mate.index)
    }
  }

  /** Digests that came marked for relay. */
  forward(place: DigestPlace, signed: SignedDigests): void {
    const kept = { place, signed }
    for (const [index, open] of this.#feeds) this.#send(index, open, kept)
    this.#kept.keep(kept, place.offset, signed.digests.length)
  }

  /** The mate at the other end of this feed, when it is a relay feed; it is forgotten. */
  feedClosed(feed: FeedHandle): number | undefined {
    for (const [index, open] of this.#feeds) {
      if (open.feed !== feed) continue
      this.#feeds.delete(index)
      return index
    }
    return undefined
  }

  /** The mate is gone: no feed to it, now or later. */
  refuse(index: number): void {
    this.#refused.add(index)
    const open = this.#feeds.get(index)
    this.#feeds.delete(index)
    if (open !== undefined) this.#engine.close(open.feed)
  }

  /** The feed to this mate; null: it is being opened. */
  feedTo(index: number): FeedHandle | null | undefined {
    const open = this.#feeds.get(index)
    if (open !== undefined) return open.feed
    return this.#kept.isDialling(index) ? null : undefined
  }

  indexOf(feed: FeedHandle): number | undefined {
    for (const [index, open] of this.#feeds) if (open.feed === feed) return index
    return undefined
  }

  close(): void {
    this.#isClosed = true
    this.#feeds.clear()
  }

  #send(index: number, open: OutFeed, kept: Kept): void {
    try {
      const payload = open.sender.wrap(kept.signed)
      this.#engine.sendDigests(open.feed, { ...kept.place, payload })
    } catch (error) {
      if (!(error instanceof FrError)) throw error
      this.#feeds.delete(index)
      this.#engine.close(open.feed)
      this.#hooks.closed(index, error.code, error.message)
    }
  }
}
