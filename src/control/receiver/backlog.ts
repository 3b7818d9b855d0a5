/**
 * How far a relay's feeds to its mates are behind, for its report to the origin.
 *
 * The idea: the backlog that counts is that of the worst feed, because what one mate has not got is
 * not relayed; lagging mates are left out by the origin's word. Whether a mate is behind is told by
 * the age of its oldest byte that was listed and is not acknowledged, compared with the other
 * feeds: bytes alone would call a fast feed with a long queue slow.
 */
import { limits } from '../../base/limits.js'
import type { OutgoingCount } from '../messages/facts.js'

/** History of one feed: long enough for ages that matter, short enough to scan. */
const samplesMax = 64
const behindMs = 100
const behindRatio = 3

export type MateSample = Omit<OutgoingCount, 'pulledBytes' | 'rttMs'>

export interface BacklogReport {
  readonly backlogBytes: number
  /** Mates that are behind, in order of their number. */
  readonly behind: readonly number[]
}

interface Listed {
  readonly atMs: number
  readonly bytes: number
}

export class Backlog {
  readonly #listed = new Map<number, Listed[]>()
  #excluded: ReadonlySet<number> = new Set()
  #said = ''
  #saidMs = 0

  /** False for a report that says what the last one said, unless that is long ago. */
  isWorthSending(
    report: BacklogReport & { readonly landedBytes: number; readonly receivedBytes: number },
    nowMs: number,
  ): boolean {
    const { landedBytes, receivedBytes, backlogBytes, behind } = report
    const text = [landedBytes, receivedBytes, backlogBytes, ...behind].join()
    if (text === this.#said && nowMs - this.#saidMs < limits.sameReportMs) return false
    this.#said = text
    this.#saidMs = nowMs
    return true
  }

  /** Mates whose backlog does not count. */
  exclude(members: readonly number[]): void {
    this.#excluded = new Set(members)
  }

  report(mates: readonly MateSample[], nowMs: number): BacklogReport {
    let backlogBytes = 0
    const ages: [member: number, ageMs: number][] = []
    for (const mate of mates) {
      const waiting = mate.queuedBytes + mate.unackedBytes
      if (!this.#excluded.has(mate.member)) backlogBytes = Math.max(backlogBytes, waiting)
      ages.push([mate.member, this.#ageMs(mate, nowMs)])
    }
    // The lower one of two: with two mates the other would be the very feed that is behind.
    const median =
      ages.map(([, age]) => age).sort((a, b) => a - b)[Math.floor((ages.length - 1) / 2)] ?? 0
    const limitMs = Math.max(behindMs, behindRatio * median)
    const behind = ages.filter(([, age]) => age > limitMs).map(([member]) => member)
    return { backlogBytes, behind: behind.sort((a, b) => a - b) }
  }

  /** Since when the feed's oldest unacknowledged byte has been listed; 0 when there is none. */
  #ageMs(mate: MateSample, nowMs: number): number {
    const listedBytes = mate.sentBytes + mate.queuedBytes
    const ackedBytes = mate.sentBytes - mate.unackedBytes
    const history = this.#listed.get(mate.member) ?? []
    this.#listed.set(mate.member, history)
    if ((history.at(-1)?.bytes ?? -1) < listedBytes)
      history.push({ atMs: nowMs, bytes: listedBytes })
    while (history.length > 0 && (history[0] as Listed).bytes <= ackedBytes) history.shift()
    // The oldest entry keeps standing for all before it, so an age is never too small.
    if (history.length > samplesMax) history.splice(1, 1)
    return history.length === 0 ? 0 : nowMs - (history[0] as Listed).atMs
  }
}
