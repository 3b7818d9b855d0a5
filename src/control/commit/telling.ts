/** Who has carried out a verdict, as far as is known here, and who is to be told of it when. */
import { limits } from '../../base/limits.js'
import type { Decree } from '../messages/commit.js'

export class Telling {
  readonly #decree: Decree
  readonly #applied = new Set<number>()
  #atMs = Number.POSITIVE_INFINITY
  #againMs: number = limits.commitAgainMs

  constructor(decree: Decree) {
    this.#decree = decree
  }

  /** When the next round is due. */
  get dueMs(): number {
    return this.isOver ? Number.POSITIVE_INFINITY : this.#atMs
  }

  /** All have applied it. */
  get isOver(): boolean {
    return this.#applied.size === this.#decree.members.length
  }

  get applied(): number[] {
    return [...this.#applied].sort((a, b) => a - b)
  }

  add(members: readonly number[]): void {
    const count = this.#decree.members.length
    for (const member of members) if (member < count) this.#applied.add(member)
  }

  /** The first round is due then. */
  from(atMs: number): void {
    this.#atMs = atMs
  }

  /** Begins a round: whom it is for. */
  round(nowMs: number): number[] {
    this.#atMs = nowMs + this.#againMs
    this.#againMs = Math.min(2 * this.#againMs, limits.commitAgainMsMax)
    return [...this.#decree.members.keys()].filter((member) => !this.#applied.has(member))
  }
}
