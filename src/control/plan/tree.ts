/**
 * The groups of a push, and the nodes that are too slow for them.
 *
 * The idea: a column goes at the pace of its slowest place, so a few nodes below half the rate of
 * the chain can hold it up. They are in secondary groups instead, each fed by a group once that is
 * complete, where the last node is predicted to be complete earlier so: the chain without them is
 * faster by more than what they take afterwards. A node with a slow downlink takes its time in any
 * case, so most often it stays.
 */
import { limits } from '../../base/limits.js'
import type { LinkSpeeds } from '../messages/copying.js'
import { layOut, type Placed, type PlannedGroup, type TreeWish } from './layout.js'
import {
  type ColumnRate,
  columnRates,
  crossings,
  type Links,
  tailSeconds,
  treeRate,
  uplinkOf,
} from './rates.js'

const unlimited = Number.POSITIVE_INFINITY

type Load = NonNullable<TreeWish['load']>

export interface SlowNode {
  readonly node: number
  /** What it can pass on, or receive where that is less. */
  readonly bytesPerSecond: number
  /** What the others of the tree pass on. */
  readonly chainBytesPerSecond: number
}

export interface PlannedTree {
  readonly groups: readonly PlannedGroup[]
  /** In no group; fed by groups once these are complete. */
  readonly slow: readonly SlowNode[]
}

/** Slow nodes are beside the tree where it is of several groups and all is over sooner so. */
export function planTree(nodes: readonly Placed[], wish: TreeWish): PlannedTree {
  const all = { groups: layOut(nodes, wish), slow: [] }
  const { load } = wish
  if (all.groups.length < 2 || load === undefined) return all
  const slow = slowOf(nodes, load.origin)
  if (slow.length === 0) return all
  const without = new Set(slow.map(({ node }) => node))
  const groups = layOut(
    nodes.filter(({ node }) => !without.has(node)),
    wish,
  )
  if (groups.length < 2) return all
  const links = new Map(nodes.map((node) => [node.node, node]))
  const spared = { groups, slow }
  const seconds = (tree: PlannedTree): number => secondsOf(tree, links, wish, load)
  return seconds(spared) < seconds(all) ? spared : all
}

/** Until the last node is complete: the time of the tree, then that of the nodes beside it. */
export function secondsOf(
  tree: PlannedTree,
  links: Links,
  wish: TreeWish,
  { bytes, origin }: Load,
): number {
  const { groups, slow } = tree
  const originRate = origin.uplinkBytesPerSecond ?? unlimited
  const columns = columnRates(groups, links)
  let rate = originRate
  for (const { bytesPerSecond } of crossings(groups, links, wish))
    rate = Math.min(rate, bytesPerSecond)
  for (const { nodes } of groups)
    for (const node of nodes) rate = Math.min(rate, downlinkOf(links, node))
  const ofTree = treeRate(columns)
  const tail = tailSeconds(columns, Math.min(originRate, ofHeads(columns)))
  const seconds = Math.max(bytes / rate, bytes / ofTree + tail)
  if (slow.length === 0) return seconds
  const beside = slow.reduce(
    (least, { node }) => Math.min(least, downlinkOf(links, node)),
    unlimited,
  )
  return seconds + bytes / Math.min(beside, feedingRate(tree, links))
}

function ofHeads(columns: readonly ColumnRate[]): number {
  return columns.reduce((sum, { headBytesPerSecond }) => sum + headBytesPerSecond, 0)
}

/**
 * What groups that are complete send to each slow node of their site at least. These are spread
 * over the groups evenly, and each is sent to by a few holders at once.
 */
function feedingRate({ groups, slow }: PlannedTree, links: Links): number {
  const siteOf = (node: number | undefined): string | undefined => links.get(node ?? -1)?.site
  const counts = new Map<string | undefined, { groups: number; slow: number }>()
  const at = (site: string | undefined): { groups: number; slow: number } => {
    const count = counts.get(site) ?? { groups: 0, slow: 0 }
    counts.set(site, count)
    return count
  }
  for (const { nodes } of groups) at(siteOf(nodes[0])).groups++
  for (const { node } of slow) at(siteOf(node)).slow++
  return groups.reduce((least, { nodes }) => {
    const count = at(siteOf(nodes[0]))
    const fed = Math.ceil(count.slow / count.groups)
    if (fed === 0) return least
    // More are fed by nodes that were slow themselves, later yet.
    if (fed > limits.fedLater) return 0
    const uplinks = nodes.reduce((sum, node) => sum + uplinkOf(links, node), 0)
    const senders = Math.min(nodes.length, limits.pullHolders)
    return Math.min(least, uplinks / fed, (uplinks * senders) / nodes.length)
  }, unlimited)
}

/** Below half of what most nodes carry, and the origin; in sites that others are left in. */
function slowOf(nodes: readonly Placed[], origin: LinkSpeeds): SlowNode[] {
  const paces = nodes.map(paceOf).sort((a, b) => a - b)
  const usual = paces[Math.floor(paces.length / 2)] ?? unlimited
  const chainBytesPerSecond = Math.min(usual, origin.uplinkBytesPerSecond ?? unlimited)
  if (!Number.isFinite(chainBytesPerSecond)) return []
  const isSlow = (node: Placed): boolean => paceOf(node) < chainBytesPerSecond / 2
  const left = new Set(nodes.filter((node) => !isSlow(node)).map(({ site }) => site))
  return nodes
    .filter((node) => isSlow(node) && left.has(node.site))
    .map((node) => ({ node: node.node, bytesPerSecond: paceOf(node), chainBytesPerSecond }))
}

function paceOf({ uplinkBytesPerSecond, downlinkBytesPerSecond }: Placed): number {
  return Math.min(uplinkBytesPerSecond ?? unlimited, downlinkBytesPerSecond ?? unlimited)
}

function downlinkOf(links: Links, node: number): number {
  return links.get(node)?.downlinkBytesPerSecond ?? unlimited
}
