/**
 * Versions of a tree that changes all at once: `DATA/.fastreplica/versions/KEY/N`, and the name of
 * the tree is a symlink to the present one.
 *
 * The idea: a version is built out of sight, and one rename of the symlink shows it. N counts up,
 * so whatever is younger than the present version was never shown, and goes; of the older ones the
 * last stays, for whoever still reads it, until the next version is shown. Files of several
 * versions are hard links, so that a version takes no more room than what has changed.
 */
import { chmod, lstat, mkdir, readdir, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { hiddenDir, isWithin, versionOfLink, versionsDir } from '../../base/names.js'
import type { DataDirHandle, Storage } from '../../ports.js'
import { readKept, replaceFile, syncDirectory, writeAll } from '../files/durable.js'
import type { Holdings } from '../held/holdings.js'
import { keyOfTree } from './tree-record.js'

export interface VersionsSpec {
  readonly storage: Pick<Storage, 'placeEntries' | 'lookAt'>
  readonly dir: DataDirHandle
  /** Path of `dir`. */
  readonly dataDir: string
  readonly holdings: Holdings
}

const slash = 0x2f
const recordsAtOnce = 64
const newDirectory = 0o755
/** Others may look for what they know in the hidden directory, and see no list of it. */
const hiddenMode = 0o711

export class Versions {
  readonly #spec: VersionsSpec
  readonly #name: Uint8Array
  readonly #key: string

  /** `name`: of the tree. */
  constructor(spec: VersionsSpec, name: Uint8Array) {
    this.#spec = spec
    this.#name = name
    this.#key = keyOfTree(name)
  }

  /** As a name of the storage. */
  nameOf(version: number): Uint8Array {
    return Buffer.from(`${this.#prefix}${version}`)
  }

  /** The one that the name of the tree leads to; null: the name is no link to one of its own. */
  async present(): Promise<number | null> {
    const path = Buffer.concat([Buffer.from(`${this.#spec.dataDir}/`), this.#name])
    const target = await readlink(path, { encoding: 'buffer' }).catch(orNothing)
    const found = target && versionOfLink(target, this.#depth)
    const text = found === null ? '' : Buffer.from(found).toString('latin1')
    return text.startsWith(this.#prefix) ? Number(text.slice(this.#prefix.length)) : null
  }

  /** The present version, and a number that no version has; what was left unfinished goes. */
  async begin(): Promise<{ readonly present: number | null; readonly next: number }> {
    const present = await this.present()
    await this.tidy(present)
    await this.#makeDirectories()
    return { present, next: Math.max(present ?? 0, ...(await this.#all())) + 1 }
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
    const records = catalogue.beneath(Buffer.from(this.#prefix))
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

  /** Removes all versions but the present one and the last before it, unless a mount is in one. */
  async tidy(present: number | null): Promise<void> {
    await this.settle(present)
    const all = await this.#all()
    const older = present === null ? [] : all.filter((version) => version < present)
    const last = Math.max(...older)
    for (const version of all)
      if (version !== present && version !== last) await this.remove(version)
    if (present === null && (await this.#all()).length === 0)
      await rm(this.#path, { recursive: true, force: true })
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
    const names = await readdir(this.#path).catch(orNothing)
    return (names ?? []).filter((name) => /^[1-9]\d{0,8}$/.test(name)).map(Number)
  }

  async #makeDirectories(): Promise<void> {
    const hidden = join(this.#spec.dataDir, hiddenDir)
    await mkdir(this.#path, { recursive: true, mode: newDirectory })
    for (const path of [join(hidden, versionsDir), this.#path]) await chmod(path, newDirectory)
    if (((await lstat(hidden)).mode & 0o777) !== hiddenMode) await chmod(hidden, hiddenMode)
    await replaceFile(join(this.#path, 'name'), (file) => writeAll(file, this.#name, 0))
    await syncDirectory(join(hidden, versionsDir))
    await syncDirectory(hidden)
  }

  get #prefix(): string {
    return `${hiddenDir}/${versionsDir}/${this.#key}/`
  }

  get #path(): string {
    return join(this.#spec.dataDir, this.#prefix)
  }

  /** Directories above the name. */
  get #depth(): number {
    return this.#name.filter((byte) => byte === slash).length
  }
}

/** What processes that were killed left of all trees goes. */
export async function tidyVersions(spec: VersionsSpec): Promise<void> {
  const path = join(spec.dataDir, hiddenDir, versionsDir)
  for (const key of (await readdir(path).catch(orNothing)) ?? []) {
    const name = await readKept(join(path, key, 'name'), limits.nameBytes).catch(() => null)
    if (name === null || keyOfTree(name) !== key) continue
    const versions = new Versions(spec, name)
    await versions.tidy(await versions.present())
  }
}

/** Nothing is there, or something that is no link or no directory. */
function orNothing(error: unknown): null {
  const { code } = error as NodeJS.ErrnoException
  if (['ENOENT', 'ENOTDIR', 'EINVAL'].includes(code ?? '')) return null
  throw error
}
