/**
 * What a node knows of the other members of a transfer: the newest plan, who they are and who is
 * gone.
 *
 * A plan is an absolute value. What there is to do follows from comparing it with what was known:
 * whom to meet, to dial, and who is gone. A plan that is older than the last changes
 * nothing. One that contradicts itself, or what an earlier one said for good, is a violation.
 */
import type { Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { Pace } from '../messages/facts.js'
import type { EdgeWord, Mate, Member, PlanFrame, RosterFrame, Route } from '../messages/types.js'
import { compareTerms, isNewer, planFault } from '../plan/check.js'
import { Replica } from './replica.js'

/** What follows from a plan that is followed. */
export interface PlanNews {
  /** This plan is the first one under which bytes flow. */
  readonly begins: boolean
  /** Bytes have flowed under other routes. */
  readonly areRoutesNew: boolean
  /** What may be sent to other sites; null: as before. */
  readonly paces: readonly Pace[] | null
  /** Mates to whom a feed is wanted. */
  readonly dial: readonly Mate[]
  /** Mates that this node had not heard of. */
  readonly met: readonly Mate[]
  readonly gone: readonly number[]
  /** Whom another coordinator had left out. */
  readonly back: readonly number[]
}

export class Neighbourhood {
  #plan: PlanFrame | undefined
  /** Who is who, for the whole transfer. */
  readonly #members = new Map<number, Member>()
  readonly #gone = new Set<number>()
  readonly #dialled = new Set<number>()
  readonly #met = new Set<number>()
  readonly #edges = new Map<number, EdgeWord>()
  /** What this node knows as a standby. */
  readonly replica = new Replica()

  get plan(): PlanFrame | undefined {
    return this.#plan
  }

  /** Undefined before the first plan. */
  get you(): number | undefined {
    return this.#plan?.you
  }

  get isRunning(): boolean {
    return this.#plan?.phase === 'running'
  }

  /** Also one that is gone. */
  member(number: number): Member | undefined {
    return this.#members.get(number)
  }

  /** A member that can be dialled, is not gone and is not this node. */
  mate(number: number): Mate | undefined {
    const member = this.#members.get(number)
    return member !== undefined && this.#isMate(member) ? member : undefined
  }

  isGone(number: number): boolean {
    return this.#gone.has(number)
  }

  /** Whether anybody may ask this node for bytes, or could bring some. */
  get hasMates(): boolean {
    return this.#plan?.members.some((member) => this.#isMate(member)) === true
  }

  isParent(number: number): boolean {
    return this.#plan?.parents.includes(number) === true
  }

  edge(number: number): EdgeWord | undefined {
    return this.#edges.get(number)
  }

  /**
   * Follows a plan, or says why not. Code ERR_FR_STALE: nothing is lost by it. `from`: the node
   * that sent it.
   */
  take(plan: PlanFrame, from: string): PlanNews | Failure {
    const before = this.#plan
    if (before !== undefined && !isNewer(plan, before)) {
      const { term, epoch } = plan
      const text = `epoch ${epoch} of term ${term.counter} is not newer than the plan here`
      return { code: 'ERR_FR_STALE', text }
    }
    const fault = planFault(plan) ?? this.#contradiction(plan, from)
    if (fault !== null) return { code: 'ERR_FR_PROTOCOL', text: `the plan ${fault}` }
    this.#plan = plan
    const back = plan.members.flatMap(({ number }) => (this.#gone.delete(number) ? number : []))
    for (const number of back) this.#met.delete(number)
    for (const member of plan.members)
      if (!this.#members.has(member.number)) this.#members.set(member.number, member)
    for (const edge of plan.edges)
      if (!this.#edges.has(edge.member)) this.#edges.set(edge.member, edge)
    const isRunning = plan.phase === 'running'
    const gone = before?.phase === 'running' ? missingFrom(plan, before) : []
    for (const number of gone) this.#gone.add(number)
    const mates = plan.members.filter((member): member is Mate => this.#isMate(member))
    const routed = isRunning ? this.#routed : []
    // Who was left out for a while is dialled anew.
    for (const number of this.#dialled) if (!this.isRouted(number)) this.#dialled.delete(number)
    return {
      begins: isRunning && before?.phase !== 'running',
      paces: same(pacesOf(plan), pacesOf(before)) ? null : pacesOf(plan),
      areRoutesNew: before?.phase === 'running' && !same(plan.routes, before.routes),
      dial: routed.filter(({ number }) => isNew(this.#dialled, number)),
      met: isRunning ? mates.filter(({ number }) => isNew(this.#met, number)) : [],
      gone,
      back,
    }
  }

  /** Something is passed on to the member. */
  isRouted(number: number): boolean {
    return this.#plan?.routes.some(({ to }) => to.some(({ member }) => member === number)) === true
  }

  /** Mates to whom a route leads. */
  get #routed(): Mate[] {
    const targets = this.#plan?.routes.flatMap(({ to }) => to) ?? []
    return targets.flatMap(({ member }) => this.mate(member) ?? [])
  }

  /** Keeps what standbys are told; as `take`. */
  hold(frame: RosterFrame): Failure | null {
    const isStandby = this.#plan?.standbys.includes(this.#plan.you) === true
    if (isStandby) return this.replica.take(frame)
    return { code: 'ERR_FR_PROTOCOL', text: 'a roster for a node that is no standby' }
  }

  /** What it says against plans before it; null: nothing. */
  #contradiction(plan: PlanFrame, from: string): string | null {
    const before = this.#plan
    const isAuthors = ({ number, nodeId }: Member): boolean =>
      number === plan.coordinator && nodeId === from
    if (!plan.members.some(isAuthors)) return 'comes from another node than its coordinator'
    if (before !== undefined && plan.you !== before.you) return 'gives this node another number'
    if (before?.phase === 'running' && plan.phase !== 'running') return 'is from before the last'
    for (const { number, nodeId } of plan.members) {
      const known = this.#members.get(number)
      if (known !== undefined && known.nodeId !== nodeId)
        return `uses the number of a member, ${number}, for another`
      // Another coordinator may reach whom the last one did not.
      const isOfLast = before !== undefined && compareTerms(plan.term, before.term) === 0
      if (isOfLast && this.#gone.has(number)) return `brings back member ${number}, which was gone`
    }
    const fresh = plan.members.filter(({ number }) => !this.#members.has(number)).length
    const isTooMany = this.#members.size + fresh > limits.membersPerPlan
    return isTooMany ? `is one of more than ${limits.membersPerPlan} members in all` : null
  }

  #isMate(member: Member): member is Mate {
    const { number, address } = member
    return address !== undefined && number !== this.you && !this.#gone.has(number)
  }
}

function missingFrom(plan: PlanFrame, before: PlanFrame): number[] {
  const named = new Set(plan.members.map(({ number }) => number))
  return before.members.flatMap(({ number }) => (named.has(number) ? [] : [number]))
}

/** By site, what this node may send to the members there. */
function pacesOf(plan: PlanFrame | undefined): Pace[] {
  const { siteShares = [], members = [] } = plan ?? {}
  return siteShares.map(({ site, bytesPerSecond }) => {
    const there = members.filter((member) => member.site === site)
    return { members: there.map(({ number }) => number), bytesPerSecond }
  })
}

function same(a: readonly (Route | Pace)[], b: readonly (Route | Pace)[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Adds the number; true: it was not there. */
function isNew(known: Set<number>, number: number): boolean {
  if (known.has(number)) return false
  known.add(number)
  return true
}
