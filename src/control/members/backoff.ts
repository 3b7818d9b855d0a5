/**
 * How long to wait before something is tried again: each wait twice as long as the one before, up
 * to a bound, and a different part of it for everybody.
 *
 * The part is drawn from a seed instead of a clock or a random source, so the same push waits the
 * same times whenever it is replayed. Without it, a hundred pushes that were refused at one moment
 * would all come back at one moment.
 */
export interface BackoffSpan {
  readonly firstMs: number
  readonly mostMs: number
}

/** From half of the full wait to all of it. `tries`: how often it was tried so far, from 1. */
export function backoffMs(span: BackoffSpan, tries: number, seed: number): number {
  const fullMs = Math.min(span.mostMs, span.firstMs * 2 ** Math.min(tries - 1, 30))
  return Math.round(fullMs * (0.5 + 0.5 * part(seed, tries)))
}

/** A number in [0, 1) that looks random: the finalizer of MurmurHash3 over both. */
function part(seed: number, tries: number): number {
  let hash = Math.imul(seed ^ Math.imul(tries, 0x9e3779b1), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
