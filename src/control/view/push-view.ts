/** What people are shown of a push under way: pure functions of the origin's machine. */
import type { Coding } from '../../base/coding.js'
import type { FrErrorCode } from '../../base/errors.js'
import type { OriginMachine } from '../coordinator/machine.js'
import type { Coordination } from '../coordinator/supersession.js'
import type { ComponentFault } from '../members/faults.js'
import type { Peer } from '../members/peer.js'
import type { LagFigures } from '../messages/outcomes.js'
import type { DescriptorFigures, NodeOutcome, TreeFigures } from '../messages/types.js'
import type { PlanMade } from '../plan/plan.js'
import type { Committed } from './committed.js'
import { type Crossing, crossingsOf } from './crossings.js'

export { type LaterNode, type Plan, planView } from './plan-view.js'

export interface NodeProgress {
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
  readonly dealtBytes: number
  /** Payload its mates have received from it, by their own reports. */
  readonly relayedBytes: number
  /** `relayedBytes` as a part of the payload all nodes have received; 0 before any has. */
  readonly relayedShare: number
  /** Dealt and not passed on to its slowest mate; null where it relays nothing. */
  readonly queueBytes: number | null
  /** Its mates do not wait for it: it is slower than the others. */
  readonly isLagging: boolean
  /** It is given nothing to relay for now, and still served: far slower, or fails too often. */
  readonly isDemoted: boolean
  /** Joined later and still receives what the others had before: the others do not wait for it. */
  readonly isCatchingUp: boolean
  /**
   * Predicted seconds until everything has landed there: at its own rate, and not before the origin
   * can have sent all; null: not known, or all is there.
   */
  readonly etaSeconds: number | null
  readonly waitsFor: string | null
  /** Of a push of what is still written, once the node has said anything. */
  readonly lag?: LagFigures
}

export interface Progress {
  readonly event: 'progress'
  readonly transfer: string
  readonly seconds: number
  /** Size of the file. */
  readonly bytes: number
  /** Landed at all nodes that have not failed, together. */
  readonly landedBytes: number
  /** `bytes` times the number of nodes that have not failed. */
  readonly totalBytes: number
  /**
   * 0 to 1: `landedBytes / totalBytes`; for an empty file the part of these nodes that is complete.
   * 0 when every node has failed. It may fall when a node joins or comes back.
   */
  readonly share: number
  /**
   * Bound from configured link speeds for what the slowest living node has, by the time so far;
   * null without speeds, under a bound that is wrong, and for files with holes.
   */
  readonly efficiency: number | null
  readonly originBytesSent: number
  /** What is held against nodes, links, disks and sites: most first, a bounded number. */
  readonly faults: readonly ComponentFault[]
  readonly nodes: readonly NodeProgress[]
}

export interface PushFacts {
  readonly transfer: string
  readonly bytes: number
  /** `bytes` less the holes of the source. */
  readonly dataBytes: number
  readonly seconds: number
  /** For `dataBytes`, from configured link speeds. */
  readonly boundSeconds: number | null
  readonly originBytesSent: number
  /** Where the origin stands; null: not known. */
  readonly originSite: string | null
  readonly warnings: readonly string[]
}

function median(values: number[]): number | null {
  return values.sort((a, b) => a - b)[(values.length - 1) >> 1] ?? null
}

/** The last attempt of each node, in the order in which the nodes were named. */
function current({ peers }: OriginMachine): readonly Peer[] {
  const named = peers.filter((peer) => peer.isReceiver)
  return [...new Map(named.map((peer) => [peer.link.address, peer])).values()]
}

export function pushView(machine: OriginMachine, facts: PushFacts): Progress {
  const { transfer, seconds, bytes, originBytesSent } = facts
  const peers = current(machine)
  const living = peers.filter((peer) => peer.phase !== 'out')
  const landedBytes = living.reduce((sum, peer) => sum + peer.counts.landedBytes, 0)
  const totalBytes = bytes * living.length
  const complete = living.filter((peer) => peer.phase === 'complete').length
  const share = totalBytes > 0 ? landedBytes / totalBytes : complete / Math.max(1, living.length)
  // What has landed at the slowest node takes this part of the bound at least. Holes take none.
  const isDense = bytes > 0 && facts.dataBytes === bytes && living.length > 0
  const part = isDense ? Math.min(...living.map((peer) => peer.counts.landedBytes)) / bytes : 0
  return {
    event: 'progress',
    transfer,
    seconds,
    bytes,
    landedBytes,
    totalBytes,
    share,
    efficiency: efficiencyOf(facts.boundSeconds && facts.boundSeconds * part, seconds),
    originBytesSent,
    faults: machine.exchange.faults.view(),
    nodes: peers.map((peer) => nodeView(machine, peer, bytes)),
  }
}

