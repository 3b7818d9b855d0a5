/**
 * Earlier versions of files: what had a name before the file that has it now (version-links.ts says
 * how they are kept), how many of them, for how long, and the way back.
 *
 * All that changes versions of one name takes turns. Whoever gives the name to another file holds
 * the claim of that name, so nobody else does at the same time.
 */
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import type { Logger } from '../../base/log.js'
import { isHidden, isSameName, versionBytes } from '../../base/names.js'
import { pickVersion, versionedName } from '../../base/versions.js'
import type { PublishSpec } from '../../ports.js'
import type { HeldStream } from '../catalogue/record.js'
import { keyOf } from '../files/plain.js'
import type { Beside, Replacing } from './arriving.js'
import { type EvictableVersion, type EvictionRules, evicted } from './eviction.js'
import { VersionDir, versionDirs } from './version-dir.js'
import { VersionLinks, type VersionLinksSpec } from './version-links.js'

export interface VersionRules extends EvictionRules {
  /** Versions of each name that are kept, the present one not counted. */
  readonly keep: number
}

export interface KeptFilesSpec extends VersionLinksSpec {
  /** Path of `dir`. */
  readonly dataDir: string
  readonly rules: VersionRules
  /** Awake time: no clock that somebody sets. */
  readonly nowMs: () => number
  readonly log: Logger
}

export interface KeptVersion {
  /** Of those of one name the lowest was kept first. */
  readonly number: number
  /** Under the name of the version. */
  readonly record: HeldStream
  /** Awake time of this process at which its age was 0: far in the past, perhaps. */
  readonly sinceMs: number
}

export interface RolledBack {
  readonly now: HeldStream
  /** What had the name before, by its record. */
  readonly before: HeldStream | undefined
}

/** Versions of something else, which go by the same rules. */
export interface OtherVersions {
  evictable(): Promise<readonly EvictableVersion[]>
}

interface Versioned {
  readonly dir: VersionDir
  /** How many a push has asked for; null: none has. */
  wanted: number | null
  /** Newest first. */
  kept: KeptVersion[]
}

export class KeptFiles {
  readonly #spec: KeptFilesSpec
  readonly #links: VersionLinks
  readonly #names = new Map<string, Versioned>()
  /** Last work on each name. */
  readonly #turns = new Map<string, Promise<unknown>>()
  /** How often files are used, by inode. */
  readonly #used = new Map<string, number>()
  #others: OtherVersions | undefined

  constructor(spec: KeptFilesSpec) {
    this.#spec = spec
    this.#links = new VersionLinks(spec)
  }

