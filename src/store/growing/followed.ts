/**
 * A file that another program appends to.
 *
 * The idea: the system tells of changes (inotify and the like), and where it does not, or is slow
 * to, the file is looked at every few milliseconds. Its size is how much there is. What an append
 * never does ends it by name: a smaller size, another file under the name, or none. A write that
 * does not make it longer is only a doubt, because times are set before bytes are there.
 */
import { constants, type FSWatcher, watch } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import { nowMs } from '../../base/time/awake.js'
import { descriptorPath } from '../spool.js'
import type { GrowingSource, GrowthEvents } from './source.js'

interface Seen {
  readonly size: bigint
  readonly mtimeNs: bigint
}

export interface FollowWish {
  /** The content is final once nothing has come for so long; undefined: when `finish` is called. */
  readonly finalAfterMs?: number | undefined
}

export class FollowedFile implements GrowingSource {
  readonly isShared = true
  readonly #name: string
  readonly #file: FileHandle
  readonly #finalAfterMs: number
  #events: GrowthEvents | undefined
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  /** Something happened while the file was looked at. */
  #isStale = false
  #isFinishing = false
  #isOver = false
  #seen: Seen = { size: -1n, mtimeNs: 0n }
  #grewMs = nowMs()

  private constructor(name: string, file: FileHandle, { finalAfterMs }: FollowWish) {
    this.#name = name
    this.#file = file
    this.#finalAfterMs = finalAfterMs ?? Number.POSITIVE_INFINITY
  }

  /** Rejects with ERR_FR_SOURCE for what is no regular file that can be read. */
  static async open(path: string, wish: FollowWish = {}): Promise<FollowedFile> {
    // Without O_NONBLOCK, opening a pipe would wait for its writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error) => {
      throw asFrError(error, 'ERR_FR_SOURCE')
    })
    const found = await file.stat()
    if (found.isFile()) return new FollowedFile(path, file, wish)
    await file.close()
    throw new FrError('ERR_FR_SOURCE', 'only a regular file can be followed', { path })
  }

  get path(): string {
    return descriptorPath(this.#file.fd)
  }

  start(events: GrowthEvents): void {
    this.#events = events
    try {
      this.#watcher = watch(this.#name, { persistent: false }, () => this.#look())
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch {
      // The system watches no more files: looking is enough.
    }
    this.#timer = setInterval(() => this.#look(), limits.followMs)
    this.#look()
  }

  finish(): void {
    this.#isFinishing = true
    this.#look()
  }

  async close(): Promise<void> {
    this.#end()
    await this.#looking
    await this.#file.close()
  }

  #end(): void {
    this.#isOver = true
    clearInterval(this.#timer)
    this.#watcher?.close()
  }

  #look(): void {
    this.#isStale = true
    if (!this.#isOver) this.#looking ??= this.#lookOnce()
  }

  async #lookOnce(): Promise<void> {
    while (this.#isStale && !this.#isOver) {
      this.#isStale = false
      const isLast = this.#isFinishing
      try {
        this.#tell(await this.#changed(), isLast)
      } catch (error) {
        if (this.#isOver) break
        this.#end()
        this.#events?.failed(asFrError(error, 'ERR_FR_SOURCE_CHANGED'))
      }
    }
    this.#looking = undefined
  }

  /** Throws ERR_FR_SOURCE_CHANGED when it is no longer the file that was opened, only longer. */
  async #changed(): Promise<Seen> {
    const own = await this.#file.stat({ bigint: true })
    const named = await stat(this.#name, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    const seen = `after ${this.#seen.size < 0n ? 0n : this.#seen.size} bytes`
    if (named === undefined) throw this.#refusal(`was removed or renamed, ${seen}`)
    if (named.ino !== own.ino || named.dev !== own.dev)
      throw this.#refusal(`was replaced by another file, ${seen}`)
    if (own.size < this.#seen.size)
      throw this.#refusal(`was truncated to ${own.size} bytes, ${seen}`)
    return { size: own.size, mtimeNs: own.mtimeNs }
  }

  #refusal(what: string): FrError {
    const text = `the file that is followed ${what}: a growing file may only be appended to`
    return new FrError('ERR_FR_SOURCE_CHANGED', text, { path: this.#name })
  }

  #tell(now: Seen, isFinishing: boolean): void {
    if (this.#isOver) return
    const before = this.#seen
    this.#seen = now
    const nowAtMs = nowMs()
    if (now.size > before.size) this.#grewMs = nowAtMs
    const isQuiet = nowAtMs - this.#grewMs >= this.#finalAfterMs
    const isFinal = isFinishing || isQuiet
    if (now.size === before.size && now.mtimeNs !== before.mtimeNs) this.#events?.doubted()
    if (isFinal) this.#end()
    if (now.size > before.size || isFinal) this.#events?.grown(Number(now.size), isFinal)
  }
}
