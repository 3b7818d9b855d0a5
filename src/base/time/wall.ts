/**
 * The time of day. What compares it with a time that another part of the process has compared
 * takes both from here: Date.now() is stepped when the clock of the machine is set, and then each
 * would see another moment.
 */

/** Unix milliseconds that never go back while the process runs. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now()
}
