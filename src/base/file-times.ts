/** Times of files, as Node sets them. */

/**
 * What `utimes` of Node takes for a POSIX time. Node keeps the whole microseconds of a number of
 * seconds, whose steps are a quarter of one: the middle of the microsecond is the one number that
 * is sure to stay in it. So what is read from a file and set again is the same time.
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
  return seconds + (Math.floor(nanos / 1000) + 0.5) / 1e6
}
