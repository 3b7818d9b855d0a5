/**
 * Who relays what, and how long it must take at least.
 *
 * The idea: `classic` is the equal split of FastReplica (Cherkasova & Lee, USITS 2003): as many
 * subfiles as nodes, block aligned, a different one to each node, which forwards it to all others
 * while receiving. The bound T* = F / r*, r* = min(u0, min d, (u0 + U) / n), is the fluid limit
 * that no scheme beats (Kumar & Ross 2006; Mundinger, Weber, Weiss 2006). An unknown speed counts
 * as unlimited, which keeps T* a valid lower bound. Predictions must never be used as time-outs.
 */
import type { RangePair } from '../../base/ranges.js'
import type { LinkSpeeds, NodeLink } from '../messages/copying.js'
import type { Shape, Strategy } from '../messages/types.js'
import type { SlowNode } from './tree.js'

export type { LinkSpeeds, NodeLink }

/** Who takes part in a push, and in what. Nodes by their numbers. */

export interface PlanMade {
  readonly strategy: Strategy
  readonly shape: Shape
  readonly nodes: readonly number[]
  /** The same in their groups, the first one first. */
  readonly groups: readonly (readonly number[])[]
  /** Of each group the index of the one that feeds it; null: the coordinator does. */
  readonly parents: readonly (number | null)[]
  /** Nodes that are in none of these: they are slow, and fed once a group is complete. */
  readonly later: readonly SlowNode[]
  readonly shares: readonly RangePair[]
}

export interface Forecast {
  readonly boundSeconds: number | null
  readonly predictedSeconds: number | null
  /**
   * 'origin uplink', 'downlink of X', 'uplinks', 'uplink of X'; 'limit of the origin', 'limit of X'
   * where that is a limit; null where nothing is known.
   */
  readonly limiting: string | null
}

/** One contiguous, block-aligned share per node; shares differ by one block at most. */
export function equalShares(bytes: number, blockBytes: number, nodes: number): RangePair[] {
  const blocks = Math.ceil(bytes / blockBytes)
  const shares: RangePair[] = []
  for (let i = 0; i < nodes; i++) {
    const start = Math.min(bytes, Math.ceil((i * blocks) / nodes) * blockBytes)
    const end = Math.min(bytes, Math.ceil(((i + 1) * blocks) / nodes) * blockBytes)
    shares.push([start, end - start])
  }
  return shares
}

/**
 * What each relay can be expected to carry: in proportion to its uplink, s_i = S u_i / U. Equal
 * where speeds are not known. Only lengths mean something; the dealer decides which bytes these
 * are.
 */
export function expectedShares(bytes: number, nodes: readonly NodeLink[]): RangePair[] {
  const known = nodes.every((node) => node.uplinkBytesPerSecond !== undefined)
  const weights = nodes.map((node) => (known ? (node.uplinkBytesPerSecond as number) : 1))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  let at = 0
  let sum = 0
  return weights.map((weight): RangePair => {
    sum += weight
    const end = Math.round((bytes * sum) / total)
    const share: RangePair = [at, end - at]
    at = end
    return share
  })
}

/**
 * Bytes a second that each node can be expected to forward: its uplink serves all the others, and
 * nobody forwards more than it receives. Only nodes whose uplink is known, by their number.
 */
export function relayRates(
  origin: LinkSpeeds,
  nodes: readonly LinkSpeeds[],
): ReadonlyMap<number, number> {
  const rates = new Map<number, number>()
  for (const [node, link] of nodes.entries()) {
    if (link.uplinkBytesPerSecond === undefined || nodes.length < 2) continue
    const down = link.downlinkBytesPerSecond ?? Number.POSITIVE_INFINITY
    rates.set(node, Math.min(link.uplinkBytesPerSecond / (nodes.length - 1), down))
  }
  return withinUplink(origin, rates)
}

