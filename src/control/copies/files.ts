/**
 * What is known of each file while somebody wants it: who holds what, what is on its way, and from
 * which site each site is to have each part.
 */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Slice } from './ahead.js'
import type { DemandSpec, FileId } from './demand.js'
import { Holders } from './holders.js'
import type { NodeId, SiteId } from './network.js'

export interface FileSpec {
  readonly file: FileId
  readonly size: number
  /** More may come. */
  readonly isGrowing?: boolean
  /** Whether one site may have it from the other; always unless given. */
  readonly mayCopy?: (from: SiteId, to: SiteId) => boolean
}

/** Where a demand stands. */
export type DemandState =
  /** It can be looked at. */
  | { readonly kind: 'open' }
  /** Nobody from whom it may be had has what is missing, or all of it is on its way. */
  | { readonly kind: 'source' }
  /** This resource has no room for it. */
  | { readonly kind: 'room'; readonly resource: number }

export interface Demand extends DemandSpec {
  readonly site: SiteId
  order: number
  state: DemandState
  /** What is being copied to the node; null: nothing. Most of many demands have none. */
  coming: RangeSet | null
}

/** Where a copy goes. */
interface Way {
  readonly source: NodeId
  readonly into: SiteId
  readonly crosses: boolean
  readonly offset: number
  readonly length: number
}

interface Outside {
  readonly isUsable: (node: NodeId) => boolean
  /** What is to come from that site may come from this one. */
  readonly isInstead: (planned: SiteId) => boolean
}

export const openState: DemandState = { kind: 'open' }
export const sourceState: DemandState = { kind: 'source' }

export class FileState {
  readonly id: FileId
  readonly holders: Holders
  readonly #mayCopy: FileSpec['mayCopy']
  isGrowing: boolean
  readonly demands = new Map<NodeId, Demand>()
  /** Nodes that want it, by site. */
  readonly wanting = new Map<SiteId, Set<NodeId>>()
  /** Demands that wait for a source, by site. */
  readonly waiting = new Map<SiteId, Set<NodeId>>()
  /** What is being copied into a site from others. */
  readonly crossing = new Map<SiteId, RangeSet>()
  /** Copies from a node to others of its site. */
  readonly #given = new Map<NodeId, number>()
  /**
   * Nodes that have every byte of it and have not heard that these are all. No byte has to come to
   * them, so anybody may tell them, whatever schedule there is.
   */
  readonly unended = new Set<NodeId>()
  /** None: any site may copy it from any other. */
  slices: readonly Slice[] = []

  constructor({ file, size, isGrowing = false, mayCopy }: FileSpec) {
    this.id = file
    this.holders = new Holders(size)
    this.isGrowing = isGrowing
    this.#mayCopy = mayCopy
  }

  addDemand(demand: Demand): void {
    this.demands.set(demand.node, demand)
    addTo(this.wanting, demand.site, demand.node)
  }

  dropDemand({ node, site }: Demand): void {
    this.demands.delete(node)
    dropFrom(this.wanting, site, node)
    dropFrom(this.waiting, site, node)
  }

  wait({ node, site }: Demand): void {
    addTo(this.waiting, site, node)
  }

  waitNoMore({ node, site }: Demand): void {
    dropFrom(this.waiting, site, node)
  }

  /** Something is on its way into a site. */
  crosses(site: SiteId, [offset, length]: RangePair): void {
    const known = this.crossing.get(site) ?? new RangeSet()
    known.add(offset, length)
    this.crossing.set(site, known)
  }

