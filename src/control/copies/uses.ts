/**
 * What copies have carried over each resource, and what it cost.
 *
 * A copy counts while it runs, by what its target says that came from its source: what was there
 * before, or came another way, has crossed nothing. The rate is that of the last minute, in parts
 * of ten seconds.
 */
import type { Carried, CopyOrder } from '../messages/mastering.js'
import { copyUnitOf } from './copy-unit.js'
import type { NodeId } from './network.js'
import type { ResourceId, Resources } from './resources.js'

interface UnderWay {
  readonly target: NodeId
  readonly route: readonly ResourceId[]
  readonly length: number
}

/** What a node has said. */
export interface CarriedTo {
  readonly carried?: readonly Carried[]
  readonly running?: readonly CopyOrder[]
}

const partMs = 10_000
const parts = 6
/** Copies that are over and are still known, beside as many as run. */
const saidOver = 1_000

interface Use {
  bytes: number
  cost: number
  /** Of the last parts, each at its number modulo their count; `last` is the newest. */
  readonly recent: Float64Array
  last: number
}

export class ResourceUses {
  readonly #uses = new Map<ResourceId, Use>()
  readonly #resources: Resources
  /** Of copies that are under way, as their targets said last. */
  readonly #said = new Map<number, number>()

  constructor(resources: Resources) {
    this.#resources = resources
  }

  /**
   * The totals of copies to a node. Of those that it makes by the word of an earlier master, what
   * has come so far was counted there.
   */
  said(
    { carried = [], running = [] }: CarriedTo,
    node: NodeId,
    copies: ReadonlyMap<number, UnderWay>,
    nowMs: number,
  ): void {
    const found = new Set(running.map(({ copy }) => copy))
    for (const { copy, bytes } of carried) {
      const known = copies.get(copy)
      const before = this.#said.get(copy) ?? 0
      if (known === undefined ? !found.has(copy) : known.target !== node) continue
      // Blocks come as a whole, and again where they came wrong.
      const most = known === undefined ? bytes : 2 * (known.length + copyUnitOf(known.length))
      const now = Math.max(before, Math.min(bytes, most))
      this.#said.set(copy, now)
      if (known !== undefined) this.#carry(known.route, now - before, nowMs)
    }
    // Of copies that are over nothing more is said.
    if (this.#said.size > 2 * copies.size + saidOver)
      for (const copy of this.#said.keys()) if (!copies.has(copy)) this.#said.delete(copy)
  }

  #carry(route: readonly ResourceId[], bytes: number, nowMs: number): void {
    if (bytes <= 0) return
    for (const id of route) {
      const use = this.#of(id, nowMs)
      use.bytes += bytes
      use.cost += (bytes / 1e9) * (this.#resources.spec(id).costPerGb ?? 0)
      use.recent[use.last % parts] = (use.recent[use.last % parts] as number) + bytes
    }
  }

  bytes(id: ResourceId): number {
    return this.#uses.get(id)?.bytes ?? 0
  }

  cost(id: ResourceId): number {
    return this.#uses.get(id)?.cost ?? 0
  }

  rate(id: ResourceId, nowMs: number): number {
    if (!this.#uses.has(id)) return 0
    const { recent } = this.#of(id, nowMs)
    return recent.reduce((sum, bytes) => sum + bytes, 0) / ((partMs * parts) / 1_000)
  }

  #of(id: ResourceId, nowMs: number): Use {
    const part = Math.floor(nowMs / partMs)
    const known = this.#uses.get(id)
    if (known === undefined) {
      const use = { bytes: 0, cost: 0, recent: new Float64Array(parts), last: part }
      this.#uses.set(id, use)
      return use
    }
    for (let at = Math.max(known.last + 1, part - parts + 1); at <= part; at++)
      known.recent[at % parts] = 0
    known.last = Math.max(known.last, part)
    return known
  }
}
