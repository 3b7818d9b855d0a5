/**
 * What the silence of a peer means: first suspicion, then that others do its work, and only at
 * last that it is gone.
 *
 * The idea: any authentic frame is a sign of life. After `suspectMs` without one a peer is
 * suspected, after `awayMs` it is away: others make good what it was to send, and it goes on where
 * it stopped as soon as it speaks; it is away at once where a mate misses it, too, as a second
 * observer. After `lostMs` it is lost; the caller ends its membership.
 * Limits grow with the peer's round trip and with how late its words have come lately.
 *
 * Silence can be our own. Time is awake time, so a turn that this process did not get is nobody's
 * silence: frames may lie unread in our own buffers. When most of those that lived fall silent at
 * once, the cable that is out is most likely ours: then nobody is away, and when the first is heard
 * again the others are waited for anew. False alarm we accept: a peer that is alive and cut off
 * from us for longer than `lostMs`.
 */
import { LeastFirst } from '../../base/least-first.js'
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
  /** A mate of it misses it, too. */
  isMissed: boolean
}

const never = Number.POSITIVE_INFINITY
/** Round trips by which a limit grows: a lost message costs about two, and so does the next. */
const roundTrips = 4

/** So many of those who lived have fallen silent together that the cause is on this side. */
export function isOwnSide(fallen: number, living: number): boolean {
  return 2 * fallen > living
}

export class Detector {
  readonly #limits: SilenceLimits
  readonly #watched = new Map<number, Watched>()
  /** Who is not away and has been silent for long enough to be suspected. */
  readonly #fallen = new Set<number>()
  /** When each comes to what is next for it: suspected, away, lost. */
  readonly #times = new LeastFirst<number>()
  /** Of whom the next look has something to say, whatever their time. */
  #changed = new Set<number>()
  #away = 0
  #isOwnSide = false

  constructor(silenceLimits: SilenceLimits) {
    this.#limits = silenceLimits
  }

  /** Watches the peer from now on. `rttMs`: how long a message and its answer take. */
  watch(peer: number, nowMs: number, rttMs = 0): void {
    this.forget(peer)
    this.#watched.set(peer, {
      saidMs: nowMs,
      heardMs: nowMs,
      quietMs: nowMs,
      rttMs,
      lateness: new Lateness(limits.progressMs),
      isAway: false,
      isMissed: false,
    })
    this.#time(peer)
  }

  /** A sign of life; returns how long the silence was that it ends. */
  heard(peer: number, nowMs: number): number {
    const watched = this.#watched.get(peer)
    if (watched === undefined) return 0
    const gapMs = nowMs - watched.saidMs
    if (nowMs < this.#awayAtMs(watched)) watched.lateness.heard(gapMs)
    watched.saidMs = nowMs
    this.#lives(peer, watched, nowMs)
    return gapMs
  }

  /**
   * Others have bytes from the peer: a sign of life while its own word is stuck behind such bytes.
   * For a while: it must speak itself, too.
   */
  heardOf(peer: number, nowMs: number): void {
    const watched = this.#watched.get(peer)
    if (watched === undefined || nowMs >= watched.saidMs + 2 * this.#limits.lostMs) return
    // Its own words come in time: no need to count those of others.
    if (nowMs < watched.saidMs + limits.progressMs) return
    this.#lives(peer, watched, nowMs)
  }

  /** It has said nothing itself for as long as makes suspected whom nobody has heard of. */
  isMute(peer: number, nowMs: number): boolean {
    const watched = this.#watched.get(peer)
    if (watched === undefined) return false
    return nowMs >= watched.saidMs + this.#limits.suspectMs + this.#slackMs(watched)
  }

  /**
   * A mate of the peer has waited for its word in vain, or one of its group is away: there are two
   * signs of it. It is away once it is suspected here, also where most are silent.
   */
  missed(peer: number): void {
    const watched = this.#watched.get(peer)
    if (watched === undefined || watched.isAway) return
    watched.isMissed = true
    this.#time(peer)
  }

  isWatched(peer: number): boolean {
    return this.#watched.has(peer)
  }

  forget(peer: number): void {
    if (this.#watched.get(peer)?.isAway) this.#away--
    this.#watched.delete(peer)
    this.#fallen.delete(peer)
    this.#times.delete(peer)
  }

  /** Judges anew who is away; `health` says it. Returns those of whom it may say something new. */
  look(nowMs: number): ReadonlySet<number> {
    const changed = this.#changed
    this.#changed = new Set()
    const due = this.#times.upTo(nowMs)
    for (const peer of due) {
      changed.add(peer)
      const watched = this.#watched.get(peer) as Watched
      if (!watched.isAway && nowMs >= this.#suspectAtMs(watched)) this.#fallen.add(peer)
    }
    const wasOwnSide = this.#isOwnSide
    this.#isOwnSide = isOwnSide(this.#fallen.size, this.#watched.size - this.#away)
    const judged = this.#isOwnSide === wasOwnSide ? due : new Set([...this.#fallen, ...due])
    for (const peer of judged) if (this.#judge(peer, nowMs)) changed.add(peer)
    return changed
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

  /** When the next peer would be suspected, away or lost if nothing were heard; null: never. */
  deadlineMs(): number | null {
    const at = this.#times.least
    return Number.isFinite(at) ? at : null
  }

  /** True: it is away since now. */
  #judge(peer: number, nowMs: number): boolean {
    const watched = this.#watched.get(peer) as Watched
    const counts = watched.isMissed || !this.#isOwnSide
    const isNew = counts && !watched.isAway && nowMs >= this.#awayAtMs(watched)
    if (isNew) {
      this.#fallen.delete(peer)
      watched.isAway = true
      this.#away++
    }
    this.#time(peer)
    return isNew
  }

  #lives(peer: number, watched: Watched, nowMs: number): void {
    watched.heardMs = watched.quietMs = nowMs
    if (watched.isAway) this.#away--
    watched.isAway = watched.isMissed = false
    this.#fallen.delete(peer)
    this.#time(peer)
    if (!this.#isOwnSide) return
    // The others will be heard as soon as the system sends their words again.
    this.#isOwnSide = false
    this.#fallen.clear()
    for (const [number, other] of this.#watched) {
      if (other.isAway) continue
      other.quietMs = nowMs
      this.#time(number)
      this.#changed.add(number)
    }
  }

  /** Notes when the peer comes to what is next for it. */
  #time(peer: number): void {
    const watched = this.#watched.get(peer) as Watched
    const lostAtMs = this.#lostAtMs(watched)
    let at = this.#suspectAtMs(watched)
    if (this.#fallen.has(peer))
      at = this.#isOwnSide && !watched.isMissed ? never : this.#awayAtMs(watched)
    this.#times.set(peer, watched.isAway ? lostAtMs : Math.min(at, lostAtMs))
  }

  #suspectAtMs(watched: Watched): number {
    return watched.quietMs + this.#limits.suspectMs + this.#slackMs(watched)
  }

  #awayAtMs(watched: Watched): number {
    if (watched.isMissed) return this.#suspectAtMs(watched)
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
