/**
 * Strategies by name: the dealer that carries one out, and what can be said of it beforehand.
 * A strategy is a value; nothing else in the product asks which one it is for its own sake.
 */
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import type { Strategy } from '../messages/types.js'
import { Chain } from '../plan/chain.js'
import { forecastTree, treeOf } from '../plan/forecast.js'
import type { GroupWish, TreeWish } from '../plan/layout.js'
import {
  bound,
  equalShares,
  expectedShares,
  type Forecast,
  forecastClassic,
  forecastUnicast,
  type LinkSpeeds,
  type NodeLink,
  relayRates,
} from '../plan/plan.js'
import { ChainDealer } from './chain.js'
import type { Dealer, DealtShape } from './dealer.js'
import { GroupDealer } from './group.js'
import { Pool } from './pool.js'
import { Quotas } from './quotas.js'
import { UnicastDealer } from './unicast.js'

export type ShapeWish = 'auto' | DealtShape

/**
 * The shape that is predicted to be fastest, where the caller leaves it open: with a group the
 * origin sends one copy, after its nodes have opened feeds to each other. What the other copies
 * take is known where the origin's uplink is (bytes a second); elsewhere bytes have to tell. What
 * goes to several sites is not to cross between them once for each node.
 */
export function shapeOf(
  wish: ShapeWish,
  bytes: number,
  nodes: number,
  uplink?: number,
  { groupSize }: GroupWish = {},
  isAcrossSites = false,
): DealtShape {
  if (wish !== 'auto') return wish
  const isOne = nodes <= (groupSize ?? limits.groupSizeMax) && !isAcrossSites
  const many = isOne ? 'group' : 'chain'
  const others = bytes * (nodes - 1)
  if (uplink !== undefined) return others * 1000 <= uplink * limits.groupMs ? 'unicast' : many
  const most = bytes <= limits.unicastFileBytes ? limits.unicastFilesBytes : limits.unicastBytes
  return nodes === 1 || bytes * nodes <= most ? 'unicast' : many
}

export interface ConfiguredSpeeds {
  readonly origin?: LinkSpeeds
  /** By node, as they are known when dealing begins. */
  readonly nodes?: () => readonly LinkSpeeds[]
}

export function dealerOf(
  strategy: Strategy,
  shape: DealtShape,
  bytes: number,
  blockBytes: number,
  speeds: ConfiguredSpeeds = {},
  holes: readonly RangePair[] = [],
  wish: GroupWish = {},
): Dealer {
  if (shape === 'unicast') return new UnicastDealer(strategy, bytes)
  const stock = strategy === 'classic' ? new Quotas(bytes, blockBytes) : new Pool(bytes)
  const { origin = {}, nodes = () => [] } = speeds
  if (shape === 'group') return new GroupDealer(stock, () => relayRates(origin, nodes()), holes)
  const rates = (): Map<number, number> => headRates(origin, nodes(), { ...wish, shape })
  const chain = new Chain({ ...wish, shape })
  return new ChainDealer(shape, chain, new GroupDealer(stock, rates, holes, false))
}

function headRates(
  origin: LinkSpeeds,
  nodes: readonly LinkSpeeds[],
  wish: TreeWish,
): Map<number, number> {
  const links = nodes.map((speeds, node) => ({ ...speeds, address: `${node}` }))
  const { heads } = treeOf(links, wish)
  const rates = relayRates(
    origin,
    heads.map((head) => nodes[head] as LinkSpeeds),
  )
  return new Map([...rates].map(([i, rate]) => [heads[i] as number, rate]))
}

/**
 * Adaptive dealing is predicted to reach the bound; the equal split waits for its weakest relay.
 */
export function forecastOf(
  strategy: Strategy,
  shape: DealtShape,
  bytes: number,
  blockBytes: number,
  origin: LinkSpeeds,
  nodes: readonly NodeLink[],
  wish: GroupWish = {},
  gateways: readonly LinkSpeeds[] = [],
): Forecast {
  if (shape === 'unicast') return forecastUnicast(bytes, origin, nodes)
  if (shape !== 'group') return forecastTree(bytes, origin, nodes, { ...wish, shape })
  if (strategy === 'classic') return forecastClassic(bytes, blockBytes, origin, nodes)
  const base = bound(bytes, origin, nodes, gateways)
  return { ...base, predictedSeconds: base.boundSeconds }
}

/** The nodes in their groups, the first one first. */
export function groupsOf(
  shape: DealtShape,
  nodes: readonly NodeLink[],
  wish: GroupWish = {},
): NodeLink[][] {
  const chain = treeOf(nodes, { ...wish, shape: shape === 'unicast' ? 'group' : shape })
  return chain.groups.map((group) => group.map((node) => nodes[node] as NodeLink))
}

/**
 * What each node will pass on: nothing under `unicast`. Only the lengths mean something where the
 * dealer decides which bytes go to whom.
 */
export function sharesOf(
  strategy: Strategy,
  shape: DealtShape,
  file: { readonly bytes: number; readonly dataBytes: number; readonly blockBytes: number },
  nodes: readonly NodeLink[],
  wish: GroupWish = {},
): RangePair[] {
  if (shape === 'unicast') return nodes.map(() => [0, 0])
  if (shape !== 'group') {
    const { heads } = treeOf(nodes, { ...wish, shape })
    const links = heads.map((head) => nodes[head] as NodeLink)
    const shares = sharesOf(strategy, 'group', file, links)
    return nodes.map((_, node) => shares[heads.indexOf(node)] ?? [0, 0])
  }
  return strategy === 'classic'
    ? equalShares(file.bytes, file.blockBytes, nodes.length)
    : expectedShares(file.dataBytes, nodes)
}
