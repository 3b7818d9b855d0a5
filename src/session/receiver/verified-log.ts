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
import { Journal, type JournalHeader } from '../../store/journal/journal.js'

export interface VerifiedLogSpec {
  /** Of the journal. */
  readonly path: string
  readonly header: JournalHeader
  /** Blocks that were verified since the last call. */
  readonly take: () => HeldRun[]
  /** Called once, when nothing more is written. */
  readonly failed: (text: string) => void
}

export class VerifiedLog {
  readonly #spec: VerifiedLogSpec
  #journal: Journal | undefined
  #work: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #hasFailed = false

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
      this.#journal = await Journal.resume(this.#spec.path)
    })
  }

  /** What is written down of another content is true no more once this one lands. */
  async replace(): Promise<void> {
    this.#journal = await Journal.create(this.#spec.path, this.#spec.header)
  }

  start(): void {
    this.#timer = setInterval(() => this.note(), limits.journalMs).unref()
  }

  /** Notes in turn what was verified since the last time. */
  note(): void {
    const runs = this.#spec.take()
    if (runs.length === 0) return
    this.#work = this.#work.then(() => this.#try(() => this.#append(runs)))
  }

  async #append(runs: readonly HeldRun[]): Promise<void> {
    const { path, header } = this.#spec
    this.#journal ??= await Journal.create(path, header)
    await this.#journal.append(runs)
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

  /** Nothing is noted any more. */
  async end(): Promise<void> {
    clearInterval(this.#timer)
    this.note()
    await this.#work
    await this.#try(async () => this.#journal?.close())
  }
}
