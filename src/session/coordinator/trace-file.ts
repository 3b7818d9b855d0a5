/**
 * A trace on its way to its file, in the JSON array format of the Chrome trace events: `[`, then
 * one event a line, then `]`. Viewers do not need the `]`.
 *
 * The idea: the file only ever grows, by whole lines. So whoever reads it while the push runs, or
 * after the process was killed, has every line that was written, and all but the last is whole. A
 * clean end adds a line that counts the events and the `]`: the file is then one JSON document.
 * What does not fit (too many events, or a disk that cannot follow) is left out and counted.
 *
 * It must never hold more than a bounded number of bytes, never replace a file that is no trace,
 * and never harm the push: a disk that fails ends the trace alone.
 */
import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { nowMs } from '../../base/time/awake.js'
import { originPid, type TraceEvent } from '../../control/view/trace.js'

/** A label that viewers show beside the sender's name. */
const label = (labels: string, counts = {}) =>
  JSON.stringify({
    name: 'process_labels',
    ph: 'M',
    pid: originPid,
    tid: 0,
    ts: 0,
    args: { labels, ...counts },
  })

/** The first two lines, by which an older trace is recognised. */
const head = `[\n${label('fr push --trace')}\n`
const flushMs = 500

export class TraceFile {
  readonly #file: FileHandle
  readonly #path: string
  readonly #failed: (text: string) => void
  #pending: string[] = []
  #pendingBytes = 0
  #flushedMs = nowMs()
  /** Bytes of the whole lines in the file. */
  #writtenBytes = 0
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
    source: string | undefined,
    failed: (text: string) => void,
  ): Promise<TraceFile> {
    let file: FileHandle | undefined
    try {
      // Without O_TRUNC, so that nothing is lost before it is known what is there; a pipe without a
      // reader would otherwise hold the process.
      const { O_RDWR, O_CREAT, O_NONBLOCK } = constants
      file = await open(path, O_RDWR | O_CREAT | O_NONBLOCK, 0o666)
      const own = await file.stat()
      const other = source === undefined ? undefined : await stat(source)
      if (!own.isFile()) throw new Error('not a regular file')
      if (own.dev === other?.dev && own.ino === other.ino) throw new Error('it is the source')
      const start = Buffer.alloc(head.length)
      const { bytesRead } = await file.read(start, 0, start.length, 0)
      if (bytesRead > 0 && start.toString('latin1', 0, bytesRead) !== head)
        throw new Error('it exists and is no trace')
      await file.truncate(0)
      const trace = new TraceFile(file, path, failed)
      await trace.#append(head)
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
    const text = `,${JSON.stringify(event)}\n`
    this.#events++
    this.#pending.push(text)
    this.#pendingBytes += text.length
    if (this.#writing !== undefined) return
    if (this.#pendingBytes >= limits.traceChunkBytes || nowMs() - this.#flushedMs >= flushMs)
      this.#start()
  }

  /**
   * Everything is in the file, its end too, and the file is closed. Never rejects; a second call
   * does nothing.
   */
  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
    if (!this.#isOver) {
      const counts = { events: this.#events, dropped: this.#dropped }
      const text = `${counts.events} events, ${counts.dropped} left out`
      this.#pending.push(`,${label(text, counts)}\n]\n`)
      this.#isOver = true
      await this.#flush()
    }
    await this.#file.close().catch(() => undefined)
  }

  #start(): void {
    this.#writing = this.#flush().finally(() => {
      this.#writing = undefined
    })
  }

  async #flush(): Promise<void> {
    const piece = this.#pending.join('')
    this.#pending = []
    this.#pendingBytes = 0
    this.#flushedMs = nowMs()
    try {
      await this.#append(piece)
    } catch (error) {
      this.#isOver = true
      this.#failed(`${this.#path}: ${(error as Error).message}`)
    }
  }

  /** All of it, or nothing where the disk gives no room. */
  async #append(lines: string): Promise<void> {
    const bytes = Buffer.from(lines)
    try {
      await this.#file.appendFile(bytes)
      this.#writtenBytes += bytes.length
    } catch (error) {
      await this.#file.truncate(this.#writtenBytes).catch(() => undefined)
      throw error
    }
  }
}
