/**
 * Writes down which blocks of a partial were verified, so that a later transfer of the same content
 * goes on from there, also after this process was killed.
 *
 * The idea: every half second, and at the end, what was verified since goes into the journal beside
 * the partial. A transfer that is over before that has none. A journal that cannot be written costs
 * the later transfer something and this one nothing.
 */
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { HeldRun } from '../../control/holdings/have.js'
import type { DigestRun } from '../../store/catalogue/record.js'
import {
  type BatchContent,
  Journal,
  type JournalHeader,
  type Look,
  type Publishing,
  type WholeFile,
} from '../../store/journal/journal.js'

export interface VerifiedLogSpec {
  /** Of the journal. */
  readonly path: string
  readonly header: JournalHeader
  /** Of the partial. */
  readonly look: Look
  /** Blocks that were verified since the last call. */
  readonly takeVerified: () => HeldRun[]
  /** Digests that the author signed, since the last call. */
  readonly takeSigned: () => DigestRun[]
  /** Called once, when nothing more is written. */
  readonly failed: (text: string) => void
}

export class VerifiedLog {
  readonly #spec: VerifiedLogSpec
  #journal: Journal | undefined
  #work: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #hasFailed = false
  /** Told and not written down. */
  #whole: WholeFile | undefined

  constructor(spec: VerifiedLogSpec) {
    this.#spec = spec
  }

  /** The journal says something of the partial. */
  get isWorthKeeping(): boolean {
    return this.#journal !== undefined
  }

  /** Goes on with the journal of an earlier transfer of the same content. */
  async resume(): Promise<void> {
    await this.#try(async () => {
      this.#journal = await Journal.resume(this.#spec.path, this.#spec.look)
    })
  }

  /** What is written down of another content is true no more once this one lands. */
  async replace(): Promise<void> {
    const { path, header, look } = this.#spec
    this.#journal = await Journal.create(path, header, look)
  }

  start(): void {
    this.#timer = setInterval(() => this.note(), limits.journalMs).unref()
  }

  /** Known of the file; noted with what is verified next. */
  tell(whole: WholeFile): void {
    this.#whole = { ...this.#whole, ...whole }
  }

  /** The file is whole and about to get its name; resolves when that is written down. */
  async publishing(publishing: Publishing): Promise<void> {
    this.tell({ publishing })
    this.note(true)
    await this.#work
  }

  /** Notes in turn what was verified since the last time; `isAll`: also what is told alone. */
  note(isAll = false): void {
    const runs = this.#spec.takeVerified()
    const isNews = this.#whole !== undefined && this.isWorthKeeping
    if (runs.length === 0 && !isAll && !isNews) return
    const signed = this.#spec.takeSigned()
    const whole = this.#whole
    this.#whole = undefined
    const content = { runs, signed, ...(whole && { whole }) }
    this.#work = this.#work.then(() => this.#try(() => this.#append(content)))
  }

  async #append(content: BatchContent): Promise<void> {
    const { path, header, look } = this.#spec
    this.#journal ??= await Journal.create(path, header, look)
    await this.#journal.append(content)
  }

  async #try(work: () => Promise<void>): Promise<void> {
    if (this.#hasFailed) return
    try {
      await work()
    } catch (error) {
      this.#hasFailed = true
      this.#spec.failed(asFrError(error, 'ERR_FR_IO').message)
    }
  }

  /** Nothing is verified any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.note()
    await this.#work
  }

  /** After `stop`. `isLeft`: the file stays as it is now. */
  async end(isLeft: boolean): Promise<void> {
    if (isLeft) await this.#try(async () => this.#journal?.leave())
    await this.#journal?.close().catch(() => {})
  }
}
