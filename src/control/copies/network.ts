/**
 * Sites, the links between them, and the way from each node to each other.
 *
 * The idea: what a copy costs and how fast it may be is decided by resources that it shares with
 * other copies. A link leads one way. Between two sites bytes go over the cheapest links; of equal
 * cost over the fewest, then the widest. A route that the topology names is taken as it is. Where
 * no link is known at all, sites are connected without a limit.
 */

import { LeastFirst } from '../../base/least-first.js'
import { limits } from '../../base/limits.js'
import { type ResourceId, type ResourceSpec, Resources } from './resources.js'

export type SiteId = number
export type NodeId = number

/** What one direction carries, and costs. */
export type Carries = Omit<ResourceSpec, 'kind' | 'name'>

export interface SiteSpec {
  readonly name: string
  /** Of everything that leaves the site, and that comes into it. */
  readonly up?: Carries
  readonly down?: Carries
}

export interface LinkSpec extends Carries {
  readonly name: string
  readonly from: string
  readonly to: string
}

/** The links from one site to another in their order, by name. */
export interface RouteSpec {
  readonly from: string
  readonly to: string
  readonly via: readonly string[]
}

/** What a node carries at most, beside what it says itself. */
export interface NodeCarries {
  readonly name: string
  readonly up?: Carries
  readonly down?: Carries
}

export interface TopologySpec {
  readonly sites: readonly SiteSpec[]
  readonly links: readonly LinkSpec[]
  readonly routes: readonly RouteSpec[]
  readonly nodes?: readonly NodeCarries[]
}

/** Why a topology cannot be used, and what of it: one of its sites, links, routes or nodes. */
export interface TopologyFault {
  readonly of: keyof TopologySpec
  readonly index: number
  readonly text: string
}

export interface NodeSpec {
  readonly name: string
  readonly site: string
  readonly up: Carries
  readonly down: Carries
}

/** From one site to another. */
export interface SiteRoute {
  readonly resources: readonly ResourceId[]
  /** Links on the way. */
  readonly hops: number
  readonly costPerGb: number
}

interface Site {
  readonly name: string
  readonly up: ResourceId | null
  readonly down: ResourceId | null
  readonly links: Link[]
}

interface Link {
  readonly resource: ResourceId
  readonly to: SiteId
}

interface Node {
  readonly name: string
  readonly site: SiteId
  readonly up: ResourceId
  readonly down: ResourceId
}

/** By site: the last link of the cheapest way to it, and the site before; -1: there is no way. */
interface Ways {
  readonly from: Int32Array
  readonly link: Int32Array
}

const inSite: SiteRoute = { resources: [], hops: 0, costPerGb: 0 }

export function topologyFaults(topology: TopologySpec): TopologyFault[] {
  const { sites, links, routes, nodes = [] } = topology
  const faults: TopologyFault[] = []
  const many = (of: keyof TopologySpec, all: readonly unknown[], most: number) => {
    if (all.length > most) faults.push({ of, index: most, text: `more than ${most} ${of}` })
  }
  many('sites', sites, limits.masterSites)
  many('links', links, limits.masterLinks)
  many('routes', routes, limits.masterLinks)
  many('nodes', nodes, limits.masterNodes)
  for (const of of ['sites', 'links', 'nodes'] as const) {
    const seen = new Set<string>()
    for (const [index, { name }] of (topology[of] ?? []).entries()) {
      if (seen.has(name))
        faults.push({ of, index, text: `${of.slice(0, -1)} ${name} is there twice` })
      seen.add(name)
    }
  }
  const siteNames = new Set(sites.map(({ name }) => name))
  const known = new Map(links.map((link) => [link.name, link]))
  for (const [index, { name, from, to, budget = [] }] of links.entries()) {
    const fault = (text: string) => faults.push({ of: 'links', index, text: `link ${name}${text}` })
    for (const end of [from, to]) if (!siteNames.has(end)) fault(`: there is no site ${end}`)
    if (from === to) fault(` leads from ${from} to itself`)
    if (budget.length > limits.budgetWindows)
      fault(`: more than ${limits.budgetWindows} windows of the day`)
  }
  const pairs = new Set<string>()
  for (const [index, route] of routes.entries()) {
    const name = `route from ${route.from} to ${route.to}`
    const fault = pairs.has(name) ? 'it is there twice' : routeFault(route, known)
    pairs.add(name)
    if (fault !== null) faults.push({ of: 'routes', index, text: `${name}: ${fault}` })
  }
  return faults
}

