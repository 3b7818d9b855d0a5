/**
 * Files of a reception: the partial, and the scratch file in which repairs land. They are created
 * and closed together. The scratch file never outlives the reception; the partial does only when it
 * is kept.
 *
 * Their ids are `TRANSFER.TITLE`, and the scratch file's id also ends in `.scratch`. TRANSFER is
 * the one that made them, TITLE is for people. The journal says what is in a partial
 * (leftovers.ts).
 */
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { type RangePair, RangeSet } from '../base/ranges.js'
import type { StreamEntry } from '../control/messages/types.js'
import type {
  ByteRange,
  DataDirHandle,
  FileHandle,
  FileIdentity,
  FlushedFile,
  LostAttribute,
  PublishSpec,
  Storage,
} from '../ports.js'
import { isSameButLinked, isSameFile } from './catalogue/same-file.js'

const scratchSuffix = '.scratch'

/** End of a name as an id can hold it. */
function shortened(name: Uint8Array): string {
  const last = Buffer.from(name).toString('utf8').split('/').at(-1) ?? ''
  return last.replace(/[^A-Za-z0-9._-]/g, '_').slice(-limits.keptNameChars)
}

/** Title in an id, or the id itself when it has none. */
export function titleOf(id: string): string {
  return /^[0-9a-f]{32}\.(.+?)(?:\.scratch)?$/.exec(id)?.[1] ?? id
}

export function isScratch(id: string): boolean {
  return id.endsWith(scratchSuffix)
}

export interface PartialSpec {
  readonly transfer: string
  readonly entry: StreamEntry
  readonly noClobber: boolean
}

export type Place = (spec: PublishSpec) => Promise<readonly LostAttribute[]>

export class Partial {
  readonly #storage: Storage
  readonly #dir: DataDirHandle
  readonly #name: Uint8Array
  #spec: PartialSpec
  readonly #ownId: string
  #id: string
  #file: FileHandle | undefined
  #scratch: FileHandle | undefined
  #isPublished = false
  #borrowed: FileIdentity | undefined
  #isSame = isSameFile
  #from: readonly FileHandle[] = []
  #giveBack: () => void = () => {}
  readonly #toBring = new RangeSet()
  #isSound = true

  constructor(storage: Storage, dir: DataDirHandle, name: Uint8Array, spec: PartialSpec) {
    this.#storage = storage
    this.#dir = dir
    this.#name = name
    this.#spec = spec
    this.#ownId = `${spec.transfer}.${shortened(name)}`
    this.#id = this.#ownId
  }

  /** Path below the data directory. */
  get path(): string {
    return `.fastreplica/partials/${this.#id}`
  }

  get file(): FileHandle {
    return this.#file as FileHandle
  }

  /** Undefined where nothing is missing. */
  get scratch(): FileHandle | undefined {
    return this.#scratch
  }

  /** True when the files exist and are not published. */
  get isLanding(): boolean {
    return this.#file !== undefined && !this.#isPublished
  }

  get isPublished(): boolean {
    return this.#isPublished
  }

  /** Id of the partial. */
  get id(): string {
    return this.#id
  }

  /** Opens a partial that an earlier transfer left; false: it is gone, or somebody else has it. */
  async reopen(id: string): Promise<boolean> {
    try {
      this.#file = await this.#storage.openPartial(this.#dir, id)
    } catch {
      return false
    }
    this.#id = id
    return true
  }

  /** Gives a reopened partial back as it is. */
  leave(): void {
    this.#storage.closeFile(this.file)
    this.#file = undefined
    this.#id = this.#ownId
  }

  /** Goes on with a reopened partial. */
  async resume(bytes: number): Promise<void> {
    this.#scratch = await this.#create(this.#scratchId, bytes)
  }

  /**
   * Takes the published file itself, of which nothing is missing; it is closed here. `isLinked`:
   * others give it names, and take them.
   */
  borrow(file: FileHandle, identity: FileIdentity, isLinked = false): void {
    this.#isSame = isLinked ? isSameButLinked : isSameFile
    this.#file = file
    this.#borrowed = identity
    this.#isPublished = true
  }

  /** True when the file is the published one itself. */
  get isBorrowed(): boolean {
    return this.#borrowed !== undefined
  }

  /** Whether the published file is still what it was. */
  async isUnchanged(): Promise<boolean> {
    const now = await this.#storage.identityOf(this.file)
    return this.#borrowed !== undefined && this.#isSame(now, this.#borrowed)
  }

  /** What was still written has this size and these attributes in the end. */
  endsAs(entry: StreamEntry): void {
    this.#spec = { ...this.#spec, entry }
  }

  get entry(): StreamEntry {
    return this.#spec.entry
  }

