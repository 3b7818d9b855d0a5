/**
 * Where the versions of a name are: `DATA/.fastreplica/versions/KEY/`. In it `name` holds the name,
 * and N is a version, the file of a file or the directory of a tree that changes all at once. N
 * counts up, whatever the clock says. `keep` is how many versions a push has asked for.
 */
import { chmod, mkdir, readdir, readlink, rmdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from '../../base/limits.js'
import { hiddenDir, versionOfLink, versionsDir } from '../../base/names.js'
import { readKept, replaceFile, syncDirectory, writeAll } from '../files/durable.js'
import { dirKeyOf } from '../files/plain.js'

const newDirectory = 0o755
const keepBytesMax = 16
const numberPattern = /^[1-9]\d{0,8}$/
const slash = 0x2f

export interface FoundVersion {
  readonly number: number
  readonly kind: 'file' | 'directory'
}

export class VersionDir {
  readonly name: Uint8Array
  /** Of the names that the storage has for versions. */
  readonly prefix: string
  readonly path: string
  readonly #dataDir: string

  constructor(dataDir: string, name: Uint8Array) {
    this.name = name
    this.#dataDir = dataDir
    this.prefix = `${hiddenDir}/${versionsDir}/${dirKeyOf(name)}/`
    this.path = join(dataDir, this.prefix)
  }

  /** As a name of the storage. */
  nameOf(version: number): Uint8Array {
    return Buffer.from(`${this.prefix}${version}`)
  }

  /** NaN where this is not the name of a version. */
  numberOf(name: Uint8Array): number {
    const text = Buffer.from(name).toString('latin1')
    const digits = text.startsWith(this.prefix) ? text.slice(this.prefix.length) : ''
    return numberPattern.test(digits) ? Number(digits) : Number.NaN
  }

  /** Directories above the name. */
  get depth(): number {
    return this.name.filter((byte) => byte === slash).length
  }

  /** The version that the name leads to; null: the name is no link to one of its own. */
  async present(): Promise<number | null> {
    const path = Buffer.concat([Buffer.from(`${this.#dataDir}/`), this.name])
    const target = await readlink(path, { encoding: 'buffer' }).catch(orNothing)
    const found = target && versionOfLink(target, this.depth)
    const number = found === null ? Number.NaN : this.numberOf(found)
    return Number.isNaN(number) ? null : number
  }

  /** In no order. */
  async versions(): Promise<FoundVersion[]> {
    const entries = await readdir(this.path, { withFileTypes: true }).catch(orNothing)
    return (entries ?? []).flatMap((entry) => {
      const kind = entry.isDirectory() ? 'directory' : entry.isFile() ? 'file' : null
      const isVersion = numberPattern.test(entry.name)
      return kind === null || !isVersion ? [] : { number: Number(entry.name), kind }
    })
  }

  /** Idempotent; durable. */
  async make(): Promise<void> {
    const known = await readKept(join(this.path, 'name'), limits.nameBytes)
    if (known?.equals(this.name)) return
    const hidden = join(this.#dataDir, hiddenDir)
    await mkdir(this.path, { recursive: true, mode: newDirectory })
    for (const path of [join(hidden, versionsDir), this.path]) await chmod(path, newDirectory)
    await replaceFile(join(this.path, 'name'), (file) => writeAll(file, this.name, 0))
    for (const path of [this.path, join(hidden, versionsDir), hidden]) await syncDirectory(path)
  }

  /** How many versions a push has asked for; null: none has. */
  async wanted(): Promise<number | null> {
    const text = await readKept(join(this.path, 'keep'), keepBytesMax)
    const count = text === null ? Number.NaN : Number(text.toString('latin1'))
    return Number.isInteger(count) && count >= 0 ? Math.min(count, limits.versionsPerName) : null
  }

  /** The directory is there. Durable. */
  async want(count: number): Promise<void> {
    const path = join(this.path, 'keep')
    if (count === 0) await unlink(path).catch(orNothing)
    else await replaceFile(path, (file) => writeAll(file, Buffer.from(`${count}`), 0))
    await syncDirectory(this.path)
  }

  /** Removes the directory where no version is in it, and none is wanted. */
  async dropEmpty(): Promise<void> {
    if ((await this.versions()).length > 0 || (await this.wanted()) !== null) return
    for (const file of (await readdir(this.path).catch(orNothing)) ?? [])
      await unlink(join(this.path, file)).catch(orNothing)
    await rmdir(this.path).catch(() => {})
  }
}

/** Of all names that have one. What is not as it was made goes. */
export async function versionDirs(dataDir: string): Promise<VersionDir[]> {
  const path = join(dataDir, hiddenDir, versionsDir)
  const found: VersionDir[] = []
  for (const key of (await readdir(path).catch(orNothing)) ?? []) {
    const name = await readKept(join(path, key, 'name'), limits.nameBytes).catch(() => null)
    if (name !== null && dirKeyOf(name) === key) found.push(new VersionDir(dataDir, name))
    else if (name === null) await rmdir(join(path, key)).catch(() => {})
  }
  return found
}

/** Nothing is there, or something that is no directory. */
export function orNothing(error: unknown): null {
  const { code } = error as NodeJS.ErrnoException
  if (['ENOENT', 'ENOTDIR', 'EINVAL'].includes(code ?? '')) return null
  throw error
}
