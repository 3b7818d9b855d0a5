/**
 * How much a puller asks of one holder at once.
 *
 * The idea: a window is a time, not a number of bytes. It holds what the holder brings in a few
 * tenths of a second, so that its uplink never waits for the next request, whatever its speed, and
 * no holder has promised so much that others wait for it at the end. News of what landed come ten
 * times a second on slow links, so less than that would make the window the limit.
 */
import { limits } from '../../base/limits.js'

/** What is asked of a holder and has not come. */
export interface Asked {
  readonly requests: number
  readonly bytes: number
}

/** Milliseconds from a request to its last byte that a window aims at, without the way there. */
const aimMs = 300
/** Times that a window grows in one round. */
const growth = 4
/** Requests that share a window. */
const shares = 8

export class PullWindow {
  readonly #blockBytes: number
  readonly #unitBytes: number
  #bytes: number

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes
    this.#unitBytes = Math.max(limits.pullUnitBytes, blockBytes)
    this.#bytes = this.#unitBytes
  }

  /** Bytes of the next request, whole blocks. */
  get unitBytes(): number {
    const share = Math.min(limits.pullUnitBytesMax, this.#bytes / shares)
    const blocks = Math.floor(share / this.#blockBytes)
    return Math.max(this.#unitBytes, blocks * this.#blockBytes)
  }

  /** Whether one more request fits. */
  hasRoom(asked: Asked | undefined): boolean {
    if (asked === undefined) return true
    const { requests, bytes } = asked
    return requests < limits.pullRequests && bytes + this.unitBytes <= this.#bytes
  }

  /** All that was asked for when a request was made, itself included, has come in this time. */
  came(bytes: number, tookMs: number): void {
    const grown = bytes * Math.min(growth, aimMs / Math.max(1, tookMs))
    const least = 2 * this.#unitBytes
    this.#bytes = Math.max(least, Math.min(limits.pullWindowBytes, grown))
  }

  /** It has to show again how fast it is. */
  restart(): void {
    this.#bytes = this.#unitBytes
  }
}
