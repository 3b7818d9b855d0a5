/**
 * What the origin knows about one node.
 *
 * Edges: connecting -> offered -> ready -> running -> complete; from each of them -> out. `ready`
 * needs both the node's word (accept) and an open feed. `out` and `complete` have an outcome, which
 * never changes; a node that is lost after it was complete only stops serving its mates.
 */
import { errorTable, type Failure } from '../../base/errors.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Frame, NodeSettled } from '../messages/types.js'
import type { NodeLink } from '../plan/plan.js'
import { ObservedRate } from './observed.js'

export type PeerPhase = 'connecting' | 'offered' | 'ready' | 'running' | 'complete' | 'out'

export class Peer {
  readonly node: number
  readonly link: NodeLink
  phase: PeerPhase = 'connecting'
  nodeId = ''
  incarnation: number | undefined
  /** HOST:PORT that the node says its mates should dial. */
  advertise: string | undefined
  hasLink = false
  hasFeed = false
  hasAccepted = false
  /** What it held when it accepted. */
  have = new RangeSet()
  /** The name is this push's at the node; so it is where the node has accepted. */
  hasClaim = false
  isSuspected = false
  /** Its feed is gone, its link is open: the cause of its end unless the link brings another. */
  cutOff: (Failure & { untilMs: number }) | undefined
  /** Its name is being looked up: its time to connect has not begun. */
  isLookedUp = false
  /** Silent, but still a member: others make good what it was to send. */
  isAway = false
  /** How long a message to it and its answer take, as its handshake showed. */
  rttMs = 0
  outcome: NodeSettled | undefined
  sinceMs: number
  movedMs = 0
  landedBytes = 0
  verifiedBytes = 0
  repairedBytes = 0
  holeBytes = 0
  receivedBytes = 0
  duplicateBytes = 0
  /** Payload it has received from each mate, by the mate's place. */
  readonly receivedFrom = new Map<number, number>()
  /** Mates to which it has a feed, and when that was reported. */
  feedsTo: ReadonlySet<number> = new Set()
  reportedMs = 0
  /** Of what it has received from a mate, what it had asked for. */
  readonly pulledFrom = new Map<number, number>()
  sentBytes = 0
  queuedBytes = 0
  listedBytes = 0
  /** What has landed here without holes, and what it has sent to mates, as its reports tell. */
  readonly landing = new ObservedRate()
  readonly sending = new ObservedRate()
  /** What its slowest feed to a mate has not delivered, by its last progress. */
  backlogBytes = 0
  /** Ranges whose digests come to this node directly, because their relay cannot bring them. */
  readonly directDigests = new RangeSet()
  /** Ranges whose digests this node was given to pass on. */
  readonly relayedDigests = new RangeSet()
  /** Blocks that were bad here. */
  readonly bad = new RangeSet()
  isLagging = false
  /** Joined later, and what the others had before is still coming: that is why it lags. */
  isCatchingUp = false
  /** Opens feeds to its mates and passes on what is marked. */
  isRelay = false
  /** It said that it passes on what it is dealt, and did not: it is dealt nothing to relay. */
  isFalseRelay = false
  /** Added again, after it had failed: the later attempt speaks for the node. */
  isSuperseded = false
  /** What its outcome warns of. */
  readonly warnings: string[] = []
  /** Over its caller's limits: no attempt follows. */
  isGivenUp = false
  /** The last dial or attempt that failed and is followed by another. */
  failure: Failure | undefined
  /** Dials of this attempt that failed. */
  dials = 0
  /** When the next dial or attempt is due. */
  dueMs = Number.POSITIVE_INFINITY
  /** Attempts of this node so far, with this one. */
  attempts = 1
  /** Of those, retries since it was named or added. */
  triesUsed = 0
  /** Why the attempt before this one ended. */
  before: Failure | undefined
  /** Mates (node numbers) whose feed to this node is known to be dead. */
  readonly lostFrom = new Set<number>()

  constructor(node: number, link: NodeLink, nowMs: number) {
    this.node = node
    this.link = link
    this.sinceMs = nowMs
  }

  /** Out, and to be tried again: it has no outcome yet. */
  get isToReturn(): boolean {
    return this.phase === 'out' && this.outcome === undefined
  }

  /** Being dialled for the first time: nothing says yet that it will take long. */
  get isComing(): boolean {
    return this.phase === 'connecting' && this.dials === 0
  }

  /** Connected, and has not said whether this push may write the name. */
  get isClaiming(): boolean {
    return this.phase === 'offered' && !this.hasClaim
  }

  /** Takes part in the exchange: can be sent to. */
  get isServing(): boolean {
    return this.phase === 'running' || (this.phase === 'complete' && this.hasLink)
  }