  /** Other files of the node that have some of the content; closed and given back here. */
  copyFrom(files: readonly FileHandle[], giveBack: () => void = () => {}): void {
    this.#from = files
    this.#giveBack = giveBack
  }

  /** Copies bytes of one of those files to this place. */
  fill(range: ByteRange, at: number, of: number): Promise<void> {
    return this.#storage.copyIn(this.#from[of] as FileHandle, this.file, range, at)
  }

  /** `bring` copies these bytes from the first of those files. */
  toBring(ranges: Iterable<RangePair>): void {
    for (const range of ranges) this.#toBring.add(...range)
  }

  /** What `bring` has not brought. */
  get bytesToBring(): number {
    return this.#toBring.bytes
  }

  /** True when bytes come from another file of the node. */
  get isCopied(): boolean {
    return this.#from.length > 0
  }

  /**
   * What of this range another file of the node has is in the partial when it resolves. Each byte
   * is copied once: what was repaired since stays.
   */
  async bring({ offset, length }: ByteRange): Promise<void> {
    const ranges = this.#toBring.present(offset, length)
    this.#toBring.remove(offset, length)
    for (const [at, bytes] of ranges) await this.fill({ offset: at, length: bytes }, at, 0)
  }

  /** One after the other: if the second fails, the first must be known to be discarded. */
  async create(bytes: number): Promise<void> {
    this.#file = await this.#create(this.#id, bytes)
    this.#scratch = await this.#create(this.#scratchId, bytes)
  }

  /** Replaces what an earlier attempt of the same transfer left, when a node is added again. */
  async #create(id: string, bytes: number): Promise<FileHandle> {
    try {
      return await this.#storage.createPartial(this.#dir, id, bytes)
    } catch (error) {
      if (!(error instanceof FrError) || error.code !== 'ERR_FR_EXISTS') throw error
      await this.#storage.discard(this.#dir, id)
      return this.#storage.createPartial(this.#dir, id, bytes)
    }
  }

  copyIn(range: ByteRange): Promise<void> {
    return this.#storage.copyIn(this.#scratch as FileHandle, this.file, range)
  }

  /** Attributes that the file system will not keep; rejects if the file could not be published. */
  probe(): Promise<readonly LostAttribute[]> {
    return this.#storage.probe(this.#dir, this.#publication())
  }

  async flush(): Promise<FlushedFile> {
    const flushed = await this.#toDisk(this.#storage.flush(this.file))
    // What is left of it is sound.
    if (flushed.wasLost) throw new FrError('ERR_FR_IO', 'a disk that had a part of it has failed')
    return flushed
  }

  async #toDisk<T>(work: Promise<T>): Promise<T> {
    this.#isSound = false
    const done = await work
    this.#isSound = true
    return done
  }

  /** False: the system has failed to write what was verified, and may show it no more. */
  get isSound(): boolean {
    return this.#isSound
  }

  /** `place`: gives it another place than its name. */
  async publish(place?: Place): Promise<readonly LostAttribute[]> {
    const spec = this.#publication()
    const lost = await this.#toDisk(place?.(spec) ?? this.#storage.publish(this.#dir, spec))
    this.#isPublished = true
    // Whoever keeps versions may count without it from here on.
    this.#giveBack()
    return lost
  }

  #publication(): PublishSpec {
    const { entry, noClobber } = this.#spec
    return {
      file: this.file,
      id: this.#id,
      name: this.#name,
      mode: entry.mode,
      mtime: { seconds: entry.mtimeSeconds, nanos: entry.mtimeNanos },
      noClobber,
    }
  }

  /** Leaves only what landed allocated. Rejects when the disk does not. */
  async trim(): Promise<void> {
    if (this.isLanding) await this.#storage.trim(this.file)
  }

  /**
   * Closes the files and removes those not to be kept. Calls `failed` for a file that cannot be
   * removed.
   */
  async release(keepPartial: boolean, failed: (id: string, error: unknown) => void): Promise<void> {
    if (this.#file === undefined) return
    const isKept = keepPartial && !this.#isPublished
    this.#storage.closeFile(this.#file)
    for (const file of this.#from) this.#storage.closeFile(file)
    this.#giveBack()
    if (this.#scratch !== undefined) this.#storage.closeFile(this.#scratch)
    const ids = this.#scratch === undefined ? [] : [this.#scratchId]
    if (!this.#isPublished && !isKept) ids.push(this.#id)
    for (const id of ids) {
      await this.#storage.discard(this.#dir, id).catch((error: unknown) => failed(id, error))
    }
  }

  get #scratchId(): string {
    return `${this.#id}${scratchSuffix}`
  }
}
