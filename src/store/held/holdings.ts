/**
 * The files that a node holds whole: the catalogue of its data directory, compared with the files.
 *
 * The idea: a record describes one file at one moment, and the file system tells whether that file
 * is still there (FileIdentity). Whoever uses a record opens the file through here; a record whose
 * file was changed, removed or replaced is dropped before a byte of the file is used.
 */
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import type { Logger } from '../../base/log.js'
import { isHidden, nameBelow, splitName } from '../../base/names.js'
import type { DataDirHandle, FileHandle, FileIdentity, Storage } from '../../ports.js'
import type { Catalogue } from '../catalogue/catalogue.js'
import type { DigestRun, HeldStream } from '../catalogue/record.js'
import { isSameButLinked, isSameFile } from '../catalogue/same-file.js'
import { keyOf } from '../files/plain.js'

export interface HoldingsSpec {
  readonly storage: Pick<Storage, 'openHeld' | 'identityOf' | 'closeFile' | 'lookAt'>
  readonly dir: DataDirHandle
  /** That of the present directory; undefined: there is none now. */
  readonly catalogue: () => Catalogue | undefined
  readonly log: Logger
  /** Other nodes give files of the directory names, and take them. */
  readonly isShared?: boolean
}

export class Holdings {
  readonly spec: HoldingsSpec
  /** Keys of names whose files get and lose links now: earlier versions are kept so. */
  readonly linked = new Set<string>()

  constructor(spec: HoldingsSpec) {
    this.spec = spec
  }

  get catalogue(): Catalogue | undefined {
    return this.spec.catalogue()
  }

  /** Durable when it resolves. Never rejects: a file without a record is only not known. */
  async put(record: HeldStream, runs: readonly DigestRun[]): Promise<void> {
    try {
      await this.catalogue?.put(record, runs)
    } catch (error) {
      this.#failed(error)
    }
  }

  /**
   * Removes a record unless another one has taken its place, or the catalogue is only read. Never
   * rejects.
   */
  async drop(record: HeldStream, why: 'changed' | 'missing' | 'bad'): Promise<void> {
    const { name } = record
    // What is in a version that nobody has seen is looked at by nobody.
    if (isHidden(name)) return
    if (this.catalogue?.get(name) !== record || this.catalogue.isReadOnly) return
    this.#warn('held-dropped', { name: Buffer.from(name).toString(), why })
    try {
      await this.catalogue.remove(name)
    } catch (error) {
      this.#failed(error)
    }
  }

  /**
   * The file of a record, open, once it is found to be the one described; the caller closes it.
   * Undefined: it is not, and the record is dropped. Rejects when the system cannot tell.
   */
  async openUnchanged(record: HeldStream): Promise<FileHandle | undefined> {
    const { storage, dir } = this.spec
    const file = await openNow(storage, dir, record.name)
    if (file === undefined) {
      await this.drop(record, 'missing')
      return undefined
    }
    try {
      if (await this.isDescribed(await storage.identityOf(file), record)) return file
    } catch (error) {
      storage.closeFile(file)
      throw error
    }
    storage.closeFile(file)
    await this.drop(record, 'changed')
    return undefined
  }

  /**
   * The same for whoever can do without: undefined also while a disk that has a part of the file is
   * not there, and then the record stays.
   */
  async openWhole(record: HeldStream): Promise<FileHandle | undefined> {
    return this.openUnchanged(record).catch((error: unknown) => {
      if (error instanceof FrError && error.code === 'ERR_FR_DATA_DIR_GONE') return undefined
      throw error
    })
  }

  /** Whether the file of a record is the one described; else the record is dropped. */
  async isUnchanged(record: HeldStream): Promise<boolean> {
    const file = await this.openWhole(record)
    if (file !== undefined) this.spec.storage.closeFile(file)
    return file !== undefined
  }

  /**
   * Whether a file of the name of this record is the one described. One that is a version, or in
   * one, gets and loses links as versions come and go.
   */
  async isDescribed(now: FileIdentity, record: HeldStream): Promise<boolean> {
    const { name, identity } = record
    if (isSameFile(now, identity)) return true
    if (!isSameButLinked(now, identity)) return false
    const isLinked = this.spec.isShared || isHidden(name) || this.linked.has(keyOf(name))
    if (!isLinked && !(await this.#isInVersion(name))) return false
    if (this.catalogue?.get(name) === record) await this.relinked(name, now)
    return true
  }

  /** Whether somebody changed a file between two looks. */
  isSame(one: FileIdentity, other: FileIdentity): boolean {
    return this.spec.isShared ? isSameButLinked(one, other) : isSameFile(one, other)
  }

  /** A file of this name has got another one, and is `now` what it was. Never rejects. */
  async relinked(name: Uint8Array, now: FileIdentity): Promise<void> {
    const record = this.catalogue?.get(name)
    if (record === undefined || !isSameButLinked(now, record.identity)) return
    await this.catalogue?.refresh({ ...record, identity: now }).catch(() => {})
  }

  /** Of a name that was opened: the only links on the way to such a one lead to versions. */
  async #isInVersion(name: Uint8Array): Promise<boolean> {
    const { storage, dir } = this.spec
    const above: Uint8Array[] = []
    for (const component of splitName(Buffer.from(name)).slice(0, -1))
      above.push(nameBelow(above.at(-1) ?? new Uint8Array(), component))
    const looks = await storage.lookAt(dir, above)
    return looks.some((look) => look?.kind === 'symlink')
  }

  #failed(error: unknown): void {
    const { code, message: text } = asFrError(error, 'ERR_FR_CATALOGUE')
    this.#warn('catalogue-failed', { code, text })
  }

  #warn(event: string, fields: Readonly<Record<string, string>>): void {
    this.spec.log({ level: 'warn', event, fields })
  }
}

/** Undefined when no regular file has this name now. */
export async function openNow(
  storage: Pick<Storage, 'openHeld'>,
  dir: DataDirHandle,
  name: Uint8Array,
): Promise<FileHandle | undefined> {
  try {
    return await storage.openHeld(dir, name)
  } catch (error) {
    const isGone =
      error instanceof FrError && ['ERR_FR_NOT_HELD', 'ERR_FR_NAME'].includes(error.code)
    if (isGone) return undefined
    throw error
  }
}
