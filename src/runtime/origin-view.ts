/** What people are shown of a push under way: pure functions of the origin's machine. */
import type { OriginMachine } from '../control/origin.js'
import type { Peer } from '../control/peer.js'

export interface NodeView {
  readonly node: string
  readonly state: 'connecting' | 'accepted' | 'receiving' | 'verifying' | 'complete' | 'failed' | 'refused'
  readonly landedBytes: number
  readonly verifiedBytes: number
  readonly rateBytesPerSecond: number
  readonly etaSeconds: number | null
  readonly waitsFor: string | null
}

export interface PushView {
  readonly event: 'progress'
  readonly transfer: string
  readonly seconds: number
  readonly bytes: number
  readonly landedBytes: number
  readonly efficiency: number | null
  readonly originBytesSent: number
  readonly nodes: readonly NodeView[]
}

export interface PushFacts {
  readonly transfer: string
  readonly bytes: number
  readonly seconds: number
  readonly boundSeconds: number | null
  readonly originBytesSent: number
}

export function pushView(machine: OriginMachine, facts: PushFacts): PushView {
  const nodes = machine.peers.map((peer) => nodeView(peer, facts.bytes, machine.fileDigest !== null))
  const landedBytes = nodes.reduce((sum, node) => sum + node.landedBytes, 0)
  const { transfer, seconds, bytes, originBytesSent } = facts
  const efficiency = efficiencyOf(facts, slowestShare(machine.peers, bytes))
  return { event: 'progress', transfer, seconds, bytes, landedBytes, efficiency, originBytesSent, nodes }
}

/** T* / measured time, counted for the part that the slowest living node has. */
export function efficiencyOf(facts: PushFacts, part: number): number | null {
  if (facts.boundSeconds === null || facts.boundSeconds === 0 || facts.seconds === 0) return null
  return (facts.boundSeconds * part) / facts.seconds
}

function slowestShare(peers: readonly Peer[], bytes: number): number {
  const parts = peers.filter((peer) => peer.phase !== 'out').map((peer) => peer.landedBytes / bytes)
  return parts.length === 0 || bytes === 0 ? 0 : Math.min(...parts)
}

function nodeView(peer: Peer, bytes: number, isSealed: boolean): NodeView {
  const rate = peer.phase === 'running' ? peer.rateBytesPerSecond : 0
  const openBytes = bytes - peer.landedBytes
  return {
    node: peer.link.address,
    state: stateOf(peer, bytes),
    landedBytes: peer.landedBytes,
    verifiedBytes: peer.verifiedBytes,
    rateBytesPerSecond: rate,
    etaSeconds: rate > 0 && openBytes > 0 ? openBytes / rate : null,
    waitsFor: waitsFor(peer, bytes, isSealed),
  }
}

function stateOf(peer: Peer, bytes: number): NodeView['state'] {
  switch (peer.phase) {
    case 'connecting':
      return 'connecting'
    case 'offered':
    case 'ready':
      return 'accepted'
    case 'running':
      return peer.landedBytes >= bytes ? 'verifying' : 'receiving'
    case 'complete':
      return 'complete'
    case 'out':
      return peer.outcome?.status === 'refused' ? 'refused' : 'failed'
    default:
      return peer.phase satisfies never
  }
}

function waitsFor(peer: Peer, bytes: number, isSealed: boolean): string | null {
  if (peer.isSuspected) return 'a sign of life'
  if (peer.phase === 'connecting') return 'connection'
  if (peer.phase === 'offered') return 'its answer'
  if (peer.phase === 'ready') return 'the other nodes'
  if (peer.phase !== 'running') return null
  if (peer.landedBytes < bytes) return 'data'
  if (peer.verifiedBytes < bytes) return 'digests'
  return isSealed ? 'its disk' : 'the seal of the origin'
}
