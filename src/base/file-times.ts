/** Times of files, as Node sets them. */

/**
 * What `utimes` of Node takes for a POSIX time. Some versions of Node keep only the whole
 * microseconds of a number of seconds, others all of it; such numbers are a quarter of one apart.
 * So this is the first one that is not below the microsecond of the time, and what is read from a
 * file and set again is the same time.
 */
export function settableTime({
  seconds,
  nanos,
}: {
  readonly seconds: number
  readonly nanos: number
}): number | Date {
  // Node takes a negative number for "now", but not a Date, which keeps milliseconds.
  if (seconds < 0) return new Date(seconds * 1000 + nanos / 1e6)
  const micros = Math.floor(nanos / 1000)
  let time = seconds + micros / 1e6
  for (let more = 0.125; (time - seconds) * 1e6 < micros; more *= 2)
    time = seconds + (micros + more) / 1e6
  return time
}
