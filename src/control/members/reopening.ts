/**
 * When connections that broke are opened again: control links, the author's feeds and those between
 * mates all by this one rule.
 *
 * The idea: the first try comes soon, because most breaks are one reset. Then there is a wait,
 * and each further one is twice as long, up to a bound, with a part of it that differs for
 * everybody. A connection that has been open for a while starts anew. Whoever gives a member up
 * says `forget`: nothing here ends by itself.
 */
import type { FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { backoffMs } from './backoff.js'

const span = { firstMs: limits.reopenMs, mostMs: limits.reopenMsMax }
const never = Number.POSITIVE_INFINITY

interface Broken {
  /** Since when there is no connection. */
  sinceMs: number
  tries: number
  /** Infinity while it is being opened, or is open. */
  dueMs: number
  /** When it was opened; Infinity: it is not. */
  openedMs: number
}

export class Reopening {
  readonly #seed: number
  readonly #broken = new Map<number, Broken>()

  /** `seed`: by which waits differ from those of others. */
  constructor(seed: number) {
    this.#seed = seed
  }

  /** The connection broke, or could not be opened again. Returns since when there is none. */
  broke(member: number, nowMs: number): number {
    const before = this.#broken.get(member)
    const isSteady = before !== undefined && nowMs >= before.openedMs + limits.steadyMs
    const isNew = before === undefined || before.openedMs < never
    const tries = before === undefined || isSteady ? 1 : before.tries + 1
    const sinceMs = isNew ? nowMs : before.sinceMs
    const seed = this.#seed ^ Math.imul(member + 1, 0x27d4eb2f)
    const waitMs = tries === 1 ? limits.reopenSoonMs : backoffMs(span, tries - 1, seed)
    const dueMs = nowMs + waitMs
    this.#broken.set(member, { sinceMs, tries, dueMs, openedMs: never })
    return sinceMs
  }

  opened(member: number, nowMs: number): void {
    const broken = this.#broken.get(member)
    if (broken !== undefined) Object.assign(broken, { openedMs: nowMs, dueMs: never })
  }

  /** There is no connection to this member, and one is to be. */
  isBroken(member: number): boolean {
    return this.#broken.get(member)?.openedMs === never
  }

  /** The same, or it has been there for a moment only. */
  isUnsteady(member: number, nowMs: number): boolean {
    const { openedMs } = this.#broken.get(member) ?? { openedMs: Number.NEGATIVE_INFINITY }
    return nowMs < openedMs + limits.steadyMs
  }

  forget(member: number): void {
    this.#broken.delete(member)
  }

  /** Members to whom a connection is to be opened now; each ends in `opened` or `broke`. */
  due(nowMs: number): number[] {
    const due: number[] = []
    for (const [member, broken] of this.#broken) {
      if (nowMs < broken.dueMs) continue
      broken.dueMs = never
      due.push(member)
    }
    return due
  }

  /** When the next is due; Infinity: none is. */
  get dueMs(): number {
    let at = never
    for (const { dueMs } of this.#broken.values()) at = Math.min(at, dueMs)
    return at
  }
}

/** It says nothing but that the connection is gone. */
export function isBreak(code: FrErrorCode): boolean {
  return code === 'ERR_FR_NODE_LOST'
}
