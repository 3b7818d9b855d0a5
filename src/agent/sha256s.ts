/**
 * SHA-256 of whole contents, for those who ask a node for one: HTTP knows no other digest of ours
 * (RFC 9530). Each is worked out once, by a worker that reads the file, one after the other, and
 * known while the node runs. Never: one of bytes that have changed meanwhile.
 */
import { createHash } from 'node:crypto'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { DataEngine, FileHandle, HashPool } from '../ports.js'
import { isSameButLinked } from '../store/catalogue/same-file.js'

export interface Hashed {
  /** Tells the content from others. */
  readonly key: string
  readonly file: FileHandle
  readonly size: number
}

export class Sha256s {
  readonly #engine: DataEngine
  readonly #pool: HashPool
  /** The one that was asked for last stands last. */
  readonly #known = new Map<string, string>()
  readonly #running = new Map<string, Promise<string>>()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(engine: DataEngine, pool: HashPool) {
    this.#engine = engine
    this.#pool = pool
  }

  /** 64 hex digits; null: not known yet. */
  known(key: string): string | null {
    const found = this.#known.get(key)
    if (found === undefined) return null
    this.#known.delete(key)
    this.#known.set(key, found)
    return found
  }

  /** The file stays open until it settles. Rejects with ERR_FR_LIMIT, ERR_FR_SOURCE_CHANGED. */
  of(hashed: Hashed): Promise<string> {
    const known = this.known(hashed.key)
    if (known !== null) return Promise.resolve(known)
    const running = this.#running.get(hashed.key)
    if (running !== undefined) return running
    if (this.#running.size >= limits.sha256sWaiting)
      return Promise.reject(new FrError('ERR_FR_LIMIT', 'too many files wait to be digested'))
    const found = this.#turn.then(() => this.#hash(hashed))
    this.#running.set(hashed.key, found)
    this.#turn = found.catch(() => {})
    return found.finally(() => this.#running.delete(hashed.key))
  }

  async #hash({ key, file, size }: Hashed): Promise<string> {
    const { storage } = this.#engine
    const before = await storage.identityOf(file)
    const source = this.#engine.hashSource(file)
    // One block as large as the file; of nothing there is none.
    const digest =
      size === 0
        ? createHash('sha256').digest()
        : await this.#pool.hash(source, { offset: 0, length: size }, size, 'sha256')
    if (!isSameButLinked(before, await storage.identityOf(file)))
      throw new FrError('ERR_FR_SOURCE_CHANGED')
    const text = Buffer.from(digest).toString('hex')
    this.#known.set(key, text)
    const [oldest] = this.#known.keys()
    if (this.#known.size > limits.sha256sKnown && oldest !== undefined) this.#known.delete(oldest)
    return text
  }
}