function routeFault(
  { from, to, via }: RouteSpec,
  links: ReadonlyMap<string, LinkSpec>,
): string | null {
  if (via.length > limits.routeHops) return `more than ${limits.routeHops} links`
  const passed = new Set([from])
  let at = from
  for (const name of via) {
    const link = links.get(name)
    if (link === undefined) return `there is no link ${name}`
    if (link.from !== at) return `link ${name} does not begin at ${at}`
    at = link.to
    if (passed.has(at)) return `it comes to ${at} twice`
    passed.add(at)
  }
  return at === to ? null : `it ends at ${at}`
}

export class Network {
  readonly resources = new Resources()
  readonly #sites: Site[] = []
  readonly #siteIds = new Map<string, SiteId>()
  readonly #nodes: Node[] = []
  readonly #nodeIds = new Map<string, NodeId>()
  /** Those that were asked for or named, by both sites. */
  readonly #routes = new Map<number, SiteRoute>()
  /** By the site where they begin. */
  readonly #ways = new Map<SiteId, Ways>()
  /** What the topology says of nodes. */
  readonly #carries = new Map<string, NodeCarries>()
  #hasLinks = false

  /** A topology without faults; throws RangeError with the first of them. */
  constructor(topology: TopologySpec = { sites: [], links: [], routes: [] }) {
    const [fault] = topologyFaults(topology)
    if (fault !== undefined) throw new RangeError(fault.text)
    for (const node of topology.nodes ?? []) this.#carries.set(node.name, node)
    for (const site of topology.sites) this.#addSite(site)
    const links = new Map<string, ResourceId>()
    for (const { name, from, to, ...carries } of topology.links) {
      const resource = this.resources.add({ kind: 'link', name, ...carries })
      links.set(name, resource)
      this.#siteAt(this.#siteIds.get(from) as SiteId).links.push({
        ...{ resource, to: this.#siteIds.get(to) as SiteId },
      })
      this.#hasLinks = true
    }
    for (const { from, to, via } of topology.routes) {
      const passed = via.map((name) => links.get(name) as ResourceId)
      const [a, b] = [this.#siteIds.get(from) as SiteId, this.#siteIds.get(to) as SiteId]
      this.#routes.set(a * limits.masterSites + b, this.#routeOf(a, b, passed))
    }
  }

  get sites(): number {
    return this.#sites.length
  }

  get nodes(): number {
    return this.#nodes.length
  }

  /**
   * A node that is known keeps its number; its links are those that it tells now, within what the
   * topology says of it.
   */
  addNode({ name, site, up, down }: NodeSpec): NodeId {
    const known = this.#nodeIds.get(name)
    const at = this.siteId(site) ?? this.#addSite({ name: site })
    const said = this.#carries.get(name)
    const uplink: ResourceSpec = { kind: 'uplink', name, ...within(up, said?.up) }
    const downlink: ResourceSpec = { kind: 'downlink', name, ...within(down, said?.down) }
    if (known !== undefined) {
      const node = this.#nodes[known] as Node
      this.resources.change(node.up, uplink)
      this.resources.change(node.down, downlink)
      this.#nodes[known] = { ...node, site: at }
      return known
    }
    const id = this.#nodes.length
    if (id >= limits.masterNodes) throw new RangeError(`more than ${limits.masterNodes} nodes`)
    const own = { up: this.resources.add(uplink), down: this.resources.add(downlink) }
    this.#nodes.push({ name, site: at, ...own })
    this.#nodeIds.set(name, id)
    return id
  }

  nodeId(name: string): NodeId | undefined {
    return this.#nodeIds.get(name)
  }

  nodeName(node: NodeId): string {
    return this.#nodeAt(node).name
  }

  siteId(name: string): SiteId | undefined {
    return this.#siteIds.get(name)
  }

  siteName(site: SiteId): string {
    return this.#siteAt(site).name
  }

  siteOf(node: NodeId): SiteId {
    return this.#nodeAt(node).site
  }

  uplink(node: NodeId): ResourceId {
    return this.#nodeAt(node).up
  }

  downlink(node: NodeId): ResourceId {
    return this.#nodeAt(node).down
  }

  /** Sites to which a link leads from this one. */
  neighbours(site: SiteId): SiteId[] {
    return this.#siteAt(site).links.map(({ to }) => to)
  }

  /** Between sites; undefined: there is no way. */
  siteRoute(from: SiteId, to: SiteId): SiteRoute | undefined {
    if (from === to) return inSite
    const key = from * limits.masterSites + to
    const known = this.#routes.get(key)
    if (known !== undefined) return known
    const links = this.#hasLinks ? this.#linksTo(from, to) : []
    if (links === null) return undefined
    const route = this.#routeOf(from, to, links)
    this.#routes.set(key, route)
    return route
  }

