/**
 * What a node reports of itself and when, made from looks at the counters of its engine and what
 * its machine knows.
 */
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import { ReceivedBytes } from '../holdings/mate-bytes.js'
import type { Sample } from '../messages/facts.js'
import type { BacklogFrame, PlanFrame, ProgressFrame, PullReport } from '../messages/types.js'
import { Backlog } from './backlog.js'
import { GroupReports } from './group-reports.js'

/** What the machine knows. */
export interface NodeProgress {
  readonly verifiedBytes: number
  readonly repairedBytes: number
  readonly pulled: readonly PullReport[]
}

export class NodeReports {
  readonly #backlog = new Backlog()
  readonly #received = new ReceivedBytes()
  readonly group = new GroupReports()
  #laggards: ReadonlySet<number> = new Set()
  #reportTo: number | undefined
  #progressMs: number = limits.progressMs
  #backlogMs = 0
  #progressAtMs = Number.POSITIVE_INFINITY
  #backlogAtMs = Number.POSITIVE_INFINITY
  /** What was here and is passed on as if it had come from the origin. */
  #passedOnBytes = 0
  /** Landed, repairs included, as last seen. */
  #movedBytes = 0
  /** What the next sample is for. */
  #isProgressDue = false
  #isBacklogDue = false

  /** From this node's first report on. */
  start(nowMs: number): void {
    this.#progressAtMs = nowMs
  }

  /** Follows a plan. Whom it names anew to report to hears of this node at once. */
  planned({ progressMs, reportMs, reportTo }: PlanFrame, nowMs: number): void {
    this.#progressMs = progressMs
    this.#backlogMs = reportMs
    if (reportMs === 0) this.#backlogAtMs = Number.POSITIVE_INFINITY
    if (this.#reportTo !== undefined && reportTo !== this.#reportTo)
      this.#progressAtMs = Math.min(this.#progressAtMs, nowMs)
    this.#reportTo = reportTo
  }

  passesOn(ranges: readonly RangePair[]): void {
    for (const [, length] of ranges) this.#passedOnBytes += length
  }

  /** Bytes flow from now on. */
  begin(nowMs: number): void {
    this.#progressAtMs = Math.min(this.#progressAtMs, nowMs + this.#progressMs)
    if (this.#backlogMs > 0) this.#backlogAtMs = nowMs
  }

  get dueAtMs(): number {
    return Math.min(this.#progressAtMs, this.#backlogAtMs, this.group.dueMs)
  }

  /** True: a sample is wanted now for what is due. */
  advance(nowMs: number): boolean {
    if (nowMs < Math.min(this.#progressAtMs, this.#backlogAtMs)) return false
    if (nowMs >= this.#progressAtMs) this.hurry(nowMs)
    if (nowMs < this.#backlogAtMs) return true
    this.#backlogAtMs = nowMs + this.#backlogMs
    this.#isBacklogDue = true
    return true
  }

  /** Progress is due with the next sample. */
  hurry(nowMs: number): void {
    this.#progressAtMs = nowMs + this.#progressMs
    this.#isProgressDue = true
  }

  /** Whether anything has landed since the last sample, repairs included. Before `sampled`. */
  hasMoved({ landedBytes, scratchBytes }: Sample): boolean {
    const movedBytes = landedBytes + scratchBytes
    const hasMoved = movedBytes !== this.#movedBytes
    this.#movedBytes = movedBytes
    return hasMoved
  }

  /** Every sample; one is taken before a feed is closed, whose counters go with it. */
  sampled(sample: Sample, known: NodeProgress, isLast = false): (ProgressFrame | BacklogFrame)[] {
    this.#received.count(sample.incoming.filter(({ isParent }) => !isParent))
    const frames = this.#isProgressDue ? [this.#progress(known, sample, isLast)] : []
    const backlog = this.#isBacklogDue ? this.#backlogOf(sample) : undefined
    this.#isProgressDue = this.#isBacklogDue = false
    return backlog === undefined ? frames : [...frames, backlog]
  }

  /** Mates whose backlog does not count. */
  get laggards(): ReadonlySet<number> {
    return this.#laggards
  }

  exclude(members: readonly number[]): void {
    this.#laggards = new Set(members)
    this.#backlog.exclude(members)
  }

  #progress(known: NodeProgress, sample: Sample, isLast: boolean): ProgressFrame {
    const { landedBytes, holeBytes, sentBytes, receivedBytes, duplicateBytes } = sample
    const counted = { landedBytes, holeBytes, sentBytes, receivedBytes, duplicateBytes }
    const { verifiedBytes, repairedBytes, pulled } = known
    const mates = sample.outgoing
      .map(({ member, queuedBytes, unackedBytes }) => ({ member, queuedBytes, unackedBytes }))
      .sort((a, b) => a.member - b.member)
    const verified = { verifiedBytes, repairedBytes, pulled }
    const received = this.#received.news(isLast)
    return {
      type: 'progress',
      atMs: Math.round(sample.atMs),
      ...counted,
      ...verified,
      mates,
      received,
    }
  }

  /** Undefined when it would say what the last one said. */
  #backlogOf({ atMs, landedBytes, incoming, outgoing }: Sample): BacklogFrame | undefined {
    // What mates have pulled is no part of what this node was dealt to relay.
    const mates = outgoing.map(({ pulledBytes, ...mate }) => {
      return { ...mate, queuedBytes: mate.queuedBytes - pulledBytes }
    })
    const parents = incoming.filter(({ isParent }) => isParent)
    const receivedBytes = parents.reduce(
      (sum, feed) => sum + feed.receivedBytes,
      this.#passedOnBytes,
    )
    const taken = { atMs: Math.round(atMs), landedBytes, receivedBytes }
    const report = { ...taken, ...this.#backlog.report(mates, atMs) }
    return this.#backlog.isWorthSending(report, atMs) ? { type: 'backlog', ...report } : undefined
  }
}
