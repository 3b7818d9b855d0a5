/**
 * The words of the machines. Facts, in the past tense, are what a machine is told; wishes, in the
 * imperative, are what it asks for. The coordinator's machine and a receiver's machine use the same
 * words. Those that only one of them needs are declared beside it (coordinator/events.ts,
 * receiver/events.ts, pulling/events.ts).
 *
 * `member` is the number of a member in one transfer; the coordinator has a number as well.
 * `offset` and `length` are bytes in the address space of the transfer.
 */
import type { Failure, FrErrorCode } from '../../base/errors.js'
import type { NodeLimits } from '../../base/rate-limits.js'
import type { Frame, Lacking } from './types.js'

/** What happened between this side and one other member. */
export type MemberFact =
  /** The name in the member's address is being looked up; `lookUpEnded` or `unlinked` follows. */
  | { readonly type: 'lookUpBegan'; readonly member: number }
  /** The member's address is known, and is dialled now. */
  | { readonly type: 'lookUpEnded'; readonly member: number }
  /** The link that this side dialled is open. */
  | {
      readonly type: 'linked'
      readonly member: number
      /** Fingerprint of the member's key, as the handshake proved it. */
      readonly nodeId: string
      /** Differs for machines that were copied with their node id. */
      readonly incarnation?: number
      /** HOST:PORT that the member says others should dial. */
      readonly advertise?: string
      /** What the member says it keeps to. */
      readonly limits?: NodeLimits
      /** It wants its data connections sealed. */
      readonly sealed?: true
      /** Milliseconds that a message and its answer took; absent: not measured. */
      readonly rttMs?: number
    }
  /** The link to the member could not be opened, or is gone. */
  | {
      readonly type: 'unlinked'
      readonly member: number
      readonly code: FrErrorCode
      readonly text: string
    }
  /** The connection of a control link broke: what is said waits until the link has another one. */
  | { readonly type: 'linkBroke'; readonly member: number; readonly text: string }
  | { readonly type: 'linkBack'; readonly member: number }
  /** A frame of the member has come, on whichever link is open to it. */
  | { readonly type: 'said'; readonly member: number; readonly frame: Frame }
  /** A data connection from the member is open. */
  | { readonly type: 'fedIn'; readonly member: number }
  /** The data connection to the member that `feed` wished for is open. */
  | {
      readonly type: 'fedOut'
      readonly member: number
      /** What the member said; absent: not known. */
      readonly lacking?: Lacking
    }
  /** A data connection from the member (in) or to it (out) has ended, or could not be opened. */
  | {
      readonly type: 'unfed'
      readonly member: number
      readonly direction: 'in' | 'out'
      /** Null: its reader or writer has finished it. */
      readonly code: FrErrorCode | null
      /** What is known beside the code; null: nothing. */
      readonly text: string | null
    }

/**
 * Which blocks are hashed:
 * - file: blocks of the file, for the first time.
 * - again: blocks of the file that were hashed before, as the file is now.
 * - scratch: blocks in the scratch file, where repairs land.
 */
export type HashedPart = 'file' | 'again' | 'scratch'

/** A run of whole blocks. */
export interface HashRun {
  readonly part: HashedPart
  readonly offset: number
  readonly length: number
}

/** What has come from one member on data connections. */
export interface IncomingCount {
  /** The sender. */
  readonly member: number
  /** Whether the sender feeds this node by itself, not by forwarding. */
  readonly isParent: boolean
  /** Payload of all its connections so far. */
  readonly receivedBytes: number
}

/** A data connection to a member, as the engine counts it. */
export interface OutgoingCount {
  readonly member: number
  /** Listed and not accepted by the socket. */
  readonly queuedBytes: number
  /** Accepted by the socket and not acknowledged. */
  readonly unackedBytes: number
  /** How long a message and its answer take at least; absent or 0: not known. */
  readonly rttMs?: number
  /** Payload that earlier connections have brought, and that the socket of this one accepted. */
  readonly sentBytes: number
  /** Of `queuedBytes`, what the member has pulled. */
  readonly pulledBytes: number
}

