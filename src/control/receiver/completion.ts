/** What a node says once its file is published: after its last report, or to who takes over. */
import type { Ledger } from '../holdings/ledger.js'
import type { Frame } from '../messages/types.js'
import type { Told } from './events.js'
import type { Seal } from './seal.js'

export class Completion {
  readonly #ledger: Ledger
  readonly #seal: Seal
  /** What came of the publication, until the coordinator is told of it. */
  #told: Told | undefined

  constructor(ledger: Ledger, seal: Seal) {
    this.#ledger = ledger
    this.#seal = seal
  }

  published(told: Told): void {
    this.#told = told
  }

  /** It is to be said. */
  get isDue(): boolean {
    return this.#told !== undefined
  }

  /** Said once with what could not be kept. */
  frame(): Frame {
    const { size: bytes, repairedBytes } = this.#ledger
    const told = this.#told ?? { warnings: [] }
    this.#told = undefined
    const fileDigest = this.#seal.digest as string
    return { type: 'complete', bytes, repairedBytes, fileDigest, ...told }
  }
}
