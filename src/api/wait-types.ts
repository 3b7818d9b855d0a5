/** Options of `waitFor`. */
import type { Credentials } from './credential-types.js'
export interface WaitOptions extends Credentials {
  /** HOST[:PORT] of the node that copies. */
  via: string
  signal?: AbortSignal
  /** Milliseconds without a word of the node; default 35,000. */
  timeoutMs?: number
}
