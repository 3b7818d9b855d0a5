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
  /** What lands there, over the last half second. */
  readonly rateBytesPerSecond: number
  /** What it sends to mates. */
  readonly rateOutBytesPerSecond: number
  /** Bytes of the file it was dealt to pass on so far, less what was taken back. */
  readonly relayedBytes: number
  /** `relayedBytes` as a part of all that was dealt so far; 0 before anything was. */
  readonly relayedShare: number
  /** Dealt and not passed on to its slowest mate; null where it relays nothing. */
  readonly queueBytes: number | null
  /** Its mates do not wait for it: it is slower than the others. */
  readonly isLagging: boolean
  /** Nor for this one: it joined later, and what the others had before is still coming. */
  readonly isCatchingUp: boolean
  /**
   * Predicted seconds until everything has landed there: at its own rate, and not before the origin
   * can have sent all; null: not known, or all is there.
   */
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
  readonly dataBytes: number
  readonly seconds: number
  readonly boundSeconds: number | null
  readonly originBytesSent: number
  readonly warnings: readonly string[]
}

/** One line a node: where one was added again, what became of it then. */
function current(machine: OriginMachine): readonly Peer[] {
  return machine.peers.filter((peer) => !peer.isSuperseded)
}

export function pushView(machine: OriginMachine, facts: PushFacts): PushView {
  const { flow } = machine
  const dealtBytes =
    flow.directBytes + machine.peers.reduce((sum, peer) => sum + flow.dealtBytes(peer.node), 0)
  const nodes = current(machine).map((peer) => nodeView(machine, peer, facts.bytes, dealtBytes))
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

function nodeView(machine: OriginMachine, peer: Peer, bytes: number, dealtBytes: number): NodeView {
  const { flow } = machine
  const rate = peer.phase === 'running' ? peer.landing.recent : 0
  const openBytes = bytes - peer.landedBytes
  const relayedBytes = flow.dealtBytes(peer.node)
  const eta = rate > 0 && openBytes > 0 ? Math.max(openBytes / rate, flow.secondsLeft) : null
  return {
    node: peer.link.address,
    state: stateOf(peer, bytes),
    landedBytes: peer.landedBytes,
    verifiedBytes: peer.verifiedBytes,
    rateBytesPerSecond: rate,
    rateOutBytesPerSecond: peer.isServing ? peer.sending.recent : 0,
    relayedBytes,
    relayedShare: relayedBytes === 0 ? 0 : relayedBytes / dealtBytes,
    queueBytes: peer.isServing ? flow.queueBytes(peer) : null,
    isLagging: peer.isLagging && !peer.isCatchingUp,
    isCatchingUp: peer.isCatchingUp && peer.phase === 'running',
    etaSeconds: eta,
    waitsFor: waitsFor(peer, bytes, machine.fileDigest !== null),
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
  if (peer.phase === 'connecting') return peer.isLookedUp ? 'its name' : 'connection'
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
  /** What of the file is no hole: this has to be sent. */
  readonly dataBytes: number
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
  /** What of the file is no hole: the bounds are of this. */
  readonly dataBytes: number
  /** From the first contact to the last node's durable publication. */
  readonly seconds: number
  /** The fluid bound from configured link speeds; null where none are known. */
  readonly boundSeconds: number | null
  readonly efficiency: number | null
  /** Where the bounds come from: `observed` where only rates that were seen are known. */
  readonly boundFrom: 'configured' | 'observed' | null
  /**
   * The fluid bound from the highest rates seen: the best half second of the origin's uplink and of
   * every complete node's links; null where nothing lasted so long. What was never needed was never
   * seen, so this says how evenly a push used what it found, not what the links could do.
   */
  readonly observedBoundSeconds: number | null
  readonly observedEfficiency: number | null
  /** Bytes of the file each node was dealt to pass on; with `directBytes` all of it. */
  readonly shares: readonly { readonly node: string; readonly bytes: number }[]
  /** Bytes of the file that the origin sent to every node itself, each counted once. */
  readonly directBytes: number
  /** Bytes sent again, because a node asked or a feed between two nodes broke. */
  readonly resentBytes: number
  readonly strategy: PlanMade['strategy']
  readonly shape: PlanMade['shape']
  readonly originBytesSent: number
  readonly digest: string | null
  /** What is true of the push as a whole and worth a look; one sentence each. */
  readonly warnings: readonly string[]
  readonly nodes: readonly NodeOutcome[]
}

export function planView(
  transfer: string,
  plan: PlanMade,
  links: readonly NodeLink[],
  file: Pick<PlanView, 'bytes' | 'dataBytes' | 'blockBytes'>,
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
  const nodes = current(machine).map((peer) => peer.outcome as NodeOutcome)
  const complete = nodes.filter((outcome) => outcome.status === 'complete')
  const timed = complete.length > 0 ? complete : nodes
  const facts = factsAt(Math.max(0, ...timed.map((outcome) => outcome.seconds)))
  const { flow } = machine
  const observed = flow.observedBoundSeconds(facts.dataBytes)
  const isComplete = complete.length > 0
  return {
    event: 'result',
    transfer: facts.transfer,
    bytes: facts.bytes,
    dataBytes: facts.dataBytes,
    seconds: facts.seconds,
    boundSeconds: facts.boundSeconds,
    efficiency: isComplete ? efficiencyOf(facts, 1) : null,
    boundFrom: facts.boundSeconds !== null ? 'configured' : observed !== null ? 'observed' : null,
    observedBoundSeconds: observed,
    observedEfficiency: isComplete ? efficiencyOf({ ...facts, boundSeconds: observed }, 1) : null,
    shares: nodes.map(({ node }) => {
      const tries = machine.peers.filter((peer) => peer.link.address === node)
      return { node, bytes: tries.reduce((sum, peer) => sum + flow.dealtBytes(peer.node), 0) }
    }),
    directBytes: flow.directBytes,
    resentBytes: flow.resentBytes,
    strategy: machine.strategy,
    shape: machine.shape,
    originBytesSent: facts.originBytesSent,
    digest: machine.fileDigest,
    warnings: facts.warnings,
    nodes,
  }
}
