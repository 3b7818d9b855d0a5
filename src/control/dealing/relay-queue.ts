/**
 * One relay, as the dealer of a group sees it: how much it was dealt and has not forwarded, how
 * fast it forwards, and which units are still at risk if it dies.
 *
 * Queue = bytes listed on the origin's feed to it - what it has forwarded, by its own report: what
 * it has received less the backlog of its worst feed to a mate. Everything is forwarded in the
 * order it was dealt, so "not forwarded" is always the tail of the deal. Units that went to
 * everybody are on its feed, too, and nobody's to forward: they count neither as queue nor as rate.
 * What moved since the report still counts as queued, so windows hold several reports.
 */
import { KIB, limits, MIB } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { Lateness } from '../members/lateness.js'
import type { Role } from '../messages/types.js'
import { PastUnits } from './past-units.js'
import { wholePages } from './units.js'

/** A full window, in time; bounded, because a relay that is the bottleneck fills any window. */
const windowSeconds = limits.dealtAheadMs / 1000
/**
 * And no shorter than the way of a byte: a round trip to the relay, there with the byte and back
 * with the report, one until the mates have acknowledged it, and one for what waits meanwhile. Who
 * is far from here may be far from a relay.
 */
const mateRoundTrips = 2
/** A few segments: with less than that a feed does not even keep its connection going. */
const windowBytesMin = 8 * KIB
/**
 * Until a relay has said how fast it is, its window opens by `growth` each time the origin's feed
 * to it is found drained, so often and no further: by then there are reports.
 */
const openings = 3
/**
 * Parts of an even share of the file that the window holds meanwhile, first and once it was found
 * drained: a relay of a quarter of the mean rate still passes that on in a quarter of the time.
 */
const firstShare = 1 / 64
const openedShare = 1 / 16
const firstBytesMax = 8 * MIB
/**
 * It stays as open for so many round trips more: a feed starts with ten segments and doubles what
 * is under way with each, so the first rates of one that is far away say nothing of its link.
 */
const settlingRoundTrips = 6
/** Part of a window that a unit takes: short enough that a mate waits 20 ms. */
const unitShare = 20 / 150
const unitBytesMax = 8 * MIB
/** A window lasts as much longer as looks come late, and the report before as well. */
const lateWeight = 1.5
/** A rate follows up at once, and down slowly: a pause of the process is not a slow link. */
const rateMs = 100
const slowerMs = 300
/** A queue that is nearly empty says little: what was once seen is forgotten slowly. */
const forgetMs = 1_000
/** A speed that was written down wrongly costs one window of 4 MiB. */
const expectedRateMax = (4 * MIB) / windowSeconds
/** Two looks at a rate are at least this far apart. */
const lookMs = 15
/** Factor by which a drained queue opens its window at one look; one odd look must not fill it. */
const growth = 4
/** A relay that drains its window is tried with twice its rate; once it was full, with 1.25. */
const firstProbe = 2
const laterProbe = 1.25
/** A longer silence is an outage, not a late report. */
const lateReportMax = 1_000
/** More units than this in a queue become one where they are neighbours; windows hold far fewer. */
const dealsMax = 1_024
/** Seconds for which a relay without a new report is believed to go on at its rate. */
const creditSeconds = 0.04

/** Counters of the origin's feed to a relay. */
export interface FeedCount {
  readonly queuedBytes: number
  readonly sentBytes: number
  readonly unackedBytes?: number
  /** How long a message to the relay and its answer take; absent: not known. */
  readonly rttMs?: number
}

export interface RelayReport {
  readonly atMs: number
  readonly receivedBytes: number
  readonly landedBytes: number
  readonly backlogBytes: number
}

interface Deal {
  readonly offset: number
  length: number
  /** Of it, what it had never been dealt before: nothing is passed on twice. */
  newBytes: number
  /** Position on the feed, counting all that was ever listed on it, where the unit ends. */
  end: number
}

