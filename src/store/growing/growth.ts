/**
 * How far a growing source is, told to whoever listens now: an attempt at a push that comes to
 * nothing is followed by another one, while the source is started once. Many small appends are told
 * together.
 */
import type { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { GrowingSource, GrowthEvents } from './source.js'

export class Growth {
  readonly source: GrowingSource
  #bytes = 0
  #isFinal = false
  #failure: FrError | undefined
  #listener: GrowthEvents | undefined
  #timer: NodeJS.Timeout | undefined
  /** Is told of each step. */
  #stepped = (): void => {}
  readonly #begun: Promise<void>

  constructor(source: GrowingSource) {
    this.source = source
    this.#begun = new Promise((resolve) => {
      source.start({
        grown: (bytes, isFinal) => {
          this.#bytes = bytes
          this.#isFinal = isFinal
          resolve()
          this.#stepped()
          if (isFinal) this.#tell()
          else this.#timer ??= setTimeout(() => this.#tell(), limits.growthMs)
        },
        doubted: () => this.#listener?.doubted(),
        failed: (error) => {
          this.#failure = error
          resolve()
          this.#stepped()
          this.#listener?.failed(error)
        },
      })
    })
  }

  get bytes(): number {
    return this.#bytes
  }

  get isFinal(): boolean {
    return this.#isFinal
  }

  /** Resolves once it is known how much there is; rejects where the source has failed. */
  async begun(): Promise<void> {
    await this.#begun
    if (this.#failure !== undefined) throw this.#failure
  }

  /**
   * Resolves to true once so many bytes are there, to false once fewer are all. Rejects where the
   * source fails, and with the signal's reason. One at a time.
   */
  async reached(bytes: number, signal: AbortSignal): Promise<boolean> {
    const stepped = (): void => this.#stepped()
    signal.addEventListener('abort', stepped)
    try {
      for (;;) {
        signal.throwIfAborted()
        if (this.#failure !== undefined) throw this.#failure
        if (this.#bytes >= bytes) return true
        if (this.#isFinal) return false
        await new Promise<void>((resolve) => {
          this.#stepped = resolve
        })
      }
    } finally {
      signal.removeEventListener('abort', stepped)
    }
  }

  /** Resolves to true once so many bytes are all, to false once there are more. See `reached`. */
  async endsAt(bytes: number, signal: AbortSignal): Promise<boolean> {
    return (await this.reached(bytes, signal)) && !(await this.reached(bytes + 1, signal))
  }

  /** Instead of whoever listened before; what is known is told at once. */
  listen(listener: GrowthEvents): void {
    this.#listener = listener
    if (this.#failure === undefined) listener.grown(this.#bytes, this.#isFinal)
    else listener.failed(this.#failure)
  }

  silence(): void {
    this.#listener = undefined
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.silence()
    await this.source.close()
  }

  #tell(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#failure === undefined) this.#listener?.grown(this.#bytes, this.#isFinal)
  }
}
