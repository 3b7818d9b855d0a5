/**
 * What is told of a file that a node receives: to its log, where each line names transfer, file and
 * sender, and to the program around the node.
 */
import type { Failure } from '../../base/errors.js'
import type { LogFields, Logger, LogLevel } from '../../base/log.js'
import { nowMs } from '../../base/time/awake.js'
import type { Role, StreamEntry, TreePart } from '../../control/messages/types.js'
import type { Audience, NodeOffer } from './acceptance.js'

export interface LoggedTransfer {
  readonly transfer: string
  /** Where nothing is received no program around the node has a say in it, or is told. */
  readonly role: Role
  readonly entry: Pick<StreamEntry, 'name' | 'size' | 'dataBytes' | 'coded'>
  /** HOST:PORT that the control link of the origin comes from. */
  readonly originAddress: string
  readonly tree?: TreePart | undefined
  readonly beside?: boolean | undefined
}

const offeredAs: Readonly<Record<Role, string>> = {
  receiver: 'offered',
  mirror: 'asked-to-mirror',
  gateway: 'asked-to-pass-on',
}

export class ReceptionLog {
  readonly offer: NodeOffer
  readonly #log: Logger
  readonly #audience: Audience | undefined
  readonly #about: Pick<NodeOffer, 'transfer' | 'name' | 'sender' | 'tree'>
  readonly #offered: string
  readonly #isBeside: boolean
  readonly #startedMs = nowMs()
  readonly #fileDigest: string | undefined
  /** Of the file as it was summed here. */
  #digest = ''

  constructor(log: Logger, audience: Audience, spec: LoggedTransfer) {
    const { transfer, entry, originAddress, role, tree } = spec
    this.#log = log
    this.#audience = role === 'receiver' ? audience : undefined
    this.#offered = offeredAs[role]
    this.#isBeside = spec.beside === true
    const about = { transfer, name: entry.name, sender: originAddress }
    this.#about = { ...about, ...(tree && { tree: tree.id }) }
    const { size: bytes, dataBytes } = entry.coded ?? entry
    this.offer = { ...this.#about, bytes, dataBytes }
    this.#fileDigest = entry.coded?.fileDigest
  }

  line(level: LogLevel, event: string, fields: Readonly<LogFields>): void {
    this.#log({ level, event, fields: { ...this.#about, ...fields } })
  }

  offered(): void {
    this.line('info', this.#offered, { bytes: this.offer.bytes })
    this.#audience?.offered(this.offer)
  }

  /** Empty: it was not summed yet. */
  get digest(): string {
    return this.#digest
  }

  /** Returns the digest; the one of coded content is not that of the file. */
  summed(digest: string): string {
    this.#digest = this.#fileDigest ?? digest
    return digest
  }

  /** `isUnchecked`: nobody heard of the origin's last look at its file. */
  published(bytes: number, pulledBytes: number, isUnchecked: boolean): void {
    const seconds = this.#seconds()
    const rateBytesPerSecond = seconds > 0 ? Math.round(bytes / seconds) : null
    const digest = this.#digest
    const source = isUnchecked ? { source: 'unchecked' } : {}
    const figures = { bytes, pulledBytes, seconds, rateBytesPerSecond, digest }
    this.line('info', this.#isBeside ? 'ready' : 'published', { ...figures, ...source })
    const publication = { ...this.#about, bytes, seconds, digest }
    if (this.#isBeside) this.#audience?.ready?.(publication)
    else this.#audience?.published(publication)
  }

  failed({ code, text }: Failure): void {
    this.line('warn', 'failed', { code, text, seconds: this.#seconds() })
  }

  /** The offer came to nothing, and everything it held is given back. */
  over({ code, text }: Failure): void {
    const { bytes } = this.offer
    this.#audience?.failed({ ...this.#about, bytes, code, reason: `${code}: ${text}` })
  }

  /** Since the offer, in thousandths. */
  #seconds(): number {
    return Math.round(nowMs() - this.#startedMs) / 1000
  }
}
