/** How a puller asks: between mates, or as a client that has nobody else. */
import { limits } from '../../base/limits.js'

/** How long a holder is waited for. */
export interface PullPace {
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
export const matesPace: PullPace = {
  answerMs: limits.pullAnswerMs,
  pauseMs: limits.pullPauseMs,
  searchMs: limits.pullSearchMs,
  patienceMs: limits.pullPatienceMs,
  isAskedOnly: false,
}
