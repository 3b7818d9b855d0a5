/**
 * Strategies by name: the dealer that carries one out, and what can be said of it beforehand.
 * A strategy is a value; nothing else in the product asks which one it is for its own sake.
 */
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import type { Strategy } from '../messages/types.js'
import { Chain } from '../plan/chain.js'
import type { GroupWish } from '../plan/layout.js'
import { type LinkSpeeds, relayRates, withinUplink } from '../plan/plan.js'
import { columnRates } from '../plan/rates.js'
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

/** `dealtTo`: the node that passes on all of it, under `adaptive`; absent: everybody a part. */
export function dealerOf(
  strategy: Strategy,
  shape: DealtShape,
  bytes: number,
  blockBytes: number,
  speeds: ConfiguredSpeeds = {},
  holes: readonly RangePair[] = [],
  wish: GroupWish = {},
  demoteBelow: number = limits.demoteBelow,
  dealtTo?: number,
): Dealer {
  if (shape === 'unicast') return new UnicastDealer(strategy, bytes)
  const stock = strategy === 'classic' ? new Quotas(bytes, blockBytes) : new Pool(bytes, dealtTo)
  const { origin = {}, nodes = () => [] } = speeds
  const dataBytes = holes.reduce((left, [, length]) => left - length, bytes)
  // Equal shares are dealt once and for all, however slow a relay is; one relay alone is the usual.
  const below = strategy === 'classic' || dealtTo !== undefined ? 0 : demoteBelow
  if (shape === 'group')
    return new GroupDealer(stock, () => relayRates(origin, nodes()), holes, true, below)
  const chain = new Chain({ ...wish, shape, load: { bytes: dataBytes, origin } })
  const rates = (): ReadonlyMap<number, number> => headRates(origin, nodes(), chain)
  return new ChainDealer(shape, chain, new GroupDealer(stock, rates, holes, false, below))
}

/**
 * Bytes a second that each head can be expected to forward: what its columns carry at their
 * slowest places, so that none is dealt more at first. Only heads of which that is known.
 */
export function headRates(
  origin: LinkSpeeds,
  nodes: readonly LinkSpeeds[],
  { receivers, parents }: Chain,
): ReadonlyMap<number, number> {
  const links = new Map(nodes.entries())
  const groups = receivers.map((group, i) => ({ nodes: group, parent: parents[i] ?? null }))
  const rates = new Map<number, number>()
  for (const { head, bytesPerSecond } of columnRates(groups, links))
    rates.set(head, (rates.get(head) ?? 0) + bytesPerSecond)
  for (const [head, rate] of rates) {
    const least = Math.min(rate, links.get(head)?.downlinkBytesPerSecond ?? rate)
    if (Number.isFinite(least)) rates.set(head, least)
    else rates.delete(head)
  }
  return withinUplink(origin, rates)
}
