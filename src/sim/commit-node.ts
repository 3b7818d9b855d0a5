/** A simulated node that takes part in decisions: its process may die, its disk does not. */
import { CommitDesk, type DeskWish, keyOfName } from '../control/commit/desk.js'
import type {
  CommitFact,
  CommitFrame,
  CommitRecord,
  Decree,
  Verdict,
} from '../control/messages/commit.js'
import type { NameText } from '../control/messages/copying.js'
import type { Random } from './random.js'
import type { Timeline } from './timeline.js'

export interface CommitNodeHooks {
  readonly say: (node: number, member: number, id: string, frame: CommitFrame) => void
  /** Whether the content is to be had somewhere that this node reaches. */
  readonly isThere: (node: number, id: string) => boolean
  /** A record is durable. */
  readonly wrote: (node: number, record: CommitRecord) => void
  /** So many writes have begun since the first start. */
  readonly writes: (node: number, count: number) => void
}

const applyMs = 20
const retryMs = 500

export class CommitNode {
  readonly #node: number
  readonly #timeline: Timeline
  readonly #random: Random
  readonly #writeMs: number
  readonly #hooks: CommitNodeHooks
  // --- the disk ---
  readonly #records = new Map<string, CommitRecord>()
  readonly #over = new Map<string, Verdict>()
  /** Prepared or published, by the id of the decision. */
  readonly #contents = new Set<string>()
  #present: { readonly id: string; readonly order: number } = { id: 'old', order: 0 }
  // --- the process ---
  #desk: CommitDesk | undefined
  #process = 0
  #pending: (() => void)[] = []
  #writes = 0
  #clockMs = 0
  #dueMs = Number.POSITIVE_INFINITY

  constructor(
    node: number,
    timeline: Timeline,
    random: Random,
    writeMs: number,
    hooks: CommitNodeHooks,
  ) {
    this.#node = node
    this.#timeline = timeline
    this.#random = random
    this.#writeMs = writeMs
    this.#hooks = hooks
    this.start()
  }

  get isUp(): boolean {
    return this.#desk !== undefined
  }

  /** What the name holds: the id of the decision that put it there. */
  get present(): string {
    return this.#present.id
  }

  get openRecords(): number {
    return this.#records.size + (this.#desk?.size ?? 0)
  }

  has(id: string): boolean {
    return this.#contents.has(id)
  }

  start(): void {
    if (this.isUp) return
    this.#process++
    this.#clockMs = this.#random.between(0, 1e9)
    const orders = new Map([[keyOfName(nameOfAll), this.#present.order]])
    const nothing = { placed: new Map(), forgotten: '' }
    const state = { records: [...this.#records.values()], orders, over: this.#over, ...nothing }
    this.#desk = new CommitDesk(nodeIdOf(this.#node), state, this.#nowMs)
    this.#execute(this.#desk.begin())
  }

  /** Some of the writes under way were done. */
  kill(): void {
    if (!this.isUp) return
    this.#desk = undefined
    this.#process++
    this.#dueMs = Number.POSITIVE_INFINITY
    const done = this.#random.integer(0, this.#pending.length)
    for (const write of this.#pending.splice(0).slice(0, done)) write()
  }

  jump(byMs: number): void {
    this.#clockMs += byMs
    this.#arm()
  }

  join(decree: Decree): void {
    this.#desk?.join(decree, this.#nowMs)
    this.#arm()
  }

  /** False: it cannot. */
  prepare(decree: Decree): boolean {
    const desk = this.#desk
    if (desk?.recordOf(decree.id) === undefined) return true
    const holder = desk.holderOf(decree)
    if (holder !== undefined && holder.id !== decree.id) return false
    this.#contents.add(decree.id)
    const { isTaken, wishes } = desk.prepared(decree.id, this.#nowMs)
    this.#execute(wishes)
    return isTaken
  }

  fact(id: string, fact: CommitFact): void {
    this.#execute(this.#desk?.handle(id, fact, this.#nowMs) ?? [])
  }

  said(member: number, frame: CommitFrame): void {
    this.#execute(this.#desk?.said(member, frame, this.#nowMs) ?? [])
  }

  get #nowMs(): number {
    return this.#clockMs + this.#timeline.nowMs
  }

  #execute(wishes: readonly DeskWish[]): void {
    const own = this.#process
    // A write may be the last thing that a process does.
    for (const wish of wishes) if (own === this.#process) this.#carryOut(wish)
    this.#arm()
  }

  #carryOut(wish: DeskWish): void {
    const { id } = wish
    switch (wish.type) {
      case 'say':
        return this.#hooks.say(this.#node, wish.member, id, wish.frame)
      case 'store':
        return this.#store(id, wish.record, wish.write)
      case 'apply':
        return this.#later(applyMs, () => this.#apply(id))
      case 'forget':
        return this.#write(() => this.#forget(id))
      default:
        wish satisfies never
    }
  }

  #forget(id: string): void {
    const verdict = this.#records.get(id)?.verdict
    if (verdict) this.#over.set(id, verdict)
    this.#records.delete(id)
  }

  #store(id: string, record: CommitRecord, write: number): void {
    const stored = (): void => this.fact(id, { type: 'stored', write })
    this.#write(() => {
      this.#records.set(id, record)
      this.#hooks.wrote(this.#node, record)
    }, stored)
    this.#hooks.writes(this.#node, ++this.#writes)
  }

  /** Writes are done in their order. */
  #write(write: () => void, done?: () => void): void {
    if (!this.isUp) return
    this.#pending.push(write)
    const own = this.#process
    const takesMs = this.#random.between(0, 2 * this.#writeMs)
    this.#timeline.travel(`disk ${this.#node} ${own}`, takesMs, () => {
      if (own !== this.#process) return
      this.#pending.shift()?.()
      done?.()
    })
  }

  #apply(id: string): void {
    const verdict = this.#desk?.recordOf(id)?.verdict
    if (verdict == null) return
    if (verdict.type === 'abort') this.#contents.delete(id)
    else if (this.#desk?.isNews(id)) {
      if (!this.has(id) && !this.#hooks.isThere(this.#node, id))
        return this.#later(retryMs, () => this.#apply(id))
      this.#contents.add(id)
      this.#present = { id, order: verdict.order }
    }
    this.fact(id, { type: 'applied' })
  }

  /** Unless the process dies. */
  #later(takesMs: number, run: () => void): void {
    const own = this.#process
    this.#timeline.after(takesMs, () => {
      if (own === this.#process) run()
    })
  }

  #arm(): void {
    const dueMs = (this.#desk?.deadlineMs() ?? Number.POSITIVE_INFINITY) - this.#clockMs
    if (dueMs === this.#dueMs || !Number.isFinite(dueMs)) {
      this.#dueMs = dueMs
      return
    }
    this.#dueMs = dueMs
    const own = this.#process
    this.#timeline.at(dueMs, () => {
      if (own !== this.#process || dueMs !== this.#dueMs) return
      this.#dueMs = Number.POSITIVE_INFINITY
      this.#execute(this.#desk?.due(this.#nowMs) ?? [])
    })
  }
}

export const nameOfAll: NameText = { name: 'model', nameIsBase64: false }

export function nodeIdOf(node: number): string {
  return `${node}`.padStart(32, '0')
}