  /** Received from a mate that it had not asked for it. */
  relayedFrom(node: number): number {
    return (this.receivedFrom.get(node) ?? 0) - (this.pulledFrom.get(node) ?? 0)
  }

  /** What has landed of the file, without its holes. */
  get landedDataBytes(): number {
    return Math.max(0, this.landedBytes - this.holeBytes)
  }

  /** It is connected to, and is told of the file. */
  offer(about: Pick<Peer, 'nodeId' | 'incarnation' | 'advertise'>, nowMs: number): void {
    this.nodeId = about.nodeId
    this.incarnation = about.incarnation
    this.advertise = about.advertise
    this.phase = 'offered'
    this.sinceMs = nowMs
  }

  /** It takes the offer, and says what it holds. */
  accepts(have: readonly RangePair[]): void {
    this.hasAccepted = true
    this.hasClaim = true
    this.have = RangeSet.of(have)
    this.#readyUp()
  }

  /** The data connection to it is open. */
  fedOut(): void {
    this.hasFeed = true
    this.#readyUp()
  }

  #readyUp(): void {
    if (this.phase === 'offered' && this.hasAccepted && this.hasFeed) this.phase = 'ready'
  }

  /** It has published the whole file. */
  complete({ bytes, repairedBytes, warnings }: Frame & { type: 'complete' }): void {
    this.phase = 'complete'
    this.landedBytes = this.verifiedBytes = bytes
    this.repairedBytes = repairedBytes
    this.warnings.push(...warnings)
  }

  /** Takes part in the exchange from now on. */
  join(nowMs: number): void {
    this.phase = 'running'
    this.movedMs = nowMs
  }

  /** The last word about this node. */
  settle(
    status: NodeSettled['status'],
    failure: Failure | null,
    digest: string | null,
  ): NodeSettled {
    this.outcome = {
      node: this.link.address,
      status,
      bytes: this.verifiedBytes,
      digest: status === 'complete' ? digest : null,
      repairedBytes: this.repairedBytes,
      receivedBytes: this.receivedBytes,
      duplicateBytes: this.duplicateBytes,
      holeBytes: this.holeBytes,
      code: failure?.code ?? null,
      retryable: failure !== null && errorTable[failure.code].retryable,
      reason: failure === null ? null : this.#reason(failure),
      attempts: this.attempts,
      warnings: [...this.warnings],
    }
    return this.outcome
  }

  #reason({ code, text }: Failure): string {
    const { before } = this
    const said = `${code}: ${text}`
    const saidBefore = before === undefined ? said : `${before.code}: ${before.text}`
    return saidBefore === said ? said : `${said} (before: ${saidBefore})`
  }

  /** Takes a report in; true when something moved. */
  report(frame: Frame & { type: 'progress' }, nowMs: number): boolean {
    const { landedBytes, verifiedBytes, mates } = frame
    const moved = landedBytes !== this.landedBytes || verifiedBytes !== this.verifiedBytes
    this.landedBytes = landedBytes
    this.verifiedBytes = verifiedBytes
    this.repairedBytes = frame.repairedBytes
    this.holeBytes = frame.holeBytes
    this.receivedBytes = frame.receivedBytes
    this.duplicateBytes = frame.duplicateBytes
    for (const { index, bytes } of frame.received) this.receivedFrom.set(index, bytes)
    for (const { index, bytes } of frame.pulled) this.pulledFrom.set(index, bytes)
    this.feedsTo = new Set(mates.map(({ index }) => index))
    this.reportedMs = nowMs
    this.landing.add(this.landedDataBytes, frame.atMs)
    this.sending.add(frame.sentBytes, frame.atMs)
    const waiting = mates.map(({ queuedBytes, unackedBytes }) => queuedBytes + unackedBytes)
    this.backlogBytes = Math.max(0, ...waiting)
    return moved
  }
}

/** The node of this name that is connected already. */
export function twinOf(
  peer: Peer,
  peers: readonly Peer[],
  nodeId: string,
  incarnation: number | undefined,
): Peer | undefined {
  return peers.find(
    (other) =>
      other !== peer &&
      other.hasLink &&
      other.nodeId === nodeId &&
      other.incarnation === incarnation,
  )
}

/** No part is more than its whole. What is counted of mates is a part of all that is received. */
export function isPossible(frame: Frame & { type: 'progress' }, bytes: number): boolean {
  const { landedBytes, verifiedBytes, holeBytes, receivedBytes, duplicateBytes } = frame
  const fromMates = frame.received.reduce((sum, mate) => sum + mate.bytes, 0)
  return (
    Math.max(landedBytes, verifiedBytes) <= bytes &&
    holeBytes <= landedBytes &&
    Math.max(duplicateBytes, fromMates) <= receivedBytes
  )
}
