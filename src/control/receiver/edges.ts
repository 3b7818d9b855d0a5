/**
 * The data connections of a node that broke: those to mates it opens again, those from mates and
 * from the origin it waits for. Whoever opens one again hears what is lacking and sends that, so
 * nobody else has to bring anything. Where it takes too long, or one from a mate breaks again and
 * again while those from others do not, the origin is told (`edgeLost`), so that others bring it.
 * One that takes too long is opened again all the same, and then the origin is told that, too.
 *
 * It must never wait for a connection that cannot come back: one that was refused or never was, one
 * of a gateway, which keeps nothing that it could send again, and one of a member that is gone.
 */
import { errorTable, type Failure, type FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { refusedFeed } from '../members/causes.js'
import { FaultAccounts, type FaultRecord } from '../members/faults.js'
import { isBreak, Reopening } from '../members/reopening.js'
import type { MemberFact } from '../messages/facts.js'
import type { PlanFrame } from '../messages/types.js'
import type { NodeConfig } from './events.js'
import type { Neighbourhood } from './neighbourhood.js'
import type { NodeOutbox } from './outbox.js'

/** A connection that is opened again costs little: the fourth break within a few seconds counts. */
const breakWeight = 0.7
const never = Number.POSITIVE_INFINITY

interface Awaited {
  readonly member: number
  readonly incoming: boolean
  readonly code: FrErrorCode
  /** When the origin is told; Infinity: it was. */
  untilMs: number
}

/** The data connection from the origin, if there is one. */
export type ParentFeed = 'none' | 'open' | 'broken'

type Unfed = MemberFact & { readonly type: 'unfed' }

export class NodeEdges {
  readonly #config: NodeConfig
  readonly #neighbours: Neighbourhood
  readonly #outbox: NodeOutbox
  readonly #reopening: Reopening
  readonly #awaited = new Map<string, Awaited>()
  /** What is held against mates whose connections to this node break. */
  readonly #faults = new FaultAccounts<number>()
  readonly #fedBy = new Set<number>()
  /** Mates from whom nothing is taken any more, because they broke the protocol. */
  readonly #refused = new Set<number>()
  /** By member, how often its connection ended because bytes on it were changed. */
  readonly #spoilt = new Map<number, number>()
  /** The origin's feed broke: until when it may come back. */
  #parent: { readonly code: FrErrorCode; readonly untilMs: number } | undefined
  parentFeed: ParentFeed = 'none'

  constructor(config: NodeConfig, neighbours: Neighbourhood, outbox: NodeOutbox) {
    this.#config = config
    this.#neighbours = neighbours
    this.#outbox = outbox
    this.#reopening = new Reopening(config.seed ?? 0)
  }

  /** Why this node can take no part in a plan; null: it can. */
  faultOf(plan: PlanFrame): Failure | null {
    const open = plan.edges.find(({ sealed }) => sealed !== true)
    if (this.#config.mustSeal !== true || open === undefined) return null
    const text = `the connection to member ${open.member} is not to be sealed, as it must be here`
    return { code: 'ERR_FR_SEAL', text }
  }

  /** No data connection of this member is taken. */
  refuses(member: number): boolean {
    return this.#refused.has(member)
  }

  /** A data connection from the member is open. True: that of the origin is back. */
  fedIn(member: number): boolean {
    this.#isBack(member, true)
    this.#fedBy.add(member)
    if (!this.#neighbours.isParent(member)) return false
    this.parentFeed = 'open'
    const wasBroken = this.#parent !== undefined
    this.#parent = undefined
    return wasBroken
  }

  /** The data connection from the member has ended; null: its sender has finished it. */
  left(member: number, code: FrErrorCode | null): void {
    if (this.#neighbours.isParent(member)) this.parentFeed = code === null ? 'none' : 'broken'
  }

  fedOut(member: number, nowMs: number): void {
    this.#reopening.opened(member, nowMs)
    this.#isBack(member, false)
  }

  #isBack(member: number, incoming: boolean): void {
    const key = keyOf(member, incoming)
    const isSaid = this.#awaited.get(key)?.untilMs === never
    this.#awaited.delete(key)
    // For one that breaks too often it is too early.
    const isEarly = incoming && this.#faults.isFailed(member)
    if (isSaid && !isEarly) this.#outbox.say({ type: 'edgeBack', member, incoming })
  }

  /** A data connection broke, or could not be opened. Why the transfer has failed, or null. */
  unfed({ member, direction, code, text }: Unfed, isComplete: boolean, nowMs: number) {
    if (code === null) return null
    if (direction === 'in') return this.#unfedIn(member, code, text, nowMs)
    // Mates that finish first hang up; once this node is complete that is not logged.
    if (!isComplete && !this.#reopening.isBroken(member))
      this.#outbox.warn('relay-closed', { to: member, code, text: text ?? 'the feed broke' })
    this.#unfedOut(member, code, nowMs)
    return null
  }

  #unfedIn(member: number, code: FrErrorCode, text: string | null, nowMs: number): Failure | null {
    const mayComeBack = isBreak(code) || this.#bears(member, code)
    if (!this.#neighbours.isParent(member)) {
      if (!mayComeBack) this.#refused.add(member)
      const opensAgain = mayComeBack && this.#neighbours.mate(member) !== undefined
      const untilMs = opensAgain && !this.#isTooOften(member, nowMs) ? nowMs + limits.edgeMs : 0
      this.#waitFor({ member, incoming: true, code, untilMs })
      return null
    }
    // What this node found wrong itself it says at once.
    if (!mayComeBack) return { code, text: refusedFeed(text) }
    const untilMs = nowMs + this.#config.silenceMs + limits.originGraceMs
    this.#parent ??= { code, untilMs }
    return null
  }

  /** Bytes that were changed on the way end a connection; the next one is borne a few times. */
  #bears(member: number, code: FrErrorCode): boolean {
    if (code !== 'ERR_FR_SPOILT') return false
    const times = (this.#spoilt.get(member) ?? 0) + 1
    this.#spoilt.set(member, times)
    this.#outbox.warn('feed-spoilt', { from: member, times })
    return times <= limits.spoiltFeeds
  }

  #unfedOut(member: number, code: FrErrorCode, nowMs: number): void {
    const isAgain = this.#reopening.isBroken(member) && errorTable[code].retryable
    const isOurs = isBreak(code) || isAgain
    // One that was open when the coordinator left it out is no use before a plan has it again.
    const isWanted = this.#neighbours.isRouted(member) || this.#reopening.isUnsteady(member, nowMs)
    const isThere = isWanted && !this.#neighbours.isGone(member)
    const opensAgain = isOurs && !this.#config.isGateway && isThere
    if (!opensAgain) this.#reopening.forget(member)
    const sinceMs = opensAgain ? this.#reopening.broke(member, nowMs) : 0
    const untilMs = opensAgain ? sinceMs + limits.edgeMs : 0
    this.#waitFor({ member, incoming: false, code, untilMs })
  }

  /** It breaks, others do not. The coordinator says when it is tried again. */
  #isTooOften(member: number, nowMs: number): boolean {
    this.#faults.retried(nowMs)
    const others = [...this.#fedBy].filter((other) => this.#isFedBy(other) && other !== member)
    return this.#faults.charge(member, nowMs, { cause: 'broken', weight: breakWeight, others })
  }

  #isFedBy(member: number): boolean {
    return !this.#neighbours.isParent(member) && !this.#neighbours.isGone(member)
  }

  /** What is held against mates whose connections to this node break, by member. */
  faults(nowMs: number): [number, FaultRecord][] {
    return this.#faults.records(nowMs)
  }

  /** A plan has it again: where it cannot be opened the coordinator hears of it once more. */
  planned(member: number): void {
    this.#awaited.delete(keyOf(member, false))
  }

  /** The origin is gone, and its feed with it. */
  orphaned(): void {
    this.#parent = undefined
  }

  /** A mate that is gone takes its connections along. */
  gone(member: number): void {
    this.#reopening.forget(member)
    for (const incoming of [true, false]) this.#awaited.delete(keyOf(member, incoming))
  }

  /** Opens what is due, says what took too long. Why the transfer has failed, or null. */
  advance(hasAll: boolean, nowMs: number): Failure | null {
    for (const member of this.#reopening.due(nowMs)) this.#outbox.feed(member)
    for (const [key, awaited] of this.#awaited) {
      const { member, incoming, code, untilMs } = awaited
      if (nowMs < untilMs) continue
      awaited.untilMs = never
      // What comes in is missed no more.
      if (incoming && hasAll) this.#awaited.delete(key)
      else this.#outbox.say({ type: 'edgeLost', member, incoming, code })
    }
    if (hasAll) this.#parent = undefined
    if (this.#parent === undefined || nowMs < this.#parent.untilMs) return null
    return { code: this.#parent.code, text: 'the feed from the origin broke' }
  }

  /** The origin's feed is broken, and is waited for. */
  get isCutOff(): boolean {
    return this.#parent !== undefined
  }

  /** Members whose feed to this node is broken, and is waited for. */
  get broken(): number[] {
    return [...this.#awaited.values()].flatMap(({ member, incoming, untilMs }) => {
      return incoming && untilMs < never ? member : []
    })
  }

  /** When something is to be done; Infinity: never. */
  get dueMs(): number {
    let at = Math.min(this.#reopening.dueMs, this.#parent?.untilMs ?? never)
    for (const { untilMs } of this.#awaited.values()) at = Math.min(at, untilMs)
    return at
  }

  #waitFor(awaited: Awaited): void {
    const { member, incoming, untilMs } = awaited
    if (this.#neighbours.isGone(member)) return
    const key = keyOf(member, incoming)
    const before = this.#awaited.get(key)
    if (before?.untilMs === never) return
    // The first break counts, and what cannot come back is not waited for.
    if (before === undefined || untilMs < before.untilMs) this.#awaited.set(key, awaited)
  }
}

function keyOf(member: number, incoming: boolean): string {
  return `${member} ${incoming ? 'in' : 'out'}`
}
