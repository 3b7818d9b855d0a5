/**
 * One content that a node pulls: which unit next, and from whom.
 *
 * The idea: it asks holders, nearest first and least busy among them, for what it would take now,
 * and takes what they give (deals.ts). What it wants most is rare and soon to be played: of the
 * next units in order of delivery the rarest, each node in an order of its own. A byte comes into a
 * site once: what a mate of the site has or gets is not asked for elsewhere, and of what nobody in
 * the site has each mate asks for the units that fall to it by lot. Where nothing comes for a
 * while none of this counts: it takes what it needs from whoever has it.
 *
 * Who plays the content here while it comes has a window: what is in it comes before all else, from
 * whoever has it, and what is under way makes room for it.
 *
 * Facts: met, held, answered, unanswered, ended, played, left. `due` says what to do. Pure: time is
 * an argument.
 */
import { limits } from '../../base/limits.js'
import type { SwarmAnswer, SwarmAsk, SwarmPeer } from '../messages/swarming.js'
import { type Holder, Holders } from './holders.js'
import { lot, seedOf, UnitSet } from './units.js'
import { Windows } from './windows.js'

export interface PullSpec {
  readonly contentId: string
  /** Units of the content. */
  readonly count: number
  /** Those that are wanted, in order of delivery. */
  readonly order: readonly number[]
  /** Those of them that a player needs before all others. */
  readonly index?: readonly number[]
  /** This node; its address is what others dial. */
  readonly self: SwarmPeer
  readonly initiator: SwarmPeer
}

export type PullWish =
  /** Exactly one of `answered` and `unanswered` follows. */
  | { readonly type: 'ask'; readonly to: SwarmPeer; readonly ask: SwarmAsk }
  /** To get these units from a holder that has given them; `ended` follows. */
  | {
      readonly type: 'order'
      readonly order: number
      readonly first: number
      readonly count: number
      readonly from: SwarmPeer
    }
  /** To let go of what was ordered: others come first. What has come of it stays. */
  | { readonly type: 'stop'; readonly order: number }

interface Order {
  readonly units: readonly number[]
  readonly holder: Holder
}

export class Pull {
  readonly holders: Holders
  readonly #spec: PullSpec
  readonly #seed: number
  readonly #wanted: UnitSet
  #have: UnitSet
  readonly #orders = new Map<number, Order>()
  /** Units under way. */
  readonly #coming = new Map<number, Order>()
  readonly #fresh: PullWish[] = []
  readonly #windows = new Windows()
  #nextOrder = 0
  /** When something came last, or was given. */
  #movedMs: number
  /** Those who know that it wants nothing any more. */
  readonly #told = new Set<string>()

  constructor(spec: PullSpec, have: UnitSet, nowMs: number) {
    this.#spec = spec
    this.#seed = seedOf(spec.self.nodeId)
    this.holders = new Holders(spec.self, spec.initiator, spec.count)
    this.#wanted = new UnitSet(spec.count)
    for (const unit of spec.order) this.#wanted.add(unit)
    this.#have = have
    this.#movedMs = nowMs
  }

  /** All that is wanted is here. */
  get isComplete(): boolean {
    return this.#spec.order.every((unit) => this.#have.has(unit))
  }

  get have(): UnitSet {
    return this.#have
  }

  /** Wanted, in order of delivery. */
  get order(): readonly number[] {
    return this.#spec.order
  }