export class DealtRelay {
  readonly node: number
  /** A mirror holds everything: nothing is listed on a feed to it, what it is dealt is there. */
  readonly role: Role
  readonly dealt = new RangeSet()
  heardMs: number
  /** How late its reports come. */
  readonly lateness = new Lateness(limits.sameReportMs)
  isSilent = false
  /** False: what it said it has passed on did not reach its mates; it is dealt nothing more. */
  isTrusted = true
  /** It is dealt nothing to pass on for now, because it is far slower than the others. */
  isSlow = false
  /** The same, because it fails again and again. */
  isResting = false
  /** Its queue was taken back: it says nothing, or nothing moves at it. */
  out: 'no' | 'silent' | 'standing' = 'no'
  queuedBytes = 0
  sentBytes = 0
  unackedBytes = 0
  /** How long a message to it and its answer take. */
  rttMs = 0
  landedBytes = 0
  rate: number
  /** Times that its window has opened before it said how fast it is. */
  #openings = 0
  #isRated = false
  /** When it first said how fast it is; whether its feeds have had time to come to their rate. */
  #ratedMs = 0
  isSettled = false
  #wasFull = false
  #windowSeconds = windowSeconds
  readonly #unitBytesMin: number
  readonly #shareBytes: number
  #listed = 0
  /** Of it, units past the relays: listed and received, and not its to forward. */
  readonly #past = new PastUnits()
  #forwarded = 0
  /** Backlog of the slowest place that its bytes pass further on. */
  #beyondBytes = 0
  #said: RelayReport | undefined
  /** What had moved by its last report, and when that last grew. */
  #movedBytes = 0
  #movedMs: number
  /** When the origin's feed to it last moved, or had nothing waiting. */
  #fedMs: number
  #reportedMs: number
  #credit = 0
  /** The node's own clock at the last look at its rate; none before the first report. */
  #ratedAtMs: number | undefined
  #ratedBytes = 0
  #smoothRate = 0
  readonly #deals: Deal[] = []
  /** What it says it has passed on since its word was last known to hold. */
  readonly #claimed = new RangeSet()
  #claimedBytes = 0
  /** Bytes by which the forwarded total of the last report fell behind earlier ones: a new feed. */
  #recalledBytes = 0
  /** Payload that it has passed on by its last report, however often it was dealt. */
  #passedBytes = 0
  /** Of the units past the relays, holes: nobody receives payload for them. */
  #holesPast = 0
  /** All it was ever dealt, also what was taken back. */
  readonly #everDealt = new RangeSet()

  /**
   * `rate`: bytes a second it is expected to forward; it only counts until there are reports, and
   * no further than a window may go on somebody's word. `unitBytesMin`: its units have that much.
   * `shareBytes`: what each relay gets of the file when all get the same; it counts where no rate
   * is expected.
   */
  constructor(
    node: number,
    nowMs: number,
    rate = 0,
    unitBytesMin = wholePages(0),
    shareBytes = 0,
    role: Role = 'receiver',
  ) {
    this.node = node
    this.role = role
    this.#unitBytesMin = unitBytesMin
    this.#shareBytes = rate === 0 ? shareBytes : 0
    this.rate = Math.min(rate, expectedRateMax)
    this.heardMs = this.#reportedMs = this.#movedMs = this.#fedMs = nowMs
  }

  get queue(): number {
    return this.#listed - this.#past.bytes - this.#forwarded - this.#credit
  }

