/**
 * Which node has used up its time: to connect, to answer, to say anything, to move anything.
 *
 * Silence is judged by the detector. A node that is alive and stands still is judged here,
 * because a heartbeat shows a living process and nothing more. Every phase a node can wait in has
 * its limit.
 */
import { limits } from '../limits.js'
import { Detector } from './detector.js'
import type { Failure } from './node-events.js'
import type { OriginConfig } from './origin-events.js'
import type { Peer } from './peer.js'

export class PeerWatch {
  readonly #config: OriginConfig
  readonly #detector = new Detector(limits.suspectMs, limits.failMs)
  /** When each was last heard itself. */
  readonly #saidMs = new Map<number, number>()

  constructor(config: OriginConfig) {
    this.#config = config
  }

  /** From here on the node is expected to be heard of regularly. */
  begin(peer: Peer, nowMs: number): void {
    this.#detector.heard(peer.node, nowMs)
    this.#saidMs.set(peer.node, nowMs)
  }

  heard(peer: Peer, nowMs: number): void {
    if (!this.#detector.isWatched(peer.node)) return
    this.#detector.heard(peer.node, nowMs)
    this.#saidMs.set(peer.node, nowMs)
  }

  /**
   * A mate has bytes from it: alive, however long its own word may be stuck behind such bytes in
   * the queue of a link that has become slow. For a while: its control link must live too.
   */
  heardOf(peer: Peer, nowMs: number): void {
    const saidMs = this.#saidMs.get(peer.node)
    if (saidMs === undefined || nowMs >= saidMs + limits.hearsayMs) return
    if (this.#detector.isWatched(peer.node)) this.#detector.heard(peer.node, nowMs)
  }

  isWatched(peer: Peer): boolean {
    return this.#detector.isWatched(peer.node)
  }

  forget(peer: Peer): void {
    this.#detector.forget(peer.node)
    this.#saidMs.delete(peer.node)
  }

  /** The look-up has a limit of its own (runtime/resolver.ts); the node's begins after it. */
  lookUp(peer: Peer, isUnderWay: boolean, nowMs: number): void {
    if (peer.phase !== 'connecting') return
    peer.isLookedUp = isUnderWay
    peer.sinceMs = nowMs
  }

  /** This process was late by so much. */
  excuse(peers: readonly Peer[], lateMs: number): void {
    this.#detector.excuse(lateMs)
    for (const [node, saidMs] of this.#saidMs) this.#saidMs.set(node, saidMs + lateMs)
    for (const peer of peers) {
      peer.sinceMs += lateMs
      peer.movedMs += lateMs
      if (peer.cutOff !== undefined) peer.cutOff.untilMs += lateMs
    }
  }

  isSuspected(peer: Peer, nowMs: number): boolean {
    return this.#detector.health(peer.node, nowMs) === 'suspected'
  }

  /** Why the node has failed by now; null: it has not. */
  failure(peer: Peer, nowMs: number): Failure | null {
    if (nowMs >= cutOffMs(peer)) return peer.cutOff as Failure
    if (nowMs >= this.#limitMs(peer)) return this.#overdue(peer, nowMs)
    if (this.#detector.health(peer.node, nowMs) !== 'failed') return null
    return { code: 'ERR_FR_NODE_SILENT', text: `silent for ${limits.failMs} ms` }
  }

  /** When the next node would fail if nothing happened. */
  deadlineMs(peers: readonly Peer[]): number {
    const limitsMs = peers.map((peer) => Math.min(this.#limitMs(peer), cutOffMs(peer)))
    return Math.min(this.#detector.deadlineMs() ?? Number.POSITIVE_INFINITY, ...limitsMs)
  }

  /** Until when this peer may stay in its phase. */
  #limitMs(peer: Peer): number {
    if (peer.phase === 'connecting')
      return peer.isLookedUp ? Number.POSITIVE_INFINITY : peer.sinceMs + this.#config.connectMs
    if (peer.phase === 'offered') return peer.sinceMs + limits.acceptMs
    if (peer.phase !== 'running') return Number.POSITIVE_INFINITY
    const holdsAll = peer.verifiedBytes >= this.#config.bytes
    return peer.movedMs + (holdsAll ? limits.publishMs : limits.stallMs)
  }

  #overdue(peer: Peer, nowMs: number): Failure {
    if (peer.phase === 'connecting') {
      return { code: 'ERR_FR_UNREACHABLE', text: 'no connection in time' }
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
