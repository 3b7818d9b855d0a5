/**
 * Sources that lacked what they had said to hold.
 *
 * The idea: such a one is believed no more until it says it anew, or for a while: a file that is
 * just being replaced or given its name is there again a moment later, and nobody says it twice.
 */
import { LeastFirst } from '../../base/least-first.js'
import { limits } from '../../base/limits.js'
import type { FileId } from './demand.js'
import type { NodeId } from './network.js'

export interface Doubt {
  readonly file: FileId
  readonly node: NodeId
}

export class Doubts {
  readonly #due = new LeastFirst<string>()
  readonly #all = new Map<string, Doubt>()

  /** When the first of them is over. */
  get dueMs(): number {
    return this.#due.least
  }

  has(doubt: Doubt): boolean {
    return this.#all.has(keyOf(doubt))
  }

  begin(doubt: Doubt, nowMs: number): void {
    const key = keyOf(doubt)
    if (this.#all.has(key)) return
    this.#all.set(key, doubt)
    this.#due.set(key, nowMs + limits.doubtMs)
  }

  end(doubt: Doubt): void {
    const key = keyOf(doubt)
    this.#all.delete(key)
    this.#due.delete(key)
  }

  /** Those that have lasted long enough; they end by that. */
  over(nowMs: number): Doubt[] {
    const over = this.#due.upTo(nowMs).map((key) => this.#all.get(key) as Doubt)
    for (const doubt of over) this.end(doubt)
    return over
  }
}

function keyOf({ file, node }: Doubt): string {
  return `${file} ${node}`
}
