/**
 * What is on the disk of earlier versions of files: a link and a record for each.
 *
 * The idea: a version is a further hard link to the file, under a name of its own (version-dir.ts),
 * with its record in the catalogue. Both are durable before another file takes the name, which is
 * one rename; so at any moment the file that was there is either still there or kept, and nothing
 * is copied. After a kill one file may be both: it counts as the one that has the name.
 *
 * A link that comes or goes moves the ctime of the file, so of a version size, mtime and inode tell
 * whether it was written.
 */
import { FrError } from '../../base/errors.js'
import { hiddenDir, versionBytes, versionsDir } from '../../base/names.js'
import type {
  DataDirHandle,
  EntryLook,
  EntryStep,
  LostAttribute,
  PublishSpec,
  Storage,
} from '../../ports.js'
import type { Catalogue } from '../catalogue/catalogue.js'
import type { HeldStream } from '../catalogue/record.js'
import { isSameButLinked } from '../catalogue/same-file.js'
import { keyOf } from '../files/plain.js'
import type { Holdings } from '../held/holdings.js'
import type { VersionDir } from './version-dir.js'

const slash = 0x2f

export interface VersionLinksSpec {
  readonly storage: Pick<Storage, 'placeEntries' | 'lookAt' | 'identityOf'>
  readonly dir: DataDirHandle
  readonly holdings: Holdings
  /** Unix time in milliseconds. */
  readonly wallMs: () => number
}

export class VersionLinks {
  readonly #spec: VersionLinksSpec

  constructor(spec: VersionLinksSpec) {
    this.#spec = spec
  }

  /** The file that has the name now, by its record. */
  present({ name }: VersionDir): HeldStream | undefined {
    return this.#spec.holdings.catalogue?.get(name)
  }

  /** Records of earlier versions of files, by the prefix of their directories. */
  recorded(): Map<string, HeldStream[]> {
    const all = Buffer.from(`${hiddenDir}/${versionsDir}/`)
    const found = new Map<string, HeldStream[]>()
    for (const record of this.#spec.holdings.catalogue?.beneath(all) ?? []) {
      // What is in a version of a tree is none.
      if (versionBytes(record.name) !== record.name.length) continue
      const prefix = keyOf(record.name).slice(0, record.name.lastIndexOf(slash) + 1)
      const others = found.get(prefix)
      if (others === undefined) found.set(prefix, [record])
      else others.push(record)
    }
    return found
  }

