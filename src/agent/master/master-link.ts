/**
 * The master of a node, at the node: it is dialled again and again, told what the node holds, and
 * its orders are brought to what carries them out.
 *
 * The idea: nothing depends on the link. Copies go on without it, and whenever there is one again
 * the node says all that it holds and copies, so that a master that was started again knows what
 * the one before did. What ended while there was no link is seen in what is held. What the node is
 * to hold is on its disk, too.
 */
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { backoffMs } from '../../control/members/backoff.js'
import type { Ended, RequiredFile } from '../../control/messages/mastering.js'
import type { Dialler } from '../../net/dial.js'
import { dial } from '../../net/handshake.js'
import type { HeldStates, InstructedCopies } from '../../session/instructed-ports.js'
import { type Enlisting, MasterTalk } from './master-talk.js'
import type { RequiredList } from './required-file.js'

export interface MasterLinkSpec {
  /** HOST:PORT of the master. */
  readonly address: string
  readonly dialler: () => Dialler
  /** What the node says of itself when it has dialled. */
  readonly enlisting: () => Enlisting
  readonly held: HeldStates
  readonly copies: InstructedCopies
  /** Null: nothing may be written. */
  readonly list: Pick<RequiredList, 'load' | 'save'> | null
  readonly log: Logger
  /** Milliseconds of silence after which the master is dialled again. */
  readonly silenceMs?: number
}

const redialSpan = { firstMs: limits.masterRedialMs, mostMs: limits.masterRedialMsMax }

export class MasterLink {
  readonly #spec: MasterLinkSpec
  readonly #closing = new AbortController()
  /** So that nodes that lost their master at one moment do not come back at one moment. */
  readonly #seed = randomInt(2 ** 31)
  #talk: MasterTalk | undefined
  #required: readonly RequiredFile[] = []
  #saving: Promise<void> = Promise.resolve()
  #running: Promise<void> | undefined
  #fault = ''

  constructor(spec: MasterLinkSpec) {
    this.#spec = spec
  }

  get status() {
    const isLinked = this.#talk?.hasTold === true
    return { master: this.#spec.address, isLinked, fault: isLinked ? null : this.#fault }
  }

  /** What the node is to hold, as the master has said. */
  get required(): readonly RequiredFile[] {
    return this.#required
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Idempotent. Copies are closed by their owner. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#talk?.close()
    await this.#running
    await this.#saving
  }

  /** Of a copy that was ordered. */
  ended(copy: number, ended: Ended): void {
    this.#talk?.ended(copy, ended)
  }

  async #run(): Promise<void> {
    const { held, list } = this.#spec
    const { signal } = this.#closing
    if (list !== null) this.#required = await list.load()
    const stop = held.onChange((change) => this.#talk?.changed(change))
    for (let tries = 1; !signal.aborted; tries += 1) {
      if (await this.#converse()) tries = 1
      const waitMs = backoffMs(redialSpan, tries, this.#seed)
      await sleep(waitMs, undefined, { signal }).catch(() => {})
    }
    stop()
  }

  /** One link, from its dialling to its end. True: all was said on it. */
  async #converse(): Promise<boolean> {
    const { address, dialler, enlisting, held, copies, log } = this.#spec
    const { signal } = this.#closing
    const { silenceMs = limits.masterSilenceMs } = this.#spec
    let hasTold = false
    try {
      const established = await dial({ ...dialler(), address, channel: 'master', signal })
      const required = (files: readonly RequiredFile[]): void => this.#require(files)
      const talk = new MasterTalk(established, { address, held, copies, required, silenceMs })
      this.#talk = talk
      if (signal.aborted) talk.close()
      await talk.tellAll(enlisting())
      hasTold = talk.hasTold
      if (hasTold) log({ level: 'info', event: 'master-linked', fields: { address } })
      throw await talk.over
    } catch (error) {
      this.#talk?.close()
      this.#talk = undefined
      if (!signal.aborted) this.#away(error, hasTold)
    }
    return hasTold
  }

  /** The same again and again is one line. */
  #away(error: unknown, wasLinked: boolean): void {
    const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
    const isKnown = text === this.#fault && !wasLinked
    this.#fault = text
    if (isKnown) return
    const { log, address } = this.#spec
    log({ level: 'warn', event: 'master-away', fields: { address, code, text } })
  }

  #require(files: readonly RequiredFile[]): void {
    const { list, log } = this.#spec
    this.#required = files
    if (list === null) return
    this.#saving = this.#saving
      .then(() => list.save(files))
      .catch((error: Error) => {
        const fields = { text: `what is required cannot be kept: ${error.message}` }
        log({ level: 'warn', event: 'required-unkept', fields })
      })
  }
}
