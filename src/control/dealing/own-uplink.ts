/**
 * The origin's own uplink: how fast it is, and whether relays leave it idle.
 *
 * The idea: where the origin is the limit its feeds always hold most of what fills the windows of
 * the relays; where relays are the limit they have it, and the origin has nothing to send. So a
 * look asks how much its feeds held before anything is dealt: what is dealt after a late look says
 * nothing of the time before. Units to everybody are what is left of the uplink, no more: while one
 * feed has much to send the origin is not idle, and a unit on each of the others would take turns
 * from it, so that fast relays starve and the origin seems to be needed all the more.
 */
import { KIB } from '../../base/limits.js'
import { SmoothedRate } from '../../base/rate.js'
import type { DealtRelay } from './relay-queue.js'
import { wholePages } from './units.js'

/** What its rate is smoothed over. */
const rateMs = 100
/** Bytes that a kernel may hold of a feed without having sent them. */
const unsentBytes = 16 * KIB
/** It is dry when its feeds hold less than it sends in half the time between two looks. */
const dryMs = 5
/** What the share of dry looks is smoothed over. */
const dryOverMs = 150
/** Shares of dry looks above which relays limit the network, and below which they do not. */
const dryShare = 0.6
const fullShare = 0.1
/** Feeds are to hold what lasts for so many looks, and for half as long as looks have come late. */
const aheadLooks = 2
const aheadLate = 0.5
/** And a page each, however slow the origin is. */
const aheadBytesMin = 4 * KIB
/** A look that is later is an outage; half of a lateness is forgotten after this time. */
const lateMax = 300
const lateHalfMs = 1_000
/** Units to everybody that last from one look to the next. */
const unitsAhead = 8
/** Nodes go at their pace when this long has not made them this much faster. */
const steadyMs = 50
const steadyRatio = 1.1
/** How long units to everybody are tried before it is asked what they bring: at first, at most. */
const tryMs = 200
const tryMsMax = 3_200
/** What each node lands before anything is said of its rate: many pages. */
const periodBytes = 64 * KIB
/** Where that takes longer, no processor is the limit, and the origin helps without being asked. */
const slowMs = 500
/** After they brought nothing they are not tried for so long, then for twice as long, at most. */
const pauseMs = 1_000
const pauseMsMax = 8_000

export class OwnUplink {
  /** How late looks have come lately. */
  lateMs = 0
  /** What its feeds held when it looked, not counting what has been dealt since. */
  waitingBytes = 0
  readonly #rate = new SmoothedRate(rateMs)
  /** The most that one feed held when it looked. */
  #mostBytes = 0
  /** Share of the looks, lately, that found nothing to send. */
  #dry = 0
  /** Relays leave it idle. */
  isIdle = false
  /** What all nodes together landed in the period before, in bytes a second. */
  #before = 0
  /** The period: when it began, what all had landed by then, what has gone to everybody since. */
  #sinceMs = 0
  #sinceBytes = 0
  #directBytes = 0
  #pausedMs = 0
  #pauseMs = pauseMs
  #tryMs = tryMs
  readonly #startMs: number
  #arrivedBytes = 0
  #feeds = 1
  #lookedMs: number
  readonly #everyMs: number
  readonly #isAlone: boolean

  /**
   * `everyMs`: the time between two looks that are not late. `isAlone`: nobody else could bring
   * what goes to everybody, so that it is not asked what that brings.
   */
  constructor(nowMs: number, everyMs: number, isAlone = false) {
    this.#isAlone = isAlone
    this.#startMs = this.#lookedMs = this.#sinceMs = nowMs
    this.#everyMs = everyMs
  }

  /** What has arrived of all feeds, as counted at `atMs`. */
  sent(bytes: number, atMs: number): void {
    this.#rate.add(bytes, atMs)
    this.#arrivedBytes = bytes
  }

