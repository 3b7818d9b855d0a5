/** The attempts of a node before the one that is under way. */
import type { Failure } from '../../base/errors.js'

export interface History {
  /** Attempts of this node so far, with this one. */
  readonly attempts: number
  /** Of those, retries since the node was named or added. */
  readonly triesUsed: number
  /** Why the attempt before this one ended. */
  readonly before: Failure | undefined
}

export const firstAttempt: History = { attempts: 1, triesUsed: 0, before: undefined }
