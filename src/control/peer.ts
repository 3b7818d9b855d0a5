/**
 * What the origin knows about one node.
 *
 * Edges: connecting -> offered -> ready -> running -> complete; from each of them -> out. `ready`
 * needs both the node's word (accept) and an open feed. `out` and `complete` have an outcome, which
 * never changes; a node that is lost after it was complete only stops serving its mates.
 */
import type { NodeLink } from './plan.js'
import { RangeSet } from './ranges.js'
import type { NodeOutcome } from './types.js'

export type PeerPhase = 'connecting' | 'offered' | 'ready' | 'running' | 'complete' | 'out'

export class Peer {
  readonly node: number
  readonly link: NodeLink
  phase: PeerPhase = 'connecting'
  nodeId = ''
  /** Position in the group; -1 outside it. */
  mate = -1
  hasLink = false
  hasFeed = false
  hasAccepted = false
  isSuspected = false
  outcome: NodeOutcome | undefined
  sinceMs: number
  movedMs = 0
  landedBytes = 0
  verifiedBytes = 0
  repairedBytes = 0
  sentBytes = 0
  queuedBytes = 0
  listedBytes = 0
  rateBytesPerSecond = 0
  #ratedMs = 0
  #ratedBytes = 0
  /** Ranges whose digests come to this node directly, because their relay cannot bring them. */
  readonly directDigests = new RangeSet()
  /** Ranges whose digests this node was given to pass on. */
  readonly relayedDigests = new RangeSet()
  /** Blocks that were bad here. */
  readonly bad = new RangeSet()
  isLagging = false
  /** Opens feeds to its mates and passes on what is marked. */
  isRelay = false
  /** Mates (node numbers) whose feed to this node is known to be dead. */
  readonly lostFrom = new Set<number>()

  constructor(node: number, link: NodeLink, nowMs: number) {
    this.node = node
    this.link = link
    this.sinceMs = nowMs
  }

  /** Takes part in the exchange: can be sent to. */
  get isServing(): boolean {
    return this.phase === 'running' || (this.phase === 'complete' && this.hasLink)
  }

  /** Takes its place in the group. */
  join(index: number, nowMs: number): void {
    this.phase = 'running'
    this.mate = index
    this.movedMs = nowMs
  }

  /** The last word about this node. */
  settle(
    status: NodeOutcome['status'],
    reason: string | null,
    digest: string | null,
    seconds: number,
  ): NodeOutcome {
    this.outcome = {
      node: this.link.address,
      status,
      seconds,
      bytes: this.verifiedBytes,
      digest: status === 'complete' ? digest : null,
      repairedBytes: this.repairedBytes,
      reason,
    }
    return this.outcome
  }

  /** Takes a report in; true when something moved. */
  report(landedBytes: number, verifiedBytes: number, nowMs: number): boolean {
    const moved = landedBytes !== this.landedBytes || verifiedBytes !== this.verifiedBytes
    this.landedBytes = landedBytes
    this.verifiedBytes = verifiedBytes
    const elapsedMs = nowMs - this.#ratedMs
    if (this.#ratedMs === 0 || elapsedMs >= 200) {
      const rate = this.#ratedMs === 0 ? 0 : ((landedBytes - this.#ratedBytes) / elapsedMs) * 1000
      // Half of the old value: settles within a second at the usual report interval.
      this.rateBytesPerSecond =
        this.rateBytesPerSecond === 0 ? rate : (this.rateBytesPerSecond + rate) / 2
      this.#ratedMs = nowMs
      this.#ratedBytes = landedBytes
    }
    return moved
  }
}
