/** Nodes of a push, each brought to its state by what happens to it in life. */
import { Peer } from '../../../src/control/members/peer.js'
import type { PeerPhase } from '../../../src/control/members/peer-state.js'
import type { Frame } from '../../../src/control/messages/types.js'

export const completeFrame: Frame & { type: 'complete' } = {
  type: 'complete',
  bytes: 1,
  repairedBytes: 0,
  fileDigest: 'digest',
  warnings: [],
}
export const failure = { code: 'ERR_FR_NODE_LOST', text: 'reset' } as const

/** What brings a node from one phase to the next. */
const steps: readonly ((peer: Peer) => unknown)[] = [
  (peer) => peer.linked({ type: 'linked', member: peer.node, nodeId: `id${peer.node}` }, 0),
  (peer) => {
    peer.accepts([])
    peer.wantsFeed()
    peer.fedOut()
  },
  (peer) => peer.join(0),
  (peer) => peer.completes(completeFrame, 'digest'),
]
const phases: readonly PeerPhase[] = ['connecting', 'offered', 'ready', 'running', 'complete']

export function peerThat(is: PeerPhase, node = 0): Peer {
  const peer = new Peer(node, { address: `n${node}:1` }, 0)
  if (is === 'out') peer.fails('failed', failure, undefined)
  for (const step of steps.slice(0, Math.max(0, phases.indexOf(is)))) step(peer)
  return peer
}
