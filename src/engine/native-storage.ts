/**
 * Storage on the addon: every call is one operation on a disk thread and resolves with its event.
 * Names are confined by the kernel; nothing here compares paths.
 */
import { join } from 'node:path'
import { codeFromNative, FrError } from '../errors.js'
import type {
  ByteRange,
  DataDirHandle,
  FileHandle,
  PublishSpec,
  SourceFile,
  SourceLook,
  Storage,
} from '../ports.js'
import { hiddenDir } from './names.js'
import { fromNative, type NativeEngine, nativeError } from './native-addon.js'
import { asFrError } from './portable-checks.js'
import { lockNames, refuseLocked } from './portable-lock.js'
import { sourceRefusal } from './source-refusal.js'

interface Pending {
  resolve(done: Done): void
  reject(error: unknown): void
}

interface Done {
  readonly numbers: Float64Array
  readonly text: string
}

/** The numbers of native/core/file_table.h. */
const writersByNumber: readonly SourceLook['writers'][] = ['none', 'some', 'unknown']

const partialId = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/

export class NativeStorage implements Storage {
  readonly #engine: NativeEngine
  readonly #pending = new Map<number, Pending>()
  readonly #files = new Set<FileHandle>()
  readonly #dirs = new Set<DataDirHandle>()
  #next = 1
  #isClosed = false

  constructor(engine: NativeEngine) {
    this.#engine = engine
  }

  /** A kDone event: operation, code, errno, five numbers; `text` where the result is one. */
  settle(numbers: Float64Array, text: string): void {
    const [, operation = 0, code = 0, errno = 0] = numbers
    const pending = this.#pending.get(operation)
    this.#pending.delete(operation)
    if (code === 0) pending?.resolve({ numbers: numbers.subarray(4, 9), text })
    else pending?.reject(nativeError(codeFromNative(code), errno))
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

  #run(start: (operation: number) => void): Promise<Done> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new FrError('ERR_FR_CLOSED')
      const operation = this.#next++
      try {
        start(operation)
      } catch (error) {
        throw fromNative(error)
      }
      this.#pending.set(operation, { resolve, reject })
    })
  }

  async openSource(path: string): Promise<SourceFile> {
    const { numbers, text } = await this.#run((op) => this.#engine.openSource(op, path)).catch(
      async (error: unknown) => {
        throw await sourceRefusal(path, error)
      },
    )
    const [file = 0, size = 0, mode = 0, seconds = 0, nanos = 0] = numbers
    this.#files.add(file)
    const [dataBytes = size, ...borders] = text.split(' ').map(Number)
    const holes: ByteRange[] = []
    for (let i = 0; i + 1 < borders.length; i += 2)
      holes.push({ offset: borders[i] as number, length: borders[i + 1] as number })
    return { file, size, mode, mtime: { seconds, nanos }, dataBytes, holes }
  }

  async checkSource(file: FileHandle): Promise<SourceLook> {
    const { numbers } = await this.#run((op) => this.#engine.checkSource(op, this.file(file)))
    const [touched, removed, writers = 2] = numbers
    return {
      isTouched: touched === 1,
      isRemoved: removed === 1,
      writers: writersByNumber[writers] ?? 'unknown',
    }
  }

  async openDataDir(path: string): Promise<DataDirHandle> {
    const dir = first(await this.#run((op) => this.#engine.openDataDir(op, path)))
    this.#dirs.add(dir)
    try {
      await refuseLocked(join(path, hiddenDir, lockNames.portable))
    } catch (error) {
      this.closeDataDir(dir)
      throw asFrError(error, 'ERR_FR_DATA_DIR')
    }
    return dir
  }

  async checkName(dir: DataDirHandle, name: Uint8Array, noClobber: boolean): Promise<void> {
    await this.#run((op) => this.#engine.checkName(op, this.#dir(dir), name, noClobber))
  }

  async createPartial(dir: DataDirHandle, id: string, size: number): Promise<FileHandle> {
    checkId(id)
    const file = first(
      await this.#run((op) => this.#engine.createPartial(op, this.#dir(dir), id, size)),
    )
    this.#files.add(file)
    return file
  }

  async copyIn(from: FileHandle, to: FileHandle, range: ByteRange): Promise<void> {
    await this.#run((op) =>
      this.#engine.copyIn(op, this.file(from), this.file(to), range.offset, range.length),
    )
  }

  async publish(dir: DataDirHandle, spec: PublishSpec): Promise<void> {
    checkId(spec.id)
    const { seconds, nanos } = spec.mtime
    await this.#run((op) =>
      this.#engine.publish(
        op,
        this.#dir(dir),
        this.file(spec.file),
        spec.id,
        spec.name,
        spec.mode & 0o7777,
        seconds,
        nanos,
        spec.noClobber,
      ),
    )
  }

  async discard(dir: DataDirHandle, id: string): Promise<void> {
    checkId(id)
    await this.#run((op) => this.#engine.discard(op, this.#dir(dir), id))
  }

  async expirePartials(dir: DataDirHandle, olderThanSeconds: number): Promise<number> {
    return first(
      await this.#run((op) => this.#engine.expirePartials(op, this.#dir(dir), olderThanSeconds)),
    )
  }

  async freeBytes(dir: DataDirHandle): Promise<number> {
    return first(await this.#run((op) => this.#engine.freeBytes(op, this.#dir(dir))))
  }

  async nodeId(dir: DataDirHandle): Promise<string> {
    return (await this.#run((op) => this.#engine.nodeId(op, this.#dir(dir)))).text
  }

  closeFile(file: FileHandle): void {
    if (this.#isClosed) return
    this.#files.delete(this.file(file))
    this.#engine.closeFile(file)
  }

  closeDataDir(dir: DataDirHandle): void {
    if (this.#isClosed) return
    this.#dirs.delete(this.#dir(dir))
    this.#engine.closeDataDir(dir)
  }
}

function known(kind: string, open: ReadonlySet<number>, handle: number): number {
  if (!open.has(handle)) throw new TypeError(`unknown or closed ${kind} handle: ${String(handle)}`)
  return handle
}

function first(done: Done): number {
  return done.numbers[0] ?? 0
}

function checkId(id: string): void {
  if (!partialId.test(id)) throw new TypeError(`id: not a plain name of 1 to 128 characters: ${id}`)
}
