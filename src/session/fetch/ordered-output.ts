/**
 * Writes verified bytes of a file to a stream, in order and without a gap. A reader that is slow is
 * waited for: what lies ahead of it stays in the file.
 */
import { once } from 'node:events'
import { type FileHandle, open } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { FrError } from '../../base/errors.js'
import { MIB } from '../../base/limits.js'
import { RangeSet } from '../../base/ranges.js'

export interface OutputHooks {
  /** All bytes of the file before this one are with the stream. */
  readonly delivered: (offset: number) => void
  readonly failed: (error: FrError) => void
}

const pieceBytes = MIB

export class OrderedOutput {
  readonly #stream: Writable
  readonly #hooks: OutputHooks
  readonly #verified = new RangeSet()
  readonly #over = new AbortController()
  #path = ''
  #at = 0
  #end = 0
  #work: Promise<void> | undefined
  readonly #onError: (error: Error) => void

  constructor(stream: Writable, hooks: OutputHooks) {
    this.#stream = stream
    this.#hooks = hooks
    this.#onError = (error) => this.#fail(error)
    stream.on('error', this.#onError)
  }

  /** The bytes from `first` to `last` of the file at `path`. */
  begin(path: string, first: number, last: number): void {
    this.#path = path
    this.#at = first
    this.#end = last + 1
  }

  verified(offset: number, length: number): void {
    this.#verified.add(offset, length)
    if (!this.#over.signal.aborted) this.#work ??= this.#drain()
  }

  /** Resolves when every byte is with the stream. */
  async finish(): Promise<void> {
    await this.#work
    this.#close()
  }

  /** Writes nothing more. */
  async end(): Promise<void> {
    this.#close()
    await this.#work
  }

  #close(): void {
    this.#over.abort()
    this.#stream.off('error', this.#onError)
    // Its own failure is not this program's any more.
    this.#stream.on('error', () => {})
  }

  async #drain(): Promise<void> {
    let file: FileHandle | undefined
    try {
      file = await open(this.#path, 'r')
      for (let ready = this.#ready; ready > 0; ready = this.#ready) {
        const length = Math.min(pieceBytes, ready)
        const { buffer, bytesRead } = await file.read(
          Buffer.allocUnsafe(length),
          0,
          length,
          this.#at,
        )
        if (bytesRead < length) throw new Error('the file is shorter than what was verified')
        if (this.#over.signal.aborted) return
        this.#at += length
        if (!this.#stream.write(buffer))
          await once(this.#stream, 'drain', { signal: this.#over.signal })
        this.#hooks.delivered(this.#at)
      }
    } catch (error) {
      if (!this.#over.signal.aborted) this.#fail(error as Error)
    } finally {
      await file?.close()
      this.#work = undefined
    }
  }

  get #ready(): number {
    const [next] = this.#verified.present(this.#at, this.#end - this.#at)
    return next === undefined || next[0] !== this.#at ? 0 : next[1]
  }

  #fail(error: Error): void {
    if (this.#over.signal.aborted) return
    const text = `the output cannot be written: ${error.message}`
    this.#hooks.failed(new FrError('ERR_FR_IO', text, { cause: error }))
  }
}
