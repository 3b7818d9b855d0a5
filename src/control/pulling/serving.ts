/**
 * What this node has promised, or is about to promise, to mates that pull from it.
 *
 * The idea: a range is promised when it is listed on a feed to the asker, and not before. Where no
 * feed is open, requests wait until one is. Per asker a bounded number of requests may be unsent.
 */
import type { RangePair } from '../../base/ranges.js'
import { type FeedFill, Grants } from './holder.js'

export interface HeldRequest {
  readonly request: number
  readonly ranges: readonly RangePair[]
}

/**
 * - full: refuse it, because what was asked for before has not been sent.
 * - nothing: none of it is held, and the answer says so.
 * - list: list it on the feed that is open, and answer.
 * - open: open a feed; the request waits for it.
 * - wait: the request waits for a feed that is being opened.
 */
export type ServeVerdict = 'full' | 'nothing' | 'list' | 'open' | 'wait'

export class Serving {
  readonly #grants = new Map<number, Grants>()
  readonly #waiting = new Map<number, HeldRequest[]>()

  /** `feed`: the counters of the feed to this mate; `opening`: it is being opened for relaying. */
  asked(
    member: number,
    held: HeldRequest,
    feed: FeedFill | 'opening' | undefined,
    nowMs: number,
  ): ServeVerdict {
    const fill = feed === 'opening' ? undefined : feed
    const grants = this.#grants.get(member) ?? new Grants()
    this.#grants.set(member, grants)
    if (!grants.hasRoom(fill, nowMs)) return 'full'
    if (held.ranges.length === 0) return 'nothing'
    grants.add(bytesOf(held), fill ?? { payloadBytes: 0, queuedBytes: 0 }, nowMs)
    if (fill !== undefined) return 'list'
    const waiting = this.#waiting.get(member)
    this.#waiting.set(member, [...(waiting ?? []), held])
    return waiting === undefined && feed === undefined ? 'open' : 'wait'
  }

  /** A feed to this mate is open: what waited for it, to be listed now. */
  opened(member: number): HeldRequest[] {
    const waiting = this.#waiting.get(member) ?? []
    this.#waiting.delete(member)
    return waiting
  }

  /** No feed to this mate can be opened: what waited for it, to be refused now. */
  failed(member: number): HeldRequest[] {
    this.#grants.get(member)?.clear()
    return this.opened(member)
  }

  /** The feed to this mate is gone. True: another one has to be opened for what waits. */
  closed(member: number): boolean {
    this.#grants.get(member)?.clear()
    return this.#waiting.has(member)
  }

  /** Of the bytes that wait on the feed to this mate, those it has pulled. */
  queuedBytes(member: number, feed: FeedFill, nowMs: number): number {
    return this.#grants.get(member)?.queuedBytes(feed, nowMs) ?? 0
  }

  /** The mate takes no part any more. */
  gone(member: number): void {
    this.#waiting.delete(member)
  }
}

export function bytesOf({ ranges }: HeldRequest): number {
  return ranges.reduce((sum, [, length]) => sum + length, 0)
}
