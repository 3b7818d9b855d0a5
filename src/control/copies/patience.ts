/**
 * Copies that are under way, by when their targets have to have spoken of them.
 *
 * The idea: a target that says nothing of a copy for the time it should take three times over, and
 * some, has forgotten it. One that has more of it each time is only slow.
 */
import { LeastFirst } from '../../base/least-first.js'
import { limits } from '../../base/limits.js'
import type { FileState } from './files.js'
import type { Copy, Decision } from './scheduler.js'

export class Patience {
  readonly #due = new LeastFirst<number>()
  /** Bytes of each that its target had when it spoke of it last. */
  readonly #came = new Map<number, number>()

  get dueMs(): number {
    return this.#due.least
  }

  /** The copy begins, goes on at another rate, or is stopped. */
  decided({ kind, copy }: Decision, nowMs: number): void {
    if (kind === 'stop') this.ends(copy.id)
    else this.begins(copy, nowMs)
  }

  begins({ id, length, rate }: Copy, nowMs: number): void {
    const usual = rate === Number.POSITIVE_INFINITY ? 0 : (length / rate) * 1_000
    this.#due.set(id, nowMs + limits.copySilenceMs + 3 * usual)
  }

  /** What its target holds by now has been said. */
  spoken(copy: Copy, { holders }: FileState, nowMs: number): void {
    let came = 0
    for (const [, length] of holders.present(copy.target, [copy.offset, copy.length]))
      came += length
    if (came <= (this.#came.get(copy.id) ?? 0)) return
    this.#came.set(copy.id, came)
    this.begins(copy, nowMs)
  }

  ends(copy: number): void {
    this.#due.delete(copy)
    this.#came.delete(copy)
  }

  /** Those nobody has spoken of for too long. */
  over(nowMs: number): number[] {
    return this.#due.upTo(nowMs)
  }
}
