/**
 * Versions of a tree that changes all at once: `DATA/.fastreplica/versions/KEY/N`, and the name of
 * the tree is a symlink to the present one.
 *
 * The idea: a version is built out of sight, and one rename of the symlink shows it. N counts up,
 * and a version is marked before the next one is shown, so whatever is neither present nor marked
 * was never shown, and goes; of the others the last stays, for whoever still reads it, until
 * another version is shown, and as many before it as somebody wants. Each has a record of its own
 * (version-records.ts), so going back is one rename of the symlink as well. Files of several
 * versions are hard links, so that a version takes no more room than what has changed.
 */
import { chmod, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { hiddenDir } from '../../base/names.js'
import type { DataDirHandle, Storage } from '../../ports.js'
import type { Catalogue } from '../catalogue/catalogue.js'
import type { HeldStream } from '../catalogue/record.js'
import { syncDirectory } from '../files/durable.js'
import type { Holdings } from '../held/holdings.js'
import { VersionDir, versionDirs } from '../versions/version-dir.js'
import type { TreeUses } from './uses.js'
import {
  beginRecord,
  dropPlainRecord,
  dropRecords,
  markShown,
  shownVersions,
} from './version-records.js'

export interface VersionsSpec {
  readonly storage: Pick<Storage, 'placeEntries' | 'lookAt'>
  readonly dir: DataDirHandle
  /** Path of `dir`. */
  readonly dataDir: string
  readonly holdings: Holdings
  /** Versions before the present one that are kept; default 1, which is the least. */
  readonly keep?: number
  /** Which of them are read; undefined: none. */
  readonly uses?: TreeUses
}

const slash = 0x2f
const recordsAtOnce = 64
const newDirectory = 0o755
/** Others may look for what they know in the hidden directory, and see no list of it. */
const hiddenMode = 0o711

export class Versions {
  readonly #spec: VersionsSpec
  readonly #name: Uint8Array
  readonly #versions: VersionDir

  /** `name`: of the tree. */
  constructor(spec: VersionsSpec, name: Uint8Array) {
    this.#spec = spec
    this.#name = name
    this.#versions = new VersionDir(spec.dataDir, name)
  }

  /** As a name of the storage. */
  nameOf(version: number): Uint8Array {
    return this.#versions.nameOf(version)
  }

  /** Somebody reads it. */
  isUsed(version: number): boolean {
    return this.#spec.uses?.isUsed(this.nameOf(version)) === true
  }

  /** The one that the name of the tree leads to; null: the name is no link to one of its own. */
  present(): Promise<number | null> {
    return this.#versions.present()
  }

  /**
   * The present version, and a number that no version has, of which there is a record from here on;
   * what was left unfinished goes. `keep`: earlier versions that are to be kept from now on, at
   * least.
   */
  async begin(keep?: number): Promise<{ readonly present: number | null; readonly next: number }> {
    const present = await this.tidy()
    await this.#versions.make()
    if (keep !== undefined) await this.#versions.want(keep)
    await this.#openWay()
    const numbers = (await this.#versions.versions()).map(({ number }) => number)
    const next = Math.max(present ?? 0, ...numbers) + 1
    await beginRecord(this.#spec.dataDir, this.#name, next)
    return { present, next }
  }

  /**
   * From here on, and at once, the name leads to this version, all of which is durable: a new one,
   * or one that is kept. The one before is kept. Rejects with what is in the way.
   */
  async show(version: number): Promise<void> {
    const before = await this.present()
    if (before !== null && before !== version) {
      await this.#keepRecords(before)
      await markShown(this.#spec.dataDir, this.#name, before)
    }
    const up = '../'.repeat(this.#versions.depth)
    const target = Buffer.concat([Buffer.from(up), this.nameOf(version)])
    const mtime = { seconds: Math.floor(Date.now() / 1000), nanos: 0 }
    const attributes = { mode: 0o777, mtime }
    const link = { kind: 'symlink', name: this.#name, target, attributes } as const
    await this.#place([{ ...link, replacesDirectories: false }])
    await this.settle(version)
  }

  /** Makes the directory of a version that has nothing in it. */
  async make(version: number): Promise<void> {
    const name = this.nameOf(version)
    const [look] = await this.#spec.storage.lookAt(this.#spec.dir, [name])
    if (look === null) await this.#place([{ kind: 'directory', name, mode: newDirectory }])
  }

  /**
   * Records of files that came by themselves: those of the present version get the names that these
   * files have now, and whatever has no file any more goes.
   */
  async settle(present: number | null): Promise<void> {
    const { catalogue } = this.#spec.holdings
    if (catalogue === undefined) return
    const { prefix } = this.#versions
    const there = new Set(await this.#all())
    // Those of earlier versions of a file are directly there.
    const records = catalogue
      .beneath(Buffer.from(prefix))
      .filter(({ name }) => name.indexOf(slash, prefix.length) >= 0)
    await someAtOnce(records, async (record) => {
      const { name } = record
      const end = name.indexOf(slash, prefix.length)
      const version = Number(Buffer.from(name.subarray(prefix.length, end)).toString('latin1'))
      if (version === present)
        await this.#copyRecord(record, Buffer.concat([this.#name, name.subarray(end)]))
      if (version === present || !there.has(version)) await catalogue.remove(name).catch(() => {})
    })
    if (present !== null) await this.#dropStale(catalogue)
  }

  /** Whatever has the name of the tree soon: records of this version get names that stay. */
  async #keepRecords(version: number): Promise<void> {
    const records = this.#spec.holdings.catalogue?.beneath(this.#beneath) ?? []
    await someAtOnce(records, (record) => {
      const within = record.name.subarray(this.#name.length)
      return this.#copyRecord(record, Buffer.concat([this.nameOf(version), within]))
    })
  }

  async #copyRecord(record: HeldStream, name: Uint8Array): Promise<void> {
    const { holdings } = this.#spec
    const runs = await holdings.catalogue?.runs(record).catch(() => undefined)
    if (runs !== undefined) await holdings.put({ ...record, name }, runs)
  }

  /** Records of files that the present version has not, or has another one in place of. */
  async #dropStale(catalogue: Catalogue): Promise<void> {
    const { storage, dir } = this.#spec
    const records = catalogue.beneath(this.#beneath)
    if (records.length === 0) return
    const looks = await storage.lookAt(
      dir,
      records.map(({ name }) => name),
    )
    const stale = records.filter(({ identity }, at) => {
      const look = looks[at]
      return look?.kind !== 'file' || look.identity.inode !== identity.inode
    })
    await someAtOnce(stale, async (record) => {
      // A file may have been published meanwhile.
      if (catalogue.get(record.name) === record) await catalogue.remove(record.name).catch(() => {})
    })
  }

  /** What names of entries of the tree begin with. */
  get #beneath(): Uint8Array {
    return Buffer.concat([this.#name, Buffer.from('/')])
  }

  /**
   * Removes versions that are not kept, one that is being built among them, unless a mount is in
   * one. Resolves to the present version.
   */
  async tidy(): Promise<number | null> {
    const present = await this.present()
    await this.settle(present)
    const kept = present === null ? [] : [present, ...(await this.#kept(present))]
    if (present !== null)
      for (const number of await this.#all()) if (this.isUsed(number)) kept.push(number)
    // One without a record was never finished.
    await dropRecords(this.#spec.dataDir, this.#name, (number) => !kept.includes(number))
    for (const version of await this.#all()) if (!kept.includes(version)) await this.remove(version)
    if (present === null) await this.#versions.dropEmpty()
    else await dropPlainRecord(this.#spec.dataDir, this.#name)
    return present
  }

  /** The last one that had the name first. */
  async #kept(present: number): Promise<number[]> {
    const { dataDir, keep: least = 0 } = this.#spec
    const shown = await shownVersions(dataDir, this.#name, present)
    const keep = Math.max(least, (await this.#versions.wanted()) ?? 0, 1)
    return shown.map(({ number }) => number).slice(0, Math.min(keep, limits.versionsPerTree))
  }

  /** The tree is removed: so are its versions, unless the name still leads to one. */
  async removeAll(): Promise<void> {
    if ((await this.present()) !== null || (await this.#all()).length === 0) return
    await this.#versions.want(0)
    await this.tidy()
  }

  /** With all that is in it, unless something is mounted there; never the present one. */
  async remove(version: number): Promise<void> {
    if (version === (await this.present())) return
    const step = { kind: 'remove', name: this.nameOf(version), isWhole: true } as const
    await this.#spec.storage.placeEntries(this.#spec.dir, [step])
    const { catalogue } = this.#spec.holdings
    const prefix = Buffer.concat([this.nameOf(version), Buffer.from('/')])
    await someAtOnce(catalogue?.beneath(prefix) ?? [], async ({ name }) =>
      catalogue?.remove(name).catch(() => {}),
    )
  }

  /** A version that is kept, with its record; false: it is the present one, and stays. */
  async drop(version: number): Promise<boolean> {
    if (version === (await this.present())) return false
    await dropRecords(this.#spec.dataDir, this.#name, (number) => number === version)
    await this.remove(version)
    return true
  }

  async #place(steps: Parameters<Storage['placeEntries']>[1]): Promise<void> {
    for (const { failure } of await this.#spec.storage.placeEntries(this.#spec.dir, steps))
      if (failure !== null) throw new FrError(failure.code, failure.text)
  }

  async #all(): Promise<number[]> {
    const found = await this.#versions.versions()
    return found.flatMap(({ number, kind }) => (kind === 'directory' ? number : []))
  }

  /** For whoever goes through the link. */
  async #openWay(): Promise<void> {
    const hidden = join(this.#spec.dataDir, hiddenDir)
    if (((await lstat(hidden)).mode & 0o777) === hiddenMode) return
    await chmod(hidden, hiddenMode)
    await syncDirectory(hidden)
  }
}

/** In the order in which they come, a few at once: they are written down together. */
async function someAtOnce(
  records: readonly HeldStream[],
  work: (record: HeldStream) => Promise<void>,
): Promise<void> {
  for (let at = 0; at < records.length; at += recordsAtOnce)
    await Promise.all(records.slice(at, at + recordsAtOnce).map(work))
}

/** What processes that were killed left of all trees goes. */
export async function tidyVersions(spec: VersionsSpec): Promise<void> {
  for (const { name } of await versionDirs(spec.dataDir)) await new Versions(spec, name).tidy()
}
