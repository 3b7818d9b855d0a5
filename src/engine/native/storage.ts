/**
 * Storage on the addon: every call is one operation on a disk thread and resolves with its event.
 * Names are confined by the kernel; nothing here compares paths.
 */
import { join, resolve } from 'node:path'
import { codeFromNative, FrError } from '../../base/errors.js'
import { hiddenDir } from '../../base/names.js'
import type {
  ByteRange,
  DataDirHandle,
  EntryLook,
  EntryOutcome,
  EntryStep,
  FileHandle,
  FileIdentity,
  FlushedFile,
  JoinSpec,
  Leftover,
  ListedEntry,
  LostAttribute,
  PublishSpec,
  SourceFile,
  SourceLook,
  Storage,
} from '../../ports.js'
import { asFrError } from '../checks.js'
import { lockNames, refuseLocked } from '../lock.js'
import { sourceRefusal } from '../source-refusal.js'
import { fromNative, type NativeEngine, nativeError } from './addon.js'
import { bytesOfNames, bytesOfSteps, listedOf, looksOf, outcomesOf } from './entries.js'

interface Pending {
  resolve(done: Done): void
  reject(error: unknown): void
  /** Of the file that is worked on, for what may have to be said of it. */
  readonly path: string
}

class Done {
  readonly numbers: Float64Array
  readonly bytes: Uint8Array

  constructor(numbers: Float64Array, bytes: Uint8Array) {
    this.numbers = numbers
    this.bytes = bytes
  }

  get text(): string {
    return textOf(this.bytes)
  }
}

/** The numbers of native/core/file/file_table.h. */
const writersByNumber: readonly SourceLook['writers'][] = ['none', 'some', 'unknown']

/** In the order of the bits of native/core/file/storage.h. */
const lostAttributes: readonly LostAttribute[] = ['mode', 'mtime']

const partialId = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/

export class NativeStorage implements Storage {
  readonly #engine: NativeEngine
  readonly #pending = new Map<number, Pending>()
  /** Paths, as they are told to people. */
  readonly #files = new Map<FileHandle, string>()
  readonly #dirs = new Map<DataDirHandle, string>()
  /** Those that are locked. */
  readonly #locked = new Set<DataDirHandle>()
  /** Of the paths of those that are open as partials, and not only read. */
  readonly #partials = new Map<string, FileHandle>()
  /** Paths of partials that are being opened. */
  readonly #opening = new Set<string>()
  #next = 1
  #isClosed = false

  constructor(engine: NativeEngine) {
    this.#engine = engine
  }

  /** A kDone event: operation, code, errno, five numbers; `bytes`: the result, or what failed. */
  settle(numbers: Float64Array, bytes: Uint8Array): void {
    const [, operation = 0, code = 0, errno = 0] = numbers
    const pending = this.#pending.get(operation)
    this.#pending.delete(operation)
    if (code === 0) pending?.resolve(new Done(numbers.subarray(4, 9), bytes))
    else if (pending !== undefined) {
      const named = codeFromNative(code)
      // A name is known to whoever chose it; what is wrong with it says the text.
      const path = named === 'ERR_FR_NAME' ? undefined : pending.path
      pending.reject(nativeError(named, errno, textOf(bytes), path))
    }
  }

