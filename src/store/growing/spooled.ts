/**
 * A stream that is pushed while it is read: its bytes go into a file without a name as they come,
 * and are sent from there. The end of the stream is the end of the content; a stream that fails
 * leaves it without an end.
 */
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { type Chunks, descriptorPath, fillFrom, openUnnamed, type UnnamedFile } from '../spool.js'
import type { GrowingSource, GrowthEvents } from './source.js'

export class SpooledStream implements GrowingSource {
  readonly isShared = false
  readonly #chunks: Chunks
  readonly #file: UnnamedFile
  readonly #over = new AbortController()
  #work: Promise<void> | undefined

  private constructor(chunks: Chunks, file: UnnamedFile) {
    this.#chunks = chunks
    this.#file = file
  }

  /** Rejects with ERR_FR_IO, ERR_FR_NO_SPACE, ERR_FR_LIMIT. */
  static async open(chunks: Chunks): Promise<SpooledStream> {
    return new SpooledStream(chunks, await openUnnamed())
  }

  get path(): string {
    return descriptorPath(this.#file.reader.fd)
  }

  start(events: GrowthEvents): void {
    this.#work = this.#fill(events)
  }

  finish(): void {
    this.#over.abort(finished)
  }

  async close(): Promise<void> {
    this.#over.abort(closed)
    await this.#work
    await this.#file.writer.close()
    await this.#file.reader.close()
  }

  async #fill(events: GrowthEvents): Promise<void> {
    const { signal } = this.#over
    let bytes = 0
    events.grown(0, false)
    try {
      await fillFrom(this.#chunks, this.#file, signal, (there) => {
        bytes = there
        events.grown(bytes, false)
      })
    } catch (error) {
      if (signal.reason === closed) return
      if (signal.reason !== finished) return events.failed(asFrError(error, 'ERR_FR_SOURCE'))
    }
    events.grown(bytes, true)
  }
}

const finished = new FrError('ERR_FR_ABORTED', 'the stream is taken as it is')
const closed = new FrError('ERR_FR_CLOSED', 'the push is over')
