/**
 * What a node says upward of itself and all below it: at once what is another set of attributes,
 * every so often what is only another number of nodes, or another place for one.
 */
import { limits } from '../../base/limits.js'
import type { RollUp } from '../messages/directory.js'
import { joined, nobody, type Summary } from './dictionary.js'

export class RollUps {
  /** Of this node alone, and of all below it. */
  own: Summary = nobody
  below: Summary = nobody
  /** What the parent was told last, and when. */
  #told = ''
  #toldSet = ''
  #toldMs = Number.NEGATIVE_INFINITY
  #isLate = false

  /** When there is a number to be told. */
  get dueMs(): number {
    return this.#isLate ? this.#toldMs + limits.rollUpCountMs : Number.POSITIVE_INFINITY
  }

  get all(): Summary {
    return joined(this.below, this.own)
  }

  /** There is another parent. */
  forget(): void {
    this.#told = ''
    this.#toldSet = ''
    this.#isLate = false
  }

  /** What the parent is to be told now; null: nothing. */
  next(dictionary: string, room: number | null, nowMs: number): RollUp | null {
    const { some, every, count, isWhole } = this.all
    const said = { dictionary, some: some.text, every: every.text, isWhole }
    const set = JSON.stringify(said)
    const all = `${count} ${room} ${set}`
    this.#isLate = false
    if (all === this.#told) return null
    this.#isLate = set === this.#toldSet && nowMs < this.#toldMs + limits.rollUpCountMs
    if (this.#isLate) return null
    this.#told = all
    this.#toldSet = set
    this.#toldMs = nowMs
    return { ...said, count, room }
  }
}
