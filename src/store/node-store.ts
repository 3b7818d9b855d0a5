/**
 * The data directory of a node over time: whether it is still at its path, how much space it has,
 * and what failed transfers left in it.
 *
 * The user's path is looked up every second. A directory that was moved, removed, unmounted or
 * closed ends running transfers within two seconds and shows in the status. A usable directory in
 * its place serves the next offers (refreshDataDir in ports.ts). A check that finds no change costs
 * a few stats, and at most one is under way.
 */
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Failure, FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { formatBytes, limits } from '../base/limits.js'
import type { Logger } from '../base/log.js'
import { hiddenDir } from '../base/names.js'
import { nowMs } from '../base/time/awake.js'
import type { DataDirHandle, Storage } from '../ports.js'
import { Catalogue, type CatalogueTotals, type RecordChanged } from './catalogue/catalogue.js'
import { type Failed, isOfStorage, restsFrom } from './disks/blame.js'
import { Holdings } from './held/holdings.js'
import { Leftovers } from './leftovers.js'
import { isScratch, titleOf } from './partial.js'
import { recordUnrecorded, type Unhashed } from './unrecorded.js'
import { KeptFiles, type VersionRules } from './versions/kept-files.js'

export interface NodeStoreSpec {
  readonly storage: Storage
  readonly dir: DataDirHandle
  /** Path of `dir`. */
  readonly dataDir: string
  readonly minFreeBytes: number
  readonly keepPartialsSeconds: number
  /** Contents of which a part is all that is wanted: their partials do not expire. */
  readonly keeps?: (contentId: string) => boolean
  /** Of earlier versions of files. */
  readonly versions: VersionRules
  /** Nothing is written to the directory. */
  readonly isReadOnly: boolean
  /** The directory has no path, and nothing is ever in it. */
  readonly isEmpty: boolean
  /** Other nodes give its files names, and take them. */
  readonly isShared?: boolean
  readonly log: Logger
  /** Called when running transfers can no longer be published. */
  readonly lost: (failure: Failure) => void
  /** Called when another directory is in its place, which is not used before this resolves. */
  readonly moved: () => Promise<void>
}

/** Partial files of transfers that are over. */
export interface Kept {
  readonly files: number
  /** Bytes that they take on the disk. */
  readonly bytes: number
  /** Names they were meant for, shortened, at most limits.keptNames. */
  readonly names: readonly string[]
}

/** Last transfer failure that was caused by this node's disk. */
export interface StorageError extends Failure {
  readonly secondsAgo: number
}

export interface Rest extends Failure {
  readonly fromBytes: number
}

const expireEveryMs = 3_600_000
const countEveryMs = 5_000

export class NodeStore {
  freeBytes = 0
  kept: Kept = { files: 0, bytes: 0, names: [] }
  readonly holdings: Holdings
  readonly leftovers: Leftovers
  readonly versions: KeptFiles
  /** Published by an earlier process and not recorded; they have to be read for that. */
  readonly unhashed: Unhashed[] = []
  readonly #spec: NodeStoreSpec
  readonly #timers: NodeJS.Timeout[] = []
  readonly #watchers = new Set<RecordChanged>()
  #catalogue: Catalogue | undefined
  /** Another directory is in its place, and is not in use yet. */
  #isNew = false
  #problem: FrError | undefined
  #looking: Promise<void> | undefined
  #lookedMs = nowMs()
  #lastError: (Failure & { atMs: number }) | undefined
  #rest: (Rest & { atMs: number }) | undefined

