/** How long groups that feed groups take: what limits them, and how far they are from the bound. */
import type { LinkSpeeds, NodeLink } from '../messages/copying.js'
import { Chain } from './chain.js'
import type { Placed, PlannedGroup, TreeWish } from './layout.js'
import { bound, type Forecast } from './plan.js'
import { type Crossing, crossings, uplinkOf } from './rates.js'
import { planTree, secondsOf } from './tree.js'

const unlimited = Number.POSITIVE_INFINITY
/** What one group holds back before the next has it: a turn of a lane, and a chunk. */
const hopSeconds = 0.0005
const hopBytes = 64 * 1024

/** The tree of these nodes, before anything is known of them but what the caller says. */
export function treeOf(nodes: readonly NodeLink[], wish: TreeWish): Chain {
  const chain = new Chain(wish)
  chain.start(placedOf(nodes))
  return chain
}

function placedOf(nodes: readonly NodeLink[]): Placed[] {
  return nodes.map((link, node) => ({ ...link, node }))
}

/**
 * Bound and predicted time. All of it crosses the link between two sites once, which is part of
 * the bound. A column goes at the pace of the slowest node at which it enters a group. Nodes beside
 * the tree take their time after that of the tree.
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
  const links = new Map(nodes.entries())
  const load = { bytes, origin }
  const told = { ...wish, load }
  const tree = planTree(placedOf(nodes), told)
  const { groups } = tree
  const base = withSites(bytes, ofNodes, crossings(groups, links, wish))
  if (base.boundSeconds === null || groups.length < 2)
    return { ...base, predictedSeconds: base.boundSeconds }
  const slowest = Math.min(...nodes.map((_, node) => uplinkOf(links, node)))
  const delay = (depthOf(groups) - 1) * (hopSeconds + hopBytes / slowest)
  const seconds = secondsOf(tree, links, told, load)
  if (seconds <= base.boundSeconds * (1 + 1e-9))
    return { ...base, predictedSeconds: base.boundSeconds + delay }
  return { ...base, predictedSeconds: seconds + delay, limiting: 'uplinks' }
}

function depthOf(groups: readonly PlannedGroup[]): number {
  const depths: number[] = []
  for (const { parent } of groups) depths.push(parent === null ? 1 : (depths[parent] ?? 0) + 1)
  return Math.max(1, ...depths)
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
