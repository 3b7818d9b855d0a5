/** Adopts the files that lie in the data directory of a node, in the background. */
import type { DigestAlgorithm } from '../base/digests.js'
import { asFrError } from '../base/failures.js'
import type { LogFields, Logger } from '../base/log.js'
import { nowMs } from '../base/time/awake.js'
import { type AdoptSpec, adoptAll, adoptKnown } from '../store/held/adopt.js'
import { TreeCriteria } from '../store/trees/criteria.js'
import type { Unhashed } from '../store/unrecorded.js'

export interface AdoptionSpec extends Pick<AdoptSpec, 'held' | 'work' | 'dataDir'> {
  readonly adopt: DigestAlgorithm | undefined
  /** Of content that was still written when it came: its digests are BLAKE3. */
  readonly unhashed: readonly Unhashed[]
}

export class Adoption {
  readonly #log: Logger
  readonly #over = new AbortController()
  #work: Promise<void> = Promise.resolve()

  constructor(log: Logger) {
    this.#log = log
  }

  /** What is known to be missing first; all, when there is an algorithm to hash with. */
  start({ adopt: algorithm, unhashed, ...spec }: AdoptionSpec): void {
    const criteria = new TreeCriteria(spec.dataDir)
    const onlyOf = (name: Uint8Array) => criteria.of(name)
    const common = { ...spec, nowMs: Date.now, onlyOf }
    this.#work = this.#record({ ...common, algorithm: 'blake3' }, unhashed).then(() =>
      algorithm === undefined ? undefined : this.#adopt({ ...common, algorithm }),
    )
  }

  async #record(spec: AdoptSpec, unhashed: readonly Unhashed[]): Promise<void> {
    for (const file of unhashed) {
      const name = Buffer.from(file.name).toString()
      try {
        const record = await adoptKnown(spec, file, this.#over.signal)
        if (record === undefined)
          this.#say('warn', 'not-recorded', { name, text: 'it was changed' })
      } catch (error) {
        if (this.#over.signal.aborted) return
        const { code, message: text } = asFrError(error, 'ERR_FR_IO')
        this.#say('warn', 'not-recorded', { name, code, text })
      }
    }
  }

  /** Resolves when nothing is read any more. */
  async stop(): Promise<void> {
    this.#over.abort()
    await this.#work
  }

  async #adopt(spec: AdoptSpec): Promise<void> {
    const startMs = nowMs()
    this.#say('info', 'adopting', { data: spec.dataDir })
    try {
      const adopted = await adoptAll(spec, this.#over.signal)
      const seconds = Math.round(nowMs() - startMs) / 1000
      this.#say('info', 'adopted', { ...adopted, seconds })
    } catch (error) {
      if (this.#over.signal.aborted) return
      const { code, message: text } = asFrError(error, 'ERR_FR_IO')
      this.#say('warn', 'adopt-stopped', { code, text })
    }
  }

  #say(level: 'info' | 'warn', event: string, fields: LogFields): void {
    this.#log({ level, event, fields })
  }
}