  /** The engine is gone: nothing that waits will be answered. */
  close(): void {
    this.#isClosed = true
    const waiting = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of waiting) reject(new FrError('ERR_FR_CLOSED'))
  }

  /** The handle, or TypeError when it is unknown or closed. */
  file(handle: FileHandle): FileHandle {
    return known('file', this.#files, handle)
  }

  #dir(handle: DataDirHandle): DataDirHandle {
    return known('data directory', this.#dirs, handle)
  }

  #run(path: string, start: (operation: number) => void): Promise<Done> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new FrError('ERR_FR_CLOSED')
      const operation = this.#next++
      try {
        start(operation)
      } catch (error) {
        throw fromNative(error)
      }
      this.#pending.set(operation, { resolve, reject, path })
    })
  }

  /** Of the engine's, on a file, as one operation. */
  async workOn(file: FileHandle, start: (operation: number) => void): Promise<void> {
    await this.#runOn(file, start)
  }

  /** Work on a file, and in a data directory: a failure names it. */
  #runOn(file: FileHandle, start: (operation: number) => void): Promise<Done> {
    return this.#run(this.#files.get(file) ?? '', start)
  }

  #runIn(dir: DataDirHandle, start: (operation: number) => void): Promise<Done> {
    return this.#run(this.#pathOf(dir), start)
  }

  #pathOf(dir: DataDirHandle): string {
    return this.#dirs.get(dir) ?? ''
  }

  #namePath(dir: DataDirHandle, name: Uint8Array): string {
    return join(this.#pathOf(dir), Buffer.from(name).toString())
  }

  #partialPath(dir: DataDirHandle, id: string): string {
    return join(this.#pathOf(dir), hiddenDir, 'partials', id)
  }

  async openSource(path: string): Promise<SourceFile> {
    const { numbers, text } = await this.#run(path, (op) =>
      this.#engine.openSource(op, path),
    ).catch(async (error: unknown) => {
      throw await sourceRefusal(path, error)
    })
    const [file = 0, size = 0, mode = 0, seconds = 0, nanos = 0] = numbers
    this.#files.set(file, path)
    const [dataBytes = size, ...borders] = text.split(' ').map(Number)
    const holes: ByteRange[] = []
    for (let i = 0; i + 1 < borders.length; i += 2)
      holes.push({ offset: borders[i] as number, length: borders[i + 1] as number })
    return { file, size, mode, mtime: { seconds, nanos }, dataBytes, holes }
  }

  async checkSource(file: FileHandle): Promise<SourceLook> {
    const { numbers } = await this.#runOn(file, (op) =>
      this.#engine.checkSource(op, this.file(file)),
    )
    const [touched, removed, writers = 2] = numbers
    return {
      isTouched: touched === 1,
      isRemoved: removed === 1,
      writers: writersByNumber[writers] ?? 'unknown',
    }
  }

  async openDataDir(given: string, isReadOnly = false): Promise<DataDirHandle> {
    // It is looked up again later, wherever this process is then.
    const path = resolve(given)
    const opened = await this.#run(path, (op) => this.#engine.openDataDir(op, path, isReadOnly))
    const dir = first(opened)
    this.#dirs.set(dir, path)
    if (isReadOnly) return dir
    this.#locked.add(dir)
    try {
      await refuseLocked(join(path, hiddenDir, lockNames.portable))
    } catch (error) {
      this.closeDataDir(dir)
      throw asFrError(error, 'ERR_FR_DATA_DIR')
    }
    return dir
  }

  async refreshDataDir(dir: DataDirHandle): Promise<boolean> {
    const portable = join(this.#pathOf(dir), hiddenDir, lockNames.portable)
    if (this.#locked.has(dir))
      await refuseLocked(portable).catch((error: unknown) => {
        // That it cannot be read shows below.
        if (error instanceof FrError) throw error
      })
    const replaced = await this.#runIn(dir, (op) => this.#engine.refreshDataDir(op, this.#dir(dir)))
    return first(replaced) === 1
  }

  async checkName(dir: DataDirHandle, name: Uint8Array, noClobber: boolean): Promise<void> {
    await this.#run(this.#namePath(dir, name), (op) =>
      this.#engine.checkName(op, this.#dir(dir), name, noClobber),
    )
  }

  async createPartial(dir: DataDirHandle, id: string, size: number): Promise<FileHandle> {
    checkId(id)
    const path = this.#partialPath(dir, id)
    return this.#openAsPartial(path, (op) =>
      this.#engine.createPartial(op, this.#dir(dir), id, size),
    )
  }

  async openPartial(dir: DataDirHandle, id: string, names = 1): Promise<FileHandle> {
    checkId(id)
    const path = this.#partialPath(dir, id)
    if (this.#opening.has(path) || this.#partials.has(path))
      throw new TypeError(`id: this partial is open already: ${id}`)
    this.#opening.add(path)
    try {
      return await this.#openAsPartial(path, (op) =>
        this.#engine.openPartial(op, this.#dir(dir), id, names),
      )
    } finally {
      this.#opening.delete(path)
    }
  }

  async openHeld(dir: DataDirHandle, name: Uint8Array): Promise<FileHandle> {
    const path = this.#namePath(dir, name)
    return this.#open(path, (op) => this.#engine.openHeld(op, this.#dir(dir), name))
  }

  async #openAsPartial(path: string, start: (operation: number) => void): Promise<FileHandle> {
    const file = await this.#open(path, start)
    this.#partials.set(path, file)
    return file
  }

  async #open(path: string, start: (operation: number) => void): Promise<FileHandle> {
    const file = first(await this.#run(path, start))
    this.#files.set(file, path)
    return file
  }

  async remove(dir: DataDirHandle, name: Uint8Array): Promise<void> {
    await this.#run(this.#namePath(dir, name), (op) =>
      this.#engine.remove(op, this.#dir(dir), name),
    )
  }

  async lookAt(dir: DataDirHandle, names: readonly Uint8Array[]): Promise<(EntryLook | null)[]> {
    return looksOf(await this.lookAtPacked(dir, bytesOfNames(names)))
  }

  async lookAtPacked(dir: DataDirHandle, names: Uint8Array): Promise<Uint8Array> {
    const done = await this.#runIn(dir, (op) => this.#engine.lookAt(op, this.#dir(dir), names))
    return done.bytes
  }

  async listEntries(dir: DataDirHandle, name: Uint8Array): Promise<ListedEntry[]> {
    const path = this.#namePath(dir, name)
    const done = await this.#run(path, (op) => this.#engine.listEntries(op, this.#dir(dir), name))
    return listedOf(done.bytes)
  }

  async placeEntries(dir: DataDirHandle, steps: readonly EntryStep[]): Promise<EntryOutcome[]> {
    const asked = bytesOfSteps(steps, (file) => this.file(file))
    const done = await this.#runIn(dir, (op) =>
      this.#engine.placeEntries(op, this.#dir(dir), asked),
    )
    return outcomesOf(done.bytes, steps)
  }

  async identityOf(file: FileHandle): Promise<FileIdentity> {
    const { numbers, text } = await this.#runOn(file, (op) =>
      this.#engine.identityOf(op, this.file(file)),
    )
    const [size = 0, seconds = 0, nanos = 0, changedSeconds = 0, changedNanos = 0] = numbers
    return {
      size,
      mtime: { seconds, nanos },
      ctime: { seconds: changedSeconds, nanos: changedNanos },
      inode: text,
    }
  }

  async read(file: FileHandle, { offset, length }: ByteRange): Promise<Uint8Array> {
    const { bytes } = await this.#runOn(file, (op) =>
      this.#engine.read(op, this.file(file), offset, length),
    )
    return bytes
  }

  async copyIn(
    from: FileHandle,
    to: FileHandle,
    range: ByteRange,
    at = range.offset,
  ): Promise<void> {
    await this.#runOn(to, (op) =>
      this.#engine.copyIn(op, this.file(from), this.file(to), range.offset, range.length, at),
    )
  }

  probe(dir: DataDirHandle, spec: PublishSpec): Promise<LostAttribute[]> {
    return this.#attributes(dir, spec, 'probe')
  }

  publish(dir: DataDirHandle, spec: PublishSpec): Promise<LostAttribute[]> {
    return this.#attributes(dir, spec, 'publish')
  }

  async #attributes(
    dir: DataDirHandle,
    spec: PublishSpec,
    method: 'probe' | 'publish',
  ): Promise<LostAttribute[]> {
    checkId(spec.id)
    const { id, name, noClobber } = spec
    const { seconds, nanos } = spec.mtime
    const mode = spec.mode & 0o7777
    const path = this.#namePath(dir, name)
    const done = await this.#run(path, (op) => {
      const file = this.file(spec.file)
      const engine = this.#engine
      engine[method](op, this.#dir(dir), file, id, name, mode, seconds, nanos, noClobber)
    })
    return lostAttributes.filter((_attribute, bit) => (first(done) & (1 << bit)) !== 0)
  }

  async flush(file: FileHandle): Promise<FlushedFile> {
    const { numbers } = await this.#runOn(file, (op) => this.#engine.flush(op, this.file(file)))
    const [size = 0, allocatedBytes = 0, touched = 0, lost = 0] = numbers
    return { size, allocatedBytes, wasTouched: touched === 1, wasLost: lost === 1 }
  }

  async joinFile(spec: JoinSpec): Promise<void> {
    const { unitBytes, reserveBytes, isWritten, map } = spec
    const parts = spec.parts.flatMap(({ number, dir }) => [number, this.#dir(dir)])
    const paths = bytesOfNames(spec.parts.map(({ path }) => Buffer.from(resolve(path))))
    const { dir, file } = spec
    await this.#runOn(file, (op) =>
      this.#engine.joinFile(
        ...([op, this.#dir(dir), this.file(file), unitBytes, reserveBytes, isWritten] as const),
        ...([map, Float64Array.from(parts), paths] as const),
      ),
    )
  }

  async trim(file: FileHandle): Promise<void> {
    await this.#runOn(file, (op) => this.#engine.trim(op, this.file(file)))
  }

  async listPartials(dir: DataDirHandle): Promise<Leftover[]> {
    const { text } = await this.#runIn(dir, (op) => this.#engine.listPartials(op, this.#dir(dir)))
    const lines = text.split('\n').filter((line) => line !== '')
    return lines.map((line) => {
      const [id = '', bytes] = line.split(' ')
      return { id, allocatedBytes: Number(bytes) }
    })
  }

  async discard(dir: DataDirHandle, id: string): Promise<void> {
    checkId(id)
    const path = this.#partialPath(dir, id)
    await this.#run(path, (op) => this.#engine.discard(op, this.#dir(dir), id))
  }

  async expirePartials(dir: DataDirHandle, olderThanSeconds: number): Promise<number> {
    return first(
      await this.#runIn(dir, (op) =>
        this.#engine.expirePartials(op, this.#dir(dir), olderThanSeconds),
      ),
    )
  }

  async freeBytes(dir: DataDirHandle): Promise<number> {
    return first(await this.#runIn(dir, (op) => this.#engine.freeBytes(op, this.#dir(dir))))
  }

  closeFile(file: FileHandle): void {
    if (this.#isClosed) return
    const path = this.#files.get(file) ?? ''
    this.#files.delete(this.file(file))
    if (this.#partials.get(path) === file) this.#partials.delete(path)
    this.#engine.closeFile(file)
  }

  closeDataDir(dir: DataDirHandle): void {
    if (this.#isClosed) return
    this.#dirs.delete(this.#dir(dir))
    this.#locked.delete(dir)
    this.#engine.closeDataDir(dir)
  }
}

function known(kind: string, open: ReadonlyMap<number, string>, handle: number): number {
  if (!open.has(handle)) throw new TypeError(`unknown or closed ${kind} handle: ${String(handle)}`)
  return handle
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes)
}

function first(done: Done): number {
  return done.numbers[0] ?? 0
}

function checkId(id: string): void {
  if (!partialId.test(id)) throw new TypeError(`id: not a plain name of 1 to 128 characters: ${id}`)
}
