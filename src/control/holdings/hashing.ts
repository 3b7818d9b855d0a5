/**
 * In which order bytes are hashed, and how far ahead.
 *
 * The idea, at the origin (HashSchedule): tasks of whole blocks go round the shares, so that
 * digests travel close to their data; a share is hashed at most `aheadBytes` beyond what its feed
 * has sent, so that hashing finds the pages that sending has just read, and neither starves the
 * other. At a node (HashQueue): landed blocks wait a moment to become long runs, because a task
 * costs the same however short it is; they never wait when nothing else is coming.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { type BlockBytes, blockBytesAt, sectionOf } from '../../base/sections.js'

/** Bytes of whole blocks in one task: at least one block. */
export function taskBytesFor(blockBytes: number): number {
  return Math.max(blockBytes, Math.floor(limits.hashTaskBytes / blockBytes) * blockBytes)
}

/** Where the task ends at most that begins at this block: none is of two sections. */
export function taskEnd(offset: number, by: BlockBytes): number {
  const end = offset + taskBytesFor(blockBytesAt(offset, by))
  return by === 'sections' ? Math.min(end, sectionOf(offset).end) : end
}

interface Lane {
  readonly owner: number
  cursor: number
  readonly start: number
  end: number
  /** The owner is gone or away: the share is not sent to it, and there is nothing to stay near. */
  isFree: boolean
}

export interface HashTask {
  readonly owner: number
  readonly offset: number
  readonly length: number
}

export class HashSchedule {
  readonly #lanes: Lane[]
  readonly #blockBytes: BlockBytes
  readonly #aheadBytes: number
  #next = 0
  #inFlight = 0

  /** `shares`: who owns which contiguous, block-aligned range. Empty ones are fine. */
  constructor(
    shares: readonly (HashTask & object)[],
    blockBytes: BlockBytes,
    aheadBytes: number | undefined = limits.hashAheadBytes,
  ) {
    this.#lanes = shares.map(({ owner, offset, length }) => {
      return { owner, cursor: offset, start: offset, end: offset + length, isFree: false }
    })
    this.#blockBytes = blockBytes
    this.#aheadBytes = aheadBytes
  }

  /** Everything is handed out and has come back. */
  get isDone(): boolean {
    return this.#inFlight === 0 && this.#lanes.every((lane) => lane.cursor === lane.end)
  }

  /** The next task that may run now; `sentBytes` says how much of its share an owner was sent. */
  take(sentBytes: (owner: number) => number): HashTask | undefined {
    if (this.#inFlight >= limits.hashTasksInFlight) return undefined
    for (let i = 0; i < this.#lanes.length; i++) {
      const lane = this.#lanes[(this.#next + i) % this.#lanes.length] as Lane
      const isOpen = lane.cursor < lane.end
      const aheadBytes = lane.cursor - lane.start - sentBytes(lane.owner)
      if (!isOpen || (!lane.isFree && aheadBytes >= this.#aheadBytes)) continue
      const length = Math.min(lane.end, taskEnd(lane.cursor, this.#blockBytes)) - lane.cursor
      const task = { owner: lane.owner, offset: lane.cursor, length }
      lane.cursor += length
      this.#next = (this.#next + i + 1) % this.#lanes.length
      this.#inFlight++
      return task
    }
    return undefined
  }

  /** There is more: the last share goes on up to here. */
  extend(end: number): void {
    const last = this.#lanes.at(-1)
    if (last !== undefined) last.end = Math.max(last.end, end)
  }

  /** A task came back. */
  done(): void {
    this.#inFlight--
  }

  /** This owner is gone or away. */
  free(owner: number): void {
    for (const lane of this.#lanes) if (lane.owner === owner) lane.isFree = true
  }
}

/** How long landed blocks wait to become a longer run, and when a run is long enough. */
const gatherMs = 10
const gatherBytes = limits.hashTaskBytes / 4

export class HashQueue {
  readonly #waiting = new RangeSet()
  readonly #blockBytes: BlockBytes
  #sinceMs = 0
  #inFlight = 0

  constructor(blockBytes: BlockBytes) {
    this.#blockBytes = blockBytes
  }

  get isIdle(): boolean {
    return this.#inFlight === 0 && this.#waiting.isEmpty
  }

  add(offset: number, length: number, nowMs: number): void {
    if (this.#waiting.isEmpty) this.#sinceMs = nowMs
    this.#waiting.add(offset, length)
  }

  /** `isLast`: nothing more will land, so waiting gains nothing. */
  take(nowMs: number, isLast: boolean): RangePair | undefined {
    if (this.#inFlight >= limits.hashTasksInFlight || this.#waiting.isEmpty) return undefined
    // The same sum as in deadlineMs: a difference could round to just below.
    const anyLength = isLast || nowMs >= this.#sinceMs + gatherMs
    for (const [offset, length] of this.#waiting) {
      if (!anyLength && length < gatherBytes) continue
      const taken = Math.min(length, taskEnd(offset, this.#blockBytes) - offset)
      this.#waiting.remove(offset, taken)
      this.#inFlight++
      return [offset, taken]
    }
    // What is left is short: it starts its own wait.
    return undefined
  }

  done(): void {
    this.#inFlight--
  }

  /** When waiting runs become due; null when there are none or no task may start anyway. */
  deadlineMs(): number | null {
    if (this.#waiting.isEmpty || this.#inFlight >= limits.hashTasksInFlight) return null
    return this.#sinceMs + gatherMs
  }
}
