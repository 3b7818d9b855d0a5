/** The shape of a push, how long each would take, and the plan that follows from it. */
import { parseAddress } from '../../base/addresses.js'
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import type { Strategy } from '../messages/types.js'
import type { Chain } from '../plan/chain.js'
import { forecastTree, treeOf } from '../plan/forecast.js'
import { type GroupWish, mostPerGroup, spansSites } from '../plan/layout.js'
import {
  bound,
  equalShares,
  expectedShares,
  type Forecast,
  forecastClassic,
  forecastUnicast,
  type LinkSpeeds,
  type NodeLink,
  type PlanMade,
} from '../plan/plan.js'
import type { DealtShape } from './dealer.js'

export type ShapeWish = 'auto' | DealtShape

/** What a push is planned from: what its caller knows, before anybody is dialled. */
export interface Planning {
  readonly strategy: Strategy
  readonly file: { readonly bytes: number; readonly dataBytes: number; readonly blockBytes: number }
  readonly origin: LinkSpeeds
  readonly nodes: readonly NodeLink[]
  readonly groups: GroupWish
  /** Those that only pass on what they are sent. */
  readonly gateways?: readonly LinkSpeeds[]
  /** All is dealt to one node: each byte leaves the origin once, however few they are. */
  readonly isDealtWhole?: boolean
}

export interface ShapeForecast {
  readonly shape: DealtShape
  /** Null: no speed is known. */
  readonly predictedSeconds: number | null
}

/** Where no speed is known, trees are compared as if all links had this one: 1 Gbit/s. */
const usualBytesPerSecond = 125_000_000

/**
 * The shape that is predicted to be fastest, where the caller leaves it open: with a group the
 * origin sends one copy, after its nodes have opened feeds to each other. What the other copies
 * take is known where the origin's uplink is; elsewhere bytes have to tell. What goes to several
 * sites is not to cross between them once for each node. `others`: those who send as well.
 */
export function shapeOf(wish: ShapeWish, planning: Planning, others = 0): DealtShape {
  if (wish !== 'auto') return wish
  const { file, nodes, origin, isDealtWhole } = planning
  const bytes = file.dataBytes
  const senders = nodes.length + others
  if (isDealtWhole) return grouped(planning, senders)
  if (senders > (planning.groups.originFeeds ?? senders)) return grouped(planning, senders)
  const openingMs = feedsMs(nodes)
  const uplink = origin.uplinkBytesPerSecond
  if (uplink !== undefined) {
    const copies = bytes * (senders - 1) * 1000
    const ms = Math.max(limits.groupMs, openingMs)
    return copies <= uplink * ms ? 'unicast' : grouped(planning, senders)
  }
  const small = bytes <= limits.unicastFileBytes ? limits.unicastFilesBytes : limits.unicastBytes
  const most = Math.max(small, (usualBytesPerSecond * openingMs) / 1000)
  return senders === 1 || bytes * senders <= most ? 'unicast' : grouped(planning, senders)
}

/**
 * Milliseconds that the processors of the busiest host have work until all mates have feeds to each
 * other. 32 nodes of one host have 992 ends to open there.
 */
function feedsMs(nodes: readonly NodeLink[]): number {
  const byHost = new Map<string, number>()
  for (const { address } of nodes) {
    const host = parseAddress(address, 0)?.host ?? address
    byHost.set(host, (byHost.get(host) ?? 0) + 1)
  }
  const mates = Math.min(nodes.length, limits.groupSizeMax) - 1
  return Math.max(0, ...byHost.values()) * mates * limits.feedMs
}

/** One group, or the fastest tree of several. */
function grouped(planning: Planning, senders: number): DealtShape {
  const { nodes, groups, origin } = planning
  const isOne = senders <= (mostPerGroup(groups) ?? limits.groupSizeMax) && !spansSites(nodes)
  if (isOne) return 'group'
  const usual = origin.uplinkBytesPerSecond ?? usualBytesPerSecond
  const assumed = {
    ...planning,
    origin: { ...origin, uplinkBytesPerSecond: usual },
    nodes: nodes.map((node) => ({ uplinkBytesPerSecond: usual, ...node })),
  }
  const seconds = (shape: DealtShape): number => forecastOf(shape, assumed).predictedSeconds ?? 0
  const trees = ['chain', 'tree', 'binomial'] as const
  const times = trees.map(seconds)
  return trees[times.indexOf(Math.min(...times))] ?? 'chain'
}

/**
 * Adaptive dealing is predicted to reach the bound; the equal split waits for its weakest relay.
 */
export function forecastOf(shape: DealtShape, planning: Planning): Forecast {
  const { strategy, file, origin, nodes, groups, gateways } = planning
  const { dataBytes, blockBytes } = file
  if (shape === 'unicast') return forecastUnicast(dataBytes, origin, nodes)
  if (shape !== 'group') return forecastTree(dataBytes, origin, nodes, { ...groups, shape })
  if (strategy === 'classic') return forecastClassic(dataBytes, blockBytes, origin, nodes)
  const base = bound(dataBytes, origin, nodes, gateways)
  return { ...base, predictedSeconds: base.boundSeconds }
}

/** Of the shape that is taken, and of every one that these nodes can take. */
export function forecasts(
  taken: DealtShape,
  planning: Planning,
): { readonly forecast: Forecast; readonly shapes: ShapeForecast[] } {
  const forecast = forecastOf(taken, planning)
  const { length } = planning.nodes
  const all: DealtShape[] = ['unicast']
  if (length <= limits.nodesPerGroup) all.push('group')
  if (length > 1) all.push('chain', 'tree', 'binomial')
  const shapes = all.map((shape) => {
    const { predictedSeconds } = shape === taken ? forecast : forecastOf(shape, planning)
    return { shape, predictedSeconds }
  })
  return { forecast, shapes }
}

/** The plan if every node took part. */
export function planOf(shape: DealtShape, planning: Planning): PlanMade {
  const { strategy, nodes, groups, origin, file } = planning
  const load = { bytes: file.dataBytes, origin }
  const chain = treeOf(nodes, { ...groups, load, shape: shape === 'unicast' ? 'group' : shape })
  return {
    strategy,
    shape,
    nodes: [...nodes.keys()],
    groups: chain.groups,
    parents: chain.parents,
    later: chain.slow,
    shares: sharesIn(chain, shape, planning),
  }
}

/**
 * What each node will pass on: nothing under `unicast`. Only the lengths mean something where the
 * dealer decides which bytes go to whom.
 */
function sharesIn(chain: Chain, shape: DealtShape, planning: Planning): RangePair[] {
  const { strategy, file, nodes } = planning
  if (shape === 'unicast') return nodes.map(() => [0, 0])
  const heads = chain.heads.map((head) => nodes[head] as NodeLink)
  const shares =
    strategy === 'classic'
      ? equalShares(file.bytes, file.blockBytes, heads.length)
      : expectedShares(file.dataBytes, heads)
  const byHead = new Map(chain.heads.map((head, i) => [head, shares[i] as RangePair]))
  return nodes.map((_, node) => byHead.get(node) ?? [0, 0])
}
