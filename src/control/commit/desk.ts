/**
 * All decisions that one node takes part in: which are open, which of them hold a name, and what is
 * answered to questions about others.
 *
 * The idea: of a name at most one version is prepared at a time, and none while another is in
 * doubt. So who prepares knows the order of what was committed before, two versions that both had
 * enough nodes had one in common, and their orders differ; of two the higher stays.
 *
 * A member may be gone for good. So whoever is away is told of the newest version of a name alone,
 * and of a bounded number of decisions; of the others only the verdict is kept, for those that ask.
 * In one that may be older than all of which it knows that, a node has no vote.
 */
import { utf8 } from '../../base/bytes.js'
import { limits } from '../../base/limits.js'
import type {
  CommitFact,
  CommitFrame,
  CommitRecord,
  CommitWish,
  Decree,
  Verdict,
} from '../messages/commit.js'
import type { NameText } from '../messages/copying.js'
import { blankRecord } from './decree.js'
import { CommitMachine } from './member.js'

/** What is durable. */
export interface DeskState {
  readonly records: readonly CommitRecord[]
  /** Of each name (by `keyOfName`) the order of the version that is in its place. */
  readonly orders: ReadonlyMap<string, number>
  /** The same: the content that a decision has put there last. */
  readonly placed: ReadonlyMap<string, string>
  /** Verdicts with which nothing more is to be done here, by id, the oldest first. */
  readonly over: ReadonlyMap<string, Verdict>
  /** The highest id of those that nothing is known of any more; empty: there are none. */
  readonly forgotten: string
}

export type DeskWish = { readonly id: string } & CommitWish

export function keyOfName({ name, nameIsBase64 }: NameText): string {
  return `${nameIsBase64 ? 'base64' : 'text'} ${name}`
}

export function nothingSettled(): DeskState {
  return { records: [], orders: new Map(), placed: new Map(), over: new Map(), forgotten: '' }
}

export class CommitDesk {
  readonly #nodeId: string
  readonly #machines = new Map<string, CommitMachine>()
  readonly #orders = new Map<string, number>()
  /** Of the names of these, as JSON has them. */
  #orderBytes = 0
  readonly #placed: Map<string, string>
  /** Decisions of which the content is not put in its place. */
  readonly #left = new Set<string>()
  readonly #over: Map<string, Verdict>
  #forgotten: string

  constructor(nodeId: string, state: DeskState, nowMs: number) {
    const { records, orders, placed, over, forgotten } = state
    this.#nodeId = nodeId
    for (const [key, order] of orders) this.#setOrder(key, order)
    this.#placed = new Map(placed)
    this.#over = new Map(over)
    this.#forgotten = forgotten
    for (const record of records)
      this.#machines.set(record.decree.id, new CommitMachine(record, false, nowMs))
  }

