/**
 * Copies that are given what others leave.
 *
 * The idea: a copy that begins on a full link gets the little that is left of it, and would keep
 * that rate after all others are over. So where something is left of a resource once everybody who
 * waits for it was looked at, the copies on it have it, the slowest first, unless it is too little
 * to tell anybody of.
 */
import { limits } from '../../base/limits.js'
import type { Copy } from './copy.js'
import type { ResourceId, Resources } from './resources.js'

export class RisingCopies {
  readonly #resources: Resources
  /** Copies by what they use. */
  readonly #on = new Map<ResourceId, Set<Copy>>()
  /** Of which something was left since copies were raised. */
  readonly #freed = new Set<ResourceId>()

  constructor(resources: Resources) {
    this.#resources = resources
  }

  get isDue(): boolean {
    return this.#freed.size > 0
  }

  begins(copy: Copy): void {
    if (copy.rate === Number.POSITIVE_INFINITY) return
    for (const id of copy.route) {
      const known = this.#on.get(id)
      if (known === undefined) this.#on.set(id, new Set([copy]))
      else known.add(copy)
    }
  }

  ends(copy: Copy): void {
    for (const id of copy.route) {
      const known = this.#on.get(id)
      if (known?.delete(copy) !== true) continue
      if (known.size === 0) this.#on.delete(id)
      this.freed(id)
    }
  }

  /** It may carry more than is allocated. */
  freed(id: ResourceId): void {
    if (this.#on.has(id)) this.#freed.add(id)
  }

  /**
   * Allocates what is left; returns the copies that have another rate by that. `isKept`: somebody
   * else has waited for the resource for too long.
   */
  raise(nowMs: number, isKept: (id: ResourceId, copy: Copy) => boolean): Copy[] {
    const raised = new Set<Copy>()
    for (const resource of this.#freed) {
      const some: Copy[] = []
      for (const copy of this.#on.get(resource) ?? []) {
        if (some.push(copy) === limits.copiesRaised) break
      }
      for (const copy of some.sort((a, b) => a.rate - b.rate)) {
        const most = Math.ceil(copy.length / limits.copySecondsMin)
        let more = most - copy.rate
        for (const id of copy.route)
          more = isKept(id, copy) ? 0 : Math.min(more, this.#resources.spare(id, nowMs))
        if (more < 1 || more < copy.rate * limits.raisedShare) continue
        if (!this.#resources.take(copy.route, more, nowMs)) continue
        copy.rate += more
        raised.add(copy)
      }
    }
    this.#freed.clear()
    return [...raised]
  }
}
