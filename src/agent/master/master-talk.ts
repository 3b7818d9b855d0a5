/**
 * One link of a node to its master, from when it is open to its end.
 *
 * States: telling (all that is held, page by page, then the copies under way) -> linked -> ended.
 * An order before all is told breaks the protocol, and so does a list that has no beginning.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { Patience } from '../../base/time/patience.js'
import type {
  Ended,
  MasterToNode,
  NodeToMaster,
  RequiredFile,
} from '../../control/messages/mastering.js'
import type { Frame } from '../../control/messages/types.js'
import { linkOver } from '../../net/dial.js'
import type { Established } from '../../net/handshake.js'
import type { ControlLink } from '../../net/link.js'
import { unexpectedFrame } from '../../protocol/fields.js'
import type { HeldChange, HeldStates, InstructedCopies } from '../../session/instructed-ports.js'
import { HeldChanges, HeldPage } from './held-pages.js'

export interface TalkSpec {
  /** HOST:PORT of the master. */
  readonly address: string
  readonly held: HeldStates
  readonly copies: InstructedCopies
  /** All that the node is to hold. */
  readonly required: (files: readonly RequiredFile[]) => void
  /** One of several masters leads. Throws where another one has since. */
  readonly leads: (reign: HeardReign) => void
  /** HOST:PORT of the master that leads; null: nobody knows. The link is over. */
  readonly elsewhere: (address: string | null) => void
  readonly silenceMs: number
}

/** A term of what several masters keep together. */
export type HeardReign = Omit<Extract<MasterToNode, { type: 'leads' }>, 'type'>

export type Enlisting = Omit<Extract<NodeToMaster, { type: 'enlist' }>, 'type'>

/** Bytes that wait for the master before more is said. */
const aheadBytes = limits.linkQueueBytes / 8
const drainMs = 20

export class MasterTalk {
  /** Resolves to why the link is over. Never rejects. */
  readonly over: Promise<FrError>
  readonly #spec: TalkSpec
  readonly #link: ControlLink
  readonly #changes = new HeldChanges()
  #state: NodeJS.Timeout
  #silenceMs: number
  #flush: NodeJS.Timeout | undefined
  #silence: Patience | undefined
  #resolveOver: (why: FrError) => void = () => {}
  #hasTold = false
  #freeBytes = 0
  #listed: RequiredFile[] | undefined

