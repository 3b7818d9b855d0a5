/** What each node is expected to pass on, and in which order the source is hashed for it. */
import type { RangePair } from '../../base/ranges.js'
import type { Dealer } from '../dealing/dealer.js'
import type { HashTask } from '../holdings/hashing.js'
import type { Peer } from '../members/peer.js'
import { expectedShares } from '../plan/plan.js'
import type { OriginConfig } from './events.js'

/** Owner of bytes that nobody in particular is sent. */
export const anyone = -1

/** The share of each node: what is its to relay, or what it can be expected to carry. */
export function sharesOf(
  dealer: Dealer,
  peers: readonly Peer[],
  nodes: readonly number[],
  { extent, dataBytes = extent.bytes }: Pick<OriginConfig, 'extent' | 'dataBytes'>,
): RangePair[] {
  const heads = nodes.filter((node) => dealer.chain.isHead(node))
  const links = heads.map((node) => (peers[node] as Peer).usable)
  const expected = expectedShares(dataBytes, links)
  const byHead = new Map(heads.map((node, i) => [node, expected[i] as RangePair]))
  return nodes.map((node) => dealer.share(node) ?? byHead.get(node) ?? [0, 0])
}

/** Where shares are the file, the digests of each keep close to its bytes. */
export function hashOrder(dealer: Dealer, nodes: readonly number[], bytes: number): HashTask[] {
  const shares = nodes.map((owner) => {
    const [offset, length] = dealer.share(owner) ?? [0, 0]
    return { owner, offset, length }
  })
  const areAll = shares.reduce((sum, { length }) => sum + length, 0) === bytes
  return areAll ? shares : [{ owner: anyone, offset: 0, length: bytes }]
}