  #crossesNoMore(site: SiteId, [offset, length]: RangePair): void {
    const known = this.crossing.get(site)
    known?.remove(offset, length)
    if (known?.isEmpty === true) this.crossing.delete(site)
  }

  /**
   * What a copy may bring now: what is missing and does not come already. Of what is still written
   * only its beginning can be verified and read, so it comes in order, one copy after the other.
   */
  nextFor({ node, coming }: Demand): RangeSet {
    if (this.isGrowing && coming !== null) return new RangeSet()
    const missing = this.holders.missing(node)
    if (coming !== null) missing.subtract(coming)
    return missing
  }

  givenBy(node: NodeId): number {
    return this.#given.get(node) ?? 0
  }

  begins(copy: Way): void {
    if (copy.crosses) this.crosses(copy.into, [copy.offset, copy.length])
    else this.#given.set(copy.source, this.givenBy(copy.source) + 1)
  }

  ends({ crosses, into, source, offset, length }: Way): void {
    const given = this.givenBy(source) - 1
    if (crosses) this.#crossesNoMore(into, [offset, length])
    else if (given > 0) this.#given.set(source, given)
    else this.#given.delete(source)
  }

  mayCopy(from: SiteId, to: SiteId): boolean {
    return from === to || this.#mayCopy?.(from, to) !== false
  }

  /** Whether a node may have from a site what it lacks. */
  mayHave({ node, site }: Pick<Demand, 'node' | 'site'>, from: SiteId): boolean {
    return this.unended.has(node) || this.mayCopy(from, site)
  }

  /**
   * The parts of what is missing that a node is to have from another site: that no usable node of
   * its own holds, that are not on their way there, and that the schedule gives to this way.
   */
  fromOutside(
    missing: RangeSet,
    demand: Pick<Demand, 'node' | 'site'>,
    from: SiteId,
    { isUsable, isInstead }: Outside,
  ): RangeSet {
    const { site, node } = demand
    const held = this.holders.heldByUsable(site, isUsable)
    const wanted = new RangeSet()
    if (held === null || !this.mayHave(demand, from)) return wanted
    const planned = this.unended.has(node) ? this.#whole : this.#planned(site, from, isInstead)
    for (const [offset, length] of planned)
      for (const range of missing.present(offset, length)) wanted.add(...range)
    wanted.subtract(held)
    const crossing = this.crossing.get(site)
    if (crossing !== undefined) wanted.subtract(crossing)
    return wanted
  }

  /** Sites that may copy from this one by the schedule, and wait; with the site itself. */
  *waitingFor(site: SiteId): IterableIterator<SiteId> {
    for (const other of this.waiting.keys())
      if (other === site || this.unended.size > 0 || this.#isFrom(other, site)) yield other
  }

  #isFrom(site: SiteId, from: SiteId): boolean {
    const isPlanned = this.slices.some((slice) => slice.from.has(site))
    return !isPlanned || this.slices.some((slice) => slice.from.get(site) === from)
  }

  get #whole(): RangePair[] {
    return [[0, this.holders.size]]
  }

  #planned(site: SiteId, from: SiteId, isInstead: Outside['isInstead']): RangePair[] {
    if (!this.slices.some((slice) => slice.from.has(site))) return this.#whole
    const planned = this.slices.filter((slice) => {
      const parent = slice.from.get(site)
      return parent === from || (parent !== undefined && isInstead(parent))
    })
    const last = this.slices.at(-1)
    const ranges: RangePair[] = planned.map(({ offset, length }) => [offset, length])
    // What has grown since goes the way of what was last before it.
    if (last !== undefined && planned.includes(last)) {
      const end = last.offset + last.length
      ranges.push([end, Math.max(0, this.holders.size - end)])
    }
    return ranges
  }
}

/** How many that want the file lack less of it; those that hold it count. */
export function rankOf({ holders, demands }: FileState, missing: number): number {
  let rank = holders.whole
  for (const { node } of demands.values())
    if (holders.size - holders.bytesAt(node) < missing) rank += 1
  return rank
}

function addTo(map: Map<SiteId, Set<NodeId>>, site: SiteId, node: NodeId): void {
  const nodes = map.get(site)
  if (nodes === undefined) map.set(site, new Set([node]))
  else nodes.add(node)
}

function dropFrom(map: Map<SiteId, Set<NodeId>>, site: SiteId, node: NodeId): void {
  const nodes = map.get(site)
  nodes?.delete(node)
  if (nodes?.size === 0) map.delete(site)
}
