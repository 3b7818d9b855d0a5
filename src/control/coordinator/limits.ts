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
import { formatBytes, limits } from '../../base/limits.js'
import type { Peer } from '../members/peer.js'
import type { OriginConfig } from './events.js'

interface Window {
  sinceMs: number
  readonly landedBytes: number
  readonly lengthMs: number
}

export class OriginLimits {
  readonly #bytes: number
  readonly #timeoutMs: number
  /** Bytes per second; 0: no rate is too low. */
  readonly #leastRate: number
  readonly #windows = new Map<Peer, Window>()
  readonly #endMs: number
  #lookedMs: number
  #mostLandedBytes = 0

  constructor({ bytes, timeoutMs, minRateBytesPerSecond }: OriginConfig, nowMs: number) {
    this.#bytes = bytes
    this.#timeoutMs = timeoutMs ?? Number.POSITIVE_INFINITY
    this.#leastRate = minRateBytesPerSecond ?? 0
    this.#endMs = nowMs + this.#timeoutMs
    this.#lookedMs = nowMs
  }

  /** Moves the windows on; before `failure`. `isSealed`: the digest of the whole file is known. */
  look(peers: readonly Peer[], isSealed: boolean, nowMs: number): void {
    const passedMs = Math.max(0, nowMs - this.#lookedMs)
    this.#lookedMs = nowMs
    if (this.#leastRate === 0) return
    const landed = peers.map((peer) =>
      peer.isServing && peer.presence !== 'away' ? peer.counts.landedBytes : 0,
    )
    this.#mostLandedBytes = Math.max(0, ...landed)
    for (const peer of peers) this.#move(peer, isSealed, passedMs)
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
    this.#windows.delete(peer)
    const { sinceMs, landedBytes } = window
    const took = secondsText(nowMs - sinceMs)
    const least = `${formatBytes(this.#leastRate)}/s`
    if (this.#isWhole(peer)) {
      const bytes = formatBytes(this.#bytes)
      const text = `has not published ${bytes} in ${took}; at least ${least} are wanted`
      return { code: 'ERR_FR_TIMEOUT', text }
    }
    const rate = Math.max(0, ((peer.counts.landedBytes - landedBytes) * 1000) / (nowMs - sinceMs))
    if (rate >= this.#leastRate) {
      this.#windows.set(peer, this.#windowOf(peer, nowMs))
      return null
    }
    const text = `landed ${formatBytes(rate)}/s over ${took}; at least ${least} are wanted`
    return { code: 'ERR_FR_TIMEOUT', text }
  }

  /** When the next node would fail if nothing happened. */
  deadlineMs(): number {
    return Math.min(this.#endMs, ...[...this.#windows.values()].map(endOf))
  }

  #move(peer: Peer, isSealed: boolean, passedMs: number): void {
    const isWhole = this.#isWhole(peer)
    const counts = peer.phase === 'running' && (isWhole ? isSealed : this.#isFed(peer))
    const window = this.#windows.get(peer)
    if (!counts) this.#windows.delete(peer)
    else if (window === undefined || (isWhole && window.landedBytes < this.#bytes))
      this.#windows.set(peer, this.#windowOf(peer, this.#lookedMs))
    else if (peer.presence !== 'alive') window.sinceMs += passedMs
  }

  #windowOf(peer: Peer, nowMs: number): Window {
    const wholeMs = this.#isWhole(peer) ? (this.#bytes / this.#leastRate) * 1000 : 0
    const { landedBytes } = peer.counts
    return { sinceMs: nowMs, landedBytes, lengthMs: limits.rateWindowMs + wholeMs }
  }

  #isWhole(peer: Peer): boolean {
    return peer.counts.landedBytes >= this.#bytes
  }

  /** Somebody has bytes for it, enough for a window or all. */
  #isFed({ counts }: Peer): boolean {
    if (counts.queuedBytes > 0 || counts.listedBytes > counts.landedBytes) return true
    const wantedBytes = (this.#leastRate * limits.rateWindowMs) / 1000
    const most = this.#mostLandedBytes
    return most >= this.#bytes || most - counts.landedBytes >= wantedBytes
  }
}

function endOf({ sinceMs, lengthMs }: Window): number {
  return sinceMs + lengthMs
}

function secondsText(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`
}
