/** Who brought a node what it received. */
import type { Peer } from '../members/peer.js'
import type { Brought } from '../messages/outcomes.js'

/** `peers`: all nodes of the push, each at its number. */
export function broughtTo({ counts }: Peer, peers: readonly Peer[]): Brought {
  const of = { receiver: 0, mirror: 0, gateway: 0 }
  for (const [member, bytes] of counts.receivedFrom) {
    const role = peers[member]?.role
    if (role !== undefined) of[role] += bytes
  }
  const others = of.receiver + of.mirror + of.gateway
  return {
    fromOriginBytes: Math.max(0, counts.receivedBytes - others),
    fromMatesBytes: of.receiver,
    fromMirrorsBytes: of.mirror,
    fromRelaysBytes: of.gateway,
  }
}

/** The same where the node had it of a mirror that was the origin of a push of its own. */
export function broughtByMirror<T extends Brought>(brought: T): T {
  const { fromOriginBytes, fromMirrorsBytes } = brought
  return { ...brought, fromOriginBytes: 0, fromMirrorsBytes: fromOriginBytes + fromMirrorsBytes }
}