  /** Payload that it says by its last report it has passed on to all mates, each byte once. */
  get claimedBytes(): number {
    return Math.max(0, Math.min(this.#claimedBytes - this.#recalledBytes, this.#passedBytes))
  }

  /** It has forwarded all it was dealt. */
  get isDone(): boolean {
    return this.#deals.length === 0
  }

  /** How long nothing has moved on the origin's feed to it, although bytes wait there. */
  feedStoodMs(nowMs: number): number {
    return nowMs - this.#fedMs
  }

  /** How long nothing had moved at it by its last report, although it has bytes to pass on. */
  get stoodMs(): number {
    return this.isDone ? 0 : Math.max(0, this.heardMs - this.#movedMs)
  }

  /**
   * What it will have forwarded since its report, at its rate. `lateMs`: how late looks come.
   * `farthestMs`: the longest round trip of any node.
   */
  look(nowMs: number, lateMs = 0, farthestMs = 0): void {
    const wayMs = this.rttMs + mateRoundTrips * farthestMs
    this.#windowSeconds = Math.max(windowSeconds, wayMs / 1000) + (lateWeight * lateMs) / 1000
    this.isSettled = this.#isRated && nowMs >= this.#ratedMs + settlingRoundTrips * farthestMs
    const seconds = Math.min(creditSeconds, (nowMs - this.#reportedMs) / 1000)
    const open = this.#listed - this.#past.bytes - this.#forwarded
    this.#credit = Math.min(this.rate * seconds, open)
  }

  /** Bytes were listed on its feed, to be relayed or not. */
  listed(length: number): void {
    this.#listed += length
    if (this.role !== 'mirror') this.queuedBytes += length
  }

  /** A unit that it is not to forward was listed on its feed. */
  listedPast(length: number): void {
    this.#past.add(this.#listed, length)
    this.listed(length)
  }

  /** A hole was listed on its feed, and on that of everybody else. */
  listedHole(length: number): void {
    this.#holesPast += length
    this.listedPast(length)
  }

  deal(offset: number, length: number, nowMs: number): void {
    if (this.isDone) this.#movedMs = nowMs
    this.listed(length)
    this.dealt.add(offset, length)
    const fresh = this.#everDealt.missing(offset, length)
    this.#everDealt.add(offset, length)
    const newBytes = fresh.reduce((sum, [, bytes]) => sum + bytes, 0)
    const end = this.#listed - this.#past.bytes
    const last = this.#deals.at(-1)
    if (
      this.#deals.length >= dealsMax &&
      last !== undefined &&
      last.offset + last.length === offset
    )
      Object.assign(last, { length: last.length + length, newBytes: last.newBytes + newBytes, end })
    else this.#deals.push({ offset, length, newBytes, end })
  }

  /**
   * Its own word: payload it has received from the origin, what has landed from everybody, and the
   * backlog of its worst feed, all taken at `atMs` by its own clock.
   */
  reported(said: RelayReport, nowMs: number): void {
    const gapMs = nowMs - this.heardMs
    if (gapMs < lateReportMax) this.lateness.heard(gapMs)
    this.heardMs = this.#reportedMs = nowMs
    this.isSilent = false
    this.landedBytes = said.landedBytes
    this.#credit = 0
    this.#said = said
    this.#account(said)
    this.#rate(said.atMs, nowMs)
    const movedBytes = said.receivedBytes + said.landedBytes + this.#forwarded
    if (movedBytes === this.#movedBytes) return
    this.#movedBytes = movedBytes
    this.#movedMs = nowMs
    if (this.out === 'standing') this.out = 'no'
  }

  /** What waits at the slowest place that its bytes pass on their way beyond its mates. */
  beyond(backlogBytes: number): void {
    if (backlogBytes === this.#beyondBytes) return
    this.#beyondBytes = backlogBytes
    if (this.#said !== undefined) this.#account(this.#said)
  }

  #account(said: RelayReport): void {
    const { receivedBytes } = said
    const backlogBytes = Math.max(said.backlogBytes, this.#beyondBytes)
    // Holes are listed like payload but never received as such.
    const holes =
      this.role === 'mirror' ? 0 : Math.max(0, this.#listed - this.queuedBytes - this.sentBytes)
    const received = Math.min(this.#listed, receivedBytes + holes)
    const past = this.#past.until(received)
    const forwarded = received - past - backlogBytes
    this.#passedBytes = receivedBytes - Math.max(0, past - this.#holesPast) - backlogBytes
    this.#forwarded = Math.max(this.#forwarded, forwarded)
    this.#recalledBytes = this.#forwarded - forwarded
    this.#claim()
  }

  #claim(): void {
    for (let deal = this.#deals[0]; deal !== undefined; deal = this.#deals[0]) {
      if (deal.end > this.#forwarded) return
      this.#claimedBytes += deal.newBytes
      this.#claimed.add(deal.offset, deal.length)
      this.#deals.shift()
    }
  }

  /** All have everything before this: who passed it on is over. */
  forget(before: number): void {
    for (const ranges of [this.dealt, this.#claimed, this.#everDealt]) ranges.remove(0, before)
  }

  /** What it has said so far is taken for true. */
  confirm(): void {
    this.#claimed.clear()
  }

  /** As `takeBack`, and what it says it has passed on since its word was last known to hold. */
  takeBackClaims(): RangePair[] {
    const claimed = this.#claimed.toArray()
    for (const [offset, length] of claimed) this.dealt.remove(offset, length)
    return [...claimed, ...this.takeBack()]
  }

  counted({ queuedBytes, sentBytes, unackedBytes = 0, rttMs = 0 }: FeedCount, nowMs: number): void {
    this.rttMs = rttMs
    const arrived = sentBytes - unackedBytes
    if (queuedBytes === 0 || arrived !== this.sentBytes - this.unackedBytes) this.#fedMs = nowMs
    this.queuedBytes = queuedBytes
    this.sentBytes = sentBytes
    this.unackedBytes = unackedBytes
    if (this.#openings < openings && sentBytes > 0 && queuedBytes + unackedBytes === 0)
      this.#openings++
  }

  /**
   * How long it takes to pass on all it was dealt and still has, at its rate. None before it has
   * said how fast it is: whoever says nothing at all goes out as silent.
   */
  get restSeconds(): number {
    const last = this.#deals.at(-1)
    if (last === undefined || (!this.#isRated && this.rate === 0)) return 0
    const bytes = Math.max(0, last.end - this.#forwarded - this.#credit)
    return bytes === 0 ? 0 : bytes / this.rate
  }

  /** The unit it was dealt last and has not passed on, dealt no longer. */
  takeBackLast(): RangePair | undefined {
    const last = this.#deals.pop()
    if (last === undefined) return undefined
    this.dealt.remove(last.offset, last.length)
    return [last.offset, last.length]
  }

  /** Units that are not forwarded to every mate, dealt no longer; they are forgotten here. */
  takeBack(): RangePair[] {
    const back = this.#deals.splice(0).map(({ offset, length }): RangePair => [offset, length])
    for (const [offset, length] of back) this.dealt.remove(offset, length)
    return back
  }

  /** The window, in bytes. */
  get window(): number {
    const floor = Math.max(windowBytesMin, 2 * this.#unitBytesMin)
    const opened = this.isSettled ? floor : this.#opened(floor)
    return Math.max(opened, this.#windowSeconds * this.rate)
  }

  /** The window of a relay that has not said how fast it is. */
  #opened(floor: number): number {
    const part = this.#openings === 0 ? firstShare : openedShare
    const bytes = Math.min(part * this.#shareBytes, firstBytesMax)
    return Math.max(floor * growth ** this.#openings, bytes)
  }

  /**
   * Long on fast links, where decisions cost more than bytes; short enough that a mate waits 20 ms.
   */
  get unitBytes(): number {
    const bytes = wholePages(Math.min(unitBytesMax, unitShare * this.window))
    return Math.max(this.#unitBytesMin, bytes)
  }

  /** How full its window is. */
  get fill(): number {
    return this.queue / this.window
  }

  /**
   * Whether a unit fits its window and will be forwarded by the time the others end, in
   * `leftSeconds`. An empty queue always has room: how else would a rate that has fallen be seen
   * to recover.
   */
  hasRoom(leftSeconds: number): boolean {
    if (this.queue <= 0) return true
    const queue = this.queue + this.unitBytes
    if (this.rate > 0 && queue / this.rate > Math.max(leftSeconds, this.#windowSeconds))
      return false
    return queue <= this.window
  }

  /**
   * Whether a unit fits the window together with what waits on the origin's feed. A relay that has
   * nothing to pass on always gets one: how else would be seen that it stands still.
   */
  get isFeedOpen(): boolean {
    return this.isDone || this.queuedBytes === 0 || this.queuedBytes + this.unitBytes <= this.window
  }

  /**
   * By the node's clock: reports that were held up arrive together, and by ours a relay would seem
   * to have forwarded all of it in the moment between them.
   */
  #rate(atMs: number, nowMs: number): void {
    const elapsedMs = atMs - (this.#ratedAtMs ?? atMs)
    if (this.#ratedAtMs !== undefined && elapsedMs < lookMs) return
    const forwarded = this.#forwarded - this.#ratedBytes
    this.#ratedAtMs = atMs
    this.#ratedBytes = this.#forwarded
    if (elapsedMs === 0) return
    const now = (forwarded / elapsedMs) * 1000
    const isFirst = !this.#isRated && forwarded > 0
    if (isFirst) this.#smoothRate = now
    else this.#smoothRate += Math.min(1, elapsedMs / rateMs) * (now - this.#smoothRate)
    if (this.queue > this.window / 2) this.#wasFull = true
    const probe = this.#wasFull ? laterProbe : firstProbe
    const most = probe * Math.min(now, this.#smoothRate)
    if (this.queue <= 0 && most > this.rate) {
      // Drained: that says nothing about its link but that it can take more, as at the start of
      // every transfer on a fast one.
      const known = this.window / this.#windowSeconds
      this.rate = Math.min(most, growth * known)
    } else if (isFirst) {
      this.rate = Math.max(this.rate, now)
    } else if (this.queue < this.window / 4) {
      this.#follow(probe * this.#smoothRate, elapsedMs, forgetMs)
    } else {
      this.#follow(now, elapsedMs, slowerMs)
    }
    if (!isFirst) return
    this.#isRated = true
    this.#ratedMs = nowMs
  }

  #follow(rate: number, elapsedMs: number, downMs: number): void {
    this.rate += Math.min(1, elapsedMs / (rate > this.rate ? rateMs : downMs)) * (rate - this.rate)
  }
}
