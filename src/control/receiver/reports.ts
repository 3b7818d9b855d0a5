/**
 * What a node reports of itself, made from the counters of its engine and what its machine knows.
 */
import { ReceivedBytes } from '../holdings/mate-bytes.js'
import type { Frame, PullReport } from '../messages/types.js'
import { Backlog } from './backlog.js'

/** A data connection that comes in. */
export interface IncomingCount {
  readonly feed: number
  /** Its sender, and whether that feeds this node by itself. */
  readonly index: number
  readonly isParent: boolean
  readonly receivedBytes: number
}

/** A data connection on which this node relays to a mate. */
export interface OutgoingCount {
  readonly index: number
  readonly queuedBytes: number
  readonly unackedBytes: number
  readonly sentBytes: number
  /** Of `queuedBytes`, what the mate has pulled. */
  readonly pulledBytes: number
}

export interface NodeCounts {
  readonly landedBytes: number
  readonly holeBytes: number
  readonly sentBytes: number
  readonly receivedBytes: number
  readonly duplicateBytes: number
  readonly incoming: readonly IncomingCount[]
  readonly outgoing: readonly OutgoingCount[]
}

/** What the machine knows. */
export interface NodeProgress {
  readonly verifiedBytes: number
  readonly repairedBytes: number
  readonly pulled: readonly PullReport[]
}

export class NodeReports {
  readonly #backlog = new Backlog()
  readonly #received = new ReceivedBytes()

  /** Mates whose backlog does not count. */
  exclude(indices: readonly number[]): void {
    this.#backlog.exclude(indices)
  }

  /** Also to be called before a feed is closed, whose counters go with it. */
  count(incoming: readonly IncomingCount[]): void {
    this.#received.count(incoming.filter(({ isParent }) => !isParent))
  }

  /** `nowMs`: by this node's own clock, of which the origin compares differences alone. */
  progress(known: NodeProgress, counts: NodeCounts, nowMs: number): Frame {
    this.count(counts.incoming)
    const { landedBytes, holeBytes, sentBytes, receivedBytes, duplicateBytes } = counts
    const counted = { landedBytes, holeBytes, sentBytes, receivedBytes, duplicateBytes }
    const { verifiedBytes, repairedBytes, pulled } = known
    const mates = counts.outgoing
      .map(({ index, queuedBytes, unackedBytes }) => ({ index, queuedBytes, unackedBytes }))
      .sort((a, b) => a.index - b.index)
    const verified = { verifiedBytes, repairedBytes, pulled }
    const received = this.#received.news()
    const atMs = Math.round(nowMs)
    return { type: 'progress', atMs, ...counted, ...verified, mates, received }
  }

  /** Undefined when it would say what the last one said. */
  backlog({ landedBytes, incoming, outgoing }: NodeCounts, nowMs: number): Frame | undefined {
    // What mates have pulled is no part of what this node was dealt to relay.
    const mates = outgoing.map(({ pulledBytes, ...mate }) => {
      return { ...mate, queuedBytes: mate.queuedBytes - pulledBytes }
    })
    const parents = incoming.filter(({ isParent }) => isParent)
    const receivedBytes = parents.reduce((sum, feed) => sum + feed.receivedBytes, 0)
    const taken = { atMs: Math.round(nowMs), landedBytes, receivedBytes }
    const report = { ...taken, ...this.#backlog.report(mates, nowMs) }
    return this.#backlog.isWorthSending(report, nowMs) ? { type: 'backlog', ...report } : undefined
  }
}
