/**
 * A member that has taken over: the origin is gone, and those that are left bring each other what
 * they have.
 *
 * The idea: it needs no content of its own, and its own node is a member like others, as are the
 * mirrors of the push. Members say what they hold; who lacks what another holds is told to ask for
 * it. Once nothing moves any more, either everybody has all of it, or what nobody has is named to
 * all in the same words, and everybody keeps what it verified for the next push.
 *
 * Nothing can be published that differs from what the origin sent: every block is verified by a
 * digest that the author has signed. So two that took over, in a partition, cannot disagree; where
 * they meet members follow the higher term, and whoever loses its own node to another gives way.
 *
 * Its own node is asked last: where a member answers that the origin is there, only this node has
 * lost it, and nothing has happened.
 */
import type { Failure, FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet, slicesOf } from '../../base/ranges.js'
import { haveFault, heldBySome, missingText } from '../holdings/have.js'
import type { WayThere } from '../members/ways.js'
import type { EndWish, Fact, MemberWish, Wish } from '../messages/facts.js'
import { Outbox } from '../messages/outbox.js'
import type {
  EdgeWord,
  Frame,
  PlanFrame,
  RosterEntry,
  RosterFrame,
  Term,
} from '../messages/types.js'
import { Acquaintance } from './acquaintance.js'
import { hasLink, isOpen, memberOf, mendsOf, placeOf, Survivor } from './survivor.js'

export interface SuccessorConfig {
  readonly transfer: string
  readonly term: Term
  /** Who takes part, as the last coordinator has told. */
  readonly roster: readonly RosterEntry[]
  readonly bytes: number
  readonly blockBytes: number
  readonly silenceMs: number
  readonly strategy: PlanFrame['strategy']
  readonly shape: PlanFrame['shape']
  /** What both ends of a data connection prove themselves by. */
  readonly edgeOf: (member: number, other: number) => Omit<EdgeWord, 'member'>
}

export type SuccessorFact = Fact
export type SuccessorWish =
  | (MemberWish & { readonly type: 'connect' | 'say' | 'hangUp' })
  | (Wish & { readonly type: 'note' })
  | EndWish

export class SuccessorMachine {
  readonly #config: SuccessorConfig
  readonly #survivors: ReadonlyMap<number, Survivor>
  readonly #acquaintance: Acquaintance
  readonly #outbox = new Outbox<SuccessorWish>()
  readonly #startMs: number
  #epoch = 0
  #hasBegun = false
  #isOwnAsked = false
  #isEnded = false
  /** Whose plan is not what it was told last. */
  readonly #unplanned = new Set<Survivor>()
  /** They may hold what others were not told to ask them for. */
  readonly #unspread = new Set<Survivor>()
  #standbys: readonly Survivor[] = []
  /** When anything was last known to change. */
  #movedMs: number
  /** How often what is lacking was named again because nothing moved. */
  #rounds = 0
  #beatMs: number

  constructor(config: SuccessorConfig, nowMs: number) {
    this.#config = config
    const left = config.roster.filter(({ state }) => state !== 'coming' && state !== 'out')
    this.#survivors = new Map(left.map((entry) => [entry.number, new Survivor(entry)]))
    this.#acquaintance = new Acquaintance(this.#survivors.values())
    this.#startMs = this.#movedMs = nowMs
    this.#beatMs = nowMs + limits.beatMs
  }