/** One look at the engine's counters of a transfer, in bytes since it began. */
export interface Sample {
  /**
   * When the counters were read, by a clock of this side that goes on while the process has no
   * turn, as the bytes do. Only differences mean something elsewhere.
   */
  readonly atMs: number
  /** Bytes of the file that are here, each once, holes included. */
  readonly landedBytes: number
  /** Of `landedBytes`, landed as holes. */
  readonly holeBytes: number
  /** Landed as repairs. */
  readonly scratchBytes: number
  /** Payload sent on all data connections there were. */
  readonly sentBytes: number
  /** Payload received on all data connections there were. */
  readonly receivedBytes: number
  /** Of `receivedBytes`, what had landed before. */
  readonly duplicateBytes: number
  readonly incoming: readonly IncomingCount[]
  /** Only data connections that the machine wished for. */
  readonly outgoing: readonly OutgoingCount[]
}

export type Fact =
  | MemberFact
  /** The digests of the blocks of a `hash` that was wished for. */
  | ({ readonly type: 'hashed'; readonly digests: Uint8Array } & HashRun)
  /** The file digest that `sum` wished for. */
  | { readonly type: 'summed'; readonly fileDigest: string }
  /** Preparing, reading, writing, hashing, copying or publishing the file failed. */
  | { readonly type: 'fileFailed'; readonly code: FrErrorCode; readonly text: string }
  /** The counters of the engine, wished for with `sample`, or read before they are lost. */
  | { readonly type: 'sampled'; readonly sample: Sample }
  /** Whoever runs this machine ends the transfer. */
  | { readonly type: 'stopped'; readonly text: string }
  /** The time of the machine's deadline has come. */
  | { readonly type: 'due' }

/** What may be sent to these members together. */
export interface Pace {
  readonly members: readonly number[]
  readonly bytesPerSecond: number
}

/** What is to be done between this side and one other member. */
export type MemberWish =
  /** Open a link to the member; `linked` or `unlinked` follows. */
  | { readonly type: 'connect'; readonly member: number }
  /** Send a frame on the link to the member; nothing happens when none is open. */
  | { readonly type: 'say'; readonly member: number; readonly frame: Frame }
  /** Open a data connection to the member; `fedOut` or `unfed` follows. */
  | { readonly type: 'feed'; readonly member: number }
  /**
   * Close what is open to the member, after what was said. Nothing is opened to it any more, and
   * no fact about it follows.
   */
  | { readonly type: 'hangUp'; readonly member: number }
  /** Read the counters of the engine; `sampled` follows. */
  | { readonly type: 'sample' }

/** The data connection to the member is closed as if it had broken, if one is open: `unfed`. */
export interface UnfeedOutWish {
  readonly type: 'unfeedOut'
  readonly member: number
}

/**
 * The member is silent, and the way to it may be dead although nothing broke: another connection
 * takes the place of that of the link, once it is open; `linkBack` follows then.
 */
export interface RedialWish {
  readonly type: 'redial'
  readonly member: number
}

/** The member was hung up on, and takes part again. */
export interface ReadmitWish {
  readonly type: 'readmit'
  readonly member: number
}

/** From now on, what may be sent to members together; whom no set names is limited by none. */
export interface PaceWish {
  readonly type: 'pace'
  readonly sets: readonly Pace[]
}

export type Wish =
  | MemberWish
  /** Hash a run of whole blocks; `hashed` or `fileFailed` follows. */
  | ({ readonly type: 'hash' } & HashRun)
  /** Make the file digest of all block digests; `summed` follows. */
  | { readonly type: 'sum'; readonly digests: Uint8Array }
  /** Write a line to the log. */
  | {
      readonly type: 'note'
      readonly level: 'info' | 'warn'
      readonly event: string
      /** Whom the line is about; absent: the transfer at this side. */
      readonly member?: number
      readonly fields: Readonly<Record<string, string | number>>
    }

/** The transfer is over at this side. It is always the last wish. */
export interface EndWish {
  readonly type: 'end'
  /** Why the transfer as a whole failed; null: it did not. */
  readonly failure: Failure | null
}
