/**
 * Which nodes form a group, and which group feeds which: the tree of groups of a push.
 *
 * The idea: groups of one size along one chain reach the bound at any length (theory: pipelined
 * groups), so a chain is the rule. Where nodes stand in several sites no group spans two of them,
 * each byte crosses between two sites once, and every site is fed from the start. A site behind a
 * gateway feeds another only where nobody else can, since that goes out through it again. Where
 * uplinks are known the fastest nodes are together in a column, because a column goes at the pace
 * of its slowest place. A node that can carry few feeds makes its own group small, and stands at
 * the end.
 */
import { limits } from '../../base/limits.js'
import { smaller } from '../../base/rate-limits.js'
import type { LinkSpeeds } from '../messages/copying.js'

const unlimited = Number.POSITIVE_INFINITY

/** Shapes that have groups. */
export type TreeShape = 'group' | 'chain' | 'tree' | 'binomial'

/** A node as far as its place depends on it. */
export interface Placed extends LinkSpeeds {
  readonly node: number
  readonly site?: string
  /** The gateway behind which it is. */
  readonly via?: string
  /** Nodes that it can send to at once; any number unless given. */
  readonly maxFeeds?: number
}

/** What two sites can carry between them, each way. */
export interface SiteLink {
  readonly sites: readonly [string, string]
  readonly bytesPerSecond: number
  /** Data connections between the two sites are sealed. */
  readonly isSealed?: true
}

/** How nodes are to be grouped, as far as the caller says. */
export interface GroupWish {
  /** Nodes in a group at most. */
  readonly groupSize?: number | undefined
  /** Nodes that the coordinator can feed at once; any number unless given. */
  readonly originFeeds?: number | undefined
  /** Where the coordinator stands. */
  readonly site?: string | undefined
  readonly siteLinks?: readonly SiteLink[] | undefined
  /** Whom a node feeds in the next group: the one where its column enters, or all of them. */
  readonly handover?: Handover | undefined
}

export const handovers = ['corresponding', 'every'] as const
export type Handover = (typeof handovers)[number]

export interface TreeWish extends GroupWish {
  readonly shape: TreeShape
  /** What is to be sent, and what of it the coordinator sends at most; else nobody is slow. */
  readonly load?: { readonly bytes: number; readonly origin: LinkSpeeds } | undefined
}

export interface PlannedGroup {
  readonly nodes: readonly number[]
  /** Index of the group that feeds it, a lower one; null: the coordinator does. */
  readonly parent: number | null
}

/** Whether these stand in several sites, as far as is known. */
export function spansSites(nodes: readonly { readonly site?: string }[]): boolean {
  return nodes.some(({ site }) => site !== nodes[0]?.site)
}

/** The first group is the one that the coordinator feeds; none where there are no nodes. */
export function layOut(nodes: readonly Placed[], wish: TreeWish): PlannedGroup[] {
  if (nodes.length === 0) return []
  if (wish.shape === 'group') return [{ nodes: nodes.map(({ node }) => node), parent: null }]
  const tree: PlannedGroup[] = []
  const feeds = new Map(nodes.map(({ node, maxFeeds }) => [node, maxFeeds ?? unlimited]))
  /** Groups that each group feeds so far. */
  const fed: number[] = []
  /** How many more it can feed by what its nodes can carry; below 0: it has too many. */
  const room = (group: number): number => {
    const { nodes = [] } = tree[group] ?? {}
    const perChild = wish.handover === 'every' ? nodes.length : 1
    const least = Math.min(...nodes.map((node) => feeds.get(node) ?? unlimited))
    return Math.floor((least - nodes.length + 1) / perChild) - (fed[group] ?? 0)
  }
  const bySite = new Map<string | undefined, number[]>()
  for (const { nodes: members, parent } of sitesInOrder(nodes, wish)) {
    const first = tree.length
    const feeder = parent === null ? null : feederOf(bySite.get(parent.site) ?? [], tree, fed, room)
    for (const [i, nodes] of cut(members, wish).entries()) {
      const at = i === 0 ? feeder : first + parentOf(i, wish.shape, (of) => room(first + of))
      tree.push({ nodes, parent: at })
      fed.push(0)
      if (at !== null) fed[at] = (fed[at] ?? 0) + 1
    }
    bySite.set(
      members[0]?.site,
      tree.slice(first).map((_, i) => first + i),
    )
  }
  return tree
}

