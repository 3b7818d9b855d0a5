/**
 * One relay, as the adaptive dealer sees it: how much it was dealt and has not forwarded, how fast
 * it forwards, and which units are still at risk if it dies.
 *
 * Queue = bytes listed on the origin's feed to it - what it has forwarded, by its own report: what
 * it has received less the backlog of its worst feed to a mate. Everything is forwarded in the
 * order it was dealt, so "not forwarded" is always the tail of the deal. What moved since the
 * report
 * still counts as queued, so windows hold several reports.
 */
import { KIB, MIB } from '../limits.js'
import { RangeSet } from './ranges.js'
import type { RangePair } from './types.js'

/** A full window, in time; bounded, because a relay that is the bottleneck fills any window. */
const windowSeconds = 0.12
const windowSecondsMin = 0.03
/** Below this a window lets the origin run dry between two reports. */
const windowBytesMin = 256 * KIB
const windowBytesEnd = 64 * KIB
const unitSeconds = 0.02
const unitBytesMin = 32 * KIB
const unitBytesMax = 8 * MIB
const pageBytes = 4 * KIB
/** A rate follows up at once, and down slowly: a pause of the process is not a slow link. */
const rateMs = 100
const slowerMs = 300

interface Deal {
  readonly offset: number
  readonly length: number
  /** Position on the feed, counting all that was ever listed on it, where the unit ends. */
  readonly end: number
}

export class DealtRelay {
  readonly node: number
  readonly dealt = new RangeSet()
  heardMs: number
  isSilent = false
  queuedBytes = 0
  sentBytes = 0
  rate = 0
  #listed = 0
  #forwarded = 0
  #ratedMs: number
  #ratedBytes = 0
  readonly #deals: Deal[] = []

  constructor(node: number, nowMs: number) {
    this.node = node
    this.heardMs = this.#ratedMs = nowMs
  }

  get queue(): number {
    return this.#listed - this.#forwarded
  }

  /** Bytes were listed on its feed, to be relayed or not. */
  listed(length: number): void {
    this.#listed += length
    this.queuedBytes += length
  }

  deal(offset: number, length: number): void {
    this.listed(length)
    this.dealt.add(offset, length)
    this.#deals.push({ offset, length, end: this.#listed })
  }

  /**
   * Its own word: payload it has received from the origin, and the backlog of its worst feed, taken
   * at
   * the same moment.
   */
  reported(receivedBytes: number, backlogBytes: number, nowMs: number): void {
    this.heardMs = nowMs
    this.isSilent = false
    // Holes are listed like payload but never received as such.
    const holes = Math.max(0, this.#listed - this.queuedBytes - this.sentBytes)
    const forwarded = Math.min(this.#listed, receivedBytes + holes - backlogBytes)
    this.#forwarded = Math.max(this.#forwarded, forwarded)
    while ((this.#deals[0]?.end ?? Number.POSITIVE_INFINITY) <= this.#forwarded) this.#deals.shift()
    this.#rate(nowMs)
  }

  counted(queuedBytes: number, sentBytes: number): void {
    this.queuedBytes = queuedBytes
    this.sentBytes = sentBytes
  }

  /** Units that are not forwarded to every mate, dealt no longer; they are forgotten here. */
  takeBack(): RangePair[] {
    const back = this.#deals.splice(0).map(({ offset, length }): RangePair => [offset, length])
    for (const [offset, length] of back) this.dealt.remove(offset, length)
    return back
  }

  /** The window now, in bytes. Near the end it shrinks with the time that is left. */
  window(leftSeconds: number): number {
    const seconds = Math.min(windowSeconds, Math.max(windowSecondsMin, leftSeconds / 2))
    const isEnding = seconds < windowSeconds
    return Math.max(isEnding ? windowBytesEnd : windowBytesMin, seconds * this.rate)
  }

  /**
   * Long on fast links, where decisions cost more than bytes; short enough that a mate waits 20 ms.
   */
  unitBytes(leftSeconds: number): number {
    const bytes = Math.min(unitBytesMax, unitSeconds * this.rate, this.window(leftSeconds) / 4)
    return Math.max(unitBytesMin, Math.floor(bytes / pageBytes) * pageBytes)
  }

  fill(leftSeconds: number): number {
    return this.queue / this.window(leftSeconds)
  }

  hasRoom(leftSeconds: number): boolean {
    return this.queue === 0 || this.queue + this.unitBytes(leftSeconds) <= this.window(leftSeconds)
  }

  #rate(nowMs: number): void {
    const elapsedMs = nowMs - this.#ratedMs
    if (elapsedMs < 5) return
    const now = ((this.#forwarded - this.#ratedBytes) / elapsedMs) * 1000
    this.#ratedMs = nowMs
    this.#ratedBytes = this.#forwarded
    const window = this.window(Number.POSITIVE_INFINITY)
    if (this.queue < window / 4) {
      // Drained between two looks: that says nothing about its link but that it can take more, as
      // at
      // the start of every transfer on a fast one.
      this.rate = Math.max(this.rate, 2 * now)
    } else {
      this.rate +=
        Math.min(1, elapsedMs / (now > this.rate ? rateMs : slowerMs)) * (now - this.rate)
    }
  }
}
