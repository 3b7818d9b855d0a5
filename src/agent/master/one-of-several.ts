/** One of several masters: the connection to what they keep together, and the lease on it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { Leadership } from '../../store/leading/leadership.js'
import { NatsBucket } from '../../store/leading/nats-bucket.js'
import { type StatePlace, withStateFile } from '../../store/leading/state-place.js'
import type { Reigns } from './reigns.js'

export interface JoinSpec {
  /** HOST:PORT where others reach this master. */
  readonly address: string
  readonly reigns: Reigns
  readonly log: Logger
  readonly options: { readonly stateFile?: string; readonly signal?: AbortSignal }
}

export interface OneOfSeveral {
  /** HOST:PORT of the one that leads, as it was seen last. */
  readonly leader: string | null
  /** Lets another one lead. Idempotent. */
  close(): Promise<void>
}

/**
 * Resolves once the state is open; or it is not there yet, and tried again until it is. Rejects as
 * NatsBucket.open and withStateFile do.
 */
export async function joinMasters(place: StatePlace, spec: JoinSpec): Promise<OneOfSeveral> {
  const { stateFile } = spec.options
  const found = stateFile === undefined ? place : await withStateFile(place, stateFile)
  const joined = new Joined(found, spec)
  await joined.open()
  return joined
}

class Joined implements OneOfSeveral {
  readonly #place: StatePlace
  readonly #spec: JoinSpec
  readonly #closing = new AbortController()
  #bucket: NatsBucket | undefined
  #leadership: Leadership | undefined
  #opening: Promise<void> = Promise.resolve()

  constructor(place: StatePlace, spec: JoinSpec) {
    this.#place = place
    this.#spec = spec
  }

  get leader(): string | null {
    return this.#leadership?.leader ?? null
  }

  async open(): Promise<void> {
    try {
      await this.#open()
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
      if (code !== 'ERR_FR_UNREACHABLE') throw error
      this.#spec.log({ level: 'warn', event: 'state-away', fields: { code, text } })
      this.#opening = this.#again()
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#opening
    // What was confirmed is kept already; this is what came last.
    await this.#spec.reigns.flushed()
    await this.#leadership?.close()
    await this.#spec.reigns.close()
    await this.#bucket?.close()
  }

  async #open(): Promise<void> {
    const { address, reigns, log } = this.#spec
    const bucket = await NatsBucket.open(this.#place)
    this.#bucket = bucket
    this.#leadership = new Leadership({
      ...{ bucket, address, log },
      onLead: (reigning) => reigns.begin(reigning),
      onOver: ({ message }) => reigns.end(message),
    })
    this.#leadership.start()
  }

  /** What else goes wrong meanwhile may be mended as well. */
  async #again(): Promise<void> {
    const { signal } = this.#closing
    let fault = ''
    while (!signal.aborted) {
      await sleep(limits.leaderRedialMsMax, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      try {
        return await this.#open()
      } catch (error) {
        const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
        if (text === fault) continue
        fault = text
        this.#spec.log({ level: 'warn', event: 'state-away', fields: { code, text } })
      }
    }
  }
}