/**
 * Bound / measured time. Nothing beats a bound: where the time is shorter, the bound is wrong, and
 * there is no efficiency to tell.
 */
function efficiencyOf(boundSeconds: number | null, seconds: number): number | null {
  if (boundSeconds === null || boundSeconds === 0 || seconds === 0) return null
  return boundSeconds > seconds ? null : boundSeconds / seconds
}

function nodeView(machine: OriginMachine, peer: Peer, bytes: number): NodeProgress {
  const { flow } = machine
  const { counts, lag } = peer
  const rate = peer.phase === 'running' ? counts.landing.recent : 0
  const openBytes = bytes - counts.landedBytes
  const relayedBytes = flow.relayedBytes(peer.node)
  const eta = rate > 0 && openBytes > 0 ? Math.max(openBytes / rate, flow.secondsLeft) : null
  return {
    node: peer.link.address,
    state: stateOf(peer, bytes),
    landedBytes: counts.landedBytes,
    verifiedBytes: counts.verifiedBytes,
    rateBytesPerSecond: rate,
    rateOutBytesPerSecond: peer.isServing ? counts.sending.recent : 0,
    dealtBytes: flow.dealtBytes(peer.node),
    relayedBytes,
    relayedShare: relayedBytes === 0 ? 0 : relayedBytes / flow.receivedBytes,
    queueBytes: peer.isServing ? flow.queueBytes(peer) : null,
    isLagging: lag === 'lagging',
    isDemoted: counts.isDemoted || peer.relay === 'rests',
    isCatchingUp: lag === 'catchingUp' && peer.phase === 'running',
    etaSeconds: eta,
    waitsFor: waitsFor(peer, bytes, machine.fileDigest !== null),
    ...lagOf(machine, peer.node),
  }
}

/** Nothing of a content that was there from the start. */
export function lagOf({ growth }: OriginMachine, node: number): { readonly lag?: LagFigures } {
  const lag = growth?.lag(node) ?? null
  return lag === null ? {} : { lag }
}

function stateOf(peer: Peer, bytes: number): NodeProgress['state'] {
  switch (peer.phase) {
    case 'connecting':
      return 'connecting'
    case 'offered':
    case 'ready':
      return 'accepted'
    case 'running':
      return peer.counts.landedBytes >= bytes ? 'verifying' : 'receiving'
    case 'complete':
      return 'complete'
    case 'out':
      if (peer.isToReturn) return 'connecting'
      return peer.outcome?.status === 'refused' ? 'refused' : 'failed'
    default:
      return peer.phase satisfies never
  }
}

function waitsFor(peer: Peer, bytes: number, isSealed: boolean): string | null {
  const { state, counts } = peer
  if (peer.presence !== 'alive') return 'a sign of life'
  switch (state.phase) {
    case 'connecting':
      return state.dial.is === 'lookingUp' ? 'its name' : 'connection'
    case 'offered':
      return state.answer === 'elsewhere' ? 'whoever took over' : 'its answer'
    case 'ready':
      return 'the other nodes'
    case 'running':
      if (state.part.lag === 'waiting') return 'the group that feeds it'
      if (counts.landedBytes < bytes) return 'data'
      if (counts.verifiedBytes < bytes) return 'digests'
      return isSealed ? 'its disk' : 'the seal of the origin'
    case 'complete':
      return null
    case 'out':
      return state.end.is === 'returns' ? `the next try (${state.end.failure.code})` : null
    default:
      return state satisfies never
  }
}

