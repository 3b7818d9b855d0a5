/**
 * What carries bytes, how much of it each may carry, and how much is allocated to copies.
 *
 * The idea: a copy from one node to another uses a list of resources, its route: the uplink of the
 * source, the links between the sites, the downlink of the target. A copy is given a rate, which is
 * added to the total of each, and no total ever exceeds what its resource may carry. That may
 * change with the time of day: what is given now has to fit until the copy can be over, and where
 * it does not any more, the caller is told to slow copies down.
 *
 * Rates are whole bytes a second, so that totals are exact. The time is that of the day, in
 * milliseconds since midnight UTC of any day.
 */
import { limits } from '../../base/limits.js'

export type ResourceId = number

/** A part of the day; one that ends before it begins goes over midnight. */
export interface BudgetWindow {
  /** Minutes since midnight UTC. */
  readonly fromMinute: number
  readonly toMinute: number
  /** 0: nothing. */
  readonly bytesPerSecond: number
}

export interface ResourceSpec {
  /** A direction of a node's connection, of a site's, or of a link between two sites. */
  readonly kind: 'uplink' | 'downlink' | 'site' | 'link'
  readonly name: string
  /** Infinite: nobody knows. */
  readonly bytesPerSecond: number
  /** What a gigabyte (10^9) costs. */
  readonly costPerGb?: number
  /** The part of it that copies may use, 0 to 1; the rest is its owner's. */
  readonly share?: number
  /** Outside of all windows it carries `bytesPerSecond`. */
  readonly budget?: readonly BudgetWindow[]
}

interface Resource {
  spec: ResourceSpec
  allocated: number
  /** What it may carry until `untilMs`, when that has to be looked up again. */
  capability: number
  untilMs: number
  /** What it might carry when `changed` was asked. */
  seen: number
}

const dayMs = 86_400_000
const minuteMs = 60_000

export class Resources {
  readonly #all: Resource[] = []
  /** Those that carry more or less at some time of the day. */
  readonly #timed = new Set<ResourceId>()
  /** Those that were changed since `changed` was asked. */
  readonly #changed = new Set<ResourceId>()

  get count(): number {
    return this.#all.length
  }

  add(spec: ResourceSpec): ResourceId {
    const id = this.#all.length
    this.#all.push({
      spec,
      allocated: 0,
      capability: 0,
      untilMs: Number.NEGATIVE_INFINITY,
      seen: 0,
    })
    if (spec.budget !== undefined) this.#timed.add(id)
    return id
  }

  /** Another capability or cost from now on. What is allocated stays so: see `changed`. */
  change(id: ResourceId, spec: ResourceSpec): void {
    const resource = this.#of(id)
    resource.spec = spec
    resource.untilMs = Number.NEGATIVE_INFINITY
    this.#changed.add(id)
    if (spec.budget === undefined) this.#timed.delete(id)
    else this.#timed.add(id)
  }

  spec(id: ResourceId): ResourceSpec {
    return this.#of(id).spec
  }

  /** Bytes a second that it may carry from now on until a copy that begins now is over. */
  capability(id: ResourceId, nowMs: number): number {
    const resource = this.#of(id)
    if (nowMs >= resource.untilMs) look(resource, nowMs)
    return resource.capability
  }

  allocated(id: ResourceId): number {
    return this.#of(id).allocated
  }

  /** Bytes a second that may still be allocated; never below 0. */
  spare(id: ResourceId, nowMs: number): number {
    return Math.max(0, this.capability(id, nowMs) - this.#of(id).allocated)
  }

  /** The part of it that is allocated, 0 to 1, if so much more is. */
  fullness(id: ResourceId, rate: number, nowMs: number): number {
    const capability = this.capability(id, nowMs)
    if (capability === Number.POSITIVE_INFINITY) return 0
    return capability === 0 ? 1 : Math.min(1, (this.#of(id).allocated + rate) / capability)
  }

  /** False, and nothing is allocated, where one of them has too little left. */
  take(route: readonly ResourceId[], rate: number, nowMs: number): boolean {
    if (!Number.isSafeInteger(rate) || rate < 0) throw new RangeError(`a rate of ${rate}`)
    if (route.some((id) => this.spare(id, nowMs) < rate)) return false
    for (const id of route) this.#of(id).allocated += rate
    return true
  }

  give(route: readonly ResourceId[], rate: number): void {
    for (const id of route) {
      const resource = this.#of(id)
      if (resource.allocated < rate)
        throw new RangeError(`${resource.spec.name} has less allocated`)
      resource.allocated -= rate
    }
  }

  /** Something was changed since `changed` was asked. */
  get hasChanged(): boolean {
    return this.#changed.size > 0
  }

  /**
   * Those that may carry something else than when this was asked before: `over`, less than what is
   * allocated; `wider`, more than before.
   */
  changed(nowMs: number): { readonly over: ResourceId[]; readonly wider: ResourceId[] } {
    const looked = new Set([...this.#changed, ...this.#timed])
    this.#changed.clear()
    const [over, wider]: [ResourceId[], ResourceId[]] = [[], []]
    for (const id of looked) {
      const capability = this.capability(id, nowMs)
      const resource = this.#of(id)
      if (resource.allocated > capability) over.push(id)
      else if (capability > resource.seen) wider.push(id)
      resource.seen = capability
    }
    return { over, wider }
  }

  /** When one of them may carry more or less than now; infinite: none ever does. */
  changesAt(nowMs: number): number {
    let at = Number.POSITIVE_INFINITY
    for (const id of this.#timed) {
      this.capability(id, nowMs)
      at = Math.min(at, this.#of(id).untilMs)
    }
    return at
  }

  #of(id: ResourceId): Resource {
    const resource = this.#all[id]
    if (resource === undefined) throw new RangeError(`no resource has the number ${id}`)
    return resource
  }
}

/** What a resource may carry during so many milliseconds from now on, and until when that holds. */
function look(resource: Resource, nowMs: number): void {
  const { bytesPerSecond, share = 1, budget } = resource.spec
  const allowed = (rate: number) =>
    rate === Number.POSITIVE_INFINITY ? rate : Math.floor(rate * share)
  if (budget === undefined || budget.length === 0) {
    resource.capability = allowed(bytesPerSecond)
    resource.untilMs = Number.POSITIVE_INFINITY
    return
  }
  const inDay = ((nowMs % dayMs) + dayMs) % dayMs
  let least = Number.POSITIVE_INFINITY
  let changes = dayMs
  const rateAt = (ms: number): number => {
    const minute = (ms % dayMs) / minuteMs
    return budget.find((window) => isIn(window, minute))?.bytesPerSecond ?? bytesPerSecond
  }
  for (const edge of edgesOf(budget)) {
    const untilMs = (edge * minuteMs - inDay + dayMs) % dayMs
    if (untilMs === 0) continue
    // What begins before a copy is over counts from now on.
    const counts = untilMs <= limits.copyMs
    if (counts) least = Math.min(least, rateAt(inDay + untilMs))
    changes = Math.min(changes, counts ? untilMs : untilMs - limits.copyMs)
  }
  resource.capability = allowed(Math.min(least, rateAt(inDay)))
  resource.untilMs = nowMs + changes
}

function isIn({ fromMinute, toMinute }: BudgetWindow, minute: number): boolean {
  if (fromMinute < toMinute) return minute >= fromMinute && minute < toMinute
  return minute >= fromMinute || minute < toMinute
}

function edgesOf(budget: readonly BudgetWindow[]): Set<number> {
  return new Set(budget.flatMap(({ fromMinute, toMinute }) => [fromMinute, toMinute]))
}
