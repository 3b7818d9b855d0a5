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
/** One for all outputs of a stream. */
const ignore = (): void => {}

export class OrderedOutput {
  readonly #stream: Writable
  readonly #hooks: OutputHooks
  readonly #verified = new RangeSet()
  readonly #over = new AbortController()
  #path = ''
  #at = 0
  #end = 0
  #work: Promise<void> | undefined
  #isDraining = false
  #file: FileHandle | undefined
  #failure: FrError | undefined
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
    if (!this.#over.signal.aborted && !this.#isDraining) this.#work = this.#drain()
  }

  /** Resolves when every byte is with the stream; rejects when one cannot be. */
  async finish(): Promise<void> {
    await this.#work
    await this.#close()
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Writes nothing more. */
  async end(): Promise<void> {
    this.#over.abort()
    await this.#work
    await this.#close()
  }

  async #close(): Promise<void> {
    this.#over.abort()
    this.#stream.off('error', this.#onError)
    // Its own failure is not this program's any more.
    if (!this.#stream.listeners('error').includes(ignore)) this.#stream.on('error', ignore)
    await this.#file?.close()
    this.#file = undefined
  }

  /** Ends in the turn in which it finds that nothing more is there, so nothing is left out. */
  async #drain(): Promise<void> {
    this.#isDraining = true
    try {
      this.#file ??= await open(this.#path, 'r')
      for (let ready = this.#ready; ready > 0; ready = this.#ready) {
        const length = Math.min(pieceBytes, ready)
        const buffer = Buffer.allocUnsafe(length)
        const { bytesRead } = await this.#file.read(buffer, 0, length, this.#at)
        if (bytesRead < length) throw new Error('the file is shorter than what was verified')
        if (this.#over.signal.aborted) return
        this.#at += length
        if (!this.#stream.write(buffer))
          await once(this.#stream, 'drain', { signal: this.#over.signal })
        this.#hooks.delivered(this.#at)
      }
    } catch (error) {
      this.#fail(error as Error)
    } finally {
      this.#isDraining = false
    }
  }

  get #ready(): number {
    const [next] = this.#verified.present(this.#at, this.#end - this.#at)
    return next === undefined || next[0] !== this.#at ? 0 : next[1]
  }

  #fail(error: Error): void {
    if (this.#over.signal.aborted || this.#failure !== undefined) return
    const text = `the output cannot be written: ${error.message}`
    this.#failure = new FrError('ERR_FR_IO', text, { cause: error })
    this.#hooks.failed(this.#failure)
  }
}