/** What feeds the group of this index, one of the groups of its site that come before it. */
function parentOf(index: number, shape: TreeShape, room: (group: number) => number): number {
  if (shape === 'tree') return Math.floor((index - 1) / 2)
  if (shape === 'chain') return index - 1
  // A binomial tree: each group feeds one more for each step that it has the file, so the n-th to
  // be fed in a step has the n-th of those that had the file as its feeder. Whoever can feed no
  // more leaves that to the next.
  const had = 2 ** Math.floor(Math.log2(index))
  for (let i = 0; i < index; i++) {
    const group = (index - had + i) % index
    if (room(group) > 0) return group
  }
  return index - 1
}

/**
 * Which of the groups of one site feeds another site: one that can carry it, of those one that
 * crosses as about as many flows as the largest would, of those the one that feeds the fewest
 * others, the last of several.
 */
function feederOf(
  groups: readonly number[],
  tree: readonly PlannedGroup[],
  fed: readonly number[],
  room: (group: number) => number,
): number | null {
  const size = (group: number): number => tree[group]?.nodes.length ?? 0
  const able = groups.filter((group) => room(group) > 0)
  const candidates = able.length > 0 ? able : groups
  const largest = Math.max(...candidates.map(size))
  const fedBy = (group: number): number => fed[group] ?? 0
  return candidates
    .filter((group) => 2 * size(group) >= largest)
    .reduce<number | null>(
      (best, group) => (best === null || fedBy(group) <= fedBy(best) ? group : best),
      null,
    )
}

interface Site {
  readonly nodes: readonly Placed[]
  /** The site that feeds it; null: the coordinator does. */
  readonly parent: { readonly site: string | undefined } | null
}

/** How a site can be fed. */
interface Way {
  readonly bytesPerSecond: number
  /** Gateways on it. */
  readonly gateways: number
}

/**
 * The sites, each after the one that feeds it: that of the coordinator first, then by the widest
 * link to one that is there, so that what a site link carries is as much as it can be for all; of
 * those that are as wide by the fewest gateways. A site feeds one other where that costs nothing,
 * because a chain is the fastest tree.
 */
function sitesInOrder(nodes: readonly Placed[], wish: TreeWish): Site[] {
  const sites = new Map<string | undefined, Placed[]>()
  for (const node of nodes) {
    const known = sites.get(node.site)
    if (known === undefined) sites.set(node.site, [node])
    else known.push(node)
  }
  const { siteLinks = [] } = wish
  const wayFrom = (from: string | undefined, via: string | undefined, to: string | undefined) => {
    const rate = siteRate(siteLinks, from, to)
    const gateway = gatewayOf(sites.get(to))
    const passed = gateway === via ? [] : [gateway, via].filter((one) => one !== undefined)
    // Where some links are told, one that is not is no way to choose.
    const isUnknown = siteLinks.length > 0 && rate === Number.POSITIVE_INFINITY
    return { bytesPerSecond: isUnknown ? 0 : rate, gateways: passed.length }
  }
  const order: Site[] = []
  /** Sites that are not in the order yet: the best way from one that is, and from which. */
  const waiting = new Map<string | undefined, Way & { parent: Site['parent'] }>()
  for (const site of sites.keys())
    waiting.set(site, { ...wayFrom(wish.site, undefined, site), parent: null })
  let next = sites.has(wish.site) ? wish.site : best(waiting)
  while (waiting.size > 0) {
    const { parent } = waiting.get(next) as { parent: Site['parent'] }
    waiting.delete(next)
    const nodes = sites.get(next) as Placed[]
    order.push({ nodes, parent })
    // Of ways that are as good the newest: its site feeds no other yet.
    for (const [site, known] of waiting) {
      const way = wayFrom(next, gatewayOf(nodes), site)
      if (known.parent === null || !isBetter(known, way))
        waiting.set(site, { ...way, parent: { site: next } })
    }
    next = best(waiting)
  }
  return order
}

/** The gateway that all of these are behind. */
function gatewayOf(nodes: readonly Placed[] = []): string | undefined {
  return nodes.every(({ via }) => via === nodes[0]?.via) ? nodes[0]?.via : undefined
}

function isBetter(way: Way, other: Way): boolean {
  if (way.bytesPerSecond !== other.bytesPerSecond) return way.bytesPerSecond > other.bytesPerSecond
  return way.gateways < other.gateways
}

