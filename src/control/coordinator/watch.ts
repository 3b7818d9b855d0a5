/**
 * Which node has used up its time: to connect, to answer, to say anything, to move anything.
 *
 * Silence is judged by the detector. A node that is alive and stands still is judged here,
 * because a heartbeat shows a living process and nothing more. Every phase a node can wait in has
 * its limit. Time in which a node is silent counts as silence alone.
 */
import type { Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { Detector } from '../members/detector.js'
import type { Peer } from '../members/peer.js'
import type { OriginConfig } from './events.js'
import type { OriginOutbox } from './outbox.js'

export class PeerWatch {
  readonly #config: OriginConfig
  readonly #detector: Detector

  constructor(config: OriginConfig) {
    this.#config = config
    const { suspectMs, awayMs } = limits
    this.#detector = new Detector({ suspectMs, awayMs, lostMs: config.silenceMs })
  }

  /** From here on the node is expected to be heard of regularly. */
  begin(peer: Peer, nowMs: number): void {
    this.#detector.watch(peer.node, nowMs, peer.rttMs)
  }

  heard(peer: Peer, nowMs: number): void {
    const gapMs = this.#detector.heard(peer.node, nowMs)
    if (gapMs >= limits.suspectMs) peer.movedMs = Math.min(nowMs, peer.movedMs + gapMs)
  }

  /** A mate has bytes from it: alive, although its own word is stuck behind such bytes. */
  heardOf(peer: Peer, nowMs: number): void {
    this.#detector.heardOf(peer.node, nowMs)
  }

  isWatched(peer: Peer): boolean {
    return this.#detector.isWatched(peer.node)
  }

  forget(peer: Peer): void {
    this.#detector.forget(peer.node)
  }

  /** The look-up has a limit of its own (net/resolver.ts); the node's begins after it. */
  lookUp(peer: Peer, isUnderWay: boolean, nowMs: number): void {
    if (peer.phase !== 'connecting') return
    peer.isLookedUp = isUnderWay
    peer.sinceMs = nowMs
  }

  /** Judges anew whose silence counts; before `mark` and `failure`. */
  look(nowMs: number): void {
    this.#detector.look(nowMs)
  }

  /** Notes and logs how the node is by its silence; true: it is away since now. */
  mark(peer: Peer, nowMs: number, outbox: OriginOutbox): boolean {
    const health = this.#detector.health(peer.node, nowMs)
    const isSuspected = health === 'suspected'
    const isAway = health === 'away'
    const isNewlyAway = isAway && !peer.isAway
    const silent = `silent for ${Math.round(this.#detector.silentMs(peer.node, nowMs))} ms`
    if (isSuspected && !peer.isSuspected) outbox.note('warn', 'suspected', peer, silent)
    if (isNewlyAway) outbox.note('warn', 'away', peer, `${silent}: others send what it was to send`)
    if (!isAway && peer.isAway) outbox.note('info', 'back', peer, 'it speaks again')
    peer.isSuspected = isSuspected
    peer.isAway = isAway
    return isNewlyAway
  }

  /** Why the node has failed by now; null: it has not. */
  failure(peer: Peer, nowMs: number): Failure | null {
    if (nowMs >= cutOffMs(peer)) return peer.cutOff as Failure
    if (this.#detector.health(peer.node, nowMs) === 'lost') {
      const seconds = Math.round(this.#detector.silentMs(peer.node, nowMs) / 100) / 10
      return { code: 'ERR_FR_NODE_SILENT', text: `silent for ${seconds} s` }
    }
    return nowMs >= this.#limitMs(peer) ? this.#overdue(peer, nowMs) : null
  }

  /** When the next node would fail, or be away, if nothing happened. */
  deadlineMs(peers: readonly Peer[]): number {
    const limitsMs = peers.map((peer) => Math.min(this.#limitMs(peer), cutOffMs(peer)))
    return Math.min(this.#detector.deadlineMs() ?? Number.POSITIVE_INFINITY, ...limitsMs)
  }

  /** Until when this peer may stay in its phase. */
  #limitMs(peer: Peer): number {
    if (peer.phase === 'connecting')
      return peer.isLookedUp ? Number.POSITIVE_INFINITY : peer.sinceMs + this.#config.connectMs
    if (peer.phase === 'offered') return peer.sinceMs + limits.acceptMs
    if (peer.phase !== 'running' || peer.isAway) return Number.POSITIVE_INFINITY
    const holdsAll = peer.verifiedBytes >= this.#config.bytes
    return peer.movedMs + (holdsAll ? limits.publishMs : limits.stallMs)
  }

  #overdue(peer: Peer, nowMs: number): Failure {
    if (peer.phase === 'connecting') {
      const { dials, failure } = peer
      if (failure === undefined)
        return { code: 'ERR_FR_UNREACHABLE', text: 'no connection in time' }
      const seconds = Math.round((nowMs - peer.sinceMs) / 100) / 10
      return { ...failure, text: `${failure.text}; dialled ${dials} times in ${seconds} s` }
    }
    if (peer.phase === 'offered') return { code: 'ERR_FR_TIMEOUT', text: 'no answer to the offer' }
    const seconds = Math.round((nowMs - peer.movedMs) / 1000)
    return { code: 'ERR_FR_TIMEOUT', text: `nothing landed or was verified for ${seconds} s` }
  }
}

/** Until when the word of this peer about its broken feed is waited for. */
function cutOffMs({ phase, cutOff }: Peer): number {
  if (cutOff === undefined || phase === 'out' || phase === 'complete')
    return Number.POSITIVE_INFINITY
  return cutOff.untilMs
}