  /** The first wishes; call once. */
  start(): SuccessorWish[] {
    for (const member of this.#survivors.keys())
      if (member !== this.#config.term.member) this.#outbox.wish({ type: 'connect', member })
    this.#advance(this.#startMs)
    return this.#outbox.take()
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Where it is dialled. */
  placeOf(member: number): WayThere & { readonly address: string } {
    const { entry } = this.#of(member)
    return placeOf(entry, this.#of(this.#config.term.member).entry)
  }

  handle(fact: SuccessorFact, nowMs: number): SuccessorWish[] {
    if (this.#isEnded) return []
    this.#on(fact, nowMs)
    if (!this.#isEnded) this.#advance(nowMs)
    return this.#outbox.take()
  }

  deadlineMs(): number | null {
    if (this.#isEnded) return null
    const beginMs = this.#isOwnAsked ? Number.POSITIVE_INFINITY : this.#startMs + limits.readyMs
    // Before it begins nothing can be stuck: links may take long to open.
    const stuckMs = this.#hasBegun ? this.#movedMs + limits.askMs : Number.POSITIVE_INFINITY
    return Math.min(beginMs, this.#beatMs, stuckMs)
  }

  #on(fact: SuccessorFact, nowMs: number): void {
    switch (fact.type) {
      case 'linked':
        return this.#onLinked(this.#of(fact.member), fact.nodeId, nowMs)
      case 'unlinked':
        return this.#out(this.#of(fact.member), fact, nowMs)
      case 'said':
        return this.#onFrame(this.#of(fact.member), fact.frame, nowMs)
      case 'stopped':
        return this.#end({ code: 'ERR_FR_NODE_CLOSED', text: fact.text })
      default:
        return
    }
  }

  #onLinked(survivor: Survivor, nodeId: string, nowMs: number): void {
    if (survivor.state !== 'dialled') return
    if (nodeId !== survivor.entry.nodeId) {
      const text = 'another node answers at this address'
      return this.#out(survivor, { code: 'ERR_FR_NODE_LOST', text }, nowMs)
    }
    survivor.state = 'asked'
    survivor.heardMs = nowMs
    const { transfer, term } = this.#config
    this.#say(survivor, { type: 'succeed', transfer, term })
  }

  #onFrame(survivor: Survivor, frame: Frame, nowMs: number): void {
    survivor.heardMs = nowMs
    switch (frame.type) {
      case 'holds':
        return this.#onHolds(survivor, frame, nowMs)
      case 'progress':
        if (frame.receivedBytes + frame.verifiedBytes > survivor.movedBytes) this.#movedMs = nowMs
        survivor.movedBytes = frame.receivedBytes + frame.verifiedBytes
        return
      case 'complete':
        survivor.state = 'complete'
        this.#movedMs = nowMs
        return
      case 'refuse':
      case 'failed':
        if (frame.code === 'ERR_FR_BUSY' && !this.#isOwnAsked) return this.#giveWay(survivor, frame)
        return this.#out(survivor, frame, nowMs)
      case 'stale': {
        const text = `it follows member ${frame.term.member} in term ${frame.term.counter}`
        return this.#out(survivor, { code: 'ERR_FR_STALE', text }, nowMs)
      }
      case 'join': {
        const text = 'the origin is gone: nobody can be added'
        const answer = { request: frame.request, code: 'ERR_FR_ORIGIN_LOST', text } as const
        return this.#say(survivor, { type: 'joined', ...answer })
      }
      case 'need':
        // Anything else only the origin could send: mates are asked instead.
        if (frame.scratch) survivor.cameWrong(frame.ranges, this.#config.bytes)
        return
      default:
        return
    }
  }

  #onHolds(survivor: Survivor, frame: Frame & { type: 'holds' }, nowMs: number): void {
    const fault = haveFault(frame.have, this.#config)
    if (fault !== null) return this.#out(survivor, { code: 'ERR_FR_PROTOCOL', text: fault }, nowMs)
    survivor.have = RangeSet.of(frame.have)
    survivor.seal ??= frame.fileDigest
    this.#unspread.add(survivor)
    this.#movedMs = nowMs
    if (survivor.state !== 'asked') return
    survivor.state = 'joined'
    this.#unplanned.add(survivor)
    for (const other of this.#acquaintance.of(survivor)) this.#unspread.add(other)
  }

  /** Whatever follows from the state and the time alone. */
  #advance(nowMs: number): void {
    for (const survivor of this.#survivors.values())
      if (hasLink(survivor) && nowMs - survivor.heardMs > this.#config.silenceMs)
        this.#out(survivor, { code: 'ERR_FR_NODE_SILENT', text: 'it is silent' }, nowMs)
    if (this.#isEnded) return
    if (this.#beatMs <= nowMs) {
      this.#beatMs = nowMs + limits.beatMs
      for (const survivor of this.#following) this.#say(survivor, { type: 'beat' })
    }
    if (!this.#hasBegun && !this.#mayBegin(nowMs)) return
    this.#begin()
    if (this.#unplanned.size > 0) this.#plan()
    this.#seal()
    this.#spread()
    this.#outbox.wish(...mendsOf(this.#following, this.#acquaintance))
    if (this.#following.every(({ isSender }) => isSender))
      return this.#end({ code: 'ERR_FR_ORIGIN_LOST', text: 'nobody follows who took over' })
    // Who has not answered yet may lack something, and those that are complete have it.
    const isWaiting = [...this.#survivors.values()].some(isOpen)
    if (!isWaiting && this.#following.every(({ state }) => state === 'complete'))
      return this.#finish()
    if (nowMs >= this.#movedMs + limits.askMs) this.#stuck(nowMs)
  }

  /** The last coordinator is there for somebody. */
  #giveWay({ number: member }: Survivor, { code, text }: Failure): void {
    this.#note('info', 'gave-way', { member, text })
    this.#end({ code, text })
  }

  /** The others have answered, or had their time; then the own node has. */
  #mayBegin(nowMs: number): boolean {
    const { member } = this.#config.term
    const own = this.#of(member)
    const others = [...this.#survivors.values()].filter((one) => one !== own)
    if (others.some(isOpen) && nowMs < this.#startMs + limits.readyMs) return false
    if (!this.#isOwnAsked) this.#outbox.wish({ type: 'connect', member })
    this.#isOwnAsked = true
    return !isOpen(own)
  }

  #begin(): void {
    if (this.#hasBegun) return
    this.#hasBegun = true
    const { counter: term } = this.#config.term
    this.#note('info', 'took-over', { term, members: this.#following.length })
  }

  /** Who is left is told whom it meets, those that have not answered yet as well. */
  #plan(): void {
    const following = this.#following
    const standbys = following
      .filter(({ number, isSender }) => number !== this.#config.term.member && !isSender)
      .slice(0, limits.standbys)
    const areSame = standbys.every((standby, at) => standby === this.#standbys[at])
    const isAll = !areSame || standbys.length !== this.#standbys.length
    this.#standbys = standbys
    for (const survivor of following)
      if (isAll || this.#unplanned.has(survivor)) this.#planFor(survivor)
    this.#unplanned.clear()
    const entries = this.#config.roster.map((entry): RosterEntry => {
      const survivor = this.#survivors.get(entry.number)
      if (!survivor?.follows) return { ...entry, state: 'out' }
      if (survivor.isSender) return entry
      return { ...entry, state: survivor.state === 'complete' ? 'complete' : 'running' }
    })
    for (const standby of standbys)
      for (const frame of this.#rosterFrames(entries)) this.#say(standby, frame)
  }

  #planFor(survivor: Survivor): void {
    const { term, edgeOf, strategy, shape } = this.#config
    const standbys = this.#standbys
    const own = [this.#of(term.member), survivor, ...standbys]
    // Who is left out of a plan is gone for good, so whom one meets never changes.
    const met = this.#acquaintance.of(survivor).filter(({ state }) => state !== 'out')
    const named = new Map([...own, ...met].map((one) => [one.number, memberOf(one, survivor)]))
    const numbers = met.map(({ number }) => number)
    const strange = numbers.filter((number) => !survivor.introduced.has(number))
    for (const other of strange) survivor.introduced.add(other)
    this.#say(survivor, {
      ...{ type: 'plan', term, epoch: ++this.#epoch, you: survivor.number, phase: 'running' },
      ...{ strategy, shape, parents: [], routes: [], siteShares: [], coordinator: term.member },
      members: [...named.values()].sort((a, b) => a.number - b.number),
      avoid: [],
      standbys: standbys.map(({ number }) => number),
      reportTo: term.member,
      edges: strange.map((member) => {
        const isSealed = [survivor, this.#of(member)].some(({ entry }) => entry.sealed)
        const edge = edgeOf(survivor.number, member)
        return { member, ...edge, ...(isSealed && { sealed: true as const }) }
      }),
      progressMs: limits.progressMs,
      reportMs: 0,
    })
  }

  #rosterFrames(entries: readonly RosterEntry[]): RosterFrame[] {
    const frames: RosterFrame[] = []
    const { term } = this.#config
    for (let at = 0; at < entries.length; at += limits.rosterEntries) {
      const page = entries.slice(at, at + limits.rosterEntries)
      frames.push({ type: 'roster', term, epoch: ++this.#epoch, entries: page })
    }
    return frames
  }

  /** Who has not heard the seal hears it, or that nobody has. */
  #seal(): void {
    const known = this.#following.find(({ seal }) => seal !== null)?.seal ?? null
    for (const survivor of this.#following) {
      if (survivor.isSealed) continue
      survivor.isSealed = true
      if (survivor.seal === null)
        this.#say(survivor, { type: 'seal', stream: 0, fileDigest: known })
    }
  }

  /** Who lacks what another holds asks for it. */
  #spread(): void {
    const holders = new Set(this.#unspread)
    this.#unspread.clear()
    const lacking = new Set([...holders].flatMap((holder) => this.#acquaintance.of(holder)))
    for (const survivor of this.#following) {
      if (survivor.state === 'complete' || !lacking.has(survivor)) continue
      for (const other of this.#acquaintance.of(survivor)) {
        if (!holders.has(other) || !other.follows) continue
        const ranges = RangeSet.of(other.have)
        ranges.subtract(survivor.have)
        ranges.subtract(survivor.told)
        for (const range of ranges) survivor.told.add(...range)
        this.#tell(survivor, other, ranges.toArray())
      }
    }
  }

  #tell(survivor: Survivor, { number: member }: Survivor, all: readonly RangePair[]): void {
    for (const ranges of slicesOf(all, limits.needRanges))
      this.#say(survivor, { type: 'detour', member, why: 'held', ranges, route: 0 })
  }

  /** Nothing moves. What somebody holds is named again, a bounded number of times. */
  #stuck(nowMs: number): void {
    const { bytes } = this.#config
    this.#movedMs = nowMs
    const lacking = this.#following.filter(({ have }) => have.bytes < bytes)
    // Who is there and has not said yet what it holds may hold what others lack.
    const isAsked = [...this.#survivors.values()].some(({ state }) => state === 'asked')
    if (lacking.length === 0 || isAsked) return
    const held = heldBySome(this.#following)
    const behind = lacking.filter(({ have }) => have.bytes < held.bytes)
    if (behind.length > 0 && this.#rounds < limits.repairTries) {
      this.#rounds++
      for (const { told } of behind) told.clear()
      return this.#spreadAgain()
    }
    const missing = RangeSet.of([[0, bytes]])
    missing.subtract(held)
    const gone = missing.isEmpty ? 'some could not be brought to those who lack them' : null
    const text = `the origin is gone: ${gone ?? missingText(missing)}`
    this.#note('warn', 'incomplete', { missingBytes: missing.bytes, text })
    this.#close('ERR_FR_ORIGIN_LOST', text)
    this.#end({ code: 'ERR_FR_ORIGIN_LOST', text })
  }

  #finish(): void {
    for (const survivor of this.#following) this.#say(survivor, { type: 'finish' })
    this.#note('info', 'finished', { members: this.#following.length })
    this.#end(null)
  }

  /** Those that hold all need nothing more; the others keep what they have. */
  #close(code: FrErrorCode, text: string): void {
    for (const survivor of this.#following)
      if (survivor.state === 'complete') this.#say(survivor, { type: 'finish' })
      else this.#say(survivor, { type: 'abort', code, text })
  }

  #out(survivor: Survivor, { code, text }: Failure, nowMs: number): void {
    if (survivor.state === 'out') return
    survivor.state = 'out'
    survivor.have.clear()
    this.#movedMs = nowMs
    const met = this.#acquaintance.of(survivor)
    for (const other of met) this.#unplanned.add(other)
    this.#note('info', 'left', { member: survivor.number, code, text })
    this.#outbox.wish({ type: 'hangUp', member: survivor.number })
    // Its own node follows somebody else, or is over.
    if (survivor.number === this.#config.term.member) this.#end({ code, text })
    // What was asked of it others may hold, too.
    for (const other of met) other.told.clear()
    this.#spreadAgain()
  }

  #spreadAgain(): void {
    for (const survivor of this.#following) this.#unspread.add(survivor)
    if (this.#hasBegun) this.#spread()
  }

  #end(failure: Failure | null): void {
    if (this.#isEnded) return
    this.#isEnded = true
    for (const { number: member, state } of this.#survivors.values())
      if (state !== 'out') this.#outbox.wish({ type: 'hangUp', member })
    this.#outbox.wish({ type: 'end', failure })
  }

  get #following(): Survivor[] {
    return [...this.#survivors.values()].filter(({ follows }) => follows)
  }

  #say({ number: member }: Survivor, frame: Frame): void {
    this.#outbox.wish({ type: 'say', member, frame })
  }

  #note(
    level: 'info' | 'warn',
    event: string,
    fields: Readonly<Record<string, string | number>>,
  ): void {
    this.#outbox.wish({ type: 'note', level, event, fields })
  }

  #of(member: number): Survivor {
    return this.#survivors.get(member) as Survivor
  }
}