  /**
   * Reads what is there, and settles what a process left that was killed, unless nothing is to be
   * written. After records of published files are in the catalogue.
   */
  async load(isReadOnly: boolean): Promise<void> {
    this.#names.clear()
    const recorded = this.#links.recorded()
    for (const dir of await versionDirs(this.#spec.dataDir)) {
      const known = recorded.get(dir.prefix) ?? []
      const records = isReadOnly ? known : await this.#links.settle(dir, known)
      const kept = records
        .map((record) => this.#aged(dir, record))
        .sort((a, b) => b.number - a.number)
      const wanted = await dir.wanted()
      if (kept.length > 0 || wanted !== null)
        this.#names.set(keyOf(dir.name), { dir, wanted, kept })
      else if (!isReadOnly) await dir.dropEmpty()
    }
  }

  /** Names of which something is kept, in the order of their bytes. */
  get names(): readonly Uint8Array[] {
    return [...this.#names]
      .filter(([, { kept }]) => kept.length > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, { dir }]) => dir.name)
  }

  /** Kept versions of a file, the newest first. */
  of(name: Uint8Array): readonly KeptVersion[] {
    return this.#names.get(keyOf(name))?.kept ?? []
  }

  /**
   * The record of what a client asks for: of the file of this name, or of a version (NAME@VERSION).
   * Throws ERR_FR_NAME where several versions are meant.
   */
  meant(said: Uint8Array): HeldStream | undefined {
    if (isHidden(said)) return undefined
    const record = this.#spec.holdings.catalogue?.get(said)
    if (record !== undefined) return record
    const versioned = versionedName(said)
    return versioned === null ? undefined : this.version(versioned.name, versioned.version)
  }

  /** The version of a name, which may be the present one. Throws as `meant`. */
  version(name: Uint8Array, version: string): HeldStream | undefined {
    const records = this.of(name).map(({ record }) => record)
    return pickVersion(version, this.#spec.holdings.catalogue?.get(name), records)
  }

  /** The name that a version of this record had; of a file in one of a tree its name there. */
  nameOf(record: HeldStream): Uint8Array {
    if (!isHidden(record.name)) return record.name
    for (const { dir } of this.#names.values())
      if (Number.isInteger(dir.numberOf(record.name))) return dir.name
    return record.name.subarray(versionBytes(record.name) + 1)
  }

  /** No eviction takes this file until it is given back, which may be done twice. */
  use({ identity: { inode } }: HeldStream): () => void {
    this.#used.set(inode, (this.#used.get(inode) ?? 0) + 1)
    let isUsed = true
    return () => {
      if (!isUsed) return
      isUsed = false
      const left = (this.#used.get(inode) ?? 1) - 1
      if (left === 0) this.#used.delete(inode)
      else this.#used.set(inode, left)
    }
  }

  /**
   * Of a name that a file of this digest is about to take: keeps the file that has it, where that
   * is recorded, unchanged and of another content. `asked`: how many versions the push wants.
   * Never rejects: what cannot be kept is a warning.
   */
  async replacing(name: Uint8Array, fileDigest: string, asked?: number): Promise<Replacing> {
    const key = keyOf(name)
    const isPlain = asked === undefined && this.#spec.rules.keep === 0
    if (isPlain && !this.#names.has(key)) return nothingKept
    let kept: HeldStream | undefined
    let warning: string | null = null
    await this.#inTurn(key, async () => {
      const versioned = await this.#wanting(name, asked)
      const record = this.#links.present(versioned.dir)
      const isOther = record !== undefined && record.fileDigest !== fileDigest
      if (isOther && this.#keepOf(versioned) > 0)
        kept = await this.#links.link(versioned.dir, record)
      if (kept !== undefined) this.#names.set(key, versioned)
    }).catch((error: unknown) => {
      warning = `the version before it is not kept: ${asFrError(error, 'ERR_FR_IO').message}`
    })
    const over = (now: string | null): Promise<void> =>
      this.#inTurn(key, async () => {
        await this.#replaced(key, kept, now)
        if (now !== null) await this.#trim(key)
      }).catch((error: unknown) => this.#failed('not-kept', error))
    return { warning, done: () => over(fileDigest), undo: () => over(null) }
  }

  /** For a version that comes beside what has the name. The caller holds the name. */
  beside(name: Uint8Array): Promise<Beside> {
    const key = keyOf(name)
    return this.#inTurn(key, async () => {
      const versioned = await this.#wanting(name, undefined)
      await versioned.dir.make()
      this.#names.set(key, versioned)
      const place = await this.#links.free(versioned.dir)
      return {
        name: place,
        give: (spec: PublishSpec) => this.#links.land(place, spec),
        done: () =>
          this.#inTurn(key, () => this.#landed(versioned, place)).catch((error: unknown) =>
            this.#failed('not-kept', error),
          ),
      }
    })
  }

  /** Unless the node has the same content already. */
  async #landed(versioned: Versioned, name: Uint8Array): Promise<void> {
    const { catalogue } = this.#spec.holdings
    const record = catalogue?.get(name)
    // A file without a record is nobody's.
    if (record === undefined) return this.#links.drop({ name }).catch(() => {})
    const others = [catalogue?.get(versioned.dir.name), ...versioned.kept.map((one) => one.record)]
    if (others.some((other) => other?.fileDigest === record.fileDigest))
      return this.#links.drop(record)
    const number = versioned.dir.numberOf(name)
    const kept = await this.#links.landed(record)
    versioned.kept.unshift({ number, record: kept, sinceMs: this.#spec.nowMs() })
  }

  /** No more are kept of this name than are wanted. Never rejects. */
  async trim(name: Uint8Array): Promise<void> {
    const key = keyOf(name)
    await this.#inTurn(key, () => this.#trim(key)).catch((error: unknown) =>
      this.#failed('not-kept', error),
    )
  }

