/**
 * A coordinator that is built from what a standby holds: its numbers are those of the roster, its
 * term is the next one, and the deal begins with content minus what members say they hold. Who was
 * out stays out; the standby itself holds its part and is nobody's receiver.
 */
import { Peer } from '../members/peer.js'
import type { Peers } from '../members/peers.js'
import { originNumber, type Term } from '../messages/types.js'
import type { OriginConfig, OriginWish } from './events.js'

/** The nodes of a push, each at its number, and its gateways behind them. */
export function peersOf(config: OriginConfig, nowMs: number): Peer[] {
  const { nodes, gateways = [], succeeds } = config
  if (succeeds === undefined) {
    const peers = nodes.map((link, node) => new Peer(node, link, nowMs))
    for (const link of gateways)
      peers.push(new Peer(peers.length, link, nowMs, undefined, 'gateway'))
    return peers
  }
  return succeeds.roster.entries.map(({ number, nodeId, state, ...link }) => {
    const peer = new Peer(number, link, nowMs)
    peer.nodeId = nodeId
    if (state !== 'out' && number !== succeeds.member) return peer
    peer.supersede()
    return peer
  })
}

export function termOf({ succeeds }: OriginConfig): Term {
  if (succeeds === undefined) return { counter: 1, member: originNumber }
  return { counter: succeeds.roster.term.counter + 1, member: succeeds.member }
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
