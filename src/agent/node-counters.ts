/** What a node counts since its start, for its status. */
import type { ReceiverSession } from '../session/driver/receiver.js'

export interface NodeCounters extends PayloadCounters {
  connections: number
  refusedConnections: number
  /** Refused connections of peers that did not hold the key. */
  authFailures: number
  /** Digest records with a wrong signature. */
  wrongDigests: number
  transfersStarted: number
  transfersComplete: number
  transfersFailed: number
}

/** Bytes of the transfers that this node has received or passed on. */
interface PayloadCounters {
  /** Payload from whoever sent the file, and payload that others passed on. */
  directBytes: number
  relayedBytes: number
  /** Landed after mates had promised them; listed for mates that had asked. */
  pulledBytes: number
  mateServedBytes: number
  /** Payload that was dropped, since its range had landed before. */
  duplicateBytes: number
  /** Of the file, in blocks that were bad and were put right. */
  repairedBytes: number
}

export function freshCounters(): NodeCounters {
  return {
    connections: 0,
    refusedConnections: 0,
    authFailures: 0,
    wrongDigests: 0,
    transfersStarted: 0,
    transfersComplete: 0,
    transfersFailed: 0,
    directBytes: 0,
    relayedBytes: 0,
    pulledBytes: 0,
    mateServedBytes: 0,
    duplicateBytes: 0,
    repairedBytes: 0,
  }
}

interface Counted {
  readonly session: Pick<ReceiverSession, 'machine' | 'samples' | 'servedBytes'>
}

/** With what transfers that are not over have brought so far. */
export function withPayload(counters: NodeCounters, running: readonly Counted[]): NodeCounters {
  const all = { ...counters }
  for (const one of running) addPayload(all, one)
  return all
}

/** A transfer is over. */
export function countEnd(counters: NodeCounters, over: Counted, failure: unknown): void {
  counters[failure === null ? 'transfersComplete' : 'transfersFailed']++
  addPayload(counters, over)
}

function addPayload(counters: PayloadCounters, { session }: Counted): void {
  const { machine, samples, servedBytes } = session
  const { receivedBytes, duplicateBytes } = samples.totals
  const { directBytes } = samples
  counters.directBytes += directBytes
  counters.relayedBytes += Math.max(0, receivedBytes - directBytes)
  counters.pulledBytes += machine.pulls.pulledBytes
  counters.mateServedBytes += servedBytes
  counters.duplicateBytes += duplicateBytes
  counters.repairedBytes += machine.held.repairedBytes
}
