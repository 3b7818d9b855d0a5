/**
 * All decisions that one node takes part in: which are open, which of them hold a name, and what is
 * answered to questions about others.
 *
 * The idea: of a name at most one version is prepared at a time, and none while another is in
 * doubt. So who prepares knows the order of what was committed before, two versions that both had
 * enough nodes had one in common, and their orders differ; of two the higher stays.
 */
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
  /** Verdicts that all members have carried out, by id, the oldest first. */
  readonly over: ReadonlyMap<string, Verdict>
}

export type DeskWish = { readonly id: string } & CommitWish

export function keyOfName({ name, nameIsBase64 }: NameText): string {
  return `${nameIsBase64 ? 'base64' : 'text'} ${name}`
}

export class CommitDesk {
  readonly #nodeId: string
  readonly #machines = new Map<string, CommitMachine>()
  readonly #orders: Map<string, number>
  /** Decisions that all have carried out, the oldest first. */
  readonly #over: Map<string, Verdict>

  constructor(nodeId: string, { records, orders, over }: DeskState, nowMs: number) {
    this.#nodeId = nodeId
    this.#orders = new Map(orders)
    this.#over = new Map(over)
    for (const record of records)
      this.#machines.set(record.decree.id, new CommitMachine(record, false, nowMs))
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
    if (fact.type === 'applied' && verdict?.type === 'commit')
      this.#orders.set(keyOfName(decree), Math.max(this.orderOf(decree), verdict.order))
    return this.#wished(id, machine.handle(fact, nowMs))
  }

  /** All whose time has come. */
  due(nowMs: number): DeskWish[] {
    return [...this.#machines].flatMap(([id, machine]) => {
      const isDue = (machine.deadlineMs() ?? never) <= nowMs
      return isDue ? this.handle(id, { type: 'due' }, nowMs) : []
    })
  }

  said(member: number, frame: CommitFrame, nowMs: number): DeskWish[] {
    const id = 'decree' in frame ? frame.decree.id : frame.id
    if ('decree' in frame && !this.#machines.has(id)) {
      const answer = this.#answer(frame)
      if (answer !== null) return answer.map((own) => ({ type: 'say', id, member, frame: own }))
      // An author knows whom it has offered it to: who has no record has forgotten it.
      if (frame.type !== 'decided' && frame.ballot.round === 0) return []
      this.#open(frame.decree, false, nowMs)
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

  #open(decree: Decree, isAuthorThere: boolean, nowMs: number): boolean {
    const you = decree.members.findIndex(({ nodeId }) => nodeId === this.#nodeId)
    if (you < 0 || this.#machines.size >= limits.commitsOpen) return false
    const record = blankRecord(decree, you)
    this.#machines.set(decree.id, new CommitMachine(record, isAuthorThere, nowMs))
    return true
  }

  #wished(id: string, wishes: readonly CommitWish[]): DeskWish[] {
    if (wishes.some(({ type }) => type === 'forget')) this.#forget(id)
    return wishes.map((wish) => ({ id, ...wish }))
  }

  #forget(id: string): void {
    const verdict = this.#machines.get(id)?.record.verdict
    this.#machines.delete(id)
    if (verdict) this.#over.set(id, verdict)
    const [oldest] = this.#over.keys()
    if (this.#over.size > limits.commitsKept) this.#over.delete(oldest as string)
  }
}

const never = Number.POSITIVE_INFINITY