  /**
   * A further link to the file that has the name, and a record of it. Undefined: the file is not
   * the one of the record. From here on, until `unlinked`, its ctime tells nothing.
   */
  async link(dir: VersionDir, record: HeldStream): Promise<HeldStream | undefined> {
    const { holdings } = this.#spec
    if (!(await holdings.isUnchanged(record))) return undefined
    await dir.make()
    const name = await this.free(dir)
    holdings.linked.add(keyOf(dir.name))
    try {
      const look = await this.#link(name, dir.name)
      if (!isFileOf(look, record))
        throw new FrError('ERR_FR_SOURCE_CHANGED', 'somebody else has replaced the file')
      const runs = await this.#catalogue.runs(record)
      const kept = { ...record, name, identity: look.identity, keptAtMs: this.#spec.wallMs() }
      await this.#catalogue.put(kept, runs)
      return kept
    } catch (error) {
      await this.#unlink(name).catch(() => {})
      await this.#refresh(record).catch(() => {})
      holdings.linked.delete(keyOf(dir.name))
      throw error
    }
  }

  /**
   * Another file has the name now, or has not: a version whose file still has it goes. Resolves to
   * the record of the version as it is from now on.
   */
  async unlinked(dir: VersionDir, kept: HeldStream): Promise<HeldStream | undefined> {
    try {
      const [there] = await this.look([dir.name])
      if (!isFileOf(there, kept)) return (await this.#refresh(kept)) ?? kept
      await this.drop(kept)
      const present = this.present(dir)
      if (present !== undefined) await this.#refresh(present)
      return undefined
    } finally {
      this.#spec.holdings.linked.delete(keyOf(dir.name))
    }
  }

  /** The name of a version that is not there yet. */
  async free(dir: VersionDir): Promise<Uint8Array> {
    const numbers = (await dir.versions()).map(({ number }) => number)
    return dir.nameOf(Math.max(0, ...numbers) + 1)
  }

  /** A partial that is whole becomes the file of a version. */
  async land(name: Uint8Array, spec: PublishSpec): Promise<readonly LostAttribute[]> {
    const { file, id, mode, mtime } = spec
    const { storage, dir } = this.#spec
    const { size } = await storage.identityOf(file)
    const where = { name, replacesDirectories: false }
    const step: EntryStep = { kind: 'partial', ...where, id, size, attributes: { mode, mtime } }
    const [outcome] = await storage.placeEntries(dir, [step])
    if (outcome?.failure) throw new FrError(outcome.failure.code, outcome.failure.text)
    return (['mode', 'mtime'] as const).filter((what) => outcome?.lost.includes(what))
  }

  /** The version has a record, and is kept from now on. */
  async landed(record: HeldStream): Promise<HeldStream> {
    const kept = { ...record, keptAtMs: this.#spec.wallMs() }
    await this.#catalogue.put(kept, await this.#catalogue.runs(record))
    return kept
  }

  /** The link, and then the record. */
  async drop({ name }: Pick<HeldStream, 'name'>): Promise<void> {
    await this.#unlink(name)
    await this.#catalogue.remove(name)
  }

  /** Gives the name to a version of it, and the name its record. */
  async bringBack(dir: VersionDir, record: HeldStream): Promise<HeldStream> {
    await this.#link(dir.name, record.name)
    return this.#take(dir, record)
  }

  /** Of many names at once. */
  look(names: readonly Uint8Array[]): Promise<(EntryLook | null)[]> {
    return this.#spec.storage.lookAt(this.#spec.dir, names)
  }

  /**
   * After a process that may have been killed: each file counts once, and has a record. Resolves to
   * those of these records that are earlier versions.
   */
  async settle(dir: VersionDir, records: readonly HeldStream[]): Promise<HeldStream[]> {
    const kept: HeldStream[] = []
    const [there, ...looks] = await this.look([dir.name, ...records.map(({ name }) => name)])
    for (const [at, record] of records.entries())
      if (isFileOf(there, record)) await this.#settlePresent(dir, record)
      // What came beside the name twice is one version.
      else if (kept.some((other) => other.fileDigest === record.fileDigest)) await this.drop(record)
      else if (isFileOf(looks[at], record)) kept.push(record)
      else await this.#catalogue.remove(record.name)
    const numbers = new Set(kept.map(({ name }) => dir.numberOf(name)))
    for (const { number, kind } of await dir.versions())
      if (kind === 'file' && !numbers.has(number)) await this.#unlink(dir.nameOf(number))
    const present = this.present(dir)
    if (present === undefined || !isFileOf(there, present)) return kept
    await this.#refresh(present)
    // What has the name is no earlier version of it.
    const isSame = ({ fileDigest }: HeldStream): boolean => fileDigest === present.fileDigest
    for (const same of kept.filter(isSame)) await this.drop(same)
    return kept.filter((record) => !isSame(record))
  }

  /** The file of this version has the name. */
  async #settlePresent(dir: VersionDir, record: HeldStream): Promise<void> {
    if (this.present(dir)?.identity.inode === record.identity.inode)
      await this.#catalogue.remove(record.name)
    else await this.#take(dir, record)
  }

  /** The file of a version has the name: so does its record from here on. */
  async #take(dir: VersionDir, record: HeldStream): Promise<HeldStream> {
    const { name } = dir
    const runs = await this.#catalogue.runs(record)
    await this.#unlink(record.name)
    const [look] = await this.look([name])
    if (!isFileOf(look, record))
      throw new FrError('ERR_FR_SOURCE_CHANGED', 'somebody else has replaced the file')
    const { keptAtMs: _, ...rest } = record
    const publishedAtMs = this.#spec.wallMs()
    const now: HeldStream = { ...rest, name, identity: look.identity, publishedAtMs }
    await this.#catalogue.put(now, runs)
    await this.#catalogue.remove(record.name)
    return now
  }

  /** The same record with the times that the file has by now. */
  async #refresh(record: HeldStream): Promise<HeldStream | undefined> {
    const [look] = await this.look([record.name])
    if (!isFileOf(look, record) || this.#catalogue.get(record.name) !== record) return undefined
    const now = { ...record, identity: look.identity }
    await this.#catalogue.refresh(now)
    return now
  }

  get #catalogue(): Catalogue {
    const { catalogue } = this.#spec.holdings
    if (catalogue === undefined) throw new FrError('ERR_FR_CLOSED', 'the node is closing')
    return catalogue
  }

  #link(name: Uint8Array, to: Uint8Array): Promise<EntryLook | null> {
    return this.#place({ kind: 'hardlink', name, to, replacesDirectories: false })
  }

  async #unlink(name: Uint8Array): Promise<void> {
    await this.#place({ kind: 'remove', name })
  }

  async #place(step: EntryStep): Promise<EntryLook | null> {
    const [outcome] = await this.#spec.storage.placeEntries(this.#spec.dir, [step])
    if (outcome?.failure) throw new FrError(outcome.failure.code, outcome.failure.text)
    return outcome?.look ?? null
  }
}

/** Whether it is the file of the record, by what can be told without reading it. */
export function isFileOf(
  look: EntryLook | null | undefined,
  { identity }: HeldStream,
): look is EntryLook {
  return look?.kind === 'file' && isSameButLinked(look.identity, identity)
}