function best(ways: ReadonlyMap<string | undefined, Way>): string | undefined {
  let [found] = ways
  for (const one of ways) if (found !== undefined && isBetter(one[1], found[1])) found = one
  return found?.[0]
}

/** Bytes a second between two sites; unlimited where nothing is known. */
export function siteRate(
  links: readonly SiteLink[] = [],
  a: string | undefined,
  b: string | undefined,
): number {
  const link = links.find(({ sites: [one, other] }) =>
    one === a ? other === b : one === b && other === a,
  )
  return link?.bytesPerSecond ?? Number.POSITIVE_INFINITY
}

/**
 * Cuts the nodes of one site into groups, as few as their size allows and as equal as can be. Where
 * all uplinks are known the n-th nodes of all groups are about as fast as each other.
 */
function cut(nodes: readonly Placed[], wish: TreeWish): number[][] {
  const { shape, handover } = wish
  if (shape === 'binomial') return byUplink(nodes).map(({ node }) => [node])
  const groups: number[][] = []
  const wished = mostPerGroup(wish)
  for (const { size, members } of bySize(nodes, wished, sizeFor(shape, handover))) {
    const count = Math.ceil(members.length / size)
    const areKnown = members.every((node) => node.uplinkBytesPerSecond !== undefined)
    const dealt = byUplink(members)
    for (let i = 0; i < count; i++) {
      const group = areKnown ? everyNth(dealt, count, i) : slice(members, count, i)
      groups.push(group.map(({ node }) => node))
    }
  }
  return groups
}

/** The i-th of `count` parts that lie one behind the other. */
function slice(members: readonly Placed[], count: number, i: number): Placed[] {
  const [from, to] = [i, i + 1].map((at) => Math.round((at * members.length) / count))
  return members.slice(from, to)
}

/** The i-th of `count` parts that lie in one another. */
function everyNth(members: readonly Placed[], count: number, i: number): Placed[] {
  const length = Math.ceil((members.length - i) / count)
  return Array.from({ length }, (_, k) => members[i + k * count] as Placed)
}

function byUplink(nodes: readonly Placed[]): Placed[] {
  const uplink = (node: Placed): number => node.uplinkBytesPerSecond ?? Number.POSITIVE_INFINITY
  return [...nodes].sort((a, b) => (uplink(a) === uplink(b) ? 0 : uplink(b) - uplink(a)))
}

/** Nodes in a group as the caller wishes, and no more than the coordinator feeds; if any. */
export function mostPerGroup({ groupSize, originFeeds }: GroupWish): number | undefined {
  return smaller(groupSize, originFeeds)
}

/**
 * How large a group may be whose nodes feed so many: each of k sends to k - 1 mates, and in each
 * group that its own feeds to one node, or to all of them.
 */
function sizeFor(shape: TreeShape, handover?: Handover): (feeds: number) => number {
  const children = shape === 'tree' ? 2 : 1
  return handover === 'every'
    ? (feeds) => Math.floor((feeds + 1) / (1 + children))
    : (feeds) => feeds + 1 - children
}

/**
 * Nodes with the size of their groups: the wish, or else what is usual for so many, and no more
 * than the weakest of them can feed. The strongest stand first, and those who can feed few are the
 * end.
 */
function bySize(
  nodes: readonly Placed[],
  groupSize: number | undefined,
  sizeOf: (feeds: number) => number,
): { readonly size: number; readonly members: readonly Placed[] }[] {
  const usual = nodes.length > limits.groupSizeMax ? limits.groupSize : limits.groupSizeMax
  const most = Math.min(groupSize ?? usual, limits.columnsPerPush)
  const able = ({ maxFeeds }: Placed): number =>
    maxFeeds === undefined ? most : Math.max(1, Math.min(most, sizeOf(maxFeeds)))
  const strong = nodes.filter((node) => able(node) === most)
  const weak = nodes.filter((node) => able(node) < most).sort((a, b) => able(b) - able(a))
  const ends: { size: number; members: Placed[] }[] = []
  while (weak.length > 0) {
    // From the weakest on: as many as it can feed, strong ones where there are not enough others.
    const size = able(weak.at(-1) as Placed)
    const members = weak.splice(Math.max(0, weak.length - size))
    members.unshift(...strong.splice(Math.max(0, strong.length - size + members.length)))
    ends.unshift({ size, members })
  }
  return [...(strong.length > 0 ? [{ size: most, members: strong }] : []), ...ends]
}
