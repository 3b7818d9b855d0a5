/**
 * How long a peer is waited for, by a process that may itself be too busy to see what has come.
 *
 * The idea: the time is waited in pieces. A piece that ends late, because this process had no turn,
 * counts for no more than its own length: what the peer sent meanwhile may lie unread in a socket.
 * Every piece counts, so the wait always ends.
 */
import { excusedMs, nowMs } from './loop.js'

const pieces = 10

export class Patience {
  #timer: NodeJS.Timeout | undefined

  /** Calls `isOver` once, after `ms` in which this process was awake, unless it is ended before. */
  constructor(ms: number, isOver: () => void) {
    this.#wait(ms, Math.max(1, Math.ceil(ms / pieces)), isOver)
  }

  /** Idempotent. */
  end(): void {
    clearTimeout(this.#timer)
  }

  #wait(leftMs: number, pieceMs: number, isOver: () => void): void {
    const beganMs = nowMs()
    const waitMs = Math.min(leftMs, pieceMs)
    this.#timer = setTimeout(() => {
      const tookMs = nowMs() - beganMs
      const left = leftMs - (tookMs > waitMs + excusedMs ? waitMs : tookMs)
      if (left < 1) isOver()
      else this.#wait(left, pieceMs, isOver)
    }, waitMs)
  }
}
