/** How a puller asks: between mates, or as a client that has nobody else. */
import { limits } from '../../base/limits.js'

/** How long a holder is waited for, and how much it is asked for at once. */
export interface PullPace {
  /** Bytes of a request to a holder that answers fast; it starts with the least. */
  readonly unitBytesMax: number
  /** Requests open at one holder once it has answered some. */
  readonly requests: number
  /** Milliseconds that a holder has to answer. */
  readonly answerMs: number
  /** Milliseconds for which a holder that did not keep its word is left alone. */
  readonly pauseMs: number
  /** Milliseconds after which bytes that nobody has promised are left to others. */
  readonly searchMs: number
  /** Milliseconds without a unit of what was promised after which all is left to others. */
  readonly patienceMs: number
  /** Holders send only what is asked of them, so what lands is of who is asked. */
  readonly isAskedOnly: boolean
}

/** Between mates: their origin has whatever they do not bring. */
export const matesPace: Omit<PullPace, 'unitBytesMax'> = {
  requests: limits.pullRequests,
  answerMs: limits.pullAnswerMs,
  pauseMs: limits.pullPauseMs,
  searchMs: limits.pullSearchMs,
  patienceMs: limits.pullPatienceMs,
  isAskedOnly: false,
}

/** What has landed of what a holder had promised. */
export interface Brought {
  readonly member: number
  readonly offset: number
  readonly length: number
}
