/**
 * Requests that are sent again, because nobody knows whether the first one came: with the header
 * `Idempotency-Key` they are carried out once, and answered alike (draft-ietf-httpapi-idempotency).
 *
 * Answers are kept for an hour, in this process alone, as what they are about; what failed is not
 * kept, and may be tried again. The same key for another request is refused. Keys of different
 * tokens have nothing to do with each other.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { doorLimits } from '../../base/door-limits.js'
import { nowMs } from '../../base/time/awake.js'
import type { Who } from '../mount.js'
import { HttpError, wrongRequest } from '../problem.js'
import type { Answer } from './route.js'

interface Kept {
  readonly request: string
  readonly answer: Promise<Answer>
  atMs: number
  isSettled: boolean
}

export class Idempotency {
  readonly #now: () => number
  /** The oldest first. */
  readonly #kept = new Map<string, Kept>()

  constructor(now: () => number = nowMs) {
    this.#now = now
  }

  get count(): number {
    return this.#kept.size
  }

  /** Rejects with HttpError 400, 422, 503, and with what `run` rejects with. */
  async once(
    request: IncomingMessage,
    who: Who,
    body: unknown,
    run: () => Promise<Answer>,
  ): Promise<Answer> {
    const key = request.headers['idempotency-key']
    if (key === undefined) return run()
    if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key))
      throw wrongRequest(400, 'Idempotency-Key has 1 to 255 printable characters of ASCII')
    const id = `${who.name ?? ''} ${key}`
    const said = hashOf([request.method, request.url, body])
    const known = this.#kept.get(id)
    if (known !== undefined && !this.#isOld(known)) {
      if (known.request !== said)
        throw wrongRequest(422, 'this Idempotency-Key was used for another request')
      const answer = await known.answer
      return { ...answer, headers: { ...answer.headers, 'idempotent-replayed': 'true' } }
    }
    this.#forget()
    if (this.#kept.size >= doorLimits.idempotencyKeys)
      throw new HttpError(503, 'ERR_FR_LIMIT', 'too many requests are under way')
    return this.#keep(id, said, run())
  }

  async #keep(id: string, request: string, answer: Promise<Answer>): Promise<Answer> {
    const kept: Kept = { request, answer, atMs: this.#now(), isSettled: false }
    this.#kept.set(id, kept)
    try {
      return await answer
    } catch (error) {
      this.#kept.delete(id)
      throw error
    } finally {
      kept.isSettled = true
      kept.atMs = this.#now()
    }
  }

  #isOld({ isSettled, atMs }: Kept): boolean {
    return isSettled && atMs < this.#now() - doorLimits.idempotencyMs
  }

  /** What is too old; and where there is no room, the oldest that nobody waits for. */
  #forget(): void {
    for (const [id, kept] of this.#kept) {
      const isFull = this.#kept.size >= doorLimits.idempotencyKeys
      if (kept.isSettled && !isFull && !this.#isOld(kept)) return
      if (kept.isSettled) this.#kept.delete(id)
    }
  }
}

function hashOf(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64')
}