  /** Holders of which something is under way. */
  get sources(): number {
    return new Set([...this.#orders.values()].map(({ holder }) => holder)).size
  }

  /** Units under way to this node. */
  get coming(): UnitSet {
    const set = new UnitSet(this.#spec.count)
    for (const unit of this.#coming.keys()) set.add(unit)
    return set
  }

  // --- facts ---

  met(peer: SwarmPeer, nowMs: number): void {
    this.holders.meet(peer, nowMs)
  }

  held(have: UnitSet): void {
    this.#have = have
  }

  answered(nodeId: string, answer: SwarmAnswer, tookMs: number, nowMs: number): void {
    const holder = this.holders.get(nodeId)
    for (const mate of answer.others) {
      const met = this.holders.meet(mate, nowMs)
      if (met === undefined || met === holder || met.failures > 0) continue
      const have = UnitSet.ofRuns(this.#spec.count, mate.have)
      if (met.have === undefined) met.have = have
      else met.have.addAll(have)
    }
    if (holder === undefined) return
    holder.asked = null
    this.holders.answered(holder, answer, tookMs, nowMs)
    const { swarmAgainMs, swarmAgainMsMax, swarmOrders } = limits
    const backoffMs = Math.min(swarmAgainMsMax, swarmAgainMs * 2 ** Math.min(6, holder.misses - 1))
    holder.nextMs = nowMs + (answer.grants.length > 0 ? 0 : Math.max(backoffMs, answer.againMs))
    const taken: number[] = []
    for (const unit of answer.grants) {
      // Two holders may have given one unit, or more than there are places for.
      const isOfUse = this.#isMissing(unit) && this.#coming.size < 2 * swarmOrders
      if (isOfUse && !taken.includes(unit)) taken.push(unit)
    }
    // One after the other, so that each is here, and given on, as soon as it can be.
    for (const unit of taken) this.#begin(holder, unit, 1)
    if (taken.length > 0) this.#movedMs = nowMs
  }

  /** It was not reached, said nothing in time, or refused. */
  unanswered(nodeId: string, nowMs: number): void {
    const holder = this.holders.get(nodeId)
    if (holder === undefined) return
    holder.asked = null
    this.holders.failed(holder, nowMs)
  }

  /** `isRight`: all of it came. */
  ended(order: number, isRight: boolean, nowMs: number): void {
    const known = this.#orders.get(order)
    if (known === undefined) return
    this.#orders.delete(order)
    const { holder, units } = known
    holder.orders -= units.length
    for (const unit of units) {
      if (this.#coming.get(unit) === known) this.#coming.delete(unit)
      if (isRight) this.#have.add(unit)
    }
    if (isRight) {
      this.#movedMs = nowMs
      // It learns so that it may give to others.
      holder.isOwed = true
      if (holder.asked === null) holder.nextMs = nowMs
    } else this.holders.failed(holder, nowMs)
  }

  /** This player needs these units now, the next one first, and none that it has needed before. */
  played(player: number, units: readonly number[], nowMs: number): void {
    this.#windows.move(player, units)
    const isNew = units.some((unit) => this.#isMissing(unit))
    for (const holder of isNew ? this.holders : [])
      if (holder.failures === 0) holder.nextMs = Math.min(holder.nextMs, nowMs)
  }

  left(player: number): void {
    this.#windows.drop(player)
  }

  // --- what to do ---

  /** When to look again, whatever happens. */
  nextMs(nowMs: number): number {
    if (this.isComplete) return Number.POSITIVE_INFINITY
    let least = nowMs + limits.swarmAgainMsMax
    for (const { asked, nextMs } of this.holders)
      if (asked === null && nextMs > nowMs) least = Math.min(least, nextMs)
    return least
  }

  due(nowMs: number): PullWish[] {
    const wishes = this.#fresh.splice(0)
    if (this.isComplete) wishes.push(...this.#farewells())
    else wishes.push(...this.#asks(nowMs))
    return wishes
  }

  #begin(holder: Holder, first: number, count: number): void {
    const units = Array.from({ length: count }, (_, at) => first + at)
    const order = { units, holder }
    const number = this.#nextOrder++
    this.#orders.set(number, order)
    for (const unit of units) this.#coming.set(unit, order)
    holder.orders += count
    this.#fresh.push({ type: 'order', order: number, first, count, from: holder.peer })
  }

  #isMissing(unit: number): boolean {
    return this.#wanted.has(unit) && !this.#have.has(unit) && !this.#coming.has(unit)
  }

  /** Those that it has dealt with count on it from now on, and give it nothing any more. */
  #farewells(): PullWish[] {
    const wishes: PullWish[] = []
    for (const holder of this.holders) {
      const { peer, asked, heardMs } = holder
      const isKnown = Number.isFinite(heardMs) && !this.#told.has(peer.nodeId)
      if (!isKnown || asked !== null) continue
      this.#told.add(peer.nodeId)
      wishes.push(this.#ask(holder, [], 0, false))
    }
    return wishes
  }

  #asks(nowMs: number): PullWish[] {
    const urgent = this.#urgent()
    const isUrgent = urgent.some((unit) => this.#isMissing(unit))
    const stops = isUrgent ? this.#makeRoom(new Set(urgent)) : []
    return [...stops, ...this.#asksFor(urgent, isUrgent, nowMs)]
  }

  /** Of those that play, and the index before: what is wanted and not here. */
  #urgent(): number[] {
    const { index = [] } = this.#spec
    const played = this.#windows.units
    const all = played.length === 0 ? [] : [...new Set([...index, ...played])]
    return all.filter((unit) => this.#wanted.has(unit) && !this.#have.has(unit))
  }

  /**
   * Lets go of what is under way and can wait. A holder sends what it was asked for in its own
   * order, so where some of it can wait all of it is let go, and asked for anew.
   */
  #makeRoom(urgent: ReadonlySet<number>): PullWish[] {
    const canWait = ({ units }: Order): boolean => !units.some((unit) => urgent.has(unit))
    const crowded = new Set<Holder>()
    for (const order of this.#orders.values()) if (canWait(order)) crowded.add(order.holder)
    const stops: PullWish[] = []
    for (const [order, { units, holder }] of this.#orders) {
      if (!crowded.has(holder)) continue
      this.#orders.delete(order)
      holder.orders -= units.length
      for (const unit of units) this.#coming.delete(unit)
      stops.push({ type: 'stop', order })
    }
    return stops
  }

  #asksFor(urgent: readonly number[], isUrgent: boolean, nowMs: number): PullWish[] {
    const isIdle = this.#coming.size === 0 && nowMs - this.#movedMs >= limits.swarmPatienceMs
    // Whoever has what is played gives it, whatever falls to whom.
    const isStuck = isIdle || isUrgent
    let asking = 0
    let places = limits.swarmOrders - this.#coming.size
    for (const { asked } of this.holders) {
      if (asked === null) continue
      asking++
      places -= asked
    }
    const free = this.holders.ranked(this.#seed, nowMs)
    if (free.length === 0 || asking >= limits.swarmAsks) return []
    // Nothing else is to take the way of what is played.
    const missing =
      urgent.length > 0 ? urgent.filter((unit) => this.#isMissing(unit)) : this.#missing()
    if (urgent.length > 0) places = Math.min(places, missing.length)
    const eligible = this.#eligible(missing, isStuck, nowMs)
    const wantsOf = (units: readonly number[]): readonly number[] =>
      urgent.length > 0 ? units.slice(0, limits.swarmWants) : this.#wants(units)
    const wishes: PullWish[] = []
    const ask = (holder: Holder, wants: readonly number[], most: number): void => {
      asking++
      wishes.push(this.#ask(holder, wants, most, isStuck))
    }
    // Who sends something is asked again with the first of that that is here, and in time to know
    // that this node lives.
    const isDue = ({ heardMs }: Holder): boolean => nowMs - heardMs >= limits.swarmSilenceMs / 2
    const canAsk = (holder: Holder): boolean => {
      if (asking >= limits.swarmAsks || holder.asked !== null) return false
      return holder.orders === 0 || holder.isOwed || isStuck || isDue(holder)
    }
    // Those that are known to have something.
    for (const holder of free) {
      if (places <= 0 || !canAsk(holder) || holder.isInitiator) continue
      const wants = wantsOf(eligible(holder).filter((unit) => holder.have?.has(unit)))
      if (wants.length === 0) continue
      const most = Math.min(places, limits.swarmGrants / 2, wants.length)
      places -= most
      ask(holder, wants, most)
    }
    // The initiator, who knows most of the others, and counts on those that it hears of.
    for (const holder of free)
      if (holder.isInitiator && canAsk(holder)) {
        if (places > 0 || isDue(holder) || holder.isOwed)
          ask(holder, places > 0 ? wantsOf(eligible(holder)) : [], Math.max(0, places))
      }
    // Who may have got something meanwhile, and who is to know that it is here now.
    for (const holder of free) {
      if (!canAsk(holder)) continue
      if (places > 0) ask(holder, wantsOf(eligible(holder)), 1)
      else if (holder.isOwed) ask(holder, [], 0)
    }
    return wishes
  }

  #ask(holder: Holder, wants: readonly number[], most: number, isStuck: boolean): PullWish {
    const { contentId, self } = this.#spec
    const { swarmRuns, swarmOthers } = limits
    holder.asked = most
    holder.isOwed = false
    const ask: SwarmAsk = {
      ...{ contentId, address: self.address, have: this.#have.runs(swarmRuns) },
      ...{ coming: this.coming.runs(swarmRuns), wants, most, isStuck },
      others: holder.isInitiator || holder.misses % 4 === 0 ? swarmOthers : 0,
    }
    return { type: 'ask', to: holder.peer, ask }
  }

  /** In order of delivery. */
  #missing(): number[] {
    return this.#spec.order.filter((unit) => this.#isMissing(unit))
  }

  /** Which of them may be asked of a holder. */
  #eligible(
    missing: readonly number[],
    isStuck: boolean,
    nowMs: number,
  ): (holder: Holder) => readonly number[] {
    const isPatient = !isStuck && nowMs - this.#movedMs < limits.swarmPatienceMs
    if (!isPatient) return () => missing
    let far: readonly number[] | undefined
    return ({ isNear }) => {
      if (isNear) return missing
      far ??= this.#lackedBySite(missing, nowMs)
      return far
    }
  }

  /** What nobody of the site has or gets, and falls to this node by lot. */
  #lackedBySite(missing: readonly number[], nowMs: number): number[] {
    const inSite = new UnitSet(this.#spec.count)
    const mates: Holder[] = []
    for (const holder of this.holders) {
      // What the initiator has it gives once, perhaps to another site.
      if (!holder.isNear || holder.have === undefined || holder.isInitiator) continue
      inSite.addAll(holder.have)
      inSite.addAll(holder.coming)
      const isPulling = nowMs - holder.heardMs < limits.swarmSilenceMs && !holder.have.isAll
      if (isPulling) mates.push(holder)
    }
    const isOurs = (unit: number): boolean => {
      const own = lot(this.#seed, unit)
      return mates.every(({ have, seed }) => have?.has(unit) === true || lot(seed, unit) <= own)
    }
    return missing.filter((unit) => !inSite.has(unit) && isOurs(unit))
  }

  /** What is most wanted of these, the most wanted first. */
  #wants(possible: readonly number[]): number[] {
    const { swarmWindow, swarmWants } = limits
    const next = this.#rarestFirst(possible.slice(0, swarmWindow))
    return [...next, ...this.#rarestFirst(possible.slice(swarmWindow, swarmWants))]
  }

  /** Of equal ones each node in an order of its own. */
  #rarestFirst(units: readonly number[]): number[] {
    const ranked = units.map((unit) => {
      return { unit, rank: this.#copies(unit) + lot(this.#seed, unit) / 2 ** 32 }
    })
    return ranked.sort((a, b) => a.rank - b.rank).map(({ unit }) => unit)
  }

  /** Known holders of a unit, and those who get it. */
  #copies(unit: number): number {
    let copies = 0
    for (const { have, coming } of this.holders)
      if (have?.has(unit) === true || coming.has(unit)) copies++
    return copies
  }
}
