/**
 * What the silence of a peer means: first suspicion, then that others do its work, and only at
 * last that it is gone.
 *
 * The idea: any authentic frame is a sign of life. After `suspectMs` without one a peer is
 * suspected, after `awayMs` it is away: others make good what it was to send, and it goes on where
 * it stopped as soon as it speaks. After `lostMs` it is lost; the caller ends its membership.
 * Limits grow with the peer's round trip and with how late its words have come lately.
 *
 * Silence can be our own. Time is awake time, so a turn that this process did not get is nobody's
 * silence: frames may lie unread in our own buffers. When most of those that lived fall silent at
 * once, the cable that is out is most likely ours: then nobody is away, and when the first is heard
 * again the others are waited for anew. False alarm we accept: a peer that is alive and cut off
 * from us for longer than `lostMs`.
 */
import { limits } from '../../base/limits.js'
import { Lateness } from './lateness.js'

export type Health = 'alive' | 'suspected' | 'away' | 'lost'

export interface SilenceLimits {
  readonly suspectMs: number
  readonly awayMs: number
  readonly lostMs: number
}

interface Watched {
  /** When it was last heard itself, and when it or somebody for it. */
  saidMs: number
  heardMs: number
  /** From when its silence counts for being suspected or away. */
  quietMs: number
  readonly rttMs: number
  readonly lateness: Lateness
  isAway: boolean
}

/** Round trips by which a limit grows: a lost message costs about two, and so does the next. */
const roundTrips = 4

/** So many of those who lived have fallen silent together that the cause is on this side. */
export function isOwnSide(fallen: number, living: number): boolean {
  return 2 * fallen > living
}

export class Detector {
  readonly #limits: SilenceLimits
  readonly #watched = new Map<number, Watched>()
  #isOwnSide = false

  constructor(silenceLimits: SilenceLimits) {
    this.#limits = silenceLimits
  }

  /** Watches the peer from now on. `rttMs`: how long a message and its answer take. */
  watch(peer: number, nowMs: number, rttMs = 0): void {
    this.#watched.set(peer, {
      saidMs: nowMs,
      heardMs: nowMs,
      quietMs: nowMs,
      rttMs,
      lateness: new Lateness(limits.progressMs),
      isAway: false,
    })
  }

  /** A sign of life; returns how long the silence was that it ends. */
  heard(peer: number, nowMs: number): number {
    const watched = this.#watched.get(peer)
    if (watched === undefined) return 0
    const gapMs = nowMs - watched.saidMs
    if (nowMs < this.#awayAtMs(watched)) watched.lateness.heard(gapMs)
    watched.saidMs = nowMs
    this.#lives(watched, nowMs)
    return gapMs
  }

  /**
   * Others have bytes from the peer: a sign of life while its own word is stuck behind such bytes.
   * For a while: it must speak itself, too.
   */
  heardOf(peer: number, nowMs: number): void {
    const watched = this.#watched.get(peer)
    if (watched === undefined || nowMs >= watched.saidMs + 2 * this.#limits.lostMs) return
    this.#lives(watched, nowMs)
  }

  isWatched(peer: number): boolean {
    return this.#watched.has(peer)
  }

  forget(peer: number): void {
    this.#watched.delete(peer)
  }

  /** Judges anew who is away; `health` says it. */
  look(nowMs: number): void {
    const living = [...this.#watched.values()].filter((watched) => !watched.isAway)
    const fallen = living.filter((watched) => nowMs >= this.#suspectAtMs(watched))
    this.#isOwnSide = isOwnSide(fallen.length, living.length)
    if (this.#isOwnSide) return
    for (const watched of fallen) if (nowMs >= this.#awayAtMs(watched)) watched.isAway = true
  }

  health(peer: number, nowMs: number): Health {
    const watched = this.#watched.get(peer)
    if (watched === undefined) return 'alive'
    if (nowMs >= this.#lostAtMs(watched)) return 'lost'
    if (watched.isAway) return 'away'
    return nowMs >= this.#suspectAtMs(watched) ? 'suspected' : 'alive'
  }

  /** How long nothing was heard of the peer. */
  silentMs(peer: number, nowMs: number): number {
    return nowMs - (this.#watched.get(peer)?.heardMs ?? nowMs)
  }

  /** When the next peer would be away or lost if nothing were heard; null: nobody is watched. */
  deadlineMs(): number | null {
    let at = Number.POSITIVE_INFINITY
    for (const watched of this.#watched.values()) {
      at = Math.min(at, this.#lostAtMs(watched))
      if (!watched.isAway && !this.#isOwnSide) at = Math.min(at, this.#awayAtMs(watched))
    }
    return Number.isFinite(at) ? at : null
  }

  #lives(watched: Watched, nowMs: number): void {
    watched.heardMs = watched.quietMs = nowMs
    watched.isAway = false
    if (!this.#isOwnSide) return
    // The others will be heard as soon as the system sends their words again.
    this.#isOwnSide = false
    for (const other of this.#watched.values()) if (!other.isAway) other.quietMs = nowMs
  }

  #suspectAtMs(watched: Watched): number {
    return watched.quietMs + this.#limits.suspectMs + this.#slackMs(watched)
  }

  #awayAtMs(watched: Watched): number {
    return watched.quietMs + this.#limits.awayMs + 2 * this.#slackMs(watched)
  }

  #lostAtMs(watched: Watched): number {
    const { lostMs } = this.#limits
    return watched.heardMs + lostMs + Math.min(lostMs, 4 * this.#slackMs(watched))
  }

  #slackMs({ rttMs, lateness }: Watched): number {
    return roundTrips * rttMs + lateness.ms
  }
}