/** Who brought the bytes: one relay's part. */
export interface PushShare {
  readonly node: string
  /** Bytes of the file it was dealt to pass on, less what was taken back. */
  readonly dealtBytes: number
  /** Payload its mates received from it, by their own reports, repeats included. */
  readonly relayedBytes: number
  /** `relayedBytes` as a part of the payload all nodes received; null where none received any. */
  readonly relayedShare: number | null
}

/** A node that only passed on: what came of it. */
export interface PushRelay extends PushShare {
  /**
   * - served: it took part to the end.
   * - failed, refused: as for a node; what it had not passed on went another way.
   * - unused: the push was over before it could take part.
   */
  readonly status: 'served' | 'failed' | 'refused' | 'unused'
  readonly code: FrErrorCode | null
  readonly reason: string | null
}

export interface PushResult extends Coordination, Pick<Progress, 'faults'> {
  readonly event: 'result'
  readonly transfer: string
  readonly bytes: number
  /** As in the plan; of a tree, and where everybody took it as it is: `identity`. */
  readonly coding: 'identity' | Coding
  readonly wireBytes: number
  /** `bytes` less the holes of the file, which are announced to the nodes and not sent. */
  readonly dataBytes: number
  /** From the first contact to the last node's durable publication. */
  readonly seconds: number
  /** The fluid bound for `dataBytes` from configured link speeds; null where none are known. */
  readonly boundSeconds: number | null
  /**
   * `boundSeconds / seconds`; null without a bound, without a complete node, and where the push was
   * faster than the bound, which is then wrong and named in `warnings`.
   */
  readonly efficiency: number | null
  /** Where the bounds come from: `observed` where only rates that were seen are known. */
  readonly boundFrom: 'configured' | 'observed' | null
  /**
   * The fluid bound from the highest rates seen: the best half second of the origin's uplink and of
   * every complete node's links; null where nothing lasted so long. What was never needed was never
   * seen, so this says how evenly a push used what it found, not what the links could do.
   */
  readonly observedBoundSeconds: number | null
  /** `observedBoundSeconds / seconds`; null as for `efficiency`. */
  readonly observedEfficiency: number | null
  /** One line a node, then one for each mirror that sent something in the origin's stead. */
  readonly shares: readonly PushShare[]
  /** Those that were to pass on a part and keep nothing. */
  readonly relays: readonly PushRelay[]
  /** The part of the payload all nodes received that came from the origin; null where none did. */
  readonly originShare: number | null
  /** Bytes of the file that the origin dealt to every node itself, each counted once. */
  readonly directBytes: number
  /** Payload that crossed from one site to another; empty where no node has a site. */
  readonly crossings: readonly Crossing[]
  /** When half of the complete nodes were complete; null: none was. */
  readonly medianSeconds: number | null
  /** Bytes the origin listed again, because a node asked or a feed between two nodes broke. */
  readonly resentBytes: number
  readonly strategy: PlanMade['strategy']
  readonly shape: PlanMade['shape']
  /** Payload that the origin's data connections have accepted. */
  readonly originBytesSent: number
  readonly digest: string | null
  /** What is true of the push as a whole and worth a look; one sentence each. */
  readonly warnings: readonly string[]
  readonly nodes: readonly NodeOutcome[]
  /** Of a push whose nodes switch together. */
  readonly commit?: Committed
  /** Of a push of a tree; its `bytes` are those of all files together. */
  readonly tree?: TreeFigures
  /** Of a push of descriptors; its `bytes` are those of all of them together. */
  readonly descriptors?: DescriptorFigures
}

/**
 * The time of a push is that of its last complete node; of its last node, when none is. `outcomes`:
 * as they were announced, by node.
 */
