/**
 * What copies have carried over each resource, and what it cost.
 *
 * A copy counts when it has ended, by what came of it. The rate is that of the last minute, in
 * parts of ten seconds.
 */
import type { ResourceId, Resources } from './resources.js'

const partMs = 10_000
const parts = 6

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

  constructor(resources: Resources) {
    this.#resources = resources
  }

  carried(route: readonly ResourceId[], bytes: number, nowMs: number): void {
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
