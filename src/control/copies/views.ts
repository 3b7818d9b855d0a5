/**
 * Which holders of a file are looked at for a demand.
 *
 * `near`: those in the site of the node and in the sites that it may copy from by the schedule, so
 * many of each, another part of them each time. `overall`: every one. `changed`: those that were
 * best at the last look for this file and site, and those of which something has changed since;
 * all of them where too much has changed in between.
 */
import { limits } from '../../base/limits.js'
import type { Demand, FileState } from './files.js'
import type { Network, NodeId, SiteId } from './network.js'

export type ViewKind = 'near' | 'overall' | 'changed'

export interface View {
  sources(file: FileState, demand: Demand): Iterable<NodeId>
  /** Something of a node has changed: its room, what it holds, or that it can be used. */
  changed(node: NodeId): void
  /** These sources could be used, the best first. True: there may be others, of those left out. */
  looked(file: FileState, demand: Demand, best: readonly NodeId[]): boolean
  /** The file is wanted by nobody. */
  forget(file: FileState): void
}

export function viewOf(kind: ViewKind, network: Network): View {
  if (kind === 'overall') return new Overall()
  return kind === 'near' ? new Near(network) : new Changed()
}

class Overall implements View {
  sources(file: FileState): Iterable<NodeId> {
    return file.holders.nodes()
  }

  changed(): void {}

  looked(): boolean {
    return false
  }

  forget(): void {}
}

class Near implements View {
  readonly #network: Network
  #turn = 0

  constructor(network: Network) {
    this.#network = network
  }

  *sources(file: FileState, { site, node }: Demand): Iterable<NodeId> {
    yield* this.#some(file.holders.in(site))
    let others = 0
    const isPlanned = !file.unended.has(node)
    for (const from of this.#sitesFor(file, site, isPlanned)) {
      if (from === site) continue
      yield* this.#some(file.holders.in(from))
      if (++others === limits.sitesLooked) return
    }
  }

  changed(): void {}

  looked(): boolean {
    return false
  }

  forget(): void {}

  /** Those of the schedule, where there is one that counts; else those that cost least. */
  #sitesFor(file: FileState, site: SiteId, isPlanned: boolean): Iterable<SiteId> {
    const planned = new Set<SiteId>()
    for (const { from } of isPlanned ? file.slices : []) {
      const parent = from.get(site)
      if (parent !== undefined) planned.add(parent)
    }
    if (planned.size > 0) return planned
    const cost = (from: SiteId) => this.#network.siteRoute(from, site)?.costPerGb ?? Infinity
    return [...file.holders.sites()].sort((a, b) => cost(a) - cost(b) || a - b)
  }

  *#some(nodes: ReadonlySet<NodeId>): Iterable<NodeId> {
    const { sourcesLooked } = limits
    if (nodes.size <= sourcesLooked) return yield* nodes
    const all = [...nodes]
    const first = this.#turn++
    for (let i = 0; i < sourcesLooked; i++) yield all[(first + i) % all.length] as NodeId
  }
}

interface Memory {
  /** Changes that were known at the last look. */
  seen: number
  readonly best: readonly NodeId[]
}

class Changed implements View {
  /** The last ones, each at its number modulo their bound. */
  readonly #changes: NodeId[] = []
  #count = 0
  readonly #memories = new Map<FileState, Map<SiteId, Memory>>()

  changed(node: NodeId): void {
    this.#changes[this.#count % limits.changesKept] = node
    this.#count += 1
  }

  *sources(file: FileState, { site }: Demand): Iterable<NodeId> {
    const memory = this.#memories.get(file)?.get(site)
    const since = this.#count - (memory?.seen ?? 0)
    if (memory === undefined || since > Math.min(limits.changesKept, file.holders.count))
      return yield* file.holders.nodes()
    const nodes = new Set(memory.best)
    for (let at = memory.seen; at < this.#count; at++)
      nodes.add(this.#changes[at % limits.changesKept] as NodeId)
    for (const node of nodes) if (file.holders.bytesAt(node) > 0) yield node
  }

  looked(file: FileState, { site }: Demand, best: readonly NodeId[]): boolean {
    const known = this.#memories.get(file) ?? new Map<SiteId, Memory>()
    const wasPart = known.has(site)
    if (best.length === 0) known.delete(site)
    else known.set(site, { seen: this.#count, best: best.slice(0, limits.sourcesKept) })
    if (known.size === 0) this.#memories.delete(file)
    else this.#memories.set(file, known)
    return wasPart
  }

  forget(file: FileState): void {
    this.#memories.delete(file)
  }
}
