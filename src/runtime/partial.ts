/**
 * The files of a reception: the partial, and the scratch in which repairs land. Created together,
 * closed together; the scratch never outlives the reception, the partial only when it is to be
 * kept.
 */
import type { StreamEntry } from '../control/types.js'
import { FrError } from '../errors.js'
import type { ByteRange, DataDirHandle, FileHandle, Storage } from '../ports.js'

export class Partial {
  readonly #storage: Storage
  readonly #dir: DataDirHandle
  readonly #id: string
  #file: FileHandle | undefined
  #scratch: FileHandle | undefined
  #isPublished = false

  /** `id` is the transfer's. */
  constructor(storage: Storage, dir: DataDirHandle, id: string) {
    this.#storage = storage
    this.#dir = dir
    this.#id = id
  }

  get file(): FileHandle {
    return this.#file as FileHandle
  }

  get scratch(): FileHandle {
    return this.#scratch as FileHandle
  }

  get isPublished(): boolean {
    return this.#isPublished
  }

  /** One after the other: a partial whose twin failed must be known to be discarded. */
  async create(bytes: number): Promise<void> {
    this.#file = await this.#create(this.#id, bytes)
    this.#scratch = await this.#create(this.#scratchId, bytes)
  }

  /** What an earlier try of the same transfer left here gives way: this node was added again. */
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
    return this.#storage.copyIn(this.scratch, this.file, range)
  }

  async publish(name: Uint8Array, entry: StreamEntry, noClobber: boolean): Promise<void> {
    await this.#storage.publish(this.#dir, {
      file: this.file,
      id: this.#id,
      name,
      mode: entry.mode,
      mtime: { seconds: entry.mtimeSeconds, nanos: entry.mtimeNanos },
      noClobber,
    })
    this.#isPublished = true
  }

  /**
   * Closes what is open and removes what is not to be kept. Calls back for what cannot be
   * removed.
   */
  async release(keepPartial: boolean, failed: (id: string, error: unknown) => void): Promise<void> {
    if (this.#file === undefined) return
    this.#storage.closeFile(this.#file)
    if (this.#scratch !== undefined) this.#storage.closeFile(this.#scratch)
    const ids = [this.#scratchId]
    if (!this.#isPublished && !keepPartial) ids.push(this.#id)
    for (const id of ids) {
      await this.#storage.discard(this.#dir, id).catch((error: unknown) => failed(id, error))
    }
  }

  get #scratchId(): string {
    return `${this.#id}.scratch`
  }
}
