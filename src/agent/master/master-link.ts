/**
 * The master of a node, at the node: it is dialled again and again, told what the node holds, and
 * its orders are brought to what carries them out. Several masters are dialled in turn, until one
 * leads, or says who does; one whose term is older than one that was heard of is left.
 *
 * The idea: nothing depends on the link. Copies go on without it, and whenever there is one again
 * the node says all that it holds and copies, so that a master that was started again knows what
 * the one before did. What ended while there was no link is seen in what is held. What the node is
 * to hold is on its disk, too.
 */
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { backoffMs } from '../../control/members/backoff.js'
import type { Ended, RequiredFile } from '../../control/messages/mastering.js'
import type { Dialler } from '../../net/dial.js'
import { dial } from '../../net/handshake.js'
import type { HeldStates, InstructedCopies } from '../../session/instructed-ports.js'
import { type Enlisting, type HeardReign, MasterTalk } from './master-talk.js'
import type { RequiredList } from './required-file.js'

export interface MasterLinkSpec {
  /** HOST:PORT of each master. */
  readonly addresses: readonly string[]
  readonly dialler: () => Dialler
  /** What the node says of itself when it has dialled. */
  readonly enlisting: () => Enlisting
  readonly held: HeldStates
  readonly copies: InstructedCopies
  /** Null: nothing may be written. */
  readonly list: Pick<RequiredList, 'load' | 'save'> | null
  readonly log: Logger
  /** What the node is to hold has changed. */
  readonly requires?: () => void
  /** Milliseconds of silence after which the master is dialled again. */
  readonly silenceMs?: number
}

const redialSpan = { firstMs: limits.masterRedialMs, mostMs: limits.masterRedialMsMax }
/** While there are masters, of which none leads. */
const electingSpan = { firstMs: limits.masterRedialMs, mostMs: limits.leaderRedialMsMax }

export class MasterLink {
  readonly #spec: MasterLinkSpec
  readonly #closing = new AbortController()
  /** So that nodes that lost their master at one moment do not come back at one moment. */
  readonly #seed = randomInt(2 ** 31)
  #talk: MasterTalk | undefined
  #required: readonly RequiredFile[] = []
  /** Null: nobody has said anything yet. */
  #names: ReadonlySet<string> | null = null
  #saving: Promise<void> = Promise.resolve()
  #running: Promise<void> | undefined
  #fault = ''
  /** The one that was dialled last, and its place among those that are known. */
  #address: string
  #turn = 0
  /** Who leads, as one that does not has said. */
  #told: string | null = null
  #isElecting = false
  /** The last term that was heard of. */
  #reign: HeardReign | undefined

  constructor(spec: MasterLinkSpec) {
    this.#spec = spec
    this.#address = spec.addresses[0] as string
  }

  get status() {
    const isLinked = this.#talk?.hasTold === true
    return { master: this.#address, isLinked, fault: isLinked ? null : this.#fault }
  }

  /** What the node is to hold, as the master has said. */
  get required(): readonly RequiredFile[] {
    return this.#required
  }

  /** Null: nothing is known of it yet. */
  get requiredNames(): ReadonlySet<string> | null {
    return this.#names
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
    const kept = (await list?.load()) ?? null
    if (kept !== null) this.#took(kept)
    else this.#waitForList()
    const stop = held.onChange((change) => this.#talk?.changed(change))
    for (let [rounds, dials] = [1, 1]; !signal.aborted; dials += 1) {
      if (await this.#converse(this.#next())) [rounds, dials] = [1, 1]
      // Who leads is dialled at once, and each of them before anybody waits.
      const most = this.#told === null ? this.#spec.addresses.length : limits.leaderHops
      if (dials < most) continue
      const span = this.#isElecting ? electingSpan : redialSpan
      const waitMs = backoffMs(span, rounds, this.#seed)
      this.#isElecting = false
      rounds += 1
      dials = 0
      await sleep(waitMs, undefined, { signal }).catch(() => {})
    }
    stop()
  }

  /** Whoever waits to know what is required does so only for a while. */
  #waitForList(): void {
    const waited = sleep(limits.masterListMs, undefined, { signal: this.#closing.signal })
    waited.then(() => this.#took(this.#required)).catch(() => {})
  }

  #next(): string {
    const { addresses } = this.#spec
    const told = this.#told
    this.#told = null
    if (told === null) this.#turn += 1
    this.#address = told ?? (addresses[(this.#turn - 1) % addresses.length] as string)
    return this.#address
  }

  /** One link, from its dialling to its end. True: all was said on it. */
  async #converse(address: string): Promise<boolean> {
    const { dialler, enlisting, held, copies, log } = this.#spec
    const { signal } = this.#closing
    const { silenceMs = limits.masterSilenceMs } = this.#spec
    let hasTold = false
    try {
      const established = await dial({ ...dialler(), address, channel: 'master', signal })
      const required = (files: readonly RequiredFile[]): void => this.#require(files)
      const talk = new MasterTalk(established, {
        ...{ address, held, copies, required, silenceMs },
        leads: (reign) => this.#led(reign),
        elsewhere: (told) => {
          this.#told = told === address ? null : told
          this.#isElecting = true
        },
      })
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

  /** Throws where a later term was heard of. */
  #led(reign: HeardReign): void {
    const last = this.#reign
    if (last?.state === reign.state && last.term > reign.term)
      throw new FrError('ERR_FR_NOT_LEADING', `another master leads since (term ${last.term})`)
    this.#reign = reign
  }

  /** The same again and again is one line. */
  #away(error: unknown, wasLinked: boolean): void {
    const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
    const isKnown = text === this.#fault && !wasLinked
    this.#fault = text
    if (isKnown) return
    const fields = { address: this.#address, code, text }
    this.#spec.log({ level: 'warn', event: 'master-away', fields })
  }

  #took(files: readonly RequiredFile[]): void {
    this.#required = files
    this.#names = new Set(files.map(({ name }) => name))
    this.#spec.requires?.()
  }

  #require(files: readonly RequiredFile[]): void {
    const { list, log } = this.#spec
    this.#took(files)
    if (list === null) return
    this.#saving = this.#saving
      .then(() => list.save(files))
      .catch((error: Error) => {
        const fields = { text: `what is required cannot be kept: ${error.message}` }
        log({ level: 'warn', event: 'required-unkept', fields })
      })
  }
}
