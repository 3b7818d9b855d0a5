/**
 * A trace on its way to its file.
 *
 * The idea: events are written as they come, in pieces, and every piece is followed by the end of
 * the document, which the next piece overwrites. So the file is valid JSON after every write, also
 * when the process is killed. What does not fit (too many events, or a disk that cannot follow) is
 * left out and counted in the file itself.
 *
 * It must never hold more than a bounded number of bytes, never replace a file that is no trace,
 * and never harm the push: a disk that fails ends the trace alone.
 */
import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import type { TraceEvent } from '../control/trace.js'
import { FrError } from '../errors.js'
import { limits } from '../limits.js'
import { nowMs } from './awake.js'

const head = '{"traceEvents":[\n'
const flushMs = 500

export class TraceFile {
  readonly #file: FileHandle
  readonly #path: string
  readonly #failed: (text: string) => void
  #pending: string[] = []
  #pendingBytes = 0
  #flushedMs = nowMs()
  /** Where the next piece goes: what is before it stays. */
  #end = 0
  #events = 0
  #dropped = 0
  #writing: Promise<void> | undefined
  #isOver = false

  private constructor(file: FileHandle, path: string, failed: (text: string) => void) {
    this.#file = file
    this.#path = path
    this.#failed = failed
  }

  /**
   * Creates the file, or replaces an older trace. Rejects with ERR_FR_TRACE when it is no file that
   * can be written, is the source, or holds something else. `failed` is called at most once later.
   */
  static async create(
    path: string,
    source: string,
    failed: (text: string) => void,
  ): Promise<TraceFile> {
    let file: FileHandle | undefined
    try {
      // Without O_TRUNC, so that nothing is lost before it is known what is there; a pipe without a
      // reader would otherwise hold the process.
      const { O_RDWR, O_CREAT, O_NONBLOCK } = constants
      file = await open(path, O_RDWR | O_CREAT | O_NONBLOCK, 0o666)
      const [own, other] = await Promise.all([file.stat(), stat(source)])
      if (!own.isFile()) throw new Error('not a regular file')
      if (own.dev === other.dev && own.ino === other.ino) throw new Error('it is the source')
      const start = Buffer.alloc(head.length)
      const { bytesRead } = await file.read(start, 0, start.length, 0)
      if (bytesRead > 0 && start.toString('latin1', 0, bytesRead) !== head)
        throw new Error('it exists and is no trace')
      await file.truncate(0)
      const trace = new TraceFile(file, path, failed)
      trace.#pending.push(head)
      await trace.#flush()
      if (trace.#isOver) throw new Error('it cannot be written')
      return trace
    } catch (error) {
      await file?.close().catch(() => undefined)
      const { errno, message } = error as NodeJS.ErrnoException
      const details = { path, cause: error, ...(errno ? { errno: Math.abs(errno) } : {}) }
      const text = message.includes(path) ? message : `${path}: ${message}`
      throw new FrError('ERR_FR_TRACE', text, details)
    }
  }

  /** A piece is being written. */
  get isBehind(): boolean {
    return this.#writing !== undefined
  }

  /** Never throws. `isRare`: kept when there is room for little more. */
  write(event: TraceEvent, isRare: boolean): void {
    const most = limits.traceEvents - (isRare ? 0 : limits.traceEventsRare)
    if (this.#isOver || this.#events >= most || this.#pendingBytes >= limits.traceQueueBytes) {
      this.#dropped++
      return
    }
    const text = (this.#events === 0 ? '' : ',\n') + JSON.stringify(event)
    this.#events++
    this.#pending.push(text)
    this.#pendingBytes += text.length
    if (this.#writing !== undefined) return
    if (this.#pendingBytes >= limits.traceChunkBytes || nowMs() - this.#flushedMs >= flushMs)
      this.#start()
  }

  /** Everything is in the file, and the file is closed. Idempotent; never rejects. */
  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
    if (!this.#isOver) await this.#flush()
    if (!this.#isOver) this.#isOver = true
    await this.#file.close().catch(() => undefined)
  }

  #start(): void {
    this.#writing = this.#flush().finally(() => {
      this.#writing = undefined
    })
  }

  async #flush(): Promise<void> {
    const piece = Buffer.from(this.#pending.join(''))
    this.#pending = []
    this.#pendingBytes = 0
    this.#flushedMs = nowMs()
    try {
      await this.#put(Buffer.concat([piece, this.#tail()]))
      this.#end += piece.length
    } catch (error) {
      this.#isOver = true
      // What was there before this piece stays a whole document, where even that can be written.
      // What comes meanwhile is left out, and the tail counts it: it may be longer a moment later.
      const tail = this.#tail()
      try {
        await this.#put(tail)
        await this.#file.truncate(this.#end + tail.length)
      } catch {}
      this.#failed(`${this.#path}: ${(error as Error).message}`)
    }
  }

  /** At `end`, all of it. */
  async #put(bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const left = bytes.length - done
      const { bytesWritten } = await this.#file.write(bytes, done, left, this.#end + done)
      done += bytesWritten
    }
  }

  /** Never shorter than the one before: it has to cover it. */
  #tail(): Buffer {
    const data = { program: 'fr push', events: this.#events, dropped: this.#dropped }
    return Buffer.from(`\n],"displayTimeUnit":"ms","otherData":${JSON.stringify(data)}}\n`)
  }
}
