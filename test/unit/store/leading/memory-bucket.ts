/** A bucket in memory, for masters of one process. */
import { FrError } from '../../../../src/base/errors.js'
import type { Bucket, StoredHead } from '../../../../src/store/leading/bucket.js'

export class MemoryBucket implements Bucket {
  readonly values = new Map<string, Uint8Array>()
  stored: StoredHead | null = null
  /** No call is answered. */
  isAway = false
  /** Of so many replacements of the head the answer is lost, though they are done. */
  lostAnswers = 0

  async head() {
    this.#require()
    return this.stored
  }

  async replaceHead(bytes: Uint8Array, revision: number) {
    this.#require()
    if (revision !== (this.stored?.revision ?? 0))
      throw new FrError('ERR_FR_NOT_LEADING', 'another master was sooner')
    this.stored = { revision: revision + 1, bytes }
    if (this.lostAnswers-- > 0) throw new FrError('ERR_FR_UNREACHABLE', 'no answer in time')
    return revision + 1
  }

  async put(key: string, bytes: Uint8Array) {
    this.#require()
    this.values.set(key, bytes)
  }

  async get(key: string) {
    this.#require()
    return this.values.get(key) ?? null
  }

  async generations() {
    this.#require()
    return [...new Set([...this.values.keys()].map((key) => key.split('.')[0] as string))]
  }

  async clear(generation: string) {
    this.#require()
    for (const key of this.values.keys())
      if (key.startsWith(`${generation}.`)) this.values.delete(key)
  }

  async close() {}

  #require(): void {
    if (this.isAway) throw new FrError('ERR_FR_UNREACHABLE', 'no answer in time')
  }
}