  /** So many versions of this name are to be kept from now on. Never rejects. */
  async want(name: Uint8Array, count: number): Promise<void> {
    await this.#inTurn(keyOf(name), () => this.#wanting(name, count)).catch((error: unknown) =>
      this.#failed('not-kept', error),
    )
  }

  /**
   * Gives the name to a version of it, and keeps what has the name now. `isRight` is asked about
   * the file of the version. The caller holds the name. ERR_FR_NOT_HELD: there is no such version;
   * ERR_FR_DIGEST: it is not what it was; ERR_FR_IS_DIRECTORY: the name is no file's.
   */
  rollBack(
    name: Uint8Array,
    version: string,
    isRight: (record: HeldStream) => Promise<boolean>,
  ): Promise<RolledBack> {
    const key = keyOf(name)
    return this.#inTurn(key, async () => {
      const { holdings } = this.#spec
      const present = holdings.catalogue?.get(name)
      // A file that somebody else changed or removed is no version any more.
      const before = present && (await holdings.isUnchanged(present)) ? present : undefined
      const record = this.version(name, version)
      const versioned = this.#names.get(key)
      if (record !== undefined && record === before) return { now: record, before }
      if (record === undefined || versioned === undefined) throw noVersion(version)
      const { dir } = versioned
      const [there] = await this.#links.look([name])
      if (there && there.kind !== 'file') throw new FrError('ERR_FR_IS_DIRECTORY')
      if (!(await isRight(record))) {
        const text = 'somebody else has changed the file of this version'
        throw new FrError('ERR_FR_DIGEST', text)
      }
      const kept = before && (await this.#links.link(dir, before))
      try {
        const now = await this.#links.bringBack(dir, record)
        versioned.kept = versioned.kept.filter((one) => one.record !== record)
        await this.#replaced(key, kept, now.fileDigest)
        return { now, before }
      } catch (error) {
        await this.#replaced(key, kept, null).catch(() => {})
        throw error
      }
    })
  }

  /** Removes a version. ERR_FR_NOT_HELD, or ERR_FR_NAME where it is the present one. */
  remove(name: Uint8Array, version: string): Promise<HeldStream> {
    return this.#inTurn(keyOf(name), async () => {
      const record = this.version(name, version)
      const versioned = this.#names.get(keyOf(name))
      const kept = versioned?.kept.find((one) => one.record === record)
      if (record === undefined) throw noVersion(version)
      if (versioned === undefined || kept === undefined) {
        const text = 'this is the present version: roll back first, or remove the name'
        throw new FrError('ERR_FR_NAME', text)
      }
      await this.#drop(versioned, kept)
      return record
    })
  }

  /** A version that is found to be wrong. */
  async forget(record: HeldStream): Promise<void> {
    const key = keyOf(this.nameOf(record))
    await this.#inTurn(key, async () => {
      const versioned = this.#names.get(key)
      const { name } = record
      const kept = versioned?.kept.find((one) => isSameName(one.record.name, name))
      if (versioned !== undefined && kept !== undefined) await this.#drop(versioned, kept)
    })
  }

  /** All kept versions of a name; resolves to their number. Nothing is wanted of it any more. */
  removeAll(name: Uint8Array): Promise<number> {
    const key = keyOf(name)
    if (!this.#names.has(key)) return Promise.resolve(0)
    return this.#inTurn(key, async () => {
      const versioned = this.#names.get(key)
      if (versioned === undefined) return 0
      const oldestFirst = versioned.kept.toReversed()
      for (const kept of oldestFirst) await this.#drop(versioned, kept)
      await versioned.dir.want(0)
      await versioned.dir.dropEmpty()
      this.#names.delete(key)
      return oldestFirst.length
    })
  }

  /** From here on these are counted, and go, with those of files. */
  join(others: OtherVersions): void {
    this.#others = others
  }

  /** Lets go what is too old or too much, and so much more, where that can be. Never rejects. */
  async evict(wantedBytes = 0): Promise<void> {
    const { maxBytes, maxAgeMs } = this.#spec.rules
    if (maxBytes === null && maxAgeMs === null && wantedBytes <= 0) return
    const others = await this.#others?.evictable().catch((error: unknown): EvictableVersion[] => {
      this.#failed('not-evicted', error)
      return []
    })
    const all = [...this.#names].flatMap(([key, versioned]) =>
      versioned.kept.map((kept) => this.#evictable(key, versioned.dir.name, kept)),
    )
    for (const one of evicted([...all, ...(others ?? [])], this.#spec.rules, wantedBytes))
      try {
        if (!(await one.drop())) continue
        const name = Buffer.from(one.name).toString('utf8')
        const fields = { name, digest: one.fileDigest }
        this.#spec.log({ level: 'info', event: 'version-evicted', fields })
      } catch (error) {
        this.#failed('not-evicted', error)
      }
  }

  /** How long a version has been kept, in milliseconds. */
  ageMs({ sinceMs }: KeptVersion): number {
    return Math.max(0, this.#spec.nowMs() - sinceMs)
  }

  /** Resolves when nothing is being changed. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#turns.values())
  }

  #keepOf({ wanted }: Versioned): number {
    return Math.max(wanted ?? 0, this.#spec.rules.keep)
  }

  #isUsed({ record }: KeptVersion): boolean {
    return this.#used.has(record.identity.inode)
  }

  /** Remembers what a push wants. */
  async #wanting(name: Uint8Array, asked: number | undefined): Promise<Versioned> {
    const found = this.#names.get(keyOf(name))
    const dir = found?.dir ?? new VersionDir(this.#spec.dataDir, name)
    const versioned = found ?? { dir, wanted: null, kept: [] }
    if (asked === undefined || asked === (versioned.wanted ?? 0)) return versioned
    if (found === undefined) await dir.make()
    await dir.want(asked)
    versioned.wanted = asked === 0 ? null : asked
    this.#names.set(keyOf(name), versioned)
    return versioned
  }

  /** Another file, of this digest, has the name now, or has not: the version counts, or goes. */
  async #replaced(key: string, record: HeldStream | undefined, now: string | null): Promise<void> {
    const versioned = this.#names.get(key)
    if (versioned === undefined) return
    const { dir } = versioned
    const kept = record && (await this.#links.unlinked(dir, record))
    if (kept !== undefined) {
      const number = dir.numberOf(kept.name)
      versioned.kept.unshift({ number, record: kept, sinceMs: this.#spec.nowMs() })
    }
    // What has the name is no earlier version of it.
    for (const same of versioned.kept.filter(({ record: { fileDigest } }) => fileDigest === now))
      await this.#drop(versioned, same)
  }

  /** After a push: no more than are wanted. */
  async #trim(key: string): Promise<void> {
    const versioned = this.#names.get(key)
    if (versioned === undefined) return
    const keep = this.#keepOf(versioned)
    for (const old of versioned.kept.slice(keep).reverse())
      if (!this.#isUsed(old)) await this.#drop(versioned, old)
    if (versioned.kept.length > 0 || versioned.wanted !== null) return
    await versioned.dir.dropEmpty()
    this.#names.delete(key)
  }

  async #drop(versioned: Versioned, kept: KeptVersion): Promise<void> {
    await this.#links.drop(kept.record)
    versioned.kept = versioned.kept.filter(({ number }) => number !== kept.number)
  }

  /** By the wall clock so far, which may be anywhere; by awake time from here on. */
  #aged(dir: VersionDir, record: HeldStream): KeptVersion {
    const { keptAtMs = 0 } = record
    const ageMs = Math.max(0, this.#spec.wallMs() - keptAtMs)
    return { number: dir.numberOf(record.name), record, sinceMs: this.#spec.nowMs() - ageMs }
  }

  #evictable(key: string, name: Uint8Array, kept: KeptVersion): EvictableVersion {
    const { number, record } = kept
    const { dataBytes: bytes, fileDigest } = record
    const [ageMs, isUsed] = [this.ageMs(kept), this.#isUsed(kept)]
    const drop = (): Promise<boolean> =>
      this.#inTurn(key, async () => {
        const versioned = this.#names.get(key)
        const now = versioned?.kept.find((one) => one.number === number)
        if (versioned === undefined || now === undefined || this.#isUsed(now)) return false
        await this.#drop(versioned, now)
        return true
      })
    return { key, name, number, bytes, fileDigest, ageMs, isUsed, drop }
  }

  async #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(key)
    const turn = (async () => {
      await before?.catch(() => {})
      return work()
    })()
    this.#turns.set(key, turn)
    try {
      return await turn
    } finally {
      if (this.#turns.get(key) === turn) this.#turns.delete(key)
    }
  }

  #failed(event: string, error: unknown): void {
    const { code, message: text } = asFrError(error, 'ERR_FR_IO')
    this.#spec.log({ level: 'warn', event, fields: { code, text } })
  }
}

const nothingKept: Replacing = { warning: null, done: async () => {}, undo: async () => {} }

function noVersion(version: string): FrError {
  return new FrError('ERR_FR_NOT_HELD', `the node keeps no version ${version} of this file`)
}