  /**
   * Goes on where this is durable: with what is known here, and what is new in it. The first wishes
   * of that are returned.
   */
  moved({ records, orders, placed, over, forgotten }: DeskState, nowMs: number): DeskWish[] {
    // Of what has the names there.
    this.#orders.clear()
    this.#placed.clear()
    this.#orderBytes = 0
    for (const [key, order] of orders) this.#setOrder(key, order)
    for (const [key, digest] of placed) this.#placed.set(key, digest)
    for (const [id, verdict] of over) this.#isOver(id, verdict)
    this.#forgotten = laterOf(this.#forgotten, forgotten)
    return records.flatMap((record) => {
      const { decree, you } = record
      const isOurs = ['', this.#nodeId].includes(decree.members[you]?.nodeId ?? '?')
      if (!isOurs || this.#machines.has(decree.id) || this.#over.has(decree.id)) return []
      const machine = new CommitMachine(record, false, nowMs)
      this.#machines.set(decree.id, machine)
      return this.#wished(decree.id, machine.begin())
    })
  }

  /** First wishes after a restart. */
  begin(): DeskWish[] {
    return [...this.#machines].flatMap(([id, machine]) => this.#wished(id, machine.begin()))
  }

  get size(): number {
    return this.#machines.size
  }

  deadlineMs(): number | null {
    const due = [...this.#machines.values()].map((machine) => machine.deadlineMs() ?? never)
    const least = Math.min(never, ...due)
    return least === never ? null : least
  }

  /** The decision that keeps others from this name; undefined: it is free. */
  holderOf(name: NameText): Decree | undefined {
    const key = keyOfName(name)
    for (const { record } of this.#machines.values()) {
      const { decree, prepared, isApplied } = record
      if (prepared !== null && !isApplied && keyOfName(decree) === key) return decree
    }
    return undefined
  }

  orderOf(name: NameText): number {
    return this.#orders.get(keyOfName(name)) ?? 0
  }

  /** What is to be durable before a decision is carried out, or forgotten. */
  get settled(): Omit<DeskState, 'records'> {
    const [orders, placed, over] = [this.#orders, this.#placed, this.#over]
    return { orders, placed, over, forgotten: this.#forgotten }
  }

  /** All that are open. */
  get records(): readonly CommitRecord[] {
    return [...this.#machines.values()].map(({ record }) => record)
  }

  recordOf(id: string): CommitRecord | undefined {
    return this.#machines.get(id)?.record
  }

  /**
   * Whether carrying out its commit changes what the name holds. Not where a later version has it:
   * then only the content that was prepared goes. A node asks again whenever it tries again.
   */
  isNews(id: string): boolean {
    const record = this.recordOf(id)
    if (record?.verdict?.type !== 'commit') return false
    return record.verdict.order > this.orderOf(record.decree)
  }

  /** What the last decision about the name has put there; undefined: none has. */
  placedAt(name: NameText): string | undefined {
    return this.#placed.get(keyOfName(name))
  }

  /** A newer content, of no decision, has the name and keeps it. */
  leave(id: string): void {
    this.#left.add(id)
  }

  /** An author offers it on its link. False: this node is no member, or has too many. */
  join(decree: Decree, nowMs: number): boolean {
    if (this.#machines.has(decree.id)) return true
    return this.#open(decree, true, nowMs)
  }

  /**
   * The content is verified and durable beside the present version. False: another decision holds
   * the name, so this node does not prepare.
   */
  prepared(id: string, nowMs: number): { readonly isTaken: boolean; readonly wishes: DeskWish[] } {
    const machine = this.#machines.get(id)
    if (machine === undefined) return { isTaken: false, wishes: [] }
    const { decree } = machine.record
    const holder = this.holderOf(decree)
    if (holder !== undefined && holder.id !== id) return { isTaken: false, wishes: [] }
    const fact = { type: 'prepared', order: this.orderOf(decree) } as const
    return { isTaken: true, wishes: this.handle(id, fact, nowMs) }
  }

  /** Of a decision that is open here; of another one nothing. */
  handle(id: string, fact: CommitFact, nowMs: number): DeskWish[] {
    const machine = this.#machines.get(id)
    if (machine === undefined) return []
    const { decree, verdict } = machine.record
    if (fact.type !== 'applied') return this.#wished(id, machine.handle(fact, nowMs))
    if (verdict?.type === 'commit' && verdict.order > this.orderOf(decree)) {
      const key = keyOfName(decree)
      this.#setOrder(key, verdict.order)
      if (!this.#left.delete(id)) this.#placed.set(key, decree.fileDigest)
    }
    const wishes = this.#wished(id, machine.handle(fact, nowMs))
    return [...wishes, ...this.#outlived().flatMap((old) => this.#wished(old, [forget]))]
  }

  /** Decisions that are carried out here, of which members that are away need not be told. */
  #outlived(): string[] {
    const done = this.records.filter(({ isApplied }) => isApplied)
    return done
      .filter(({ decree, verdict }, at) => {
        const isLate = verdict?.type === 'commit' && verdict.order < this.orderOf(decree)
        return isLate || done.length - at > limits.commitsUntold
      })
      .map(({ decree }) => decree.id)
  }

  /** All whose time has come. */
  due(nowMs: number): DeskWish[] {
    return [...this.#machines].flatMap(([id, machine]) => {
      const isDue = (machine.deadlineMs() ?? never) <= nowMs
      return isDue ? this.handle(id, { type: 'due' }, nowMs) : []
    })
  }

  /** `to`: the number that this node has for whoever says it. */
  said(member: number, frame: CommitFrame, nowMs: number, to?: number): DeskWish[] {
    const id = 'decree' in frame ? frame.decree.id : frame.id
    if ('decree' in frame && !this.#machines.has(id)) {
      const answer = this.#answer(frame)
      if (answer !== null) return answer.map((own) => ({ type: 'say', id, member, frame: own }))
      // An author knows whom it has offered it to: who has no record has forgotten it.
      if (frame.type !== 'decided' && frame.ballot.round === 0) return []
      // It may have voted otherwise.
      if (frame.type !== 'decided' && id <= this.#forgotten) return []
      // Whoever nobody has met had no vote: it is only told what came of it.
      const isMet = frame.decree.members[to ?? -1]?.nodeId !== ''
      if (!isMet && frame.type !== 'decided') return []
      this.#open(frame.decree, false, nowMs, isMet ? undefined : to)
    }
    return this.handle(id, { type: 'said', member, frame }, nowMs)
  }

  /** About what is over here; null: it is not. */
  #answer(frame: CommitFrame & { readonly decree: Decree }): CommitFrame[] | null {
    const { decree } = frame
    const verdict = this.#over.get(decree.id)
    const all = [...decree.members.keys()]
    if (frame.type !== 'decided')
      return verdict === undefined ? null : [{ type: 'decided', decree, verdict, applied: all }]
    if (frame.applied.length === all.length) return []
    return verdict === undefined ? null : [{ type: 'applied', id: decree.id, members: all }]
  }

  #open(decree: Decree, isAuthorThere: boolean, nowMs: number, as?: number): boolean {
    const you = as ?? decree.members.findIndex(({ nodeId }) => nodeId === this.#nodeId)
    if (you < 0 || this.#machines.size >= limits.commitsOpen) return false
    if (!this.#hasRoomFor(decree)) return false
    const record = blankRecord(decree, you)
    this.#machines.set(decree.id, new CommitMachine(record, isAuthorThere, nowMs))
    return true
  }

  /** A node keeps the order of each name for good. */
  #hasRoomFor(name: NameText): boolean {
    const key = keyOfName(name)
    if (this.#orders.has(key)) return true
    const names = new Set([key])
    for (const { record } of this.#machines.values()) names.add(keyOfName(record.decree))
    for (const open of names) if (this.#orders.has(open)) names.delete(open)
    const bytes = [...names].reduce((sum, open) => sum + bytesOfKey(open), this.#orderBytes)
    const count = this.#orders.size + names.size
    return count <= limits.commitNames && bytes <= limits.commitNamesBytes
  }

  #setOrder(key: string, order: number): void {
    if (!this.#orders.has(key)) this.#orderBytes += bytesOfKey(key)
    this.#orders.set(key, order)
  }

  #wished(id: string, wishes: readonly CommitWish[]): DeskWish[] {
    if (wishes.some(({ type }) => type === 'forget')) this.#forget(id)
    return wishes.map((wish) => ({ id, ...wish }))
  }

  #forget(id: string): void {
    const verdict = this.#machines.get(id)?.record.verdict
    this.#machines.delete(id)
    if (verdict) this.#isOver(id, verdict)
  }

  #isOver(id: string, verdict: Verdict): void {
    this.#over.set(id, verdict)
    if (this.#over.size <= limits.commitsKept) return
    const [oldest] = this.#over.keys() as Iterable<string>
    this.#over.delete(oldest as string)
    this.#forgotten = laterOf(this.#forgotten, oldest as string)
  }
}

/** As JSON has it. */
function bytesOfKey(key: string): number {
  return utf8(JSON.stringify(key)).length
}

/** Ids begin with the time of their author. */
function laterOf(id: string, other: string): string {
  return id > other ? id : other
}

const forget = { type: 'forget' } as const
const never = Number.POSITIVE_INFINITY
