/**
 * What is counted of one node: what it says in its reports, and what the origin's own data
 * connection to it has taken. Nothing here says in which state the node is.
 */
import type { Frame } from '../messages/types.js'
import { ObservedRate } from './observed.js'

export class PeerCounts {
  /** Bytes of the file that have landed there, holes included. */
  landedBytes = 0
  verifiedBytes = 0
  repairedBytes = 0
  /** Of a content that grows: all before this is verified there. */
  reachedBytes = 0
  /** Of `landedBytes`, landed as holes. */
  holeBytes = 0
  /** Payload it has received from anybody. */
  receivedBytes = 0
  /** Of `receivedBytes`, what had landed before. */
  duplicateBytes = 0
  /** Payload it has received from each mate, by the mate's number. */
  readonly receivedFrom = new Map<number, number>()
  /** Of that, what it had asked for. */
  readonly pulledFrom = new Map<number, number>()
  /** Mates to which it has a data connection, by its last report. */
  feedsTo: ReadonlySet<number> = new Set()
  /** When its last report came. */
  reportedMs = 0
  /** What has landed without holes, by the clock of the node. */
  readonly landing = new ObservedRate()
  /** What it has sent to mates, by the clock of the node. */
  readonly sending = new ObservedRate()
  /** Bytes that the origin has listed on its data connection to the node. */
  listedBytes = 0
  /** Of `listedBytes`, not accepted by the socket. */
  queuedBytes = 0
  /** Payload that the socket has accepted, and when it did last. */
  sentBytes = 0
  sentMs = 0

  /** Connections to it that broke, or were silent, and were opened again. */
  reopened = 0

  /** It is dealt nothing to pass on for now, since it is far slower than the others. */
  isDemoted = false

  readonly #reportAtMs = { progress: 0, backlog: 0 }

  /** What has landed of the file, without its holes. */
  get landedDataBytes(): number {
    return Math.max(0, this.landedBytes - this.holeBytes)
  }

  /** Received from a mate that it had not asked for it. */
  relayedFrom(node: number): number {
    return (this.receivedFrom.get(node) ?? 0) - (this.pulledFrom.get(node) ?? 0)
  }

  /**
   * Whether the report counts from here on: one that came by way of a leader must be no older than
   * the last of its kind. `isOwn`: it came from the node itself, which is news whatever anybody
   * else has said of its time.
   */
  isNews({ type, atMs }: Frame & { type: 'progress' | 'backlog' }, isOwn: boolean): boolean {
    if (!isOwn && atMs < this.#reportAtMs[type]) return false
    this.#reportAtMs[type] = atMs
    return true
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
    for (const { member, bytes } of frame.received) this.receivedFrom.set(member, bytes)
    for (const { member, bytes } of frame.pulled) this.pulledFrom.set(member, bytes)
    this.feedsTo = new Set(mates.map(({ member }) => member))
    this.reportedMs = nowMs
    this.landing.add(this.landedDataBytes, frame.atMs)
    this.sending.add(frame.sentBytes, frame.atMs)
    return moved
  }

  /** The whole file is there, by the node's last word. */
  completed({ bytes, repairedBytes }: Frame & { type: 'complete' }): void {
    this.landedBytes = this.verifiedBytes = bytes
    this.repairedBytes = repairedBytes
  }
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
