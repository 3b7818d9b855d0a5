/**
 * The copy that is best for one demand now, or what it has to wait for.
 *
 * The idea: of each source that is looked at, the first part of what is missing that it has and
 * may give is a candidate, as much as its route carries in some seconds. Candidates that some
 * resource has no room for tell which one it is: then the demand waits for that.
 */
import { limits } from '../../base/limits.js'
import type { RangePair, RangeSet } from '../../base/ranges.js'
import type { Copy } from './copy.js'
import { copyUnitOf } from './copy-unit.js'
import type { Demand, FileState } from './files.js'
import type { Network, NodeId, SiteId, SiteRoute } from './network.js'
import type { ResourceId } from './resources.js'
import type { Candidate, Score } from './score.js'
import type { View } from './views.js'

/** What decides beside the file itself. */
export interface Circumstances {
  readonly network: Network
  readonly view: View
  readonly score: Score
  readonly nowMs: number
  /** How long a copy is to take. */
  readonly copyMs: number
  /** Copies out of a node. */
  readonly serving: (node: NodeId) => number
  /** What is held against a source and what lies between, in faults; null: one has failed. */
  readonly faults: (source: NodeId, route: SiteRoute) => number | null
  /** As a source. */
  readonly isUsable: (node: NodeId) => boolean
  /** A copy of the file is under way to the node. */
  readonly isComing: () => boolean
  /** Any way may bring what the schedule gives to one that costs as much or more. */
  readonly isIdle: boolean
  /** What a demand that has waited for too long keeps for itself; of another one only. */
  readonly isKept: (resource: ResourceId) => boolean
}

export interface Scored {
  readonly candidate: Candidate
  readonly route: SiteRoute
  readonly score: number
}

export interface Choice {
  /** All that could be begun now, the best first. */
  readonly candidates: readonly Scored[]
  /** Something could be had, if this had room. */
  readonly blockedBy: ResourceId | null
}

export function copyOf(
  id: number,
  { candidate, route: { resources: route, hops } }: Scored,
  { file, node: target, site: into }: Demand,
  nowMs: number,
): Copy {
  const { source, offset, length, rate } = candidate
  const between = { source, target, route, crosses: hops > 0, into }
  return { id, file, offset, length, rate, ...between, startedMs: nowMs }
}

/** How long a copy is to take where so many demands are there. */
export function copyMsFor(demands: number): number {
  const { copyMs, copyMsMin, copyMsPerDemand } = limits
  return Math.min(copyMs, copyMsMin + copyMsPerDemand * demands)
}

export function choose(file: FileState, demand: Demand, around: Circumstances): Choice {
  const missing = file.nextFor(demand)
  // Of a content without bytes the name is missing.
  const isNothing = file.holders.size === 0 && !file.isGrowing && !around.isComing()
  if (missing.isEmpty && !isNothing) return { candidates: [], blockedBy: null }
  const next = file.isGrowing ? startOf(missing) : null
  const wantedFrom = new Map<SiteId, RangeSet>()
  const wanted = (site: SiteId): RangeSet => {
    if (site === demand.site) return missing
    const known = wantedFrom.get(site)
    if (known !== undefined) return known
    const outside = file.fromOutside(missing, demand, site, {
      ...around,
      isInstead: (planned) =>
        around.isIdle && isNoDearer(site, planned, demand.site, around.network),
    })
    wantedFrom.set(site, outside)
    return outside
  }
  const candidates: Scored[] = []
  let blockedBy: ResourceId | null = null
  for (const source of around.view.sources(file, demand)) {
    const found = candidateFrom(source, wanted(around.network.siteOf(source)), {
      ...{ file, demand, around, next },
    })
    if (found === null) continue
    if (typeof found === 'number') blockedBy ??= found
    else candidates.push(found)
  }
  candidates.sort((a, b) => b.score - a.score || a.candidate.source - b.candidate.source)
  const sources = candidates.map(({ candidate }) => candidate.source)
  const mayBeMore = around.view.looked(file, demand, sources)
  return candidates.length === 0 && mayBeMore
    ? choose(file, demand, around)
    : { candidates, blockedBy }
}

/** To come from one site costs no more than from the other. */
function isNoDearer(one: SiteId, other: SiteId, to: SiteId, network: Network): boolean {
  const cost = (from: SiteId) => network.siteRoute(from, to)?.costPerGb ?? Number.POSITIVE_INFINITY
  return cost(one) <= cost(other)
}

interface Asked {
  readonly file: FileState
  readonly demand: Demand
  readonly around: Circumstances
  /** What comes next begins there; null: anything may. */
  readonly next: number | null
}