  /** Null: there is no way. */
  #linksTo(from: SiteId, to: SiteId): ResourceId[] | null {
    const ways = this.#waysFrom(from)
    const links: ResourceId[] = []
    for (let at = to; at !== from; ) {
      const before = ways.from[at] ?? -1
      if (before === -1) return null
      links.unshift(ways.link[at] as ResourceId)
      at = before
    }
    return links
  }

  /** All that a copy from one node to another uses; undefined: there is no way. */
  route(from: NodeId, to: NodeId): SiteRoute | undefined {
    const [source, target] = [this.#nodeAt(from), this.#nodeAt(to)]
    const between = this.siteRoute(source.site, target.site)
    if (between === undefined) return undefined
    const resources = [source.up, ...between.resources, target.down]
    const own = this.#cost(source.up) + this.#cost(target.down)
    return { resources, hops: between.hops, costPerGb: between.costPerGb + own }
  }

  #cost(id: ResourceId): number {
    return this.resources.spec(id).costPerGb ?? 0
  }

  #siteAt(site: SiteId): Site {
    const found = this.#sites[site]
    if (found === undefined) throw new RangeError(`no site has the number ${site}`)
    return found
  }

  #nodeAt(node: NodeId): Node {
    const found = this.#nodes[node]
    if (found === undefined) throw new RangeError(`no node has the number ${node}`)
    return found
  }

  #addSite({ name, up, down }: SiteSpec): SiteId {
    const id = this.#sites.length
    if (id >= limits.masterSites) throw new RangeError(`more than ${limits.masterSites} sites`)
    const add = (way: string, carries?: Carries) =>
      carries === undefined
        ? null
        : this.resources.add({ kind: 'site', name: `${name} ${way}`, ...carries })
    this.#sites.push({ name, up: add('out', up), down: add('in', down), links: [] })
    this.#siteIds.set(name, id)
    return id
  }

  /** How each site is reached from this one. */
  #waysFrom(from: SiteId): Ways {
    const known = this.#ways.get(from)
    if (known !== undefined) return known
    const ways = this.#cheapest(from)
    this.#ways.set(from, ways)
    return ways
  }

  /** Dijkstra's shortest paths; a price a hop breaks ties, and after it the widest link. */
  #cheapest(from: SiteId): Ways {
    const count = this.#sites.length
    const ways = { from: new Int32Array(count).fill(-1), link: new Int32Array(count) }
    const prices = new Float64Array(count).fill(Number.POSITIVE_INFINITY)
    const widths = new Float64Array(count)
    const hops = new Uint8Array(count)
    const open = new LeastFirst<SiteId>()
    prices[from] = 0
    widths[from] = Number.POSITIVE_INFINITY
    open.set(from, 0)
    while (open.size > 0) {
      const [at] = open.upTo(open.least) as [SiteId]
      open.delete(at)
      const [price, width, passed] = [prices[at], widths[at], hops[at]] as [number, number, number]
      if (passed === limits.routeHops) continue
      for (const { resource, to } of this.#siteAt(at).links) {
        const { bytesPerSecond, costPerGb = 0 } = this.resources.spec(resource)
        const next = price + costPerGb + hopPrice
        const narrow = Math.min(width, bytesPerSecond)
        const known = prices[to] as number
        if (next > known || (next === known && narrow <= (widths[to] as number))) continue
        prices[to] = next
        widths[to] = narrow
        hops[to] = passed + 1
        ways.from[to] = at
        ways.link[to] = resource
        open.set(to, next)
      }
    }
    return ways
  }

  #routeOf(from: SiteId, to: SiteId, links: readonly ResourceId[]): SiteRoute {
    const out = this.#siteAt(from).up
    const into = this.#siteAt(to).down
    const ends = (id: ResourceId | null) => (id === null ? [] : [id])
    const resources = [...ends(out), ...links, ...ends(into)]
    const costPerGb = resources.reduce((sum, id) => sum + this.#cost(id), 0)
    return { resources, hops: Math.max(1, links.length), costPerGb }
  }
}

function within(told: Carries, said: Carries = told): Carries {
  const bytesPerSecond = Math.min(told.bytesPerSecond, said.bytesPerSecond)
  return { ...told, ...said, bytesPerSecond }
}

/** What a link costs beside its price: so that of equal prices the fewest links are taken. */
const hopPrice = 1e-6
