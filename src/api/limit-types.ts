/** Types of `client.limit`. */
import type { Credentials } from './credential-types.js'

/** A rate that is missing stays as it is, null is no limit; at least one is given. */
export interface LimitOptions extends Credentials {
  upBytesPerSecond?: number | null
  downBytesPerSecond?: number | null
  /** Id of a transfer that the node receives; by default all its transfers together. */
  transfer?: string
  signal?: AbortSignal
  timeoutMs?: number
}

/** The limits that apply after a change; null: no limit. */
export interface LimitsApplied {
  readonly event: 'limited'
  readonly node: string
  readonly transfer: string | null
  readonly upBytesPerSecond: number | null
  readonly downBytesPerSecond: number | null
}
