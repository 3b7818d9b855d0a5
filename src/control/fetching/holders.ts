/**
 * Whom a file is fetched from: one record for each holder that the caller named.
 *
 *     waiting -> dialling -> asked -> offered -> opening -> open
 *     waiting    not connected; to be dialled when its time has come
 *     asked      the link is open, and what it holds was asked
 *     offered    it holds the name; which content is fetched is not decided
 *     opening    it holds the content; the data connection is being opened
 *     open       it can be asked for bytes
 *     any -> waiting   it failed for a reason that may pass; the waits grow
 *     any -> out       it failed for good, or was wrong too often
 */
import { errorTable, type Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { FetchOffer } from '../messages/types.js'

type HolderState = 'waiting' | 'dialling' | 'asked' | 'offered' | 'opening' | 'open' | 'out'

export class FetchHolder {
  readonly number: number
  readonly address: string
  state: HolderState = 'waiting'
  /** When a waiting one is dialled, or an asked one must have answered. */
  dueMs = 0
  rttMs = Number.POSITIVE_INFINITY
  offer: FetchOffer | undefined
  /** Why it failed last; null once it has offered. */
  failure: Failure | null = null
  /** Blocks that came wrong from it. */
  wrongBlocks = 0
  /** Bytes in blocks that came from it, and were right. */
  verifiedBytes = 0
  #waitMs: number = limits.fetchRedialMs

  constructor(number: number, address: string) {
    this.number = number
    this.address = address
  }

  /** The client is connected to it. */
  get isLinked(): boolean {
    return this.state !== 'waiting' && this.state !== 'dialling' && this.state !== 'out'
  }

  get hasLeft(): boolean {
    return this.state === 'out'
  }

  /** It has said what it holds, or failed at least once. */
  get hasAnswered(): boolean {
    return this.offer !== undefined || this.failure !== null
  }

  /** It works: the next failure is its first again. */
  proved(): void {
    this.failure = null
    this.#waitMs = limits.fetchRedialMs
  }

  /** `isFinal`: it is out, even where the reason may pass. */
  failed(failure: Failure, isFinal: boolean, nowMs: number): void {
    this.failure = failure
    if (isFinal || !errorTable[failure.code].retryable) {
      this.state = 'out'
      return
    }
    this.state = 'waiting'
    this.dueMs = nowMs + this.#waitMs
    this.#waitMs = Math.min(limits.fetchRedialMsMax, 2 * this.#waitMs)
  }
}

/** Why nothing more comes: the cause that may pass, if there is one, and what each holder said. */
export function failureOf(holders: readonly FetchHolder[], what: string): Failure {
  const failures = holders.flatMap(({ failure }) => (failure === null ? [] : [failure]))
  const cause = failures.find(({ code }) => errorTable[code].retryable) ?? failures[0]
  const said = holders.map(({ address, failure }) => {
    if (failure === null) return `${address} brings nothing`
    return failure.text.includes(address) ? failure.text : `${address}: ${failure.text}`
  })
  return { code: cause?.code ?? 'ERR_FR_TIMEOUT', text: `${what}: ${said.join('; ')}` }
}
