/**
 * What the origin knows of its own file: which digests it has, what is hashed next, whether the
 * file is under suspicion. The file digest is made only after everything was hashed and the file
 * was found unchanged since it was opened; a file that changed in between must never be sealed.
 */

import { HashSchedule, type HashTask } from './hashing.js'
import type { Failure } from './node-events.js'
import { OriginDigests } from './origin-digests.js'
import type { OriginCommand, OriginConfig } from './origin-events.js'

export class OriginSource {
  readonly digests: OriginDigests
  fileDigest: string | undefined
  readonly #config: OriginConfig
  #hashing: HashSchedule | undefined
  #isChecking = false
  /** A check that began before the last byte was read says nothing about it. */
  #mustCheckAgain = false
  #isHashed = false
  /** Why it is under suspicion: this is the error if it turns out not to have changed. */
  #doubt: Failure | undefined

  constructor(config: OriginConfig) {
    this.#config = config
    this.digests = new OriginDigests(config.bytes, config.blockBytes, config.digestBytes)
  }

  /** Hashing may begin, in this order. */
  start(shares: readonly HashTask[]): void {
    this.#hashing = new HashSchedule(shares, this.#config.blockBytes, this.#config.hashAheadBytes)
  }

  /** A task came back. */
  hashed(offset: number, digests: Uint8Array): void {
    this.#hashing?.done()
    this.digests.put(offset, digests)
  }

  /** Nobody sends this owner's share any more. */
  free(owner: number): void {
    this.#hashing?.free(owner)
  }

  /** The tasks that may start now; when all are done, the check before the seal. */
  more(sentBytes: (owner: number) => number): OriginCommand[] {
    const hashing = this.#hashing
    if (hashing === undefined || this.#isHashed) return []
    const commands: OriginCommand[] = []
    for (let task = hashing.take(sentBytes); task !== undefined; task = hashing.take(sentBytes)) {
      commands.push({ type: 'hash', offset: task.offset, length: task.length })
    }
    if (!hashing.isDone) return commands
    this.#isHashed = true
    this.#mustCheckAgain = this.#isChecking
    return [...commands, ...this.check()]
  }

  check(): OriginCommand[] {
    if (this.#isChecking) return []
    this.#isChecking = true
    return [{ type: 'checkSource' }]
  }

  /** Reading failed: is it because the file changed? */
  doubt(failure: Failure): OriginCommand[] {
    this.#doubt ??= failure
    return this.check()
  }

  /** The file is unchanged: then a doubt was something else, and a hashed file may be sealed. */
  checked(): Failure | OriginCommand[] {
    this.#isChecking = false
    if (this.#doubt !== undefined) return this.#doubt
    if (this.#mustCheckAgain) {
      this.#mustCheckAgain = false
      return this.check()
    }
    if (!this.#isHashed || this.fileDigest !== undefined) return []
    return [{ type: 'sum', digests: this.digests.all }]
  }
}
