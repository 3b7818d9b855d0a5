/**
 * Demands that wait for room on a resource, and the one that has waited for too long.
 *
 * That one keeps the resources of its route: what becomes free there is given to nobody else, so
 * it has all of it once the copies that run there are over, which takes seconds. Then the next one.
 */
import { limits } from '../../base/limits.js'
import type { Demand } from './files.js'
import type { ResourceId } from './resources.js'

interface Left {
  /** Those that were not woken. */
  readonly count: number
  readonly woken: readonly Demand[]
}

export class Parked {
  /** Of each, in the order in which they came. */
  readonly #byResource = new Map<ResourceId, Set<Demand>>()
  /** Since when each has not been served, the longest first. */
  readonly #since = new Map<Demand, number>()
  /** Where room was made that is not all taken, as far as those know who were woken. */
  readonly #left = new Map<ResourceId, Left>()
  #first: Demand | undefined
  #kept: ReadonlySet<ResourceId> = new Set()

  /** When the one that has waited longest began to wait; infinite: none waits, or it is first. */
  get oldestMs(): number {
    if (this.#first !== undefined) return Number.POSITIVE_INFINITY
    for (const [{ state }, sinceMs] of this.#since) if (state.kind === 'room') return sinceMs
    return Number.POSITIVE_INFINITY
  }

  /** What it has waited for other resources counts. */
  add(demand: Demand, resource: ResourceId, nowMs: number): void {
    const waiting = this.#byResource.get(resource)
    if (waiting === undefined) this.#byResource.set(resource, new Set([demand]))
    else waiting.add(demand)
    if (!this.#since.has(demand)) this.#since.set(demand, nowMs)
  }

  /** It waits for no resource now. Since when it has not been served stays known. */
  delete(demand: Demand): void {
    if (demand.state.kind !== 'room') return
    const waiting = this.#byResource.get(demand.state.resource)
    waiting?.delete(demand)
    if (waiting?.size === 0) this.#byResource.delete(demand.state.resource)
  }

  /** It does not wait for room any more. Returns the resources that it has kept until now. */
  served(demand: Demand): Iterable<ResourceId> {
    this.#since.delete(demand)
    if (this.#first !== demand) return []
    const kept = this.#kept
    this.#first = undefined
    this.#kept = new Set()
    return kept
  }

  /** There is room on the resource: those that are to be looked at. */
  released(resource: ResourceId, most: number): Demand[] {
    const found = this.#waitingFor(resource, most)
    this.#leave(resource, (this.#byResource.get(resource)?.size ?? 0) - found.length, found)
    return found
  }

  /** There may still be room for somebody who was not woken. */
  get areLeft(): boolean {
    return this.#left.size > 0
  }

  /**
   * The next of them where there is. Who waits for the same again is behind the others; where all
   * do that were woken last, nobody has use for what is left.
   */
  more(isEnough: (resource: ResourceId) => boolean, most: number): Demand[] {
    for (const [resource, { count, woken }] of this.#left) {
      const isOfNoUse = woken.every(
        ({ state }) => state.kind === 'room' && state.resource === resource,
      )
      const isOver = isOfNoUse || !isEnough(resource)
      const found = isOver ? [] : this.#waitingFor(resource, Math.min(count, most))
      this.#leave(resource, found.length === 0 ? 0 : count - found.length, found)
      if (found.length > 0) return found
    }
    return []
  }

  #leave(resource: ResourceId, count: number, woken: readonly Demand[]): void {
    if (count > 0) this.#left.set(resource, { count, woken })
    else this.#left.delete(resource)
  }

  /** Those that have waited for a resource longest, so many of them, and who keeps it first. */
  #waitingFor(resource: ResourceId, most: number): Demand[] {
    const found: Demand[] = []
    const first = this.#first
    const isFirst = first?.state.kind === 'room' && this.#kept.has(resource)
    if (isFirst) found.push(first)
    for (const demand of this.#byResource.get(resource) ?? []) {
      if (found.length >= most) break
      if (!isFirst || demand !== first) found.push(demand)
    }
    return found
  }

  /** The one that has waited for too long, when none keeps anything. */
  starved(nowMs: number): Demand | undefined {
    if (this.#first !== undefined) return undefined
    for (const [demand, sinceMs] of this.#since) {
      if (sinceMs + limits.starvedMs > nowMs) return undefined
      if (demand.state.kind === 'room') return demand
    }
    return undefined
  }

  keep(demand: Demand, resources: readonly ResourceId[]): void {
    this.#first = demand
    this.#kept = new Set(resources)
  }

  isKept(resource: ResourceId, by: Demand | undefined): boolean {
    return this.#first !== undefined && this.#first !== by && this.#kept.has(resource)
  }
}
