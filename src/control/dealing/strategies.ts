/**
 * Strategies by name: the dealer that carries one out, and what can be said of it beforehand.
 * A strategy is a value; nothing else in the product asks which one it is for its own sake.
 */
import type { RangePair } from '../../base/ranges.js'
import type { Strategy } from '../messages/types.js'
import { Chain } from '../plan/chain.js'
import { treeOf } from '../plan/forecast.js'
import type { GroupWish, TreeWish } from '../plan/layout.js'
import { type LinkSpeeds, relayRates } from '../plan/plan.js'
import { ChainDealer } from './chain.js'
import type { Dealer, DealtShape } from './dealer.js'
import { GroupDealer } from './group.js'
import { Pool } from './pool.js'
import { Quotas } from './quotas.js'
import { UnicastDealer } from './unicast.js'

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
