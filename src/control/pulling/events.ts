/**
 * What happens on pulls (facts, past tense) and what is wanted of them (wishes, imperative), both
 * when this node asks and when it is asked. `index` is a mate's number in the push.
 */
import type { Failure, FrErrorCode } from '../../base/errors.js'
import type { RangePair } from '../../base/ranges.js'
import type { Frame, Mate } from '../messages/types.js'

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

export type PullCommand =
  /** Open a pull link to this mate: later `pullOpened` or `pullClosed`. */
  | { readonly type: 'dialPull'; readonly mate: Mate }
  | {
      readonly type: 'askMate'
      readonly index: number
      readonly frame: Frame & { readonly type: 'pull' }
    }
  /** The mate takes no part any more: nothing to it stays open, or is opened. */
  | { readonly type: 'drop'; readonly index: number }
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
