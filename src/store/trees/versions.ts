/**
 * Versions of a tree that changes all at once: `DATA/.fastreplica/versions/KEY/N`, and the name of
 * the tree is a symlink to the present one.
 *
 * The idea: a version is built out of sight, and one rename of the symlink shows it. N counts up,
 * so whatever is younger than the present version was never shown, and goes; of the older ones the
 * last stays, for whoever still reads it, until the next version is shown, and as many before it as
 * somebody wants. Files of several versions are hard links, so that a version takes no more room
 * than what has changed.
 */
import { chmod, lstat, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { hiddenDir, isWithin, versionOfLink } from '../../base/names.js'
import type { DataDirHandle, Storage } from '../../ports.js'
import { syncDirectory } from '../files/durable.js'
import type { Holdings } from '../held/holdings.js'
import { orNothing, VersionDir, versionDirs } from '../versions/version-dir.js'

export interface VersionsSpec {
  readonly storage: Pick<Storage, 'placeEntries' | 'lookAt'>
  readonly dir: DataDirHandle
  /** Path of `dir`. */
  readonly dataDir: string
  readonly holdings: Holdings
  /** Versions before the present one that are kept; default 1, which is the least. */
  readonly keep?: number
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

  /** The one that the name of the tree leads to; null: the name is no link to one of its own. */
  async present(): Promise<number | null> {
    const path = Buffer.concat([Buffer.from(`${this.#spec.dataDir}/`), this.#name])
    const target = await readlink(path, { encoding: 'buffer' }).catch(orNothing)
    const found = target && versionOfLink(target, this.#depth)
    const text = found === null ? '' : Buffer.from(found).toString('latin1')
    const { prefix } = this.#versions
    return text.startsWith(prefix) ? Number(text.slice(prefix.length)) : null
  }

  /**
   * The present version, and a number that no version has; what was left unfinished goes. `keep`:
   * earlier versions that are to be kept from now on, at least.
   */
  async begin(keep?: number): Promise<{ readonly present: number | null; readonly next: number }> {
    const present = await this.present()
    await this.tidy(present)
    await this.#versions.make()
    if (keep !== undefined) await this.#versions.want(keep)
    await this.#openWay()
    const numbers = (await this.#versions.versions()).map(({ number }) => number)
    return { present, next: Math.max(present ?? 0, ...numbers) + 1 }
  }

  /**
   * From here on, and at once, the name leads to this version, all of which is durable. Rejects
   * with what is in the way.
   */
  async show(version: number): Promise<void> {
    const target = Buffer.concat([Buffer.from('../'.repeat(this.#depth)), this.nameOf(version)])
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

  /** Records of files that came by themselves get the names that these files have now, or go. */
  async settle(present: number | null): Promise<void> {
    const { holdings } = this.#spec
    const { catalogue } = holdings
    if (catalogue === undefined) return
    const shown = present === null ? null : this.nameOf(present)
    const { prefix } = this.#versions
    // Those of earlier versions of a file are directly there.
    const records = catalogue
      .beneath(Buffer.from(prefix))
      .filter(({ name }) => name.indexOf(slash, prefix.length) >= 0)
    for (let at = 0; at < records.length; at += recordsAtOnce)
      await Promise.all(
        records.slice(at, at + recordsAtOnce).map(async (record) => {
          const { name } = record
          if (shown !== null && isWithin(name, shown)) {
            const below = name.subarray(shown.length)
            const runs = await catalogue.runs(record).catch(() => null)
            const named = { ...record, name: Buffer.concat([this.#name, below]) }
            if (runs !== null) await holdings.put(named, runs)
          }
          await catalogue.remove(name).catch(() => {})
        }),
      )
  }

  /** Removes versions that are not kept, unless a mount is in one. */
  async tidy(present: number | null): Promise<void> {
    await this.settle(present)
    const all = await this.#all()
    const older = present === null ? [] : all.filter((version) => version < present)
    const keep = Math.max(this.#spec.keep ?? 0, (await this.#versions.wanted()) ?? 0, 1)
    const kept = older.sort((a, b) => b - a).slice(0, Math.min(keep, limits.versionsPerTree))
    for (const version of all)
      if (version !== present && !kept.includes(version)) await this.remove(version)
    if (present === null) await this.#versions.dropEmpty()
  }

  /** The tree is removed: so are its versions, unless the name still leads to one. */
  async removeAll(): Promise<void> {
    if ((await this.present()) !== null || (await this.#all()).length === 0) return
    await this.#versions.want(0)
    await this.tidy(null)
  }

  /** With all that is in it, unless something is mounted there; never the present one. */
  async remove(version: number): Promise<void> {
    if (version === (await this.present())) return
    const step = { kind: 'remove', name: this.nameOf(version), isWhole: true } as const
    await this.#spec.storage.placeEntries(this.#spec.dir, [step])
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

  /** Directories above the name. */
  get #depth(): number {
    return this.#name.filter((byte) => byte === slash).length
  }
}

/** What processes that were killed left of all trees goes. */
export async function tidyVersions(spec: VersionsSpec): Promise<void> {
  for (const { name } of await versionDirs(spec.dataDir)) {
    const versions = new Versions(spec, name)
    await versions.tidy(await versions.present())
  }
}
