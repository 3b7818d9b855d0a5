/** How long groups that feed groups take: what limits them, and how far they are from the bound. */
import type { LinkSpeeds, NodeLink } from '../messages/copying.js'
import { Chain } from './chain.js'
import { siteRate, type TreeWish } from './layout.js'
import { bound, type Forecast } from './plan.js'

const unlimited = Number.POSITIVE_INFINITY
/** What one group holds back before the next has it: a turn of a lane, and a chunk. */
const hopSeconds = 0.0005
const hopBytes = 64 * 1024

/** The tree of these nodes, before anything is known of them but what the caller says. */
export function treeOf(nodes: readonly NodeLink[], wish: TreeWish): Chain {
  const chain = new Chain(wish)
  chain.start(nodes.map((link, node) => ({ ...link, node })))
  return chain
}

/**
 * Bound and predicted time. All of it crosses the link between two sites once, which is part of
 * the bound. A column goes at the pace of the slowest node at which it enters a group.
 */
export function forecastTree(
  bytes: number,
  origin: LinkSpeeds,
  nodes: readonly NodeLink[],
  wish: TreeWish,
): Forecast {
  const ofNodes = bound(bytes, origin, nodes)
  // Nothing is known: no tree says more, and that of thousands takes a while.
  if (ofNodes.boundSeconds === null && (wish.siteLinks ?? []).length === 0) return ofNodes
  const chain = treeOf(nodes, wish)
  const base = withSites(bytes, ofNodes, crossings(chain, nodes, wish))
  if (base.boundSeconds === null || chain.isOne)
    return { ...base, predictedSeconds: base.boundSeconds }
  const slowest = Math.min(...nodes.map(uplinkOf))
  const delay = (depthOf(chain) - 1) * (hopSeconds + hopBytes / slowest)
  const seconds = bytes / columnsRate(chain, nodes)
  if (seconds <= base.boundSeconds * (1 + 1e-9))
    return { ...base, predictedSeconds: base.boundSeconds + delay }
  return { ...base, predictedSeconds: seconds + delay, limiting: 'uplinks' }
}

const uplinkOf = (node: NodeLink): number => node.uplinkBytesPerSecond ?? unlimited

/** What all columns carry together. An entry sends what comes to all its mates, and further on. */
function columnsRate(chain: Chain, nodes: readonly NodeLink[]): number {
  const fed = new Map<number, number>()
  for (const parent of chain.parents)
    if (parent !== null) fed.set(parent, (fed.get(parent) ?? 0) + 1)
  const copies = new Map<number, number>()
  for (const [i, group] of chain.groups.entries())
    for (const node of group) copies.set(node, group.length - 1 + (fed.get(i) ?? 0))
  const columns = chain.heads.flatMap((head) => chain.columnsFrom(head))
  const parts = columns.map((column) => {
    return { width: chain.widthOf(column), entries: chain.entriesOf(column) }
  })
  const carried = new Map<number, number>()
  for (const { width, entries } of parts)
    for (const node of entries) carried.set(node, (carried.get(node) ?? 0) + width)
  /** What of its uplink a node has for a column of this width, by copies that it sends. */
  const rateAt = (node: number, width: number): number => {
    const sent = ((copies.get(node) ?? 0) * (carried.get(node) ?? 1)) / width
    return sent === 0 ? unlimited : uplinkOf(nodes[node] as NodeLink) / sent
  }
  return parts.reduce(
    (sum, { width, entries }) => sum + Math.min(...entries.map((node) => rateAt(node, width))),
    0,
  )
}

function depthOf(chain: Chain): number {
  const depths: number[] = []
  for (const parent of chain.parents) depths.push(parent === null ? 1 : (depths[parent] ?? 0) + 1)
  return Math.max(1, ...depths)
}

interface Crossing {
  readonly from: string
  readonly to: string
  readonly bytesPerSecond: number
}

/** Links between sites that the tree uses, the coordinator's among them. */
function crossings(chain: Chain, nodes: readonly NodeLink[], wish: TreeWish): Crossing[] {
  const sites = chain.groups.map(([first]) => nodes[first as number]?.site)
  return chain.parents.flatMap((parent, i) => {
    const [from, to] = [parent === null ? wish.site : sites[parent], sites[i]]
    if (from === undefined || to === undefined || from === to) return []
    return [{ from, to, bytesPerSecond: siteRate(wish.siteLinks, from, to) }]
  })
}

function withSites(bytes: number, base: Forecast, links: readonly Crossing[]): Forecast {
  let rate = base.boundSeconds === null ? unlimited : bytes / base.boundSeconds
  let { limiting } = base
  for (const { from, to, bytesPerSecond } of links) {
    if (bytesPerSecond >= rate) continue
    rate = bytesPerSecond
    limiting = `link between ${from} and ${to}`
  }
  if (!Number.isFinite(rate)) return base
  return { ...base, boundSeconds: bytes / rate, limiting }
}
