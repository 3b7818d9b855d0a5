/**
 * How much time this process has been too busy to look at the clock.
 *
 * The idea: one timer for all beats while somebody asks. What it is late by, this process had no
 * turn: what peers sent meanwhile may lie unread in its sockets, so that time is no silence of
 * theirs. A beat itself always counts as awake, so that a wait by awake time ends in any case.
 */
import { performance } from 'node:perf_hooks'

const beatMs = 100
/** Less lateness than this is ordinary scheduling. */
const excusedMs = 100

let watchers = 0
let timer: NodeJS.Timeout | undefined
let dueMs = 0
let lateMs = 0
let lastAwakeMs = 0

export function nowMs(): number {
  return performance.now()
}

/** Milliseconds of this process that were lost so far, while somebody watched. Never decreases. */
export function lostMs(): number {
  look()
  return lateMs
}

/**
 * A clock that stands still while time is lost, and never goes back; for differences, while
 * somebody watches. It is what machines are handed as the time.
 */
export function awakeMs(): number {
  const now = look()
  lastAwakeMs = Math.max(lastAwakeMs, now - lateMs)
  return lastAwakeMs
}

/** From here on lost time is counted; each call needs its `unwatch`. Keeps no process alive. */
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

/** What the clock shows now; a beat that is late by then is counted. */
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