  /** Its mean rate so far, in bytes a second: what it can be expected to do again. */
  get meanRate(): number {
    return (this.#arrivedBytes * 1000) / Math.max(1, this.#lookedMs - this.#startMs)
  }

  /** `feeds`: those that must not run dry. */
  look(feeds: readonly DealtRelay[], nowMs: number): void {
    let landed = 0
    this.#feeds = Math.max(1, feeds.length)
    this.waitingBytes = this.#mostBytes = 0
    for (const { queuedBytes, unackedBytes, landedBytes } of feeds) {
      landed += landedBytes
      this.waitingBytes += queuedBytes + Math.min(unackedBytes, unsentBytes)
      this.#mostBytes = Math.max(this.#mostBytes, queuedBytes)
    }
    const elapsedMs = nowMs - this.#lookedMs
    this.#lookedMs = nowMs
    const lateMs = Math.min(elapsedMs, lateMax) - this.#everyMs
    this.lateMs = Math.max(0, lateMs, this.lateMs * 0.5 ** (elapsedMs / lateHalfMs))
    const isDry = this.waitingBytes * 1000 <= this.#rate.value * dryMs
    this.#dry += Math.min(1, elapsedMs / dryOverMs) * ((isDry ? 1 : 0) - this.#dry)
    if (this.#dry < fullShare) this.isIdle = false
    if (this.#isAlone) this.isIdle ||= this.#dry > dryShare
    else this.#compare(landed, nowMs)
  }

  /**
   * Where the uplinks of relays are the limit, nodes have more when units go to everybody. Where
   * all share what limits them, receivers or a processor, such units only take the place of others.
   */
  #compare(landed: number, nowMs: number): void {
    const ms = nowMs - this.#sinceMs
    const bytes = landed - this.#sinceBytes
    const isSlow = bytes < this.#feeds * periodBytes
    if (ms < (isSlow ? slowMs : this.isIdle ? this.#tryMs : steadyMs)) return
    const rate = (bytes * 1000) / ms
    const direct = (this.#directBytes * this.#feeds * 1000) / ms
    this.#sinceMs = nowMs
    this.#sinceBytes = landed
    this.#directBytes = 0
    if (!this.isIdle) {
      // What a change brings is only seen where nodes have stopped getting faster by themselves.
      const isSteady = isSlow || rate <= steadyRatio * this.#before
      this.#before = rate
      this.isIdle = isSteady && this.#dry > dryShare && nowMs >= this.#pausedMs
    } else if (isSlow || rate >= this.#before + direct / 2) {
      this.#tryMs = Math.min(2 * this.#tryMs, tryMsMax)
      this.#pauseMs = pauseMs
    } else {
      this.isIdle = false
      this.#dry = 0
      this.#tryMs = tryMs
      this.#pausedMs = nowMs + this.#pauseMs
      this.#pauseMs = Math.min(2 * this.#pauseMs, pauseMsMax)
    }
  }

  /** Whether it would run dry with so much on its feeds, by what relays take. */
  wants(queuedBytes: number): boolean {
    if (!this.isIdle || queuedBytes >= this.aheadBytes(this.#rate.value)) return false
    return this.#mostBytes <= 2 * Math.max(2 * this.unitBytes, this.#fairBytes)
  }

  /** So much of the file went to everybody: without that it would have been dry. */
  helped(bytes: number): void {
    this.#dry = Math.max(this.#dry, dryShare)
    this.#directBytes += bytes
  }

  /** Bytes of a unit that goes to everybody. */
  get unitBytes(): number {
    return wholePages(this.#fairBytes / unitsAhead)
  }

  /** What lasts until the next look, although that is late. */
  aheadBytes(rate: number): number {
    const bytes = (rate * (aheadLooks * this.#everyMs + aheadLate * this.lateMs)) / 1000
    return Math.max(bytes, this.#feeds * aheadBytesMin)
  }

  get #fairBytes(): number {
    return this.aheadBytes(this.#rate.value) / this.#feeds
  }
}
