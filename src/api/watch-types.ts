/** Options of `watchStatus`. */
import type { StatusOptions } from './types.js'

export interface WatchStatusOptions extends StatusOptions {
  /** Milliseconds from an answer to the next question, 100 to 3,600,000; default 1,000. */
  everyMs?: number
}
