/** Which node is dealt which of several descriptors, and how long they take. Pure. */
import { type Forecast, forecastShares, type LinkSpeeds, type NodeLink } from './plan.js'

/**
 * The node to which each descriptor is dealt whole, by its index: the longest to the one with the
 * widest uplink, and nobody has two before everybody has one. `bytes`: of each descriptor.
 */
export function relaysOf(bytes: readonly number[], nodes: readonly LinkSpeeds[]): number[] {
  const widest = descending([...nodes.keys()], (i) => nodes[i]?.uplinkBytesPerSecond ?? 0)
  const longest = descending([...bytes.keys()], (i) => bytes[i] as number)
  const relays = bytes.map(() => 0)
  for (const [at, descriptor] of longest.entries())
    relays[descriptor] = widest[at % widest.length] as number
  return relays
}

/** Bytes that each node passes on to all others. */
export function relayedBytes(
  bytes: readonly number[],
  relays: readonly number[],
  nodes: number,
): number[] {
  const sums = Array.from({ length: nodes }, () => 0)
  for (const [i, relay] of relays.entries()) sums[relay] = (sums[relay] ?? 0) + (bytes[i] as number)
  return sums
}

/** Bound and predicted time of one group: all that a node was dealt goes to all others. */
export function forecastDescriptors(
  bytes: readonly number[],
  relays: readonly number[],
  origin: LinkSpeeds,
  nodes: readonly NodeLink[],
): Forecast {
  const all = bytes.reduce((sum, one) => sum + one, 0)
  return forecastShares(all, relayedBytes(bytes, relays, nodes.length), origin, nodes)
}

/** By what `of` gives, the largest first; equal ones as they were. */
function descending(indices: number[], of: (index: number) => number): number[] {
  return indices.sort((a, b) => of(b) - of(a))
}
