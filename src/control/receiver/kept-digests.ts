/**
 * Digests that came marked for relay, kept for mates whose feed is not open yet.
 *
 * The idea: until the plan is known and the feed to every mate of it has opened or failed, a feed
 * that opens is given all that was relayed before, up to what such a feed takes at once. Mates ask
 * the origin for what is missing; mates that join later have their digests from the origin.
 */
import { limits } from '../../base/limits.js'

export class KeptDigests<T> {
  readonly #dialling = new Set<number>()
  readonly #kept = new Map<number, T>()
  #keptBytes = 0
  #isPlanned = false

  /** The plan is known: whoever is to be dialled is dialled from now on, in this turn. */
  planned(): void {
    this.#isPlanned = true
    this.#forgetIfSettled()
  }

  dialling(index: number): void {
    this.#dialling.add(index)
  }

  isDialling(index: number): boolean {
    return this.#dialling.has(index)
  }

  /** The feed to this mate is open and has all that is kept, or could not be opened. */
  settled(index: number): void {
    this.#dialling.delete(index)
    this.#forgetIfSettled()
  }

  /** A record that is being relayed; the place of its first block in the file, and its bytes. */
  keep(record: T, offset: number, bytes: number): void {
    if (this.#isSettled || this.#kept.has(offset)) return
    this.#keptBytes += bytes
    if (this.#keptBytes <= limits.digestQueueBytes) this.#kept.set(offset, record)
  }

  /** For a feed that has just opened, in the order in which they came. */
  get records(): readonly T[] {
    return [...this.#kept.values()]
  }

  get #isSettled(): boolean {
    return this.#isPlanned && this.#dialling.size === 0
  }

  #forgetIfSettled(): void {
    if (this.#isSettled) this.#kept.clear()
  }
}
