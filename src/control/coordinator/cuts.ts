/**
 * When what has grown is hashed and signed.
 *
 * The idea: while much comes, whole blocks are hashed and signed in runs as those of a file are,
 * and nobody waits for the end of the last block. Once hashing has caught up for a moment, what
 * there is beyond whole blocks is cut: its digest is signed as well, so that readers have the last
 * byte. One cut is under way at a time, and short appends cost no more than a part of the time.
 */
import { limits } from '../../base/limits.js'
import { type Section, sectionOf, wholeEnd } from '../../base/sections.js'
import { taskBytesFor } from '../holdings/hashing.js'

/** The beginning of the last block, to be hashed, signed and sent. */
export interface CutWish {
  readonly offset: number
  readonly length: number
  /** The content ends there. */
  readonly isFinal: boolean
}

export interface CutsDue {
  /** Whole blocks before this may be hashed. */
  readonly hashTo?: number
  readonly cut?: CutWish
}

/** What there is: how much, and whether more may come. */
interface Known {
  readonly bytes: number
  readonly isFinal: boolean
}

export class Cuts {
  /** Whole blocks before this may be hashed. */
  #hashTo = 0
  /** Everything before this is signed, or about to be. */
  #cutTo = 0
  /** Since when hashing has caught up while there is more to cut. */
  #idleMs: number | undefined
  #startedMs: number | undefined
  /** No cut begins before this. */
  #nextMs = 0
  #isEnded = false

  /** When `advance` may have something to do although nothing else happens. */
  get dueMs(): number {
    if (this.#idleMs === undefined || this.#startedMs !== undefined) return Number.POSITIVE_INFINITY
    return Math.max(this.#idleMs + limits.cutIdleMs, this.#nextMs)
  }

  /** `isHashed`: all whole blocks that were to be hashed are. */
  advance({ bytes, isFinal }: Known, isHashed: boolean, nowMs: number): CutsDue {
    const section = sectionOf(this.#hashTo)
    const whole = Math.min(wholeEnd(bytes), section.end)
    const full = fullRuns(section, this.#hashTo, whole)
    if (full > this.#hashTo || (whole === section.end && whole > this.#hashTo))
      return this.#hash(Math.max(full, whole === section.end ? whole : 0))
    if (!isHashed || this.#startedMs !== undefined || this.#isEnded) return {}
    if (bytes <= Math.max(this.#cutTo, this.#hashTo) && !isFinal) {
      this.#idleMs = undefined
      return {}
    }
    this.#idleMs ??= nowMs
    if (nowMs < this.dueMs && !isFinal) return {}
    if (whole > this.#hashTo) return this.#hash(whole)
    return { cut: this.#cut(bytes, isFinal, nowMs) }
  }

  /** The cut that was wished for is signed and sent. */
  done(nowMs: number): void {
    const tookMs = nowMs - (this.#startedMs ?? nowMs)
    this.#startedMs = undefined
    this.#nextMs = nowMs + Math.max(limits.cutMs, limits.cutShare * tookMs)
  }

  #hash(to: number): CutsDue {
    this.#hashTo = to
    this.#cutTo = Math.max(this.#cutTo, to)
    this.#idleMs = undefined
    return { hashTo: to }
  }

  #cut(bytes: number, isFinal: boolean, nowMs: number): CutWish {
    this.#idleMs = undefined
    this.#startedMs = nowMs
    this.#cutTo = bytes
    this.#isEnded = isFinal
    // The final record covers the last block, also where that was signed as a whole.
    const offset = isFinal ? wholeEnd(Math.max(0, bytes - 1)) : wholeEnd(bytes)
    return { offset, length: bytes - offset, isFinal }
  }
}

/** The end of the last run of full length that begins at `from` or a run later. */
function fullRuns({ blockBytes }: Section, from: number, end: number): number {
  const runBytes = taskBytesFor(blockBytes)
  return from + Math.floor((end - from) / runBytes) * runBytes
}
