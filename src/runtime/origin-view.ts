/** What people are shown of a push under way: pure functions of the origin's machine. */
import type { OriginMachine } from '../control/origin.js'
import type { PlanMade } from '../control/origin-events.js'
import type { Peer } from '../control/peer.js'
import type { Forecast, NodeLink } from '../control/plan.js'
import type { NodeOutcome } from '../control/types.js'

export interface NodeView {
  readonly node: string
  readonly state:
    | 'connecting'
    | 'accepted'
    | 'receiving'
    | 'verifying'
    | 'complete'
    | 'failed'
    | 'refused'
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
  /** Size of the file. */
  readonly bytes: number
  /** Sum over the nodes. */
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
  const nodes = machine.peers.map((peer) =>
    nodeView(peer, facts.bytes, machine.fileDigest !== null),
  )
  const landedBytes = nodes.reduce((sum, node) => sum + node.landedBytes, 0)
  const { transfer, seconds, bytes, originBytesSent } = facts
  const efficiency = efficiencyOf(facts, slowestShare(machine.peers, bytes))
  return {
    event: 'progress',
    transfer,
    seconds,
    bytes,
    landedBytes,
    efficiency,
    originBytesSent,
    nodes,
  }
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

export interface PlanView {
  readonly event: 'plan'
  readonly transfer: string
  readonly strategy: PlanMade['strategy']
  readonly shape: PlanMade['shape']
  /** Addresses of each group. */
  readonly groups: readonly (readonly string[])[]
  readonly shares: readonly { readonly node: string; readonly bytes: number }[]
  readonly bytes: number
  readonly blockBytes: number
  readonly predictedSeconds: number | null
  readonly boundSeconds: number | null
  /** For example `origin uplink`, `downlink of HOST:PORT`, `uplinks`. */
  readonly limiting: string | null
}

export interface ResultView {
  readonly event: 'result'
  readonly transfer: string
  readonly bytes: number
  /** From the first contact to the last node's durable publication. */
  readonly seconds: number
  readonly boundSeconds: number | null
  readonly efficiency: number | null
  readonly strategy: PlanMade['strategy']
  readonly shape: PlanMade['shape']
  readonly originBytesSent: number
  readonly digest: string | null
  readonly nodes: readonly NodeOutcome[]
}

export function planView(
  transfer: string,
  plan: PlanMade,
  links: readonly NodeLink[],
  file: { readonly bytes: number; readonly blockBytes: number },
  forecast: Forecast,
): PlanView {
  const nodes = plan.nodes.map((node) => (links[node] as NodeLink).address)
  return {
    event: 'plan',
    transfer,
    strategy: plan.strategy,
    shape: plan.shape,
    groups: [nodes],
    shares: nodes.map((node, i) => ({ node, bytes: plan.shares[i]?.[1] ?? 0 })),
    ...file,
    ...forecast,
  }
}

/** The time of a push is that of its last complete node; of its last node, when none is. */
export function resultView(
  machine: OriginMachine,
  factsAt: (seconds: number) => PushFacts,
): ResultView {
  const nodes = machine.peers.map((peer) => peer.outcome as NodeOutcome)
  const complete = nodes.filter((outcome) => outcome.status === 'complete')
  const timed = complete.length > 0 ? complete : nodes
  const facts = factsAt(Math.max(0, ...timed.map((outcome) => outcome.seconds)))
  return {
    event: 'result',
    transfer: facts.transfer,
    bytes: facts.bytes,
    seconds: facts.seconds,
    boundSeconds: facts.boundSeconds,
    efficiency: complete.length > 0 ? efficiencyOf(facts, 1) : null,
    strategy: machine.strategy,
    shape: machine.shape,
    originBytesSent: facts.originBytesSent,
    digest: machine.fileDigest,
    nodes,
  }
}