  constructor(established: Established, spec: TalkSpec) {
    this.#spec = spec
    this.#silenceMs = spec.silenceMs
    this.over = new Promise((resolve) => {
      this.#resolveOver = resolve
    })
    this.#link = linkOver(established, {
      onFrame: (frame) => this.#take(frame),
      onClose: (code, text) => this.#end(new FrError(code, text, { node: spec.address })),
    })
    this.#state = setInterval(() => void this.#sayThere(), limits.masterStateMs)
    this.#hear()
  }

  get hasTold(): boolean {
    return this.#hasTold
  }

  /** Says all that there is to say at first. Rejects with what the caller's ports reject with. */
  async tellAll(enlisting: Enlisting): Promise<void> {
    const { held, copies } = this.#spec
    this.#freeBytes = await held.freeBytes()
    this.#link.send({ type: 'enlist', ...enlisting })
    const page = new HeldPage()
    for await (const one of held.all()) {
      page.add({ held: one })
      if (!page.isFull) continue
      this.#link.send(page.take(this.#freeBytes))
      await this.#drained()
      if (!this.#link.isOpen) return
    }
    this.#link.send(page.take(this.#freeBytes, copies.takeCarried(true)))
    this.#tellChanges()
    this.#hasTold = this.#link.send({ type: 'underway', copies: [...copies.running] })
  }

  changed(change: HeldChange): void {
    this.#changes.add(change)
    this.#flush ??= setTimeout(() => {
      this.#flush = undefined
      void this.#sayChanges()
    }, limits.masterChangesMs)
  }

  /** Nothing that waits to be told of what is held is older than the end of a copy. */
  ended(copy: number, ended: Ended): void {
    if (!this.#hasTold) return
    if (!this.#tellChanges()) this.#sayCarried(true)
    this.#link.send({ type: 'copied', copy, ...ended })
  }

  close(): void {
    this.#end(new FrError('ERR_FR_CLOSED', 'the node is closing'))
  }

  #end(why: FrError): void {
    clearInterval(this.#state)
    clearTimeout(this.#flush)
    this.#silence?.end()
    this.#hasTold = false
    this.#resolveOver(why)
    this.#link.destroy()
  }

  #hear(): void {
    const { address: node } = this.#spec
    this.#silence?.end()
    const text = `the master said nothing for ${this.#silenceMs / 1_000} s`
    this.#silence = new Patience(this.#silenceMs, () =>
      this.#end(new FrError('ERR_FR_NODE_SILENT', text, { node })),
    )
  }

  async #sayThere(): Promise<void> {
    this.#freeBytes = await this.#spec.held.freeBytes().catch(() => this.#freeBytes)
    if (this.#hasTold && !this.#tellChanges()) this.#sayCarried()
  }

  async #sayChanges(): Promise<void> {
    if (!this.#hasTold) return
    this.#freeBytes = await this.#spec.held.freeBytes().catch(() => this.#freeBytes)
    if (this.#link.isOpen) this.#tellChanges()
  }

  /** False: nothing has changed. */
  #tellChanges(): boolean {
    if (this.#changes.size === 0) return false
    for (const page of this.#changes.pages(this.#freeBytes)) this.#link.send(page)
    this.#sayCarried(true)
    return true
  }

  /** `isOnly`: where there is something to say. */
  #sayCarried(isOnly = false): void {
    const carried = this.#spec.copies.takeCarried()
    if (carried.length > 0 || !isOnly)
      this.#link.send(new HeldPage().take(this.#freeBytes, carried))
  }

  async #drained(): Promise<void> {
    while (this.#link.isOpen && this.#link.queuedBytes > aheadBytes) await sleep(drainMs)
  }

  #take(frame: Frame): void {
    this.#hear()
    if (frame.type === 'refuse') throw new FrError(frame.code, frame.text)
    if (frame.type === 'beat') return
    if (frame.type === 'leads') return this.#led(frame)
    if (frame.type === 'elsewhere') return this.#leave(frame.address)
    if (!this.#hasTold) throw new FrError('ERR_FR_PROTOCOL', `'${frame.type}' before all was said`)
    const { copies } = this.#spec
    switch (frame.type) {
      case 'order': {
        const { type: _, ...order } = frame
        return copies.start(order)
      }
      case 'orderRate':
        return copies.setRate(frame.copy, frame.bytesPerSecond)
      case 'orderStop':
        return copies.stop(frame.copy)
      case 'required':
        return this.#list(frame)
      default:
        throw unexpectedFrame(frame)
    }
  }

  /** Where there are others, one that says nothing is left soon. */
  #led({ state, term }: HeardReign): void {
    this.#spec.leads({ state, term })
    this.#silenceMs = Math.min(this.#silenceMs, limits.mastersSilenceMs)
    clearInterval(this.#state)
    this.#state = setInterval(() => void this.#sayThere(), limits.mastersStateMs)
    this.#hear()
  }

  #leave(address: string | null): void {
    this.#spec.elsewhere(address)
    const who = address === null ? 'and does not know who does' : `but ${address}`
    const text = `${this.#spec.address} does not lead, ${who}`
    this.#end(new FrError('ERR_FR_NOT_LEADING', text, { node: this.#spec.address }))
  }

  #list({ files, isFirst, isLast }: Extract<Frame, { type: 'required' }>): void {
    if (isFirst) this.#listed = []
    const listed = this.#listed
    if (listed === undefined) throw new FrError('ERR_FR_PROTOCOL', 'a list without its beginning')
    if (listed.length + files.length > limits.masterNodeFiles)
      throw new FrError('ERR_FR_PROTOCOL', `more than ${limits.masterNodeFiles} files are required`)
    for (const file of files) listed.push(file)
    if (!isLast) return
    this.#listed = undefined
    this.#spec.required(listed)
  }
}
