/**
 * Which node has used up its time: to connect, to answer, to say anything, to move anything.
 *
 * Silence is judged by the detector. A node that is alive and stands still is judged here,
 * because a heartbeat shows a living process and nothing more. Every phase a node can wait in has
 * its limit. Time in which a node is silent counts as silence alone.
 */
import { type Detection, detectionOf } from '../../base/detection.js'
import type { Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { Detector } from '../members/detector.js'
import type { Peer } from '../members/peer.js'
import type { OriginConfig } from './events.js'
import type { OriginOutbox } from './outbox.js'

const never = Number.POSITIVE_INFINITY

export class PeerWatch {
  readonly #config: OriginConfig
  readonly #detector: Detector
  readonly #detection: Detection

  constructor(config: OriginConfig) {
    this.#config = config
    const { silenceMs, detection = detectionOf({}, silenceMs) } = config
    this.#detection = detection
    const { suspectMs, failMs: awayMs } = detection
    this.#detector = new Detector({ suspectMs, awayMs, lostMs: silenceMs })
  }

  /** From here on the node is expected to be heard of regularly. */
  begin(peer: Peer, nowMs: number): void {
    this.#detector.watch(peer.node, nowMs, peer.rttMs)
  }

  heard(peer: Peer, nowMs: number): void {
    const gapMs = this.#detector.heard(peer.node, nowMs)
    if (gapMs >= this.#detection.suspectMs) peer.spoke(gapMs, nowMs)
  }

  /**
   * A mate has bytes from it: alive, although its own word is stuck behind such bytes, or the way
   * of its link is dead.
   */
  heardOf(peer: Peer, nowMs: number, outbox: OriginOutbox): void {
    this.#detector.heardOf(peer.node, nowMs)
    const { node: member } = peer
    if (this.#detector.isMute(member, nowMs)) outbox.wish({ type: 'redial', member })
  }

  /** A mate has waited for a word of it in vain. */
  missed(peer: Peer | undefined, by: Peer, outbox: OriginOutbox): void {
    if (peer === undefined || peer === by) return
    outbox.note('info', 'missed', peer, `by ${by.link.address}`)
    this.#detector.missed(peer.node)
  }

  /** One of their group is away, and they are suspected: they are away with it. */
  awayWith(others: readonly Peer[]): void {
    for (const { node } of others) this.#detector.missed(node)
  }

  isWatched(peer: Peer): boolean {
    return this.#detector.isWatched(peer.node)
  }

  forget(peer: Peer): void {
    this.#detector.forget(peer.node)
  }

  /** Judges anew whose silence counts; before `mark` and `failure`, and for whom to ask those. */
  look(nowMs: number): Iterable<number> {
    return this.#detector.look(nowMs)
  }

  /** Notes and logs how the node is by its silence; true: it is away since now. */
  mark(peer: Peer, nowMs: number, outbox: OriginOutbox): boolean {
    const health = this.#detector.health(peer.node, nowMs)
    const before = peer.presence
    // Who is lost has failed (`failure`), and is no member any more.
    if (health === 'lost' || !peer.becomes(health)) return false
    const silent = `silent for ${Math.round(this.#detector.silentMs(peer.node, nowMs))} ms`
    if (before === 'away') outbox.note('info', 'back', peer, 'it speaks again')
    if (health === 'suspected') {
      outbox.note('warn', 'suspected', peer, silent)
      outbox.wish({ type: 'redial', member: peer.node })
    }
    if (health !== 'away') return false
    outbox.note('warn', 'away', peer, `${silent}: others send what it was to send`)
    return true
  }

  /** Why the node has failed by now; null: it has not. */
  failure(peer: Peer, nowMs: number): Failure | null {
    const { feed } = peer
    if (feed.is === 'cut' && nowMs >= cutOffMs(peer)) return feed.failure
    if (this.#detector.health(peer.node, nowMs) === 'lost') {
      const seconds = Math.round(this.#detector.silentMs(peer.node, nowMs) / 100) / 10
      return { code: 'ERR_FR_NODE_SILENT', text: `silent for ${seconds} s` }
    }
    return nowMs >= this.#limitMs(peer) ? this.overdue(peer, nowMs) : null
  }

  /** When the node would fail if nothing happened, but for its silence. */
  dueMs(peer: Peer): number {
    return Math.min(this.#limitMs(peer), cutOffMs(peer))
  }

  /** When the next node's silence would mean more than now. */
  deadlineMs(): number {
    return this.#detector.deadlineMs() ?? never
  }

  /** Until when this peer may stay in its phase. */
  #limitMs(peer: Peer): number {
    const { state, presence, counts, role } = peer
    switch (state.phase) {
      case 'connecting':
        // The rejoin time (rejoins.ts) says when those are given up.
        if (peer.isLost && (this.#config.rejoinMs ?? 0) > 0) return never
        // The look-up has a limit of its own (net/resolver.ts); the node's begins after it.
        return state.dial.is === 'lookingUp' ? never : state.sinceMs + this.#config.connectMs
      case 'offered':
        // It has answered; how long its data connection is opened again the feed says (cutOffMs).
        if (state.answer === 'accepted' && peer.feed.is === 'cut') return never
        return state.sinceMs + limits.acceptMs
      case 'running': {
        // Nothing lands at a gateway, and it may have nothing to do.
        if (presence === 'away' || role === 'gateway' || state.part.lag === 'waiting') return never
        const { extent } = this.#config
        // What it lacks there is not yet.
        if (!extent.isFinal && counts.reachedBytes >= extent.bytes) return never
        const holdsAll = extent.isAll(counts.verifiedBytes)
        return state.movedMs + (holdsAll ? limits.publishMs : limits.stallMs)
      }
      default:
        return never
    }
  }

  /** Why it has failed if its time is over; null: it waits for nothing. */
  overdue({ state }: Peer, nowMs: number): Failure | null {
    switch (state.phase) {
      case 'connecting': {
        if (state.failed === null)
          return { code: 'ERR_FR_UNREACHABLE', text: 'no connection in time' }
        const { dials, failure } = state.failed
        const seconds = Math.round((nowMs - state.sinceMs) / 100) / 10
        return { ...failure, text: `${failure.text}; dialled ${dials} times in ${seconds} s` }
      }
      case 'offered':
        return { code: 'ERR_FR_TIMEOUT', text: 'no answer to the offer' }
      case 'running': {
        const seconds = Math.round((nowMs - state.movedMs) / 1000)
        return { code: 'ERR_FR_TIMEOUT', text: `nothing landed or was verified for ${seconds} s` }
      }
      default:
        return null
    }
  }
}

/** Until when the word of this peer about its broken feed is waited for. */
function cutOffMs({ feed, phase }: Peer): number {
  return feed.is === 'cut' && phase !== 'complete' ? feed.untilMs : never
}
