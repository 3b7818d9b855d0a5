/**
 * What a node's machine is told (facts, past tense) and what it asks for (wishes, imperative).
 * `index` is a mate's place in the push, -1 the origin.
 */
import type { FrErrorCode } from '../errors.js'
import type { Frame, Mate, PullReport, RangePair } from './types.js'

export interface Failure {
  readonly code: FrErrorCode
  readonly text: string
}

export type NodeEvent =
  /** The name is this transfer's. */
  | { readonly type: 'claimed' }
  | { readonly type: 'prepared' }
  | { readonly type: 'prepareFailed'; readonly code: FrErrorCode; readonly text: string }
  | { readonly type: 'frameArrived'; readonly frame: Frame }
  /** The control link to the origin is gone. */
  | { readonly type: 'linkClosed'; readonly code: FrErrorCode; readonly text: string }
  /** An incoming feed was adopted. */
  | { readonly type: 'feedOpened'; readonly index: number }
  /** An incoming feed has ended; null: cleanly. */
  | {
      readonly type: 'feedClosed'
      readonly index: number
      readonly code: FrErrorCode | null
      /** What was wrong with it, where more is known than the code. */
      readonly text?: string
    }
  | { readonly type: 'relayOpened'; readonly index: number }
  /** A relay feed could not be opened, or broke; null: the mate finished it. */
  | { readonly type: 'relayClosed'; readonly index: number; readonly code: FrErrorCode | null }
  | {
      readonly type: 'landed'
      readonly scratch: boolean
      readonly offset: number
      readonly length: number
    }
  /** The origin's digests of whole blocks, already found authentic. */
  | {
      readonly type: 'announced'
      readonly offset: number
      readonly length: number
      readonly digests: Uint8Array
    }
  | {
      readonly type: 'hashed'
      readonly scratch: boolean
      readonly offset: number
      readonly length: number
      readonly digests: Uint8Array
    }
  | { readonly type: 'copied'; readonly offset: number; readonly length: number }
  | { readonly type: 'summed'; readonly fileDigest: string }
  /** `warnings`: what could not be kept, one sentence each. */
  | { readonly type: 'published'; readonly warnings: readonly string[] }
  /** Hashing, copying, publishing or the file itself failed. */
  | { readonly type: 'storageFailed'; readonly code: FrErrorCode; readonly text: string }
  | { readonly type: 'counted'; readonly landedBytes: number }
  | PullEvent
  /** This process was late by so much: silence of others in that time is our own doing. */
  | { readonly type: 'delayed'; readonly lateMs: number }
  /** The node is being closed. */
  | { readonly type: 'stopped' }
  | { readonly type: 'ticked' }

export type PullEvent =
  /** The pull link to a mate is open; how long a message and its answer take on it. */
  | { readonly type: 'pullOpened'; readonly index: number; readonly rttMs: number }
  | { readonly type: 'pullClosed'; readonly index: number; readonly code: FrErrorCode }
  | {
      readonly type: 'pullAnswered'
      readonly index: number
      readonly frame: Frame & { readonly type: 'holding' | 'pullRefused' }
    }
  /** A mate asks for bytes. */
  | {
      readonly type: 'pullAsked'
      readonly index: number
      readonly frame: Frame & { readonly type: 'pull' }
    }
  /** Payload that has come on the feeds of mates, in all. */
  | {
      readonly type: 'feedsCounted'
      readonly feeds: readonly { readonly index: number; readonly receivedBytes: number }[]
    }

export type NodeCommand =
  /** Check the name, reserve the space, create the partial. */
  | { readonly type: 'prepare' }
  | { readonly type: 'send'; readonly frame: Frame }
  /** Send a progress frame; the runtime adds what the engine counts. */
  | {
      readonly type: 'report'
      readonly verifiedBytes: number
      readonly repairedBytes: number
      readonly pulled: readonly PullReport[]
    }
  /** Tell the machine what has landed (`counted`). */
  | { readonly type: 'count' }
  /** Send a backlog frame made of what the engine counts, unless nothing has changed. */
  | { readonly type: 'reportBacklog' }
  /** The backlog of the feeds to these mates does not count from now on. */
  | { readonly type: 'exclude'; readonly indices: readonly number[] }
  /** A feed to this mate will most likely be wanted soon: `dialMate` says when it is. */
  | { readonly type: 'greetMate'; readonly mate: Mate }
  | { readonly type: 'dialMate'; readonly mate: Mate }
  | { readonly type: 'closeRelay'; readonly index: number }
  | { readonly type: 'closeFeed'; readonly index: number }
  /** Open a pull link to this mate: later `pullOpened` or `pullClosed`. */
  | { readonly type: 'dialPull'; readonly mate: Mate }
  | {
      readonly type: 'askMate'
      readonly index: number
      readonly frame: Frame & { readonly type: 'pull' }
    }
  /** The mate is gone: close its pull links, both ways. */
  | { readonly type: 'closePull'; readonly index: number }
  /** Tell the mate that these are held, and list them for it. */
  | {
      readonly type: 'serve'
      readonly index: number
      readonly request: number
      readonly ranges: readonly RangePair[]
    }
  /** No honest mate asks so: tell it, and close the link on which it asks. */
  | {
      readonly type: 'rejectPull'
      readonly index: number
      readonly request: number
      readonly failure: Failure
    }
  /** Tell the machine what has come from mates (`feedsCounted`). */
  | { readonly type: 'countFeeds' }
  | {
      readonly type: 'hash'
      readonly scratch: boolean
      readonly offset: number
      readonly length: number
    }
  | { readonly type: 'copyIn'; readonly offset: number; readonly length: number }
  /** Make the file digest of these block digests. */
  | { readonly type: 'sum'; readonly digests: Uint8Array }
  | { readonly type: 'publish' }
  | {
      readonly type: 'log'
      readonly event: string
      readonly fields: Readonly<Record<string, string | number>>
    }
  /** The transfer is over here. `keepPartial`: for a later resumption. Always the last command. */
  | { readonly type: 'end'; readonly failure: Failure | null; readonly keepPartial: boolean }

export type NodePhase =
  /** -> accepted | ended: the runtime prepares the partial. */
  | 'preparing'
  /** -> receiving | ended: waits for the plan. */
  | 'accepted'
  /** -> summing | ended: bytes land and are verified. */
  | 'receiving'
  /** -> publishing | ended: everything is verified and sealed. */
  | 'summing'
  /** -> complete | ended */
  | 'publishing'
  /** -> ended: serves mates until the origin says finish or is gone. */
  | 'complete'
  | 'ended'
