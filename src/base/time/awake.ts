/**
 * Measures how much time this process lost because it was too busy to look at the clock.
 *
 * One timer beats while anybody watches. The delay of a beat is time in which this process did not
 * run; messages of peers may lie unread in its sockets, so it does not count as their silence. The
 * beat itself always counts as awake, so every wait by awake time ends.
 */
import { performance } from 'node:perf_hooks'

const beatMs = 100
/** Delays below this are ordinary scheduling. */
const excusedMs = 100

let watchers = 0
let timer: NodeJS.Timeout | undefined
let dueMs = 0
let lateMs = 0
let lastAwakeMs = 0

export function nowMs(): number {
  return performance.now()
}

/** Milliseconds that this process lost so far while somebody watched. Never decreases. */
export function lostMs(): number {
  look()
  return lateMs
}

/**
 * A clock that stands still while time is lost and never goes back. Valid for differences while
 * somebody watches. Machines receive it as the current time.
 */
export function awakeMs(): number {
  const now = look()
  lastAwakeMs = Math.max(lastAwakeMs, now - lateMs)
  return lastAwakeMs
}

/** Starts counting lost time; each call needs its `unwatch`. Does not keep the process alive. */
export function watch(): void {
  watchers += 1
  if (timer === undefined) beat()
}

export function unwatch(): void {
  watchers -= 1
  if (watchers > 0) return
  clearTimeout(timer)
  timer = undefined
}

/** Returns the current time and counts the delay of a late beat. */
function look(): number {
  const now = nowMs()
  if (timer !== undefined && now > dueMs + excusedMs) {
    lateMs += now - dueMs
    dueMs = now
  }
  return now
}

function beat(): void {
  dueMs = nowMs() + beatMs
  timer = setTimeout(() => {
    look()
    beat()
  }, beatMs).unref()
}
