/**
 * What a holder answers to those that pull a content.
 *
 * The idea: a holder *gives* units, so many at a time, and nobody takes what was not given. So its
 * uplink brings few units at once, each soon whole at somebody who passes it on, and those who wait
 * are told of others meanwhile. It gives first what it has given least. The initiator, which alone
 * has everything at the beginning, gives each unit once: again only where nobody who lives has it
 * or gets it, or to whoever is stuck. Into another site any holder gives a unit only where nobody
 * there has it or gets it. Who asks when there is nothing to give waits for the answer
 * until there is, for limits.swarmWaitMs at most.
 *
 * Never: more than limits.swarmAskers askers; more than limits.swarmSlots units given at once.
 */
import { limits } from '../../base/limits.js'
import type { SwarmAnswer, SwarmAsk, SwarmMate, SwarmPeer } from '../messages/swarming.js'
import { lot, seedOf, UnitSet } from './units.js'

export interface DealsSpec {
  readonly count: number
  /** The first node that had the content. */
  readonly isInitiator: boolean
  /** Of the holder itself. */
  readonly site: string
}

/** What the holder has itself, now. */
export interface Here {
  readonly have: UnitSet
  readonly coming: UnitSet
}

/** Of whom an answer is: `ask` names it to its link. */
export interface Answered {
  readonly ask: number
  readonly answer: SwarmAnswer
}

interface Given {
  readonly atMs: number
  readonly untilMs: number
}

interface Asker {
  readonly peer: SwarmPeer
  readonly seed: number
  have: UnitSet
  coming: UnitSet
  /** Units that it was given and has not told of since. */
  readonly given: Map<number, Given>
  /** Until when it is counted on. */
  livesMs: number
}

interface Waiting {
  readonly ask: number
  readonly from: Asker
  readonly said: SwarmAsk
  readonly untilMs: number
}

export class Deals {
  readonly #spec: DealsSpec
  readonly #askers = new Map<string, Asker>()
  readonly #waiting = new Map<number, Waiting>()
  readonly #times: Uint32Array
  /** Who has each unit, as far as was looked. */
  readonly #witnesses: (Asker | undefined)[] = []
  #open = 0
  /** When the first of them that was given is not waited for any more. */
  #expiresMs = Number.POSITIVE_INFINITY
  #serviceMs = 0
  #againMs: number = limits.swarmAgainMs
  #second = 0
  #asks = 0

  constructor(spec: DealsSpec) {
    this.#spec = spec
    this.#times = new Uint32Array(spec.count)
  }

  /** Units that are given and under way, as far as is known. */
  get open(): number {
    return this.#open
  }

  get serviceMs(): number {
    return this.#serviceMs
  }

  get askers(): number {
    return this.#askers.size
  }

