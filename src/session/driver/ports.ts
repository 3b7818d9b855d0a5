/**
 * What a session is handed: time, the network and the engine, each as far as a session needs it.
 *
 * Everything calls back, nothing is awaited: the same session runs over sockets
 * (session/sockets.ts) and on the virtual network and clock of the simulator.
 */
import type { Failure, FrErrorCode } from '../../base/errors.js'
import type { Frame, Lacking } from '../../control/messages/types.js'
import type { DataEngine, FeedHandle } from '../../ports.js'
import type { Identity } from '../../protocol/greeting.js'
import type { Edge } from '../../protocol/ticket.js'

export interface Clock {
  /** Milliseconds in which this process had its turns. Machines are handed this time. */
  awakeMs(): number
  /** Milliseconds that also pass while the process has no turn, as bytes move on meanwhile. */
  nowMs(): number
  /** Runs once this awake time has come. The result takes it back. */
  at(awakeMs: number, run: () => void): () => void
  /** Lost turns are counted from here on, until the result is called. */
  watch(): () => void
}

/** An open connection. Whoever has it makes it a link or a feed, or closes it. */
export interface Connection {
  /** Of a data connection that this side has dialled: what the acceptor has said. */
  readonly lacking?: Lacking | undefined
  close(): void
}

/** A connection that carries frames both ways. */
export interface Link {
  /** False: the link is no longer open. */
  send(frame: Frame): boolean
  /** A silent peer is waited for this long; so is one that takes nothing. */
  waitFor(silenceMs: number): void
  /** Sends what is queued, then closes; `closed` once the connection is gone. */
  close(closed?: () => void): void
  destroy(): void
  /** Goes on over a connection dialled for that. Throws FrError when it broke meanwhile. */
  goOn(connection: Connection): void
  /** It broke and comes back no more: `onClose` follows. */
  giveUp(code: FrErrorCode, text: string): void
}

export interface LinkEvents {
  readonly onFrame: (frame: Frame) => void
  /** Not called when this side closed the link. */
  readonly onClose: (code: FrErrorCode, text: string) => void
  /** Its connection broke; what is said waits for the next one. Absent: the link closes then. */
  readonly onBroken?: (code: FrErrorCode, text: string) => void
  /** The frame that tells the peer why this side closes the link over something the peer sent. */
  readonly lastWord?: (code: FrErrorCode, text: string) => Frame
}

/** Where a member is dialled, HOST:PORT. */
export interface Place {
  readonly address: string
  /** The gateway between it and this side. */
  readonly via?: string | undefined
  /** The gateway between that one and this side. */
  readonly through?: string | undefined
}

export type Target = Place & { readonly to: number } & (
    | {
        readonly channel: 'control'
        /** A data connection will be wanted as soon as there is a link. */
        readonly isFedSoon?: boolean
        /** The connection is for this link, which broke or is silent. */
        readonly resumes?: Link
        /** Called once the way is proved; true: the link does without its last one from here on. */
        readonly takesOver?: () => boolean
      }
    | { readonly channel: 'pull'; readonly nodeId: string }
    | {
        readonly channel: 'data'
        readonly edge: Edge
        /** One more connection to a member that has one. */
        readonly isBeside?: boolean
      }
  )

export interface DialEvents {
  /** The address is a name that has to be looked up first. */
  readonly lookUpBegan?: () => void
  readonly lookUpEnded?: () => void
  /** `rttMs`: of a message and its answer. `peer`: who answers; null on data channels. */
  readonly opened: (connection: Connection, rttMs: number, peer: Identity | null) => void
  readonly failed: (failure: DialFailure) => void
}

export interface DialFailure extends Failure {
  /** Nobody listens there, or whoever does will not have it. */
  readonly isFinal?: boolean
}

export interface Net {
  /** Calls `opened` or `failed`, once and later; after `end` perhaps neither. */
  dial(target: Target, events: DialEvents): void
  /** Throws FrError when the connection broke meanwhile. */
  link(connection: Connection, events: LinkEvents): Link
  /**
   * Hands the connection to the engine, as a feed or, `beside` one, as one more flow of it. Throws
   * FrError when it broke meanwhile.
   */
  adopt(connection: Connection, direction: 'in' | 'out', beside?: FeedHandle): FeedHandle
  /** These members may be dialled through the gateway by others: the coordinator's word. */
  reach(via: string, addresses: readonly string[]): void
  /** Nothing is dialled any more. */
  end(): void
}

/** The feeds of one transfer. */
export type FeedEngine = Pick<
  DataEngine,
  | 'setRoute'
  | 'assign'
  | 'hold'
  | 'skip'
  | 'send'
  | 'sendDigests'
  | 'relayDigests'
  | 'grow'
  | 'cut'
  | 'forget'
  | 'limitFeeds'
  | 'close'
  | 'stats'
>
