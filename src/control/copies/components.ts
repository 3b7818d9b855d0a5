/**
 * Failures of copies, counted against what may be responsible for them.
 *
 * The idea: a target whose copy has failed names every component that it may have been: the source,
 * its own disk, each link of the route. None of them is guilty by that alone; but what was part of
 * a copy that went well is forgiven, so only what is part of all that fail adds up. Beyond the
 * configured count it is failed: no copy uses it until it is tried again. Where several may have
 * been, what can be gone round is left out first: a link, then the source, the target last.
 */
import { limits } from '../../base/limits.js'
import { FaultAccounts, type FaultRecord, type KeptRecord } from '../members/faults.js'
import type { Blamed } from '../messages/mastering.js'
import type { NodeId, SiteRoute } from './network.js'
import type { ResourceId } from './resources.js'

export type Component =
  | { readonly kind: 'node' | 'disk'; readonly id: NodeId }
  | { readonly kind: 'resource'; readonly id: ResourceId }

export class ComponentAccounts {
  readonly #accounts: FaultAccounts<string>
  #nowMs = 0

  /** `count`: failures that make a component fail. */
  constructor(count: number = limits.componentFaults) {
    const { componentMs: firstMs, componentMsMax: mostMs, componentHalfLifeMs } = limits
    // A little less than so many, since the first ones are forgotten a little.
    const faults = count - 0.5
    this.#accounts = new FaultAccounts({ firstMs, mostMs, faults, halfLifeMs: componentHalfLifeMs })
  }

  /** Returns those that have failed by that. */
  failed(components: readonly Component[], cause: string, nowMs: number): Component[] {
    this.#nowMs = nowMs
    const isSure = components.length === 1
    return components.filter((one) => {
      const weight = isSure ? 1 : partOf[one.kind]
      return this.#accounts.charge(keyOf(one), nowMs, { cause, weight })
    })
  }

  /** All that a copy has used which went well. */
  worked(components: readonly Component[]): void {
    if (this.#accounts.isEmpty) return
    for (const one of components) this.#accounts.forgive(keyOf(one))
  }

  isFailed(component: Component): boolean {
    if (this.#accounts.isEmpty) return false
    return this.#accounts.isFailed(keyOf(component))
  }

  /** In faults; null: the source, the target's disk or something between them has failed. */
  heldAgainst(source: NodeId, target: NodeId, { resources }: SiteRoute): number | null {
    if (this.#accounts.isEmpty) return 0
    const keys = [`node ${source}`, `disk ${target}`, ...resources.map((id) => `resource ${id}`)]
    let faults = 0
    for (const key of keys) {
      if (this.#accounts.isFailed(key)) return null
      faults += this.#accounts.faults(key, this.#nowMs)
    }
    return faults
  }

  /** When the first of those that have failed may be used again; infinite: none has. */
  get retryAtMs(): number {
    return this.#accounts.retryAtMs
  }

  /** Those that may be used again from now on. */
  retried(nowMs: number): Component[] {
    this.#nowMs = nowMs
    return this.#accounts.retried(nowMs).map(componentOf)
  }

  kept(nowMs: number): [Component, KeptRecord][] {
    return this.#accounts.kept(nowMs).map(([key, record]) => [componentOf(key), record])
  }

  restore(component: Component, record: KeptRecord, nowMs: number): void {
    this.#accounts.restore(keyOf(component), record, nowMs)
  }

  records(nowMs: number): [Component, FaultRecord][] {
    return this.#accounts.records(nowMs).map(([key, record]) => [componentOf(key), record])
  }
}

export const allBlamed: readonly Blamed[] = ['links', 'source', 'disk']

interface Between {
  readonly source: NodeId
  readonly target: NodeId
  /** From the uplink to the downlink. */
  readonly route: readonly ResourceId[]
}

/** What may be responsible for how a copy ended. */
export function componentsOf(
  { source, target, route }: Between,
  blames: readonly Blamed[],
): Component[] {
  const of: Record<Blamed, readonly Component[]> = {
    links: route.slice(1, -1).map((id) => ({ kind: 'resource', id })),
    source: [{ kind: 'node', id: source }],
    disk: [{ kind: 'disk', id: target }],
  }
  return blames.flatMap((one) => of[one])
}

/** What one failure of several components counts. */
const partOf = { resource: 1, node: 0.75, disk: 0.5 } as const

function keyOf({ kind, id }: Component): string {
  return `${kind} ${id}`
}

function componentOf(key: string): Component {
  const [kind, id] = key.split(' ')
  return { kind: kind as Component['kind'], id: Number(id) }
}
