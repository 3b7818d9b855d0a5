/**
 * Which relays are too slow to be one: slow is not dead, so such a node is served like the others.
 *
 * The idea: a window follows the rate of its relay, so a slow relay is dealt little and holds up
 * little. Far below the others even that is late, and what it adds is less than what waits for it.
 * Where groups feed groups the place that is slow may be further down its columns. A relay that has
 * passed on all it was dealt holds up nobody, however little that was: its rate only fades. One
 * that is dealt nothing shows no rate, so it is tried again after a while, and after twice as long
 * each time that it proves slow again.
 */
import { limits } from '../../base/limits.js'
import { FaultAccounts, fatal } from '../members/faults.js'
import { isIn } from './out-relays.js'
import type { DealtRelay } from './relay-queue.js'

/** How long a relay is slow before it is demoted, and how often that is looked at. */
const slowMs = 1_000
const lookMs = 100
/** Looks that are further apart say no more: a pause of this process is no time of a relay. */
const gapMsMax = 2 * lookMs
/** Fewer are no measure for each other. */
const leastRelays = 3
const span = { firstMs: limits.demotedMs, mostMs: limits.demotedMsMax }

export class SlowRelays {
  readonly #below: number
  /** For how long each has been slow, while it had something to pass on. */
  readonly #slowForMs = new Map<DealtRelay, number>()
  readonly #demotions = new FaultAccounts<DealtRelay>(span)
  #lookedMs = Number.NEGATIVE_INFINITY

  /** `below`: the part of the median rate of all under which a relay is slow; 0: none is. */
  constructor(below: number) {
    this.#below = below
  }

  /** Judges these; returns those that are demoted since now. */
  look(relays: readonly DealtRelay[], nowMs: number): DealtRelay[] {
    if (this.#below === 0 || nowMs < this.#lookedMs + lookMs) return []
    const gapMs = Math.min(gapMsMax, nowMs - this.#lookedMs)
    this.#lookedMs = nowMs
    for (const relay of this.#demotions.retried(nowMs)) relay.isSlow = false
    const rated = relays.filter((relay) => isIn(relay) && !relay.isSilent && relay.isSettled)
    const rates = rated.map(({ rate }) => rate).sort((a, b) => a - b)
    const least = this.#below * (rates[Math.floor(rates.length / 2)] ?? 0)
    const slow = new Set(rated.filter(({ rate }) => rates.length >= leastRelays && rate < least))
    for (const relay of relays) if (!slow.has(relay)) this.#slowForMs.delete(relay)
    return [...slow].filter((relay) => relay.queue > 0 && this.#demotes(relay, gapMs, nowMs))
  }

  #demotes(relay: DealtRelay, gapMs: number, nowMs: number): boolean {
    const before = this.#slowForMs.get(relay)
    const forMs = before === undefined ? 0 : before + gapMs
    this.#slowForMs.set(relay, forMs)
    if (forMs < slowMs) return false
    this.#slowForMs.delete(relay)
    relay.isSlow = this.#demotions.charge(relay, nowMs, { cause: 'slow', weight: fatal })
    return relay.isSlow
  }
}
