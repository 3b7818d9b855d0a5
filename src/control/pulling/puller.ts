/**
 * Bytes from any holder: which of the bytes that this node lacks it asks of which mate.
 *
 * The idea: whoever holds a block can send it. What is wanted is cut into units, and each is asked
 * of one mate at a time: the nearest first (its site, then the time a message takes), then the one
 * with least to send. A mate answers at once with the part it holds; the rest goes to the next. A
 * few holders are asked in parallel, each for what it brings in a fraction of a second (window.ts),
 * so that a pull takes no more than one feed's turns of any uplink. What no mate holds, and what
 * none has promised in time, is left to the origin. A pull must never hold a node up by more than
 * `pullSearchMs` where mates keep their word, nor by more than twice `pullPatienceMs` where they
 * lie.
 *
 * Nothing that is said here is believed about content: blocks are verified where they land. A mate
 * that is silent, or brings nothing of what it promised, loses its requests and is left alone for a
 * while; one that breaks the protocol is never asked again.
 */
import type { FrErrorCode } from '../../base/errors.js'
import { limits, MIB } from '../../base/limits.js'
import { RangeSet } from '../../base/ranges.js'
import type { MemberWish } from '../messages/facts.js'
import type { Frame, Mate, PullReport } from '../messages/types.js'
import { type Holder, holderOf, mayAsk, unitFor } from './asked.js'
import { matesPace, type PullPace } from './pace.js'
import type { Asked } from './window.js'

export type PullWish =
  | (MemberWish & { readonly type: 'connect' | 'say' | 'sample' })
  /** Ask the coordinator for these ranges: no mate is left to ask. */
  | { readonly type: 'need'; readonly ranges: RangeSet }

interface Request {
  readonly holder: Holder
  readonly askedMs: number
  /** All that was asked of the holder by then, this included. */
  readonly bytes: number
  /** What has not landed of it; once answered, what was promised and has not. */
  readonly left: RangeSet
  isAnswered: boolean
  servedByMs: number
}

/** How often the holders' feeds are counted while something is asked of them. */
const countMs = 200

export class Puller {
  /** By mate, and kept when the mate is gone. */
  readonly #pulledBytes = new Map<number, number>()
  /** The least that is asked for at once, where there is as much. */
  readonly #unitBytes: number
  readonly #blockBytes: number
  readonly #pace: PullPace
  readonly #quietMs: number
  readonly #holders = new Map<number, Holder>()
  readonly #requests = new Map<number, Request>()
  /** Wanted, and asked of nobody. */
  readonly #open = new RangeSet()
  /** Mates that say that this node takes nothing from them, since anything came. */
  readonly #untaken = new Set<Holder>()
  /** When they are asked again, and until when nobody else is. */
  #againMs = Number.POSITIVE_INFINITY
  #standsUntilMs = 0
  #site: string | undefined
  #self = 0
  #nextRequest = 0
  /** When something was last promised, or a promise was lost, or something first wanted. */
  #hopeMs = 0
  /** When a request or a unit of what was promised had come, or something was first wanted. */
  #keptMs = 0
  /** Promised bytes that have come since: a crumb now and then keeps nobody waiting. */
  #keptBytes = 0
  #countAtMs = 0

  constructor(blockBytes: number, pace: PullPace = matesPace) {
    this.#blockBytes = blockBytes
    this.#unitBytes = Math.max(limits.pullUnitBytes, blockBytes)
    this.#pace = pace
    // A large block takes its time, and says nothing before it is whole.
    this.#quietMs = limits.pullQuietMs * Math.max(1, blockBytes / MIB)
  }