/** The same rates in proportion, together no more than the origin sends. */
export function withinUplink(
  origin: LinkSpeeds,
  rates: ReadonlyMap<number, number>,
): ReadonlyMap<number, number> {
  const sum = [...rates.values()].reduce((total, rate) => total + rate, 0)
  const scale = Math.min(1, (origin.uplinkBytesPerSecond ?? sum) / sum)
  return new Map([...rates].map(([node, rate]) => [node, rate * scale]))
}

function originUplink(origin: LinkSpeeds): string {
  return origin.isUpLimited ? 'limit of the origin' : 'origin uplink'
}

/**
 * The fluid bound for all nodes and what limits it. Rates in bytes per second, time in seconds.
 * `gateways` only pass on: what they send to n nodes they must be sent once, so an uplink h of
 * theirs is worth h (1 - 1/n).
 */
export function bound(
  bytes: number,
  origin: LinkSpeeds,
  nodes: readonly NodeLink[],
  gateways: readonly LinkSpeeds[] = [],
): Forecast {
  const none: Forecast = { boundSeconds: null, predictedSeconds: null, limiting: null }
  if (nodes.length === 0) return none
  const originRate = origin.uplinkBytesPerSecond ?? Number.POSITIVE_INFINITY
  let uplinks = originRate
  let rate = originRate
  let limiting = originUplink(origin)
  for (const node of nodes) {
    uplinks += node.uplinkBytesPerSecond ?? Number.POSITIVE_INFINITY
    const down = node.downlinkBytesPerSecond ?? Number.POSITIVE_INFINITY
    if (down < rate) {
      rate = down
      limiting = `${node.isDownLimited ? 'limit' : 'downlink'} of ${node.address}`
    }
  }
  const worth = 1 - 1 / nodes.length
  if (worth > 0)
    for (const { uplinkBytesPerSecond } of gateways)
      uplinks += worth * (uplinkBytesPerSecond ?? Number.POSITIVE_INFINITY)
  if (uplinks / nodes.length < rate) {
    rate = uplinks / nodes.length
    limiting = 'uplinks'
  }
  if (!Number.isFinite(rate)) return none
  return { boundSeconds: bytes / rate, predictedSeconds: null, limiting }
}

/** Bound and predicted time when the origin sends the file to every node itself. */
export function forecastUnicast(
  bytes: number,
  origin: LinkSpeeds,
  nodes: readonly NodeLink[],
): Forecast {
  const base = bound(bytes, origin, nodes)
  if (base.boundSeconds === null) return base
  const uplink = origin.uplinkBytesPerSecond ?? Number.POSITIVE_INFINITY
  const seconds = (bytes * nodes.length) / uplink
  if (seconds <= base.boundSeconds) return { ...base, predictedSeconds: base.boundSeconds }
  return { ...base, predictedSeconds: seconds, limiting: originUplink(origin) }
}

/** Bound and predicted time of the equal split: every relay must forward its share n - 1 times. */
export function forecastClassic(
  bytes: number,
  blockBytes: number,
  origin: LinkSpeeds,
  nodes: readonly NodeLink[],
): Forecast {
  const shares = equalShares(bytes, blockBytes, nodes.length)
  const lengths = shares.map(([, length]) => length)
  return forecastShares(bytes, lengths, origin, nodes)
}

/** The same where each node forwards a given number of bytes to all others. */
export function forecastShares(
  bytes: number,
  shares: readonly number[],
  origin: LinkSpeeds,
  nodes: readonly NodeLink[],
): Forecast {
  const base = bound(bytes, origin, nodes)
  if (base.boundSeconds === null) return base
  let predicted = base.boundSeconds
  let limiting = base.limiting
  for (const [i, node] of nodes.entries()) {
    const forwarded = (shares[i] ?? 0) * (nodes.length - 1)
    const seconds = forwarded / (node.uplinkBytesPerSecond ?? Number.POSITIVE_INFINITY)
    if (seconds > predicted * (1 + 1e-9)) {
      predicted = seconds
      limiting = `${node.isUpLimited ? 'limit' : 'uplink'} of ${node.address}`
    }
  }
  return { boundSeconds: base.boundSeconds, predictedSeconds: predicted, limiting }
}
