/** Frames and their bytes that each place has sent and received. */
import { rowOf } from './network.js'

export class Words {
  /** The origin's first. */
  readonly #messages: Float64Array
  readonly #bytes: Float64Array

  constructor(nodes: number) {
    this.#messages = new Float64Array(nodes + 1)
    this.#bytes = new Float64Array(nodes + 1)
  }

  said(from: number, to: number, bytes: number): void {
    for (const row of [rowOf(from), rowOf(to)]) {
      this.#messages[row] = (this.#messages[row] as number) + 1
      this.#bytes[row] = (this.#bytes[row] as number) + bytes
    }
  }

  of(place: number): { readonly messages: number; readonly bytes: number } {
    const row = rowOf(place)
    return { messages: this.#messages[row] ?? 0, bytes: this.#bytes[row] ?? 0 }
  }
}
