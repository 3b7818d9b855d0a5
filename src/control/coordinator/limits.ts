/**
 * What the caller allows a node at most: `timeoutMs`, when the whole push has to be over, and
 * `minRateBytesPerSecond`, the least that a node may land.
 *
 * The idea: a trickle looks like progress in every report, and would keep a push for ever. Rates
 * are judged over windows of limits.rateWindowMs in which the node had bytes to land all the time:
 * the origin listed more to it than has landed, or somebody holds as much more as it was to land
 * in the window. So a slow path counts as the node's own, and waiting for a slow mate does not.
 * A node that holds everything may take as long as the least rate gives the whole file, and a
 * window. Time in which a node is silent counts as silence alone.
 */
import type { Failure } from '../../base/errors.js'
import { LeastFirst } from '../../base/least-first.js'
import { formatBytes, limits } from '../../base/limits.js'
import type { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { OriginConfig } from './events.js'
import type { Extent } from './extent.js'

/** Nodes that are looked at in each millisecond at most, over some time. */
const lookedPerMs = 100

interface Window {
  sinceMs: number
  readonly landedBytes: number
  readonly lengthMs: number
}

export class OriginLimits {
  readonly #extent: Extent
  readonly #timeoutMs: number
  /** Bytes per second; 0: no rate is too low. */
  readonly #leastRate: number
  readonly #windows = new Map<Peer, Window>()
  /** When each of them ends. */
  readonly #ends = new LeastFirst<Peer>()
  readonly #endMs: number
  #lookedMs: number
  /** When the next look is due. */
  #lookMs = 0
  #mostLandedBytes = 0

  constructor({ extent, timeoutMs, minRateBytesPerSecond }: OriginConfig, nowMs: number) {
    this.#extent = extent
    this.#timeoutMs = timeoutMs ?? Number.POSITIVE_INFINITY
    this.#leastRate = minRateBytesPerSecond ?? 0
    this.#endMs = nowMs + this.#timeoutMs
    this.#lookedMs = nowMs
  }

  /**
   * Moves the windows on, now and then; before `failure`. `isSealed`: the digest of the whole file
   * is known.
   */
  look({ serving }: Peers, isSealed: boolean, nowMs: number): void {
    if (this.#leastRate === 0 || nowMs < this.#lookMs) return
    this.#lookMs = nowMs + Math.floor(serving.size / lookedPerMs)
    const passedMs = nowMs - this.#lookedMs
    this.#lookedMs = nowMs
    this.#mostLandedBytes = 0
    for (const { presence, counts } of serving)
      if (presence !== 'away')
        this.#mostLandedBytes = Math.max(this.#mostLandedBytes, counts.landedBytes)
    for (const peer of this.#windows.keys()) if (!serving.has(peer)) this.#set(peer, undefined)
    for (const peer of serving) this.#move(peer, isSealed, passedMs)
  }

  /** The time of the whole push is over: nobody may go on. */
  isOver(nowMs: number): boolean {
    return nowMs >= this.#endMs
  }

  /** Why the node may not go on; null: it may. */
  failure(peer: Peer, nowMs: number): Failure | null {
    if (peer.outcome !== undefined || peer.isSuperseded) return null
    if (nowMs >= this.#endMs) {
      const text = `not complete when the time-out of ${secondsText(this.#timeoutMs)} ended`
      return { code: 'ERR_FR_TIMEOUT', text }
    }
    const window = this.#windows.get(peer)
    if (window === undefined || nowMs < endOf(window)) return null
    this.#set(peer, undefined)
    const { sinceMs, landedBytes } = window
    const took = secondsText(nowMs - sinceMs)
    const least = `${formatBytes(this.#leastRate)}/s`
    if (this.#isWhole(peer)) {
      const bytes = formatBytes(this.#extent.bytes)
      const text = `has not published ${bytes} in ${took}; at least ${least} are wanted`
      return { code: 'ERR_FR_TIMEOUT', text }
    }
    const rate = Math.max(0, ((peer.counts.landedBytes - landedBytes) * 1000) / (nowMs - sinceMs))
    if (rate >= this.#leastRate) {
      this.#set(peer, this.#windowOf(peer, nowMs))
      return null
    }
    const text = `landed ${formatBytes(rate)}/s over ${took}; at least ${least} are wanted`
    return { code: 'ERR_FR_TIMEOUT', text }
  }

  /** When the next node would fail if nothing happened. */
  deadlineMs(): number {
    return Math.min(this.#endMs, this.#ends.least)
  }

  /** Those whose window has ended. */
  due(nowMs: number): readonly Peer[] {
    return this.#ends.upTo(nowMs)
  }

  #move(peer: Peer, isSealed: boolean, passedMs: number): void {
    const isWhole = this.#isWhole(peer)
    const isJudged = peer.isReceiver && peer.phase === 'running' && peer.lag !== 'waiting'
    const counts = isJudged && (isWhole ? isSealed : this.#isFed(peer))
    const window = this.#windows.get(peer)
    if (!counts) this.#set(peer, undefined)
    else if (window === undefined || (isWhole && !this.#extent.isAll(window.landedBytes)))
      this.#set(peer, this.#windowOf(peer, this.#lookedMs))
    else if (peer.presence !== 'alive') {
      window.sinceMs += passedMs
      this.#ends.set(peer, endOf(window))
    }
  }

  #set(peer: Peer, window: Window | undefined): void {
    if (window === undefined) this.#windows.delete(peer)
    else this.#windows.set(peer, window)
    this.#ends.set(peer, window === undefined ? Number.POSITIVE_INFINITY : endOf(window))
  }

  #windowOf(peer: Peer, nowMs: number): Window {
    const wholeMs = this.#isWhole(peer) ? (this.#extent.bytes / this.#leastRate) * 1000 : 0
    const { landedBytes } = peer.counts
    return { sinceMs: nowMs, landedBytes, lengthMs: limits.rateWindowMs + wholeMs }
  }

  #isWhole(peer: Peer): boolean {
    return this.#extent.isAll(peer.counts.landedBytes)
  }

  /** Somebody has bytes for it, enough for a window or all. */
  #isFed({ counts }: Peer): boolean {
    if (counts.queuedBytes > 0 || counts.listedBytes > counts.landedBytes) return true
    const wantedBytes = (this.#leastRate * limits.rateWindowMs) / 1000
    const most = this.#mostLandedBytes
    return this.#extent.isAll(most) || most - counts.landedBytes >= wantedBytes
  }
}

function endOf({ sinceMs, lengthMs }: Window): number {
  return sinceMs + lengthMs
}

function secondsText(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`
}
