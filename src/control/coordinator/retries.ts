/**
 * What is tried again, and when: connecting to a node, and whole attempts that ended.
 *
 * The idea: an error that may pass (`retryable` in base/errors.ts) costs a node time, not its part
 * in the push. While it cannot be connected to, it is dialled again until its time to connect is
 * over. Once it was connected, an attempt that fails is followed by another at a new place, a
 * bounded number of times. What does not pass by waiting is final at once, and so is a node that
 * could not be connected to in all that time, or that is over its caller's limits.
 */
import { errorTable, type Failure, type FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { backoffMs } from '../members/backoff.js'
import { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { OriginConfig } from './events.js'
import type { OriginJoins } from './joins.js'
import type { OriginOutbox } from './outbox.js'

const dialSpan = { firstMs: limits.redialMs, mostMs: limits.redialMsMax }
const attemptSpan = { firstMs: limits.retryMs, mostMs: limits.retryMsMax }

export class OriginRetries {
  #retries: number
  readonly #seed: number
  readonly #peers: Peers
  readonly #outbox: OriginOutbox
  readonly #joins: OriginJoins

  constructor(config: OriginConfig, peers: Peers, outbox: OriginOutbox, joins: OriginJoins) {
    this.#retries = config.retries ?? 0
    this.#seed = config.seed ?? 0
    this.#peers = peers
    this.#outbox = outbox
    this.#joins = joins
  }

  /** Nothing is tried again from here on: those who have no outcome yet. */
  end(): Peer[] {
    this.#retries = 0
    return this.#peers.all.filter((peer) => peer.outcome === undefined && !peer.isSuperseded)
  }

  /** The dial failed: true when there will be another, at `peer.dueMs`. */
  redials(peer: Peer, failure: Failure, nowMs: number): boolean {
    const { state } = peer
    if (state.phase !== 'connecting' || !isRetryable(failure.code)) return false
    // Looking the name up has tries and a limit of its own.
    if (state.dial.is === 'lookingUp') return false
    peer.redials(failure, (dials) => nowMs + backoffMs(dialSpan, dials, this.#seedOf(peer)))
    return true
  }

  /**
   * The attempt failed: true when there will be another, at `peer.dueMs` and not before `sinceMs`;
   * then it is out.
   */
  returns(peer: Peer, failure: Failure, nowMs: number, sinceMs = 0): boolean {
    const wasReached = peer.phase !== 'connecting' && peer.phase !== 'out'
    const places = this.#peers.length + this.#peers.returning.size
    const { triesUsed } = peer.history
    // Whoever follows another coordinator has failed in nothing.
    const isWorth = isFree(failure) || (triesUsed < this.#retries && isRetryable(failure.code))
    if (!isWorth || !wasReached || places >= limits.placesPerPush) return false
    const dueMs = nowMs + backoffMs(attemptSpan, triesUsed + 1, this.#seedOf(peer))
    peer.returns(failure, Math.max(dueMs, sinceMs))
    this.#outbox.note('warn', 'retried', peer, `${failure.code}: ${failure.text}`)
    return true
  }

  /** Makes the dials and attempts of these nodes that are due. */
  advance(peers: readonly Peer[], nowMs: number): void {
    for (const peer of peers) {
      if (nowMs < peer.dueMs) continue
      const next = peer.phase === 'connecting' ? peer : this.#next(peer, nowMs)
      next.dials()
      this.#outbox.wish({ type: 'connect', member: next.node })
    }
  }

  /** The same node at the next place. */
  #next(peer: Peer, nowMs: number): Peer {
    const { attempts, triesUsed } = peer.history
    const next = new Peer(this.#peers.length, peer.link, nowMs, {
      attempts: attempts + 1,
      triesUsed: triesUsed + (peer.failure !== undefined && isFree(peer.failure) ? 0 : 1),
      before: peer.failure,
    })
    peer.supersede()
    this.#peers.add(next)
    this.#joins.moved(peer, next)
    return next
  }

  #seedOf(peer: Peer): number {
    return this.#seed ^ Math.imul(peer.node + 1, 0x27d4eb2f)
  }
}

function isRetryable(code: FrErrorCode): boolean {
  return errorTable[code].retryable
}

function isFree({ code }: Failure): boolean {
  return code === 'ERR_FR_STALE'
}
