/**
 * Who of several nodes brings something into a directory that all of them use.
 *
 * The idea: a lease saves work, and nothing rests on it; what is brought twice costs a copy for a
 * while. Leases of one key are files `KEY.NUMBER`, each linked into place, which one of several
 * does. The highest number holds, so whoever was thought to be dead and goes on finds that a higher
 * one is there. Its holder writes to the file every `sharedRenewMs`. Who waits reads it again and
 * again, and takes the next number once it has stayed the same for `sharedExpireMs` of its own
 * time, or its holder is provably gone: times of two machines, or of the file server, are never
 * compared.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, link, open, readdir, readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from '../../base/limits.js'
import { nowMs } from '../../base/time/awake.js'
import { writeAll } from '../files/durable.js'

export interface LeasesSpec {
  readonly directory: string
  /** Of this process, for others; one line. */
  readonly holder: string
  /** Whether a process that is described so cannot be running any more. */
  readonly isGone: (holder: string) => boolean
  readonly renewMs?: number
  readonly expireMs?: number
  readonly lookMs?: number
}

interface Found {
  readonly number: number
  readonly text: string
}

const countDigits = 12

export class Leases {
  readonly #spec: LeasesSpec

  constructor(spec: LeasesSpec) {
    this.#spec = spec
  }

  /**
   * Waits until nobody else has the lease of this key, of letters and digits. Undefined: `isOver`
   * says that nobody wants it any more. Rejects with what the system said.
   */
  async take(key: string, isOver: () => Promise<boolean>): Promise<Lease | undefined> {
    const { expireMs = limits.sharedExpireMs, lookMs = limits.sharedLookMs } = this.#spec
    let seen: (Found & { readonly atMs: number }) | undefined
    while (!(await isOver())) {
      const found = await this.#highest(key)
      const now = nowMs()
      const isNews = found?.text !== seen?.text || found?.number !== seen?.number
      if (isNews) seen = found && { ...found, atMs: now }
      const isFree = seen === undefined || now - seen.atMs >= expireMs || this.#isGone(seen)
      const lease = isFree ? await this.#next(key, seen?.number ?? 0) : undefined
      if (lease !== undefined) return lease
      if (!isFree) await new Promise((resolve) => setTimeout(resolve, lookMs))
    }
    return undefined
  }

  #isGone({ text }: Found): boolean {
    return this.#spec.isGone(text.slice(countDigits + 1))
  }

  /** Undefined: somebody else was first. */
  async #next(key: string, after: number): Promise<Lease | undefined> {
    const { directory, holder, renewMs = limits.sharedRenewMs } = this.#spec
    const path = join(directory, `${key}.${after + 1}`)
    const temporary = join(directory, `.${randomBytes(8).toString('hex')}`)
    const file = await open(temporary, 'wx', 0o600)
    try {
      await writeAll(file, textOf(0, holder), 0)
      await file.sync()
      try {
        await link(temporary, path)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
        await file.close()
        return undefined
      }
      const lease = new Lease(file, path, holder, renewMs)
      // What was seen may be long past: then this number is one that was given up since.
      if ((await this.#highest(key))?.number !== after + 1) {
        await lease.release()
        return undefined
      }
      if (after > 0) await unlink(join(directory, `${key}.${after}`)).catch(() => {})
      return lease
    } catch (error) {
      await file.close().catch(() => {})
      throw error
    } finally {
      await unlink(temporary).catch(() => {})
    }
  }

  async #highest(key: string): Promise<Found | undefined> {
    const { directory } = this.#spec
    let number = 0
    for (const name of await readdir(directory)) {
      const [of, digits = ''] = name.split('.')
      if (of === key && /^[1-9]\d{0,14}$/.test(digits)) number = Math.max(number, Number(digits))
    }
    if (number === 0) return undefined
    try {
      return { number, text: await readFile(join(directory, `${key}.${number}`), 'latin1') }
    } catch (error) {
      // It was given back meanwhile.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return this.#highest(key)
      throw error
    }
  }
}

export class Lease {
  readonly #file: FileHandle
  readonly #path: string
  readonly #holder: string
  readonly #timer: NodeJS.Timeout
  #count = 0
  #isLost = false
  #work: Promise<void> = Promise.resolve()
  #isReleased = false

  constructor(file: FileHandle, path: string, holder: string, renewMs: number) {
    this.#file = file
    this.#path = path
    this.#holder = holder
    this.#timer = setInterval(() => this.#renew(), renewMs).unref()
  }

  /** Somebody else has taken a higher number. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** Looks now. Rejects with what the system said. */
  async isHeld(): Promise<boolean> {
    return !this.#isReleased && (await this.#isOwn())
  }

  #renew(): void {
    this.#work = this.#work.then(() => this.#write()).catch(() => {})
  }

  async #write(): Promise<void> {
    if (this.#isReleased || !(await this.#isOwn())) return
    await writeAll(this.#file, textOf(++this.#count, this.#holder), 0)
    await this.#file.datasync()
  }

  /** The file of this lease has its name yet. */
  async #isOwn(): Promise<boolean> {
    const [own, there] = await Promise.all([
      this.#file.stat({ bigint: true }),
      stat(this.#path, { bigint: true }).catch(() => undefined),
    ])
    this.#isLost = own.ino !== there?.ino
    return !this.#isLost
  }

  /** Idempotent; never rejects. */
  async release(): Promise<void> {
    if (this.#isReleased) return
    this.#isReleased = true
    clearInterval(this.#timer)
    await this.#work
    try {
      if (await this.#isOwn()) await unlink(this.#path)
    } catch {
      // A disk that is gone: others find out that nobody writes to it any more.
    }
    await this.#file.close().catch(() => {})
  }
}

function textOf(count: number, holder: string): Buffer {
  return Buffer.from(`${String(count).padStart(countDigits, '0')}\n${holder}`, 'latin1')
}
