/** Who is dialled at which place: nodes in the order of the caller, gateways and mirrors behind. */
import { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import type { OriginConfig, OriginWish } from './events.js'

/** The nodes of a push, each at its number, and its gateways behind them. */
export function peersOf({ nodes, gateways = [] }: OriginConfig, nowMs: number): Peer[] {
  const peers = nodes.map((link, node) => new Peer(node, link, nowMs))
  for (const link of gateways) peers.push(new Peer(peers.length, link, nowMs, undefined, 'gateway'))
  return peers
}

/** Adds those that may hold the content behind the others; the result dials them. */
export function addMirrors(
  { mirrors = [] }: OriginConfig,
  peers: Peers,
  nowMs: number,
): OriginWish[] {
  const from = peers.length
  for (const link of mirrors) peers.add(new Peer(peers.length, link, nowMs, undefined, 'mirror'))
  return dialsOf(peers.all.slice(from))
}

/** The first wishes: those that are out are not dialled. */
export function dialsOf(peers: readonly Peer[]): OriginWish[] {
  const dialled = peers.filter(({ phase }) => phase === 'connecting')
  return dialled.map(({ node }) => ({ type: 'connect', member: node }))
}
