/**
 * The contents of a directory that several nodes use: each is there once, whoever holds it.
 *
 * The idea: each node has a data directory of its own beneath the shared one, with all that any
 * node has, and what they share is the bytes. `contents/KEY` is one more name of the file; whoever
 * is offered the same content links it to the name that the offer has, with the record that the
 * first one made. A lease (leases.ts) says who brings a content that is not there. A name that is
 * given by a link is there or not, so two nodes that both bring one, since one was thought to be
 * dead, find out which was first: the other drops its own and links to that.
 */
import { hash, randomBytes } from 'node:crypto'
import { link, readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { hiddenDir } from '../../base/names.js'
import { nowMs } from '../../base/time/awake.js'
import type { DataDirHandle, Storage } from '../../ports.js'
import { readRuns, writeRuns } from '../catalogue/digest-file.js'
import { type DigestRun, type HeldStream, recordOf, rowOf } from '../catalogue/record.js'
import {
  checksum,
  isTemporary,
  readKept,
  replaceFile,
  syncDirectory,
  writeAll,
} from '../files/durable.js'
import type { Holdings } from '../held/holdings.js'
import type { Lease, Leases } from './leases.js'
import type { ShownNames } from './shown.js'

export interface SharedContentsSpec {
  readonly storage: Storage
  /** Of this node. */
  readonly dir: DataDirHandle
  readonly dataDir: string
  readonly holdings: Holdings
  /** `contents` of all nodes. */
  readonly directory: string
  readonly leases: Leases
  readonly shown: ShownNames
  readonly log: Logger
}

/** A file on its way in. */
export interface SharedOffer {
  readonly name: Uint8Array
  /** What makes it this content and no other, with its attributes, which copies share. */
  readonly identity: readonly (string | number)[]
  readonly noClobber: boolean
  readonly isOver: () => boolean
}

/** What this node has to do with one content, from the offer to the end of the transfer. */
export interface SharedPart {
  /** Of the file that has the name now; null: it is for this node to bring. */
  readonly fileDigest: string | null
  /** The file has its name and its record; what did not come of it, for people. Never rejects. */
  published(): Promise<readonly string[]>
  /** Idempotent; never rejects. */
  end(): Promise<void>
}

/** More names than any file system gives. */
const manyNames = Number.MAX_SAFE_INTEGER

export class SharedContents {
  readonly #spec: SharedContentsSpec
  #timer: NodeJS.Timeout | undefined
  #sweeping: Promise<void> | undefined
  /** What is about no content, and since when it was seen so. */
  #doubtful = new Map<string, number>()

  constructor(spec: SharedContentsSpec) {
    this.#spec = spec
  }

  start(): void {
    this.sweep()
    this.#timer = setInterval(() => this.sweep(), limits.sharedSweepMs).unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#sweeping
  }

  /**
   * Waits as long as another node brings this content, then has the file under its name. Rejects
   * with what the disk says.
   */
  async arrive(offer: SharedOffer): Promise<SharedPart> {
    const key = hash('sha256', JSON.stringify(offer.identity), 'hex').slice(0, 32)
    let fileDigest: string | null = null
    const lease = await this.#spec.leases.take(key, async () => {
      if (offer.isOver()) return true
      fileDigest = await this.#take(key, offer)
      return fileDigest !== null
    })
    // Its holder may have brought it between that look and this lease.
    if (lease !== undefined) fileDigest = await this.#take(key, offer)
    if (fileDigest !== null) await lease?.release()
    return new Part(fileDigest, lease, async () => {
      if (fileDigest === null) await this.#share(key, offer)
      return this.#show(offer.name)
    })
  }

  // --- into this node ---

  /** Null: it is not there. */
  async #take(key: string, { name, noClobber }: SharedOffer): Promise<string | null> {
    const { storage, dir, dataDir, holdings } = this.#spec
    const known = await this.#known(key)
    if (known === null) return null
    const { record, runs } = known
    const path = this.#path(key)
    const there = await stat(path, { bigint: true }).catch(() => undefined)
    const own = holdings.catalogue?.get(name)
    if (own !== undefined && own.identity.inode === String(there?.ino))
      if (await holdings.isUnchanged(own)) return own.fileDigest
    const id = `shared.${randomBytes(8).toString('hex')}`
    if (!(await linked(path, join(dataDir, hiddenDir, 'partials', id)))) return null
    try {
      const file = await storage.openPartial(dir, id, manyNames)
      try {
        const { size, mtime } = await storage.identityOf(file)
        const { seconds, nanos } = record.identity.mtime
        if (size !== record.size || mtime.seconds !== seconds || mtime.nanos !== nanos) {
          this.#warn('shared-changed', 'somebody has changed a shared file: it is brought again')
          await unlink(path).catch(() => {})
          return null
        }
        const { mode } = record
        await storage.publish(dir, { file, id, name, mode, mtime: record.mtime, noClobber })
        const identity = await storage.identityOf(file)
        await holdings.put({ ...record, name, identity, publishedAtMs: Date.now() }, runs)
      } finally {
        storage.closeFile(file)
      }
    } finally {
      await storage.discard(dir, id)
    }
    // Whoever tidies up may have seen it with one name and taken that.
    await linked(this.#own(name), path)
    return record.fileDigest
  }

  // --- to the others ---

  async #share(key: string, offer: SharedOffer): Promise<void> {
    const { holdings, directory } = this.#spec
    const { name } = offer
    try {
      const record = holdings.catalogue?.get(name)
      if (record === undefined) return
      const runs = (await holdings.catalogue?.runs(record)) ?? []
      if ((await this.#known(key)) === null) await this.#write(key, record, runs)
      if (await linked(this.#own(name), this.#path(key))) return await syncDirectory(directory)
      const [own, there] = await Promise.all(
        [this.#own(name), this.#path(key)].map((path) => stat(path, { bigint: true })),
      )
      if (own?.ino !== there?.ino) await this.#take(key, { ...offer, noClobber: false })
    } catch (error) {
      const { message } = asFrError(error, 'ERR_FR_IO')
      this.#warn('not-shared', `other nodes will have a copy of their own: ${message}`)
    } finally {
      this.sweep()
    }
  }

  async #show(name: Uint8Array): Promise<readonly string[]> {
    try {
      await this.#spec.shown.show(name)
      return []
    } catch (error) {
      return [`the file is not to be seen in the shared directory: ${(error as Error).message}`]
    }
  }

  /** This node has removed the file of a record. Never rejects. */
  async removed({ name, identity }: HeldStream): Promise<void> {
    try {
      await this.#spec.shown.hide(name, identity.inode)
    } catch (error) {
      this.#warn('still-shown', (error as Error).message)
    }
    this.sweep()
  }

  async #write(key: string, record: HeldStream, runs: readonly DigestRun[]): Promise<void> {
    const row = JSON.stringify(rowOf(record))
    await writeRuns(`${this.#path(key)}.digests`, record, runs)
    await replaceFile(`${this.#path(key)}.record`, (file) =>
      writeAll(file, Buffer.from(`${checksum(row)} ${row}`), 0),
    )
  }

  async #known(
    key: string,
  ): Promise<{ readonly record: HeldStream; readonly runs: readonly DigestRun[] } | null> {
    const bytes = await readKept(`${this.#path(key)}.record`, limits.catalogueLineBytes)
    const [sum = '', row = ''] = bytes?.toString('utf8').split(/ (.*)/s) ?? []
    const record = sum !== '' && checksum(row) === sum ? recordOf(JSON.parse(row)) : undefined
    if (record === undefined) return null
    const runs = await readRuns(`${this.#path(key)}.digests`, record).catch(() => null)
    return runs && { record, runs }
  }

  #path(key: string): string {
    return join(this.#spec.directory, key)
  }

  #own(name: Uint8Array): Buffer {
    return Buffer.concat([Buffer.from(`${this.#spec.dataDir}/`), name])
  }

  // --- what nobody has any more ---

  /** One at a time; never rejects. */
  sweep(): void {
    this.#sweeping ??= this.#sweep()
      .catch((error: unknown) => this.#warn('not-swept', asFrError(error, 'ERR_FR_IO').message))
      .finally(() => {
        this.#sweeping = undefined
      })
  }

  /** What has no other name goes; so does what has been about no content for a while. */
  async #sweep(): Promise<void> {
    const { directory } = this.#spec
    const names = new Set(await readdir(directory))
    const doubtful = new Map<string, number>()
    for (const name of names) {
      const path = join(directory, name)
      if (/^[0-9a-f]{32}$/.test(name)) {
        const { nlink = 0 } = (await stat(path).catch(() => undefined)) ?? {}
        if (nlink === 1) await unlink(path).catch(() => {})
      } else if (isTemporary(name) || !names.has(name.slice(0, 32)))
        doubtful.set(name, this.#doubtful.get(name) ?? nowMs())
    }
    for (const [name, sinceMs] of doubtful)
      if (nowMs() - sinceMs >= limits.sharedSweepMs)
        await unlink(join(directory, name)).catch(() => {})
    this.#doubtful = doubtful
  }

  #warn(event: string, text: string): void {
    this.#spec.log({ level: 'warn', event, fields: { text } })
  }
}

class Part implements SharedPart {
  readonly fileDigest: string | null
  readonly #lease: Lease | undefined
  readonly #share: () => Promise<readonly string[]>

  constructor(
    fileDigest: string | null,
    lease: Lease | undefined,
    share: () => Promise<readonly string[]>,
  ) {
    this.fileDigest = fileDigest
    this.#lease = lease
    this.#share = share
  }

  async published(): Promise<readonly string[]> {
    const warnings = await this.#share()
    await this.end()
    return warnings
  }

  async end(): Promise<void> {
    await this.#lease?.release()
  }
}

/** False: there is nothing at the first name, or something at the second. */
async function linked(from: string | Buffer, to: string | Buffer): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' || code === 'ENOENT') return false
    throw new FrError('ERR_FR_IO', `${message}`, { cause: error })
  }
}