  constructor(spec: NodeStoreSpec) {
    this.#spec = spec
    this.holdings = new Holdings({ ...spec, catalogue: () => this.#catalogue })
    const { storage, dir, dataDir, versions: rules, log } = spec
    this.leftovers = new Leftovers(storage, dir, join(dataDir, hiddenDir), spec.keeps)
    const clocks = { wallMs: Date.now, nowMs }
    const { holdings } = this
    this.versions = new KeptFiles({ storage, dir, dataDir, holdings, rules, log, ...clocks })
  }

  /**
   * Cleans up after an earlier process, then checks the directory regularly. Rejects with
   * ERR_FR_CATALOGUE.
   */
  async start(): Promise<void> {
    if (this.#spec.isEmpty) return
    await this.#openCatalogue()
    if (!this.#spec.isReadOnly) await this.#cleanUp()
    await this.#loadVersions()
    await this.count()
    const { files, bytes } = this.kept
    const names = this.kept.names.join(', ')
    if (files > 0) this.#log('info', 'partials-kept', { files, bytes, names })
    const every = (ms: number, work: () => Promise<void>): void => {
      this.#timers.push(setInterval(() => void work(), ms).unref())
    }
    every(limits.lookMs, () => this.look())
    // What hangs would keep a thread of this process for each count.
    every(countEveryMs, async () => (this.isAway ? undefined : this.count()))
    if (this.#spec.isReadOnly) return
    every(expireEveryMs, () => this.expire())
    every(limits.versionsExpireMs, () => this.versions.evict())
  }

  async #cleanUp(): Promise<void> {
    await this.#recordPublished()
    await this.#dropUseless()
    await this.#settle()
    await this.expire()
  }

  stop(): void {
    for (const timer of this.#timers) clearInterval(timer)
  }

  /** After `stop`, and after what records or removes files. */
  async close(): Promise<void> {
    await this.#looking
    await this.versions.close()
    await this.#catalogue?.close()
    this.#catalogue = undefined
  }

  /** Calls whenever a record changes; returns what ends that. */
  watchRecords(told: RecordChanged): () => void {
    this.#watchers.add(told)
    return () => this.#watchers.delete(told)
  }

  /** Records of the files in the directory. Throws the reason why there are none now. */
  get catalogue(): Catalogue {
    if (this.#catalogue !== undefined) return this.#catalogue
    throw this.#problem ?? new FrError('ERR_FR_CLOSED', 'the node is closing')
  }

  /**
   * Takes the records that the process which serves the directory has written since. Never rejects:
   * what lies at names is compared with the records anyway.
   */
  async follow(): Promise<void> {
    if (this.#catalogue?.isReadOnly === true) await this.#catalogue.follow().catch(() => {})
  }

  /** What is held, by the records. */
  get held(): CatalogueTotals {
    return this.#catalogue?.totals ?? { streams: 0, bytes: 0, damaged: 0 }
  }

  /** Present problems of the directory, one sentence each; empty when there are none. */
  get problems(): string[] {
    if (this.#spec.isEmpty) return []
    const { minFreeBytes } = this.#spec
    const found = this.#problem === undefined ? [] : [this.#problem.message]
    if (this.#isSilent) {
      const seconds = Math.floor((nowMs() - this.#lookedMs) / 1000)
      found.push(`the data directory has not answered for ${seconds} s`)
    }
    if (this.isFull && this.#problem === undefined) {
      const free = formatBytes(this.freeBytes)
      found.push(`the disk is full: ${free} free, ${formatBytes(minFreeBytes)} must stay free`)
    }
    return found
  }

  /** Nothing is to be had there now, or it has not answered for a while. */
  get isAway(): boolean {
    return !this.#spec.isEmpty && (this.#problem !== undefined || this.#isSilent)
  }

  get #isSilent(): boolean {
    return nowMs() - this.#lookedMs > limits.lookMs + limits.lookLateMs
  }

  /** Nothing more may be written. */
  get isFull(): boolean {
    return this.freeBytes <= this.#spec.minFreeBytes && !this.#spec.isReadOnly
  }

  get lastError(): StorageError | null {
    if (this.#lastError === undefined) return null
    const { code, text, atMs } = this.#lastError
    return { code, text, secondsAgo: (nowMs() - atMs) / 1000 }
  }

  /** Records the failure of a transfer if a disk of this node was the cause. */
  failed(failed: Failed): void {
    const { code, text } = failed
    const failure = { code, text, atMs: nowMs() }
    if (isOfStorage(code)) this.#lastError = failure
    const from = restsFrom(failed)
    if (from === null) return
    const before = this.rest?.fromBytes ?? Number.POSITIVE_INFINITY
    if (from <= before) this.#rest = { ...failure, fromBytes: from }
  }

  /** What has failed here lately, so that others had better take files of `fromBytes` and more. */
  get rest(): Rest | null {
    if (this.#rest === undefined) return null
    const isOver = nowMs() - this.#rest.atMs >= limits.diskRestSeconds * 1000
    return isOver ? null : this.#rest
  }

  get isReadOnly(): boolean {
    return this.#spec.isReadOnly
  }

  /** Throws ERR_FR_READ_ONLY. */
  requireWritable(): void {
    if (this.#spec.isReadOnly) throw new FrError('ERR_FR_READ_ONLY')
  }

  /** Rejects with the reason why nothing can be stored now. */
  async requireDirectory(): Promise<void> {
    await this.look()
    if (this.#problem !== undefined) throw this.#problem
  }

  /** Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
      this.#lookedMs = nowMs()
    })
    return this.#looking
  }

  async #look(): Promise<void> {
    const before = this.#problem
    try {
      const wasReplaced = await this.#spec.storage.refreshDataDir(this.#spec.dir)
      if (wasReplaced) await this.#replaced()
      await this.#openCatalogue()
      if (this.#isNew) {
        await this.#loadVersions()
        if (!this.#spec.isReadOnly) await this.#spec.moved()
      }
      this.#isNew = false
      this.#problem = undefined
      if (wasReplaced) return
      if (before !== undefined) this.#log('info', 'data-dir-back', {})
    } catch (error) {
      const problem = asFrError(error, 'ERR_FR_IO')
      // The node is closing.
      if (problem.code === 'ERR_FR_CLOSED') return
      this.#problem = problem
      const { code, message: text } = problem
      if (before?.message !== text) this.#log('error', 'data-dir-lost', { code, text })
      // An I/O error may pass; a missing directory ends the transfers that land in it.
      if (code.startsWith('ERR_FR_DATA_DIR')) this.#spec.lost({ code, text })
    }
  }

  async #openCatalogue(): Promise<void> {
    if (this.#catalogue !== undefined) return
    const path = join(this.#spec.dataDir, hiddenDir)
    const { isReadOnly } = this.#spec
    const changed: RecordChanged = (...records) => {
      for (const told of this.#watchers) told(...records)
    }
    this.#catalogue = await (isReadOnly
      ? Catalogue.openReadOnly(path)
      : Catalogue.open(path, changed))
    const { damaged } = this.#catalogue.totals
    const text = 'records of held files were damaged; what they described is not held any more'
    if (damaged > 0) this.#log('warn', 'catalogue-damaged', { damaged, text })
  }

  async #replaced(): Promise<void> {
    const text = 'another directory is at its path, or the files of the node in it were removed'
    this.#log('warn', 'data-dir-replaced', { text })
    this.#spec.lost({ code: 'ERR_FR_DATA_DIR_GONE', text })
    void this.count()
    this.#isNew = true
    const before = this.#catalogue
    this.#catalogue = undefined
    await before?.close()
  }

  /** Free bytes now. */
  async free(): Promise<number> {
    this.freeBytes = await this.#spec.storage.freeBytes(this.#spec.dir)
    return this.freeBytes
  }

  /** Permissions of a published file; undefined: it cannot be told. */
  async modeOf(name: Uint8Array): Promise<number | undefined> {
    const path = Buffer.concat([Buffer.from(`${this.#spec.dataDir}/`), name])
    const found = await lstat(path).catch(() => undefined)
    return found && found.mode & 0o777
  }

  /** Where a partial is, for whoever reads it beside the engine. */
  pathOfPartial(id: string): string {
    return join(this.#spec.dataDir, hiddenDir, 'partials', id)
  }

  /** Removes what unfinished transfers of this name left; resolves to the number of partials. */
  async makeWay(name: Uint8Array): Promise<number> {
    const removed = await this.leftovers.removeNamed(name)
    if (removed > 0) this.#log('info', 'partials-replaced', { removed })
    return removed
  }

  /** Updates free and kept bytes for the status; values that cannot be read stay as they were. */
  async count(): Promise<void> {
    const { storage, dir } = this.#spec
    try {
      await this.free()
      const left = await storage.listPartials(dir)
      const bytes = left.reduce((sum, { allocatedBytes }) => sum + allocatedBytes, 0)
      const names = left.slice(0, limits.keptNames).map(({ id }) => titleOf(id))
      this.kept = { files: left.length, bytes, names }
    } catch {
      // Each transfer asks for the free bytes itself before it starts.
    }
  }

  async expire(olderThanSeconds = this.#spec.keepPartialsSeconds): Promise<void> {
    const { storage, dir } = this.#spec
    try {
      const kept = await this.leftovers.kept()
      const removed =
        kept.size === 0
          ? await storage.expirePartials(dir, olderThanSeconds)
          : await this.leftovers.expireBut(kept, olderThanSeconds)
      if (removed > 0) this.#log('info', 'partials-expired', { removed })
      await this.leftovers.dropOrphans()
    } catch (error) {
      const text = asFrError(error, 'ERR_FR_IO').message
      this.#log('warn', 'expire-failed', { text })
    }
  }

  /** Of files that an earlier process had no time to record. */
  async #recordPublished(): Promise<void> {
    const { storage, dir } = this.#spec
    try {
      const add = (file: Unhashed) => void this.unhashed.push(file)
      for (const [id, journal] of await this.leftovers.publishing()) {
        if (!(await recordUnrecorded(storage, dir, this.catalogue, journal, add))) continue
        await storage.discard(dir, id)
        await this.leftovers.drop(id)
      }
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_IO')
      this.#log('warn', 'not-recorded', { code, text })
    }
  }

  async #loadVersions(): Promise<void> {
    const { isReadOnly } = this.#spec
    try {
      await this.versions.load(isReadOnly)
      if (!isReadOnly) await this.versions.evict()
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_IO')
      this.#log('warn', 'versions-not-settled', { code, text })
    }
  }

  /** Of repairs, and of partials without a journal, nobody knows what they hold. */
  async #dropUseless(): Promise<void> {
    const { storage, dir } = this.#spec
    for (const { id } of await storage.listPartials(dir))
      if (isScratch(id) || !(await this.leftovers.hasJournal(id))) await storage.discard(dir, id)
  }

  async #settle(): Promise<void> {
    try {
      await this.leftovers.settle()
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_IO')
      this.#log('warn', 'not-settled', { code, text })
    }
  }

  #log(
    level: 'info' | 'warn' | 'error',
    event: string,
    fields: Readonly<Record<string, string | number>>,
  ): void {
    this.#spec.log({ level, event, fields })
  }
}