/** A number: this resource has no room. */
function candidateFrom(source: NodeId, wanted: RangeSet, asked: Asked): Scored | ResourceId | null {
  const { file, demand, around, next } = asked
  if (source === demand.node || (wanted.isEmpty && file.holders.size > 0)) return null
  if (file.isGrowing && isGivenToOthers(source, asked)) return null
  const route = around.network.route(source, demand.node)
  if (route === undefined) return null
  const range = firstHeld(source, wanted, asked)
  if (range === null || (next !== null && range[0] !== next)) return null
  const faults = around.faults(source, route)
  if (faults === null) return null
  const { resources } = around.network
  const serving = around.serving(source)
  if (serving >= limits.copiesOutOf) return around.network.uplink(source)
  const room = roomOf(route, around)
  if (room.rate < 1 || room.rate < room.narrowest * limits.leastShare) return room.fullest
  const length = Math.min(range[1], lengthFor(room.rate, wanted.bytes, asked, route))
  const rate = Math.min(room.rate, Math.max(1, Math.ceil(length / limits.copySecondsMin)))
  let fullness = 0
  for (const id of route.resources)
    fullness = Math.max(fullness, resources.fullness(id, rate, around.nowMs))
  const candidate: Candidate = {
    ...{ file: file.id, source, target: demand.node, offset: range[0], length },
    rate: room.rate === Number.POSITIVE_INFINITY ? room.rate : rate,
    ...{ costPerGb: route.costPerGb, fullness, hops: route.hops, faults, serving },
    sourcePart: file.holders.bytesAt(source) / Math.max(1, file.holders.size),
    holders: file.holders.countAt(range[0], limits.sourcesLooked),
    priority: demand.priority,
    ageSeconds: Math.max(0, around.nowMs - demand.sinceMs) / 1_000,
  }
  return { candidate, route, score: around.score(candidate) }
}

/** What is still written goes to some nodes of a site first, and from these to the others. */
function isGivenToOthers(source: NodeId, { file, demand, around: { network } }: Asked): boolean {
  const isMate = network.siteOf(source) === demand.site
  return isMate && file.givenBy(source) >= limits.growingMates
}

function startOf(ranges: Iterable<RangePair>): number | null {
  for (const [offset] of ranges) return offset
  return null
}

/** The first part of what is wanted that the source has, and may give. */
function firstHeld(
  source: NodeId,
  wanted: RangeSet,
  { file, demand, around }: Asked,
): readonly [number, number] | null {
  if (file.holders.size === 0) {
    const from = around.network.siteOf(source)
    return file.mayHave(demand, from) ? [0, 0] : null
  }
  for (const range of wanted) {
    const [first] = file.holders.present(source, range)
    if (first !== undefined) return first
  }
  return null
}

interface Room {
  readonly rate: number
  /** What the narrowest resource of the route carries when nothing else does. */
  readonly narrowest: number
  readonly fullest: ResourceId
}

function roomOf({ resources: route }: SiteRoute, { network, nowMs, isKept }: Circumstances): Room {
  let [rate, narrowest] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  let fullest = route[0] as ResourceId
  for (const id of route) {
    const spare = isKept(id) ? 0 : network.resources.spare(id, nowMs)
    narrowest = Math.min(narrowest, network.resources.capability(id, nowMs))
    if (spare < rate) [rate, fullest] = [spare, id]
  }
  return { rate, narrowest, fullest }
}

/**
 * Bytes of a copy: what takes some seconds. Of what comes into the site, less the less is left of
 * it, so that the last of it takes no long way from node to node.
 */
function lengthFor(
  rate: number,
  left: number,
  { file, demand, around }: Asked,
  { hops }: SiteRoute,
): number {
  const usual = rate === Number.POSITIVE_INFINITY ? limits.assumedUplink : rate
  let bytes = (usual * around.copyMs) / 1_000
  if (hops > 0) {
    const mates = file.wanting.get(demand.site)?.size ?? 1
    bytes = Math.min(bytes, left / (2 * mates))
  }
  const unit = copyUnitOf(file.holders.size)
  return Math.max(limits.copyBytesMin, unit, Math.floor(bytes / unit) * unit)
}

/** The resources of its cheapest route, whether there is room or not. */
export function cheapestRoute(
  file: FileState,
  demand: Demand,
  view: View,
  network: Network,
): readonly ResourceId[] {
  let best: { cost: number; resources: readonly ResourceId[] } | undefined
  for (const source of view.sources(file, demand)) {
    const route = source === demand.node ? undefined : network.route(source, demand.node)
    if (route === undefined) continue
    if (best === undefined || route.costPerGb < best.cost)
      best = { cost: route.costPerGb, resources: route.resources }
  }
  return best?.resources ?? []
}