  /** How often each unit was given. */
  get times(): readonly number[] {
    return [...this.#times]
  }

  /** A question of this peer; `due` gives its answer. An earlier one of the same peer is over. */
  asked(ask: number, peer: SwarmPeer, said: SwarmAsk, nowMs: number): void {
    this.#count(nowMs)
    const from = this.#askerOf(peer, nowMs)
    for (const [other, waiting] of this.#waiting)
      if (waiting.from === from) this.#waiting.delete(other)
    from.have = UnitSet.ofRuns(this.#spec.count, said.have)
    from.coming = UnitSet.ofRuns(this.#spec.count, said.coming)
    const isActive = said.wants.length > 0 || from.coming.size > 0
    const { swarmSilenceMs, swarmHolderMs } = limits
    from.livesMs = nowMs + (isActive ? swarmSilenceMs + 2 * this.#againMs : swarmHolderMs)
    this.#release(from, nowMs)
    // Who wants to hear of others is told at once.
    // So is whoever gets something from here: it asks again with the first of that that has come.
    const isPatient =
      said.most > 0 && from.given.size === 0 && (said.others === 0 || this.#askers.size === 1)
    const untilMs = nowMs + (isPatient ? limits.swarmWaitMs : 0)
    this.#waiting.set(ask, { ask, from, said, untilMs })
  }

  /** False: it was answered, or whoever asked it has asked again, or is forgotten. */
  isWaiting(ask: number): boolean {
    return this.#waiting.has(ask)
  }

  /** When answers are due, whatever happens. */
  get dueMs(): number {
    let least = Number.POSITIVE_INFINITY
    for (const { untilMs } of this.#waiting.values()) least = Math.min(least, untilMs)
    return least
  }

  /** The answers that can be given now: after a question, a change of what is here, and in time. */
  due(here: Here, nowMs: number): Answered[] {
    if (this.#waiting.size === 0) return []
    this.#expire(nowMs)
    const answers: Answered[] = []
    for (const waiting of [...this.#waiting.values()]) {
      const grants = this.#grants(waiting, here, nowMs)
      if (grants.length === 0 && nowMs < waiting.untilMs) continue
      this.#waiting.delete(waiting.ask)
      answers.push({ ask: waiting.ask, answer: this.#answer(waiting, here, grants, nowMs) })
    }
    return answers
  }

  // --- askers ---

  #askerOf(peer: SwarmPeer, nowMs: number): Asker {
    const known = this.#askers.get(peer.nodeId)
    if (known !== undefined && known.peer.address === peer.address) {
      // The last that was heard is the last.
      this.#askers.delete(peer.nodeId)
      this.#askers.set(peer.nodeId, known)
      return known
    }
    if (known !== undefined) this.#drop(known)
    if (this.#askers.size >= limits.swarmAskers) this.#makeRoom(nowMs)
    const { count } = this.#spec
    const asker: Asker = {
      ...{ peer, seed: seedOf(peer.nodeId), have: new UnitSet(count), coming: new UnitSet(count) },
      ...{ given: new Map(), livesMs: nowMs },
    }
    this.#askers.set(peer.nodeId, asker)
    return asker
  }

  /** Who does not live goes first, then who was heard least lately. */
  #makeRoom(nowMs: number): void {
    for (const asker of this.#askers.values()) if (asker.livesMs < nowMs) return this.#drop(asker)
    const [oldest] = this.#askers.values()
    if (oldest !== undefined) this.#drop(oldest)
  }

  #drop(asker: Asker): void {
    this.#askers.delete(asker.peer.nodeId)
    this.#open -= asker.given.size
    asker.given.clear()
    asker.livesMs = Number.NEGATIVE_INFINITY
    for (const [ask, { from }] of this.#waiting) if (from === asker) this.#waiting.delete(ask)
  }

  /** What it was given it has now, or it is under way, or it came to nothing. */
  #release(asker: Asker, nowMs: number): void {
    for (const [unit, { atMs }] of asker.given) {
      if (asker.have.has(unit)) {
        const took = nowMs - atMs
        this.#serviceMs = this.#serviceMs === 0 ? took : this.#serviceMs * 0.8 + took * 0.2
      } else if (asker.coming.has(unit)) continue
      asker.given.delete(unit)
      this.#open--
    }
  }

  #expire(nowMs: number): void {
    if (nowMs < this.#expiresMs) return
    this.#expiresMs = Number.POSITIVE_INFINITY
    for (const asker of this.#askers.values())
      for (const [unit, { untilMs }] of asker.given)
        if (untilMs <= nowMs) {
          asker.given.delete(unit)
          this.#open--
        } else this.#expiresMs = Math.min(this.#expiresMs, untilMs)
  }

  /** More are asking than it can answer: they are to ask less often. */
  #count(nowMs: number): void {
    this.#asks++
    const second = Math.floor(nowMs / 1_000)
    if (second === this.#second) return
    const { swarmAsksPerSecond: most, swarmAgainMs, swarmAgainMsCrowded } = limits
    const rate = this.#asks / (second - this.#second)
    const factor = rate > most ? 1.5 : rate < most / 2 ? 0.75 : 1
    const againMs = Math.round(this.#againMs * factor)
    this.#againMs = Math.min(swarmAgainMsCrowded, Math.max(swarmAgainMs, againMs))
    this.#second = second
    this.#asks = 0
  }

  // --- giving ---

  #grants({ from, said }: Waiting, { have }: Here, nowMs: number): number[] {
    const free = Math.min(said.most, limits.swarmSlots - this.#open, limits.swarmGrants)
    if (free <= 0) return []
    const possible = said.wants.filter((unit) => have.has(unit) && !from.given.has(unit))
    const times = (unit: number): number => this.#times[unit] as number
    const allowed = possible.filter((unit) => said.isStuck || this.#isLacking(unit, from, nowMs))
    // What was given least, then what is wanted most; sorting keeps the order of equal ones.
    const grants = allowed.sort((a, b) => times(a) - times(b)).slice(0, free)
    const { swarmLeaseMs, swarmLeaseMsMax } = limits
    const leaseMs = Math.min(swarmLeaseMsMax, swarmLeaseMs + 4 * this.#serviceMs)
    for (const unit of grants) {
      this.#times[unit] = times(unit) + 1
      from.given.set(unit, { atMs: nowMs, untilMs: nowMs + leaseMs })
      this.#expiresMs = Math.min(this.#expiresMs, nowMs + leaseMs)
      this.#open++
    }
    return grants
  }

  /** Whether the unit is to be given to this one, and not left to others to pass on to it. */
  #isLacking(unit: number, asker: Asker, nowMs: number): boolean {
    if (this.#spec.isInitiator) return !this.#isElsewhere(unit, asker, nowMs)
    const { site } = asker.peer
    if (site === this.#spec.site) return true
    for (const other of this.#askers.values())
      if (other.peer.site === site && hasOrGets(other, unit, asker, nowMs)) return false
    return true
  }

  /** Somebody else who lives has the unit, or gets it. */
  #isElsewhere(unit: number, asker: Asker, nowMs: number): boolean {
    const witness = this.#witnesses[unit]
    if (witness !== undefined && hasOrGets(witness, unit, asker, nowMs)) return true
    for (const other of this.#askers.values())
      if (hasOrGets(other, unit, asker, nowMs)) {
        this.#witnesses[unit] = other
        return true
      }
    return false
  }

  // --- answers ---

  #answer(
    { from, said }: Waiting,
    { have, coming }: Here,
    grants: readonly number[],
    nowMs: number,
  ): SwarmAnswer {
    const { swarmRuns } = limits
    return {
      ...{ have: have.runs(swarmRuns), coming: coming.runs(swarmRuns), grants },
      others: said.others > 0 ? this.#others(from, said, nowMs) : [],
      ...{ open: this.#open, serviceMs: Math.round(this.#serviceMs), againMs: this.#againMs },
    }
  }

  /** Nearest first, then who has something that is wanted; which of them is a matter of chance. */
  #others(asker: Asker, said: SwarmAsk, nowMs: number): SwarmMate[] {
    const most = Math.min(said.others, limits.swarmOthers)
    const ranked: { readonly other: Asker; readonly rank: number }[] = []
    for (const other of this.#askers.values()) {
      if (other === asker || other.livesMs < nowMs || other.peer.address === '') continue
      const isNear = other.peer.site === asker.peer.site
      const isOfUse = said.wants.some((unit) => other.have.has(unit))
      const chance = lot(asker.seed, other.seed) / 2 ** 32
      ranked.push({ other, rank: (isNear ? 0 : 2) + (isOfUse ? 0 : 1) + chance })
    }
    ranked.sort((a, b) => a.rank - b.rank)
    return ranked.slice(0, most).map(({ other: { peer, have } }) => {
      return { ...peer, have: have.runs(64) }
    })
  }
}

function hasOrGets(one: Asker, unit: number, asker: Asker, nowMs: number): boolean {
  if (one === asker || one.livesMs < nowMs) return false
  return one.have.has(unit) || one.coming.has(unit) || one.given.has(unit)
}
