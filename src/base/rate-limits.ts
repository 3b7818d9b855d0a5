/** What somebody may move at most. Pure. */
import { formatBytes } from './byte-text.js'
import { FrError } from './errors.js'

/** Bytes a second of data connections, headers and digests included; absent: no limit. */
export interface RateLimits {
  readonly upBytesPerSecond?: number | undefined
  readonly downBytesPerSecond?: number | undefined
}

/** What one transfer may use of a machine. */
export interface TransferShare extends RateLimits {
  /**
   * Its weight against the other transfers there that want more than they get: 1 to 100, default
   * limits.priority.
   */
  readonly priority?: number | undefined
  /**
   * Connections that carry what it sends to one member; absent: one, and more where one does not
   * fill the way.
   */
  readonly flows?: number | undefined
}

/** What a node says of itself when it is dialled. */
export interface NodeLimits extends RateLimits {
  /** Nodes that it sends to at once, and as many that send to it. */
  readonly maxFeeds?: number | undefined
}

/** The smaller of two rates, of which either may be unknown. */
export function smaller(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)
}

/** What keeps to both. */
export function both(a: RateLimits, b: RateLimits): RateLimits {
  return {
    upBytesPerSecond: smaller(a.upBytesPerSecond, b.upBytesPerSecond),
    downBytesPerSecond: smaller(a.downBytesPerSecond, b.downBytesPerSecond),
  }
}

/**
 * Throws ERR_FR_UNSUPPORTED where a rate is less than one block a second: nothing would be
 * verified, or sent on, for so long that others take the node for stuck.
 */
export function requireBlockASecond(rates: RateLimits, blockBytes: number): void {
  const least = smaller(rates.upBytesPerSecond, rates.downBytesPerSecond)
  if (least === undefined || least >= blockBytes) return
  const [rate, block] = [formatBytes(least), formatBytes(blockBytes)]
  throw new FrError(
    'ERR_FR_UNSUPPORTED',
    `a limit of ${rate}/s is less than a block (${block}) a second`,
  )
}