  /** What has landed after a mate had promised it, of each mate that kept its word; ascending. */
  get pulled(): PullReport[] {
    return [...this.#pulledBytes]
      .map(([member, bytes]) => ({ member, bytes }))
      .sort((a, b) => a.member - b.member)
  }

  /** The same of all mates. */
  get pulledBytes(): number {
    return this.pulled.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Who there is; later calls add to it. `self`, `site`: this node's. */
  introduce(mates: readonly Mate[], self: number, site: string | undefined): void {
    this.#self = self
    this.#site = site
    for (const mate of mates) {
      if (this.#holders.has(mate.number)) continue
      this.#holders.set(mate.number, holderOf(mate, this.#blockBytes))
    }
  }

  /** These are asked for nothing for now, and nobody else is avoided. */
  avoid(members: ReadonlySet<number>, nowMs: number): void {
    for (const [member, holder] of this.#holders) {
      if (members.has(member) === holder.isAvoided) continue
      holder.isAvoided = !holder.isAvoided
      if (holder.isAvoided) this.#return(holder, nowMs)
    }
  }

  isLinked(member: number): boolean {
    return this.#holders.get(member)?.link === 'open'
  }

  /** Somebody else wants a link to the mate. True: it is to be opened. */
  link(member: number, nowMs: number): boolean {
    const holder = this.#holders.get(member)
    if (holder?.link !== 'none') return false
    holder.link = 'dialling'
    holder.sinceMs = nowMs
    return true
  }

  /** Of whom something is asked, ascending. */
  get asked(): number[] {
    const asked = new Set([...this.#requests.values()].map(({ holder }) => holder.mate.number))
    return [...asked].sort((a, b) => a - b)
  }

  /** Whether something is asked of this mate: it may open a data connection for it. */
  isAsking(member: number): boolean {
    return this.asked.includes(member)
  }

  /** Whole blocks; what is asked for already stays where it is. */
  want(ranges: RangeSet, nowMs: number): void {
    if (this.#open.isEmpty && this.#requests.size === 0) this.#hopeMs = this.#keptMs = nowMs
    for (const [offset, length] of ranges) {
      this.#open.add(offset, length)
      for (const { lacks } of this.#holders.values()) lacks.remove(offset, length)
    }
    for (const { left } of this.#requests.values()) this.#open.subtract(left)
  }

  /** Bytes are here, whoever brought them. */
  landed(offset: number, length: number, nowMs: number): void {
    if (this.#requests.size === 0 && this.#open.isEmpty) return
    this.#open.remove(offset, length)
    for (const [id, request] of this.#requests) {
      const parts = request.left.present(offset, length)
      request.left.remove(offset, length)
      const came = parts.reduce((sum, [, bytes]) => sum + bytes, 0)
      const { holder } = request
      const isAnswered = request.isAnswered || this.#pace.isAskedOnly
      if (came > 0 && isAnswered) {
        const { number } = holder.mate
        this.#pulledBytes.set(number, (this.#pulledBytes.get(number) ?? 0) + came)
        this.#hopeMs = holder.movedMs = nowMs
        this.#keptBytes += came
        if (request.left.isEmpty || this.#keptBytes >= limits.pullUnitBytes) {
          this.#keptMs = nowMs
          this.#keptBytes = 0
        }
      }
      if (!request.left.isEmpty) continue
      this.#requests.delete(id)
      if (!isAnswered) continue
      holder.window.came(request.bytes, nowMs - request.askedMs - holder.rttMs)
    }
  }

  /** The link to a mate is open. `rttMs`: how long a message and its answer take. */
  linked(member: number, rttMs: number): void {
    const holder = this.#holders.get(member)
    if (holder === undefined) return
    holder.link = 'open'
    holder.rttMs = rttMs
  }

  /** The link could not be opened, or is gone. */
  unlinked(member: number, code: FrErrorCode, nowMs: number): void {
    const holder = this.#holders.get(member)
    if (holder === undefined) return
    holder.link = 'none'
    if (isViolation(code)) this.gone(member, nowMs)
    else this.#give(holder, nowMs)
  }

  /** The mate takes no part any more. */
  gone(member: number, nowMs: number): void {
    const holder = this.#holders.get(member)
    if (holder === undefined) return
    this.#return(holder, nowMs)
    this.#untaken.delete(holder)
    this.#holders.delete(member)
  }

  /** The feed from this mate has ended, and with it what it had listed. */
  unfed(member: number, code: FrErrorCode | null, nowMs: number): void {
    const holder = this.#holders.get(member)
    if (holder === undefined) return
    if (code !== null && isViolation(code)) return this.gone(member, nowMs)
    if (!this.isAsking(member)) return
    // It opens another one for what it is asked next; a second that breaks is enough.
    if (holder.hasLostFeed) return this.#give(holder, nowMs)
    holder.hasLostFeed = true
    this.#return(holder, nowMs)
  }

  /** The answer of a mate; what it has not got of what it was asked for. */
  answered(
    member: number,
    frame: Frame & { type: 'holding' | 'pullRefused' },
    nowMs: number,
  ): RangeSet {
    const request = this.#requests.get(frame.request)
    // Late answers, and answers to what another was asked.
    if (request?.holder.mate.number !== member) return new RangeSet()
    if (frame.type === 'pullRefused') {
      this.#refused(request.holder, frame.code, nowMs)
      return new RangeSet()
    }
    if (request.isAnswered) return new RangeSet()
    const lacking = RangeSet.of(request.left)
    for (const [offset, length] of frame.ranges) lacking.remove(offset, length)
    for (const [offset, length] of lacking) {
      request.holder.lacks.add(offset, length)
      this.#open.add(offset, length)
    }
    request.left.subtract(lacking)
    request.isAnswered = true
    request.holder.movedMs = nowMs
    request.holder.backlogBytes = frame.backlogBytes
    const slowMs = (frame.backlogBytes + this.#unitBytes) / limits.pullSlowBytesPerMs
    request.servedByMs = Math.min(request.servedByMs, nowMs + limits.pullServedMs + slowMs)
    if (request.left.isEmpty) this.#requests.delete(frame.request)
    else this.#hopeMs = nowMs
    return lacking
  }

  /** Payload that has come from this mate in all. */
  received(member: number, bytes: number, nowMs: number): void {
    const holder = this.#holders.get(member)
    if (holder === undefined || bytes === holder.receivedBytes) return
    holder.receivedBytes = bytes
    holder.movedMs = nowMs
    // What waits there comes now.
    if (this.#untaken.size > 1) this.#standsUntilMs = nowMs + limits.pullQuietMs
    this.#untaken.clear()
  }

  /**
   * Where several say that this node takes nothing of what waits for it there, its own disk or way
   * stands still, and what it asks others for would come twice: it asks them again instead.
   */
  #refused(holder: Holder, code: FrErrorCode, nowMs: number): void {
    this.#give(holder, nowMs)
    if (code !== 'ERR_FR_TIMEOUT') return
    this.#untaken.add(holder)
    if (this.#untaken.size < 2) return
    this.#againMs = holder.pausedMs
    this.#standsUntilMs = holder.pausedMs + limits.pullQuietMs
  }

  /** Whatever follows from the state and the time. */
  advance(nowMs: number): PullWish[] {
    if (this.#requests.size === 0 && this.#open.isEmpty) return []
    for (const request of [...this.#requests.values()])
      if (nowMs >= this.#deadlineOf(request)) this.#give(request.holder, nowMs)
    const wishes: PullWish[] = []
    if (nowMs >= this.#againMs) this.#againMs = Number.POSITIVE_INFINITY
    if (nowMs >= this.#keptMs + this.#pace.patienceMs) this.#leave(RangeSet.of(this.#open), wishes)
    this.#ask(wishes, nowMs)
    this.#seek(wishes, nowMs)
    if (this.#requests.size > 0 && nowMs >= this.#countAtMs) {
      this.#countAtMs = nowMs + countMs
      wishes.push({ type: 'sample' })
    }
    return wishes
  }

  /** When `advance` must be called at the latest; null: never. */
  deadlineMs(): number | null {
    let at = Number.POSITIVE_INFINITY
    for (const request of this.#requests.values()) at = Math.min(at, this.#deadlineOf(request))
    if (this.#requests.size > 0) at = Math.min(at, this.#countAtMs)
    if (!this.#open.isEmpty) {
      at = Math.min(at, this.#keptMs + this.#pace.patienceMs, this.#againMs)
      for (const holder of this.#holders.values())
        if (holder.link === 'dialling') at = Math.min(at, holder.sinceMs + this.#pace.answerMs)
      const searchedMs = Math.max(this.#hopeMs + this.#pace.searchMs, this.#standsUntilMs)
      if (!this.#hasPromise()) at = Math.min(at, searchedMs)
    }
    return Number.isFinite(at) ? at : null
  }

  #ask(wishes: PullWish[], nowMs: number): void {
    if (this.#open.isEmpty) return
    const ready = [...this.#holders.values()].filter(
      (holder) => holder.link === 'open' && mayAsk(holder, nowMs),
    )
    const load = this.#load()
    for (;;) {
      const active = ready.filter((holder) => load.has(holder))
      const able = (active.length < limits.pullHolders ? ready : active)
        .filter((holder) => holder.window.hasRoom(load.get(holder)))
        .sort((a, b) => this.#order(a, b, load))
      const next = able.find((holder) => unitFor(holder, this.#open).length > 0)
      if (next === undefined) return
      const ranges = unitFor(next, this.#open)
      for (const [offset, length] of ranges) this.#open.remove(offset, length)
      const request = this.#nextRequest++
      if (!load.has(next)) next.movedMs = nowMs
      const left = RangeSet.of(ranges)
      const servedByMs = nowMs + limits.pullPatienceMs
      const bytes = addTo(load, next, left.bytes)
      const asking = { holder: next, askedMs: nowMs, bytes, left, isAnswered: false, servedByMs }
      this.#requests.set(request, asking)
      const frame = { type: 'pull', request, ranges } as const
      wishes.push({ type: 'say', member: next.mate.number, frame })
    }
  }

  /** What is asked of each holder and has not come. */
  #load(): Map<Holder, Asked> {
    const load = new Map<Holder, Asked>()
    for (const { holder, left } of this.#requests.values()) addTo(load, holder, left.bytes)
    return load
  }

  /** Looks for more mates where those that are asked are few or lack something. */
  #seek(wishes: PullWish[], nowMs: number): void {
    if (this.#open.isEmpty) return
    const holders = [...this.#holders.values()]
    for (const holder of holders)
      if (holder.link === 'dialling' && nowMs >= holder.sinceMs + this.#pace.answerMs)
        holder.link = 'late'
    const usable = holders.filter(
      (one) => one.link === 'dialling' || (one.link === 'open' && mayAsk(one, nowMs)),
    )
    const stuck = this.#stuck(usable)
    const idle = holders
      .filter((holder) => holder.link === 'none' && mayAsk(holder, nowMs))
      .sort((a, b) => this.#order(a, b, new Map()))
      .slice(
        0,
        stuck.isEmpty ? Math.max(0, limits.pullHolders - usable.length) : limits.pullHolders,
      )
    const isTooLate = !this.#hasPromise() && nowMs >= this.#hopeMs + this.#pace.searchMs
    if (nowMs < this.#standsUntilMs) return
    if (isTooLate) this.#leave(RangeSet.of(this.#open), wishes)
    else if (idle.length === 0) this.#leave(stuck, wishes)
    else {
      for (const holder of idle) {
        holder.link = 'dialling'
        holder.sinceMs = nowMs
        wishes.push({ type: 'connect', member: holder.mate.number })
      }
    }
  }

  /** What is lacked by all of these that have a link; those without one may have anything. */
  #stuck(usable: readonly Holder[]): RangeSet {
    if (usable.some(({ link, lacks }) => link === 'dialling' || lacks.isEmpty))
      return new RangeSet()
    const stuck = RangeSet.of(this.#open)
    for (const { lacks } of usable)
      for (const range of this.#open)
        for (const [offset, length] of lacks.missing(...range)) stuck.remove(offset, length)
    return stuck
  }

  #leave(ranges: RangeSet, wishes: PullWish[]): void {
    if (ranges.isEmpty) return
    this.#open.subtract(ranges)
    for (const { lacks } of this.#holders.values()) lacks.subtract(ranges)
    wishes.push({ type: 'need', ranges })
  }

  /** Nearest first, then least loaded, then by their turn after this node: not all ask one. */
  #order(a: Holder, b: Holder, asked: ReadonlyMap<Holder, Asked>): number {
    const load = (holder: Holder): number => holder.backlogBytes + (asked.get(holder)?.bytes ?? 0)
    const turn = ({ mate: { number } }: Holder): number =>
      number > this.#self ? number - this.#self : number - this.#self + limits.placesPerPush
    return (
      this.#distance(a) - this.#distance(b) ||
      doublings(a.rttMs) - doublings(b.rttMs) ||
      load(a) - load(b) ||
      turn(a) - turn(b)
    )
  }

  #distance({ mate }: Holder): number {
    return this.#site !== undefined && mate.site === this.#site ? 0 : 1
  }

  #deadlineOf({ holder, askedMs, isAnswered, servedByMs }: Request): number {
    // Time for the holder to dial a data connection where it has none.
    if (!isAnswered) return Math.min(askedMs + this.#pace.answerMs + 5 * holder.rttMs, servedByMs)
    return Math.min(holder.movedMs + this.#quietMs + 2 * holder.rttMs, servedByMs)
  }

  #hasPromise(): boolean {
    for (const { isAnswered } of this.#requests.values()) if (isAnswered) return true
    return false
  }

  /** Its requests go to others, and it is left alone for a while. */
  #give(holder: Holder, nowMs: number): void {
    this.#return(holder, nowMs)
    holder.window.restart()
    holder.pausedMs = nowMs + this.#pace.pauseMs
  }

  #return(holder: Holder, nowMs: number): void {
    for (const [id, request] of this.#requests) {
      if (request.holder !== holder) continue
      for (const [offset, length] of request.left) this.#open.add(offset, length)
      this.#requests.delete(id)
      // Others may hold it: there is time to look for them again.
      if (request.isAnswered) this.#hopeMs = nowMs
    }
  }
}

/** Bytes that are asked of the holder then. */
function addTo(load: Map<Holder, Asked>, holder: Holder, more: number): number {
  const { requests, bytes } = load.get(holder) ?? { requests: 0, bytes: 0 }
  load.set(holder, { requests: requests + 1, bytes: bytes + more })
  return bytes + more
}

/** Breaking the protocol, unlike breaking down. */
function isViolation(code: FrErrorCode): boolean {
  return code === 'ERR_FR_PROTOCOL' || code === 'ERR_FR_AUTH'
}

/** Times within a factor of two count as equal, and so do all below a millisecond. */
function doublings(ms: number): number {
  return Number.isFinite(ms) ? Math.floor(Math.log2(Math.max(1, ms))) : 64
}
