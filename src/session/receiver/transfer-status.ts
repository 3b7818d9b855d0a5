/** What a node says of one transfer that it receives, and of its feeds to mates. */
import { limits } from '../../base/limits.js'
import { awakeMs } from '../../base/time/awake.js'
import { type ComponentFault, faultView } from '../../control/members/faults.js'
import type { ReceiverSession } from '../driver/receiver.js'
import type { ReceptionSpec } from './spec.js'

/** One feed of a node to a mate. */
export interface RelayStatus {
  /** HOST:PORT of the mate. */
  readonly node: string
  /** Listed and not accepted by the socket. */
  readonly queuedBytes: number
  /** Accepted and not acknowledged by the mate. */
  readonly unackedBytes: number
  /** The origin has said that nobody is to wait for this mate. */
  readonly isLagging: boolean
}

export interface TransferStatus {
  readonly transfer: string
  readonly name: string
  /**
   * origin: this node sends a file that it holds; what has landed is the mean of its nodes.
   * passing: it passes on what comes, and keeps nothing.
   */
  readonly role: 'receiving' | 'complete' | 'origin' | 'passing'
  readonly bytes: number
  /** Bytes of the file that are there, each once, holes included. */
  readonly landedBytes: number
  /** Of `landedBytes`, what came as holes. */
  readonly holeBytes: number
  /** Bytes in blocks whose digest is right. */
  readonly verifiedBytes: number
  /** Payload received from the origin and from mates. */
  readonly receivedBytes: number
  /** Of `receivedBytes`, dropped because the range had landed before. */
  readonly duplicateBytes: number
  /** Payload that connections to mates have accepted. */
  readonly sentBytes: number
  /** Landed after mates had promised them. */
  readonly pulledBytes: number
  /** Listed for mates that asked for them. */
  readonly servedBytes: number
  /** Payload received and sent, smoothed over about a second. */
  readonly rateInBytesPerSecond: number
  readonly rateOutBytesPerSecond: number
  /** Predicted seconds until everything has landed; null: not known, or all is there. */
  readonly etaSeconds: number | null
  /** Its open feeds to mates. */
  readonly relays: readonly RelayStatus[]
  /** What is held against links from mates; of an origin against anything. Most first. */
  readonly faults: readonly ComponentFault[]
  readonly waitsFor: string | null
  /** Who coordinates: HOST:PORT of the node, or that the origin's link comes from; null: itself. */
  readonly coordinator: string | null
  /** 1, and one more for each time that somebody took over; 0: there is no plan yet. */
  readonly term: number
  /**
   * Whether the origin has said that its file was all the time what it sent: checked, or unchecked
   * where it was gone before; null: the file is not published here.
   */
  readonly source: 'checked' | 'unchecked' | null
}

/** `waitsFor`: what the machine does not know of. */
export function statusOf(
  { transfer, entry, role, originAddress }: ReceptionSpec,
  session: ReceiverSession,
  waitsFor: string | null,
): TransferStatus {
  const { machine, samples, servedBytes } = session
  // Of what is still written: as much as it is known of.
  const bytes = entry.growing ? Math.max(entry.size, machine.held.size) : entry.size
  const { landedBytes, holeBytes, receivedBytes, duplicateBytes, sentBytes } = samples.totals
  const coordinator = machine.takeover.succession?.member
  const isPassing = role === 'gateway'
  const openBytes = bytes - landedBytes
  const rate = samples.rateInBytesPerSecond
  return {
    transfer,
    name: entry.name,
    role: isPassing ? 'passing' : machine.phase === 'complete' ? 'complete' : 'receiving',
    bytes,
    landedBytes,
    holeBytes,
    receivedBytes,
    duplicateBytes,
    sentBytes,
    verifiedBytes: machine.held.verifiedBytes,
    pulledBytes: machine.pulls.pulledBytes,
    servedBytes,
    rateInBytesPerSecond: rate,
    rateOutBytesPerSecond: samples.rateOutBytesPerSecond,
    etaSeconds: !isPassing && rate > 0 && openBytes > 0 ? openBytes / rate : null,
    relays: samples.relays().map(({ member, queuedBytes, unackedBytes }) => {
      const node = session.addressOf(member) ?? String(member)
      const isLagging = machine.reports.laggards.has(member)
      return { node, queuedBytes, unackedBytes, isLagging }
    }),
    faults: faultsOf(session),
    waitsFor: isPassing ? null : (waitsFor ?? machine.waitsFor),
    coordinator:
      coordinator === undefined ? originAddress : (session.addressOf(coordinator) ?? null),
    term: machine.takeover.term?.counter ?? 0,
    source:
      machine.phase !== 'complete' ? null : machine.seal.isUnchecked ? 'unchecked' : 'checked',
  }
}

/** What the node holds against links from its mates to itself. */
function faultsOf(session: ReceiverSession): ComponentFault[] {
  const { edges, neighbours } = session.machine
  const nameOf = (member = -1): string => session.addressOf(member) ?? String(member)
  const records = edges.faults(awakeMs()).slice(0, limits.faultsTold)
  return records.map(([from, record]) =>
    faultView(['link', nameOf(from), nameOf(neighbours.you)], record),
  )
}
