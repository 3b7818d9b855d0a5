/**
 * What a simulated run of a master is compared with: the least time that any schedule takes, and
 * what it takes when every node copies from where a content was made.
 *
 * The least time: a node receives all that it lacks over its downlink; whoever made contents sends
 * each of them once; into a site, all that it lacks comes once, over no more than the greatest flow
 * from site to site (Ford and Fulkerson) over links that are on a way of any two. Budgets of the
 * day count at their best.
 */
import {
  type Carries,
  type LinkSpec,
  Network,
  type TopologySpec,
} from '../../control/copies/network.js'
import { setOf } from '../../control/copies/sets.js'
import type { WanContent, WanNodeSpec, WanScenario } from './scenario.js'

export interface Compared {
  /** 0: nothing is to be copied; infinite: some of it has no way. */
  readonly leastSeconds: number
  /** Every node from the one that made the content, at least. */
  readonly direct: { readonly seconds: number; readonly cost: number }
  /** Sets that mean none of the nodes. */
  readonly unmeant: readonly string[]
}

/** Of sites: all pairs of more are not looked at. */
const sitesTried = 200

interface Lack {
  readonly node: WanNodeSpec
  readonly content: WanContent
}

export function compared(scenario: WanScenario): Compared {
  const { topology, nodes, contents } = scenario
  const network = new Network(topology)
  for (const node of nodes) network.addNode(node)
  const sets = scenario.sets.flatMap((one) => one.sets)
  const attributesOf = ({ attributes, name, site }: WanNodeSpec) => ({ ...attributes, name, site })
  const meant = nodes.map((node) => setOf(sets, attributesOf(node)).wanted)
  const lacks = nodes.flatMap((node, i) =>
    contents.flatMap((content): Lack[] =>
      meant[i]?.has(content.name) && content.node !== node.name ? [{ node, content }] : [],
    ),
  )
  return {
    leastSeconds: leastSeconds(
      { ...topology, links: usedLinks(topology, network, nodes) },
      network,
      lacks,
    ),
    direct: direct(network, lacks),
    unmeant: sets
      .filter((set) => !nodes.some((node) => setOf([set], attributesOf(node)).wanted.size > 0))
      .map(({ name }) => name),
  }
}

function leastSeconds(topology: Ways, network: Network, lacks: readonly Lack[]): number {
  const sums = new Map<string, { bytes: number; rate: number }>()
  const seen = new Set<string>()
  /** Counts a content once for each key; `rateOf` is asked for the first. */
  const add = (key: string, { contentId, size }: WanContent, rateOf: () => number) => {
    if (seen.has(`${key} ${contentId}`)) return
    seen.add(`${key} ${contentId}`)
    const sum = sums.get(key) ?? { bytes: 0, rate: rateOf() }
    sum.bytes += size
    sums.set(key, sum)
  }
  const id = (name: string) => network.nodeId(name) as number
  for (const { node, content } of lacks) {
    const [from, to] = [id(content.node), id(node.name)]
    add(`down ${to}`, content, () => mostOf(network.resources.spec(network.downlink(to))))
    add(`up ${from}`, content, () => mostOf(network.resources.spec(network.uplink(from))))
    const [a, b] = [network.siteOf(from), network.siteOf(to)]
    const [source, site] = [network.siteName(a), network.siteName(b)]
    if (a !== b) add(`site ${a} ${b}`, content, () => greatestFlow(topology, source, site))
  }
  return [...sums.values()].reduce((most, { bytes, rate }) => Math.max(most, bytes / rate), 0)
}

type Ways = Omit<TopologySpec, 'links'> & { readonly links: readonly LinkSpec[] | null }

/**
 * Those on a way between two sites with nodes, where few enough are to be tried; null: there are
 * none at all, and all sites are connected.
 */
function usedLinks(
  { links }: TopologySpec,
  network: Network,
  nodes: readonly WanNodeSpec[],
): readonly LinkSpec[] | null {
  if (links.length === 0) return null
  const sites = [...new Set(nodes.map(({ site }) => network.siteId(site) as number))]
  if (sites.length > sitesTried) return links
  const used = new Set<string>()
  for (const from of sites)
    for (const to of sites)
      for (const id of network.siteRoute(from, to)?.resources ?? [])
        used.add(network.resources.spec(id).name)
  return links.filter(({ name }) => used.has(name))
}

function direct(network: Network, lacks: readonly Lack[]): Compared['direct'] {
  const bytes = new Map<number, number>()
  let cost = 0
  for (const { node, content } of lacks) {
    const [from, to] = [content.node, node.name].map((name) => network.nodeId(name) as number)
    const route = network.route(from as number, to as number)
    if (route === undefined) return { seconds: Number.POSITIVE_INFINITY, cost }
    cost += (content.size / 1e9) * route.costPerGb
    for (const id of route.resources) bytes.set(id, (bytes.get(id) ?? 0) + content.size)
  }
  let seconds = 0
  for (const [id, sum] of bytes)
    seconds = Math.max(seconds, sum / mostOf(network.resources.spec(id)))
  return { seconds, cost }
}

/** Bytes a second that copies may use of it when it carries most. */
function mostOf({ bytesPerSecond, share = 1, budget = [] }: Carries): number {
  return share * Math.max(bytesPerSecond, ...budget.map((window) => window.bytesPerSecond))
}

/** Bytes a second from one site to another at most, over whatever ways there are. */
function greatestFlow({ sites, links }: Ways, from: string, to: string): number {
  const rateOf = (carries: Carries | undefined) =>
    carries === undefined ? Number.POSITIVE_INFINITY : mostOf(carries)
  const ends = Math.min(
    rateOf(sites.find(({ name }) => name === from)?.up),
    rateOf(sites.find(({ name }) => name === to)?.down),
  )
  if (links === null) return ends
  const left = new Map<string, Map<string, number>>()
  const add = (a: string, b: string, rate: number) => {
    const of = left.get(a) ?? new Map<string, number>()
    left.set(a, of.set(b, (of.get(b) ?? 0) + rate))
  }
  for (const link of links) add(link.from, link.to, Math.min(Number.MAX_SAFE_INTEGER, mostOf(link)))
  let flow = 0
  while (flow < ends) {
    const way = shortestWay(left, from, to)
    if (way === null) break
    const rate = Math.min(...way.map(([a, b]) => left.get(a)?.get(b) as number))
    for (const [a, b] of way) {
      add(a, b, -rate)
      add(b, a, rate)
    }
    flow += rate
  }
  return Math.min(ends, flow)
}

/** The fewest links on which something is left; null: there is no such way. */
function shortestWay(
  left: ReadonlyMap<string, ReadonlyMap<string, number>>,
  from: string,
  to: string,
): [string, string][] | null {
  const before = new Map<string, string>([[from, from]])
  for (const at of before.keys()) {
    // Less than a byte a second is what rounding has left.
    for (const [next, rate] of left.get(at) ?? [])
      if (rate >= 1 && !before.has(next)) before.set(next, at)
    if (before.has(to)) break
  }
  const way: [string, string][] = []
  for (let at = to; at !== from; ) {
    const last = before.get(at)
    if (last === undefined) return null
    way.unshift([last, at])
    at = last
  }
  return way
}
