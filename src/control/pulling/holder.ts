/**
 * The other side of a pull (puller.ts): what a node that holds bytes answers, and how much it takes
 * on for one asker.
 *
 * The idea: pulled bytes are listed on the one feed to the asker, so the engine's turns bound what
 * they take of the uplink; here is bounded how much of that feed they may fill. They are no part of
 * what this node was dealt to relay, so its reports to the origin leave them out. What is not
 * verified is never promised.
 */
import type { Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { Frame } from '../messages/types.js'

/** Bytes that one request may ask for, in a file with blocks of this size. */
export function pullBytesMax(blockBytes: number): number {
  return Math.max(limits.pullUnitBytesMax, blockBytes)
}

/** Why a request cannot be served whatever is held here; null: it can. */
export function pullFault(
  { ranges }: Pick<Frame & { type: 'pull' }, 'ranges'>,
  fileBytes: number,
  blockBytes: number,
): Failure | null {
  const most = pullBytesMax(blockBytes)
  const fault = (text: string): Failure => ({ code: 'ERR_FR_PROTOCOL', text: `a pull ${text}` })
  const last = ranges.at(-1)
  if (last === undefined) return fault('that asks for nothing')
  if (last[0] + last[1] > fileBytes) return fault('beyond the file')
  const bytes = ranges.reduce((sum, [, length]) => sum + length, 0)
  return bytes <= most ? null : fault(`of ${bytes} bytes; one request takes ${most}`)
}

interface Grant {
  readonly bytes: number
  /** Payload count of the feed at which it is surely sent. */
  readonly mark: number
  readonly untilMs: number
}

/** What was listed for one asker and is not sent yet. */
export class Grants {
  #open: Grant[] = []

  /** False: the asker has to wait for what it has asked for before. */
  hasRoom(feed: FeedFill | undefined, nowMs: number): boolean {
    this.#settle(feed, nowMs)
    return this.#open.length < 2 * limits.pullRequests
  }

  /** These bytes are being listed; `feed` is as it was before. */
  add(bytes: number, feed: FeedFill, nowMs: number): void {
    const mark = Math.max(
      feed.payloadBytes + feed.queuedBytes + bytes,
      (this.#open.at(-1)?.mark ?? 0) + bytes,
    )
    this.#open.push({ bytes, mark, untilMs: nowMs + limits.pullServedMs })
  }

  /** Pulled bytes among those that wait on the feed. */
  queuedBytes(feed: FeedFill, nowMs: number): number {
    this.#settle(feed, nowMs)
    const bytes = this.#open.reduce(
      (sum, grant) => sum + Math.min(grant.bytes, grant.mark - feed.payloadBytes),
      0,
    )
    return Math.min(feed.queuedBytes, bytes)
  }

  /** The feed is gone, and what was listed on it. */
  clear(): void {
    this.#open = []
  }

  /** Holes are listed and never counted as payload: an empty feed, or time, settles them. */
  #settle(feed: FeedFill | undefined, nowMs: number): void {
    if (feed?.queuedBytes === 0) this.#open = []
    this.#open = this.#open.filter(
      (grant) => nowMs < grant.untilMs && (feed === undefined || grant.mark > feed.payloadBytes),
    )
  }
}

/** Counters of a feed, in bytes: accepted by its socket, and listed before that. */
export interface FeedFill {
  readonly payloadBytes: number
  readonly queuedBytes: number
}
