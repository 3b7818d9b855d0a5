/**
 * What a node's machine is told (facts, past tense) and what it asks for (wishes, imperative).
 * `index` is a member's number.
 */
import type { Failure, FrErrorCode } from '../../base/errors.js'
import type { HeldRun } from '../holdings/have.js'
import type { Frame, Mate } from '../messages/types.js'
import type { PullCommand, PullEvent } from '../pulling/events.js'
import type { NodeSample } from './reports.js'

export interface NodeConfig {
  readonly bytes: number
  readonly blockBytes: number
  readonly digestBytes: number
  /** The node at the other end of the control link. */
  readonly originId: string
  /** See NodeWaits. */
  readonly silenceMs: number
}

export type NodeEvent =
  /** The name is this transfer's. */
  | { readonly type: 'claimed' }
  /** `held`: blocks that are here already, whole and verified, with their digests. */
  | { readonly type: 'prepared'; readonly held?: readonly HeldRun[] }
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
  /** The author's digests of whole blocks, already found authentic. */
  | {
      readonly type: 'announced'
      readonly offset: number
      readonly length: number
      readonly digests: Uint8Array
    }
  /** A record said to be of these bytes was not the author's: what it said is lost. */
  | { readonly type: 'misannounced'; readonly offset: number; readonly length: number }
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
  /** Asked for with `sample`, and before a feed is closed. */
  | { readonly type: 'sampled'; readonly sample: NodeSample }
  | PullEvent
  /** Another transfer writes the name: this one gives way where its coordinator is gone. */
  | { readonly type: 'outbid' }
  /** The node is being closed. */
  | { readonly type: 'stopped' }
  | { readonly type: 'ticked' }

export type NodeCommand =
  /** Check the name, reserve the space, create the partial. */
  | { readonly type: 'prepare' }
  | { readonly type: 'send'; readonly frame: Frame }
  | PullCommand
  /** Look at the counters of the engine (`sampled`). */
  | { readonly type: 'sample' }
  /** A feed to this mate will most likely be wanted soon: `dialMate` says when it is. */
  | { readonly type: 'greetMate'; readonly mate: Mate }
  | { readonly type: 'dialMate'; readonly mate: Mate }
  | { readonly type: 'closeFeed'; readonly index: number }
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
  /** -> accepted | ended: the session prepares the partial. */
  | 'preparing'
  /** -> receiving | ended: waits for the plan. */
  | 'accepted'
  /** -> summing | orphaned | ended: bytes land and are verified. */
  | 'receiving'
  /** -> ended: the link to the coordinator broke; what lands is verified and kept. */
  | 'orphaned'
  /** -> publishing | ended: everything is verified and sealed. */
  | 'summing'
  /** -> complete | ended */
  | 'publishing'
  /** -> ended: serves mates until the origin says finish or is gone. */
  | 'complete'
  | 'ended'

/** In words, what a transfer in this phase waits for; null when nothing. */
export function waitsFor(phase: NodePhase, hasLanded: boolean, isVerified: boolean): string | null {
  if (phase === 'preparing' || phase === 'publishing' || phase === 'summing') return 'the disk'
  if (phase === 'accepted') return 'the plan'
  if (phase === 'orphaned') return 'another coordinator'
  if (phase !== 'receiving') return null
  if (isVerified) return 'the seal of the origin'
  return hasLanded ? 'digests' : 'data'
}