export function resultView(
  machine: OriginMachine,
  outcomes: ReadonlyMap<number, NodeOutcome>,
  factsAt: (seconds: number) => PushFacts,
): PushResult {
  const nodes = current(machine).map(({ node }) => outcomes.get(node) as NodeOutcome)
  const complete = nodes.filter((outcome) => outcome.status === 'complete')
  const timed = complete.length > 0 ? complete : nodes
  const facts = factsAt(Math.max(0, ...timed.map((outcome) => outcome.seconds)))
  const { transfer, bytes, dataBytes, seconds, originBytesSent } = facts
  const { flow, strategy, shape, fileDigest: digest } = machine
  const hasSent = ({ node }: Peer): boolean =>
    flow.dealtBytes(node) > 0 || flow.relayedBytes(node) > 0
  const mirrors = machine.peers
    .filter((peer) => peer.role === 'mirror' && hasSent(peer))
    .map(({ link }) => link.address)
  const bounds = boundsOf(machine, facts, complete.length > 0)
  const relayedBytes = machine.peers.reduce((sum, { node }) => sum + flow.relayedBytes(node), 0)
  return {
    event: 'result',
    transfer,
    bytes,
    ...{ coding: 'identity', wireBytes: bytes },
    dataBytes,
    seconds,
    ...bounds.figures,
    shares: sharesView(machine, [...nodes.map(({ node }) => node), ...mirrors]),
    relays: relaysView(machine),
    originShare: flow.receivedBytes === 0 ? null : 1 - relayedBytes / flow.receivedBytes,
    directBytes: flow.directBytes,
    ...machine.supersession.view,
    crossings: crossingsOf(machine.peers, facts.originSite),
    medianSeconds: median(complete.map((outcome) => outcome.seconds)),
    resentBytes: flow.resentBytes,
    strategy,
    shape,
    originBytesSent,
    digest,
    faults: machine.exchange.faults.view(),
    warnings: [...facts.warnings, ...bounds.warnings],
    nodes,
  }
}

type Bounds = Pick<
  PushResult,
  'boundSeconds' | 'efficiency' | 'boundFrom' | 'observedBoundSeconds' | 'observedEfficiency'
>

function boundsOf(
  machine: OriginMachine,
  { dataBytes, seconds, boundSeconds }: PushFacts,
  isComplete: boolean,
): { readonly figures: Bounds; readonly warnings: string[] } {
  // Bounds are those of nodes that lack everything.
  const isFresh = machine.peers.every((peer) => !peer.isReceiver || peer.had.bytes === 0)
  const observed = isFresh ? machine.flow.observedBoundSeconds(dataBytes, seconds) : null
  const warnings: string[] = []
  const judge = (bound: number | null, from: string): number | null => {
    if (!isComplete || !isFresh) return null
    if (bound !== null && bound > seconds)
      warnings.push(
        `the bound from ${from} is wrong: ${bound.toFixed(3)} s, ` +
          `and the push took ${seconds.toFixed(3)} s`,
      )
    return efficiencyOf(bound, seconds)
  }
  const figures = {
    boundSeconds,
    efficiency: judge(boundSeconds, 'configured link speeds'),
    boundFrom: boundSeconds !== null ? 'configured' : observed !== null ? 'observed' : null,
    observedBoundSeconds: observed,
    observedEfficiency: judge(observed, 'observed rates'),
  } as const
  return { figures, warnings }
}

function relaysView(machine: OriginMachine): PushRelay[] {
  const gateways = machine.peers.filter((peer) => peer.role === 'gateway')
  const shares = sharesView(
    machine,
    gateways.map(({ link }) => link.address),
  )
  return gateways.map(({ outcome, phase }, i) => {
    const served = phase === 'running' ? 'served' : 'unused'
    const { status = served, code = null, reason = null } = outcome ?? {}
    const share = shares[i] as PushShare
    return { ...share, status: status === 'complete' ? 'served' : status, code, reason }
  })
}

/** All attempts of one address together. */
function sharesView({ flow, peers }: OriginMachine, nodes: readonly string[]): PushShare[] {
  const sums = new Map<string, { dealtBytes: number; relayedBytes: number }>()
  for (const { node, link } of peers) {
    const { dealtBytes, relayedBytes } = sums.get(link.address) ?? {
      dealtBytes: 0,
      relayedBytes: 0,
    }
    sums.set(link.address, {
      dealtBytes: dealtBytes + flow.dealtBytes(node),
      relayedBytes: relayedBytes + flow.relayedBytes(node),
    })
  }
  return nodes.map((node) => {
    const { dealtBytes = 0, relayedBytes = 0 } = sums.get(node) ?? {}
    const relayedShare = flow.receivedBytes === 0 ? null : relayedBytes / flow.receivedBytes
    return { node, dealtBytes, relayedBytes, relayedShare }
  })
}
