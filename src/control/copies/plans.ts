/**
 * Which files have a schedule that was computed ahead, and which need another one.
 *
 * The idea: a schedule holds as long as the sites that want a file, those that have all of it, and
 * what has failed are those it was made for. What has changed is planned again, several files
 * together because they share links, and at most so many at once that it takes no long time.
 */
import { limits } from '../../base/limits.js'
import { type Ahead, planAhead, type SiteRates, type Spread, waysOf } from './ahead.js'
import type { ComponentAccounts } from './components.js'
import type { FileId } from './demand.js'
import type { FileState } from './files.js'
import type { Network, NodeId, SiteId } from './network.js'
import type { ResourceId } from './resources.js'

export interface PlansSpec {
  readonly network: Network
  readonly fileOf: (id: FileId) => FileState | undefined
  readonly components: Pick<ComponentAccounts, 'isFailed'>
  /** See AheadOptions. */
  readonly slack: number
}

/** What one revision came to. */
export interface Revision {
  readonly files: readonly FileState[]
  readonly ahead: Ahead
}

export class Plans {
  readonly #spec: PlansSpec
  readonly #changed = new Set<FileId>()

  constructor(spec: PlansSpec) {
    this.#spec = spec
  }

  get isCurrent(): boolean {
    return this.#changed.size === 0
  }

  /** Something about the file is not what it was planned for. */
  changed(id: FileId): void {
    this.#changed.add(id)
  }

  /** Plans the next of the files that have changed. */
  revise(nowMs: number): Revision {
    const { network, fileOf, components, slack } = this.#spec
    const isFailed = (id: ResourceId): boolean => components.isFailed({ kind: 'resource', id })
    const isUsable = (id: NodeId): boolean => !components.isFailed({ kind: 'node', id })
    const canTake = (id: NodeId): boolean => !components.isFailed({ kind: 'disk', id })
    const files: FileState[] = []
    const spreads: Spread[] = []
    let ways = 0
    for (const id of this.#changed) {
      if (ways >= limits.planWays) break
      this.#changed.delete(id)
      const file = fileOf(id)
      if (file === undefined) continue
      const spread = spreadOf(file, isUsable, canTake)
      files.push(file)
      spreads.push(spread)
      ways += waysOf(spread)
    }
    const rates = ratesFor(files, network)
    const ahead = planAhead(spreads, network, {
      ...{ slack, nowMs, isFailed },
      ratesOf: (site) => rates.get(site) ?? nothing,
    })
    return { files, ahead }
  }
}

const nothing: SiteRates = { up: 0, down: 0 }

/**
 * Sites that lack some of it want it, from those that have all of it together. Where nobody can
 * take it no other site waits for it, either.
 */
function spreadOf(
  file: FileState,
  isUsable: (source: NodeId) => boolean,
  canTake: (target: NodeId) => boolean,
): Spread {
  const { holders } = file
  const whole = [...holders.sites()].filter((site) => holders.heldByUsable(site, isUsable) === null)
  const have = new Set(whole)
  return {
    bytes: holders.size,
    holders: whole,
    wanting: [...file.wanting].flatMap(([site, nodes]) =>
      have.has(site) || ![...nodes].some(canTake) ? [] : site,
    ),
    mayCopy: (from, to) => file.mayCopy(from, to),
  }
}

function ratesFor(files: readonly FileState[], network: Network): Map<SiteId, SiteRates> {
  const nodes = new Set<NodeId>()
  for (const { holders, demands } of files) {
    for (const node of holders.nodes()) nodes.add(node)
    for (const node of demands.keys()) nodes.add(node)
  }
  const rates = new Map<SiteId, SiteRates>()
  const { resources } = network
  for (const node of nodes) {
    const site = network.siteOf(node)
    const { up, down } = rates.get(site) ?? nothing
    rates.set(site, {
      up: up + resources.spec(network.uplink(node)).bytesPerSecond,
      down: down + resources.spec(network.downlink(node)).bytesPerSecond,
    })
  }
  return rates
}
