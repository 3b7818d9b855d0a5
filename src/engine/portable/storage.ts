/**
 * Files of the portable engine: sources, data directories, partials, publication (ports.ts,
 * `Storage`).
 *
 * What Node cannot do, and the native engine does: names are confined by looking before using
 * (names.ts), so a concurrent attacker with write access to the data directory is not excluded; the
 * lock is a file (../lock.ts), not flock; time stamps go through floating point seconds, which
 * keeps microseconds (before 1970 milliseconds) and loses the nanoseconds below them. A name
 * appears in the data directory only complete: by rename, or by link where it may not be replaced.
 */
import { type BigIntStats, constants, type Stats } from 'node:fs'
import { lstat, readdir, statfs, unlink } from 'node:fs/promises'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
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
import { asFrError, checkInteger, known, systemCode } from '../checks.js'
import { closeAsync, ftruncateAsync, openAsync } from './calls.js'
import { type DataDir, openDir, refreshDir } from './data-dir.js'
import { placeSteps } from './entries.js'
import { listNames, lookAtNames, lookAtPacked, timeOf } from './entry-looks.js'
import type { FileTable, HandleSource, OpenFile } from './files.js'
import { openHeld, openLeftover, removeHeld } from './held.js'
import { DeviceQueue, JoinedFile } from './joined.js'
import { dataBytesOf, measure } from './measure.js'
import { findName, inspectName } from './names.js'
import { flushFile, probePartial, publishPartial } from './publish.js'

const copyBytes = 1024 * 1024
const idPattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/
const listedPartials = 65_536

export class PortableStorage implements Storage {
  readonly #files: FileTable
  readonly #handles: HandleSource
  readonly #dirs = new Map<DataDirHandle, DataDir>()
  readonly #openings = new Map<FileHandle, BigIntStats>()
  /** What waits for the devices of data directories. */
  readonly #queues = new Map<DataDirHandle, DeviceQueue>()
  /** Paths of partials that are being opened. */
  readonly #opening = new Set<string>()
  /** Work under way; shutdown waits for it. */
  readonly #running = new Set<Promise<unknown>>()
  #isClosed = false

  constructor(files: FileTable, handles: HandleSource) {
    this.#files = files
    this.#handles = handles
  }

  openSource(path: string): Promise<SourceFile> {
    return this.#run(async () => {
      let fd: number
      try {
        // Opening a pipe without O_NONBLOCK would wait for its writer.
        fd = await openAsync(path, constants.O_RDONLY | constants.O_NONBLOCK)
      } catch (error) {
        throw asFrError(error, 'ERR_FR_SOURCE')
      }
      const file = this.#files.add(fd)
      const stats = await measure(this.#files.get(file), path).catch((error: unknown) => {
        this.#files.close(file)
        throw error
      })
      this.#openings.set(file, stats)
      return {
        file,
        size: Number(stats.size),
        mode: Number(stats.mode) & 0o7777,
        mtime: timeOf(stats.mtimeNs),
        dataBytes: dataBytesOf(stats),
        // Node cannot ask where they are.
        holes: [],
      }
    })
  }

  checkSource(handle: FileHandle): Promise<SourceLook> {
    return this.#run(async () => {
      const then = known('source', handle, this.#openings.get(handle))
      const now = await this.#files.get(handle).stat()
      if (now.size !== then.size) throw new FrError('ERR_FR_SOURCE_CHANGED')
      const isTouched =
        now.mtimeNs !== then.mtimeNs || now.ctimeNs !== then.ctimeNs || now.nlink !== then.nlink
      // Node cannot ask for a lease, which would tell who writes.
      return { isTouched, isRemoved: now.nlink === 0n && then.nlink > 0n, writers: 'unknown' }
    })
  }

  openDataDir(path: string, isReadOnly = false): Promise<DataDirHandle> {
    return this.#run(async () => {
      const opened = await openDir(path, isReadOnly)
      const handle = this.#handles.next()
      this.#dirs.set(handle, opened)
      return handle
    })
  }

  refreshDataDir(dir: DataDirHandle): Promise<boolean> {
    return this.#run(async () => {
      const fresh = await refreshDir(this.#dir(dir))
      if (fresh === null) return false
      this.#dirs.set(dir, fresh)
      return true
    })
  }

  checkName(dir: DataDirHandle, name: Uint8Array, noClobber: boolean): Promise<void> {
    return this.#run(async () => {
      const within = this.#dir(dir)
      await inspectName(within, await findName(within.root, name), noClobber)
    })
  }

  createPartial(dir: DataDirHandle, id: string, size: number): Promise<FileHandle> {
    return this.#run(async () => {
      const path = this.#partialPath(this.#dir(dir), id)
      checkInteger('size', size, 0)
      let fd: number
      try {
        fd = await openAsync(path, 'wx+', 0o600)
      } catch (error) {
        throw systemCode(error) === 'EEXIST' ? asFrError(error, 'ERR_FR_EXISTS') : asFrError(error)
      }
      try {
        await ftruncateAsync(fd, size)
      } catch (error) {
        await closeAsync(fd)
        await unlink(path)
        throw asFrError(error, undefined, path)
      }
      return this.#files.add(fd, { dir, id, size })
    })
  }

  openPartial(dir: DataDirHandle, id: string, names = 1): Promise<FileHandle> {
    return this.#run(async () => {
      const path = this.#partialPath(this.#dir(dir), id)
      if (this.#opening.has(path) || this.#files.isPartialOpen(dir, id))
        throw new TypeError(`id: this partial is open already: ${id}`)
      this.#opening.add(path)
      try {
        const { fd, size } = await openLeftover(path, names)
        return this.#files.add(fd, { dir, id, size })
      } finally {
        this.#opening.delete(path)
      }
    })
  }

  openHeld(dir: DataDirHandle, name: Uint8Array): Promise<FileHandle> {
    return this.#run(async () => this.#files.add(await openHeld(this.#dir(dir).root, name)))
  }

  remove(dir: DataDirHandle, name: Uint8Array): Promise<void> {
    return this.#run(() => {
      const { root, turns } = this.#dir(dir)
      return turns.take(() => removeHeld(root, name))
    })
  }

  lookAt(dir: DataDirHandle, names: readonly Uint8Array[]): Promise<(EntryLook | null)[]> {
    return this.#run(async () => lookAtNames(this.#dir(dir), names))
  }

  lookAtPacked(dir: DataDirHandle, names: Uint8Array): Promise<Uint8Array> {
    return this.#run(async () => lookAtPacked(this.#dir(dir), names))
  }

  listEntries(dir: DataDirHandle, name: Uint8Array): Promise<ListedEntry[]> {
    return this.#run(async () => listNames(this.#dir(dir), name))
  }

  placeEntries(dir: DataDirHandle, steps: readonly EntryStep[]): Promise<EntryOutcome[]> {
    return this.#run(() => {
      const within = this.#dir(dir)
      return within.turns.take(() => placeSteps(within, this.#files, steps))
    })
  }

  identityOf(handle: FileHandle): Promise<FileIdentity> {
    return this.#run(async () => {
      const file = this.#files.get(handle)
      // Whoever notes what is in the file by this has it found there again.
      await file.joined?.writeMap()
      const { size, mtimeNs, ctimeNs, ino } = await file.stat()
      const [mtime, ctime] = [timeOf(mtimeNs), timeOf(ctimeNs)]
      // Node may give the upper half of the 64 bits as negative numbers.
      return { size: Number(size), mtime, ctime, inode: String(BigInt.asUintN(64, ino)) }
    })
  }

  read(handle: FileHandle, { offset, length }: ByteRange): Promise<Uint8Array> {
    return this.#run(async () => {
      const file = this.#files.get(handle)
      checkInteger('offset', offset, 0)
      checkInteger('length', length, 0, limits.readBytes)
      const into = Buffer.allocUnsafe(length)
      return into.subarray(0, await file.read(into, offset))
    })
  }

  copyIn(from: FileHandle, to: FileHandle, range: ByteRange, at = range.offset): Promise<void> {
    return this.#run(async () => {
      const source = this.#files.get(from)
      const target = this.#files.get(to)
      checkInteger('offset', range.offset, 0)
      checkInteger('length', range.length, 0)
      checkInteger('at', at, 0)
      const buffer = Buffer.allocUnsafe(Math.min(range.length, copyBytes))
      await source.using(() =>
        target.using(async () => {
          for (let done = 0; done < range.length; done += buffer.length) {
            const part = buffer.subarray(0, Math.min(buffer.length, range.length - done))
            await copyPart(source, target, part, range.offset + done, at + done)
          }
        }),
      )
    })
  }

  probe(dir: DataDirHandle, spec: PublishSpec): Promise<LostAttribute[]> {
    return this.#run(async () => {
      const { file, partial } = this.#partial(dir, spec)
      return probePartial(file, partial, spec)
    })
  }

  flush(handle: FileHandle): Promise<FlushedFile> {
    return this.#run(async () => {
      const file = this.#files.get(handle)
      return flushFile(file, this.#pathOf(file))
    })
  }

  publish(dir: DataDirHandle, spec: PublishSpec): Promise<LostAttribute[]> {
    return this.#run(async () => {
      const { file, partial } = this.#partial(dir, spec)
      return publishPartial(this.#dir(dir), file, partial, spec)
    })
  }

  joinFile(spec: JoinSpec): Promise<void> {
    return this.#run(async () => {
      const head = this.#files.get(spec.file)
      for (const { dir } of [spec, ...spec.parts]) this.#dir(dir)
      const size = Number((await head.stat()).size)
      head.join(await JoinedFile.open(head.fd, size, spec, (dir) => this.#queueOf(dir)))
    })
  }

  #queueOf(dir: DataDirHandle): DeviceQueue {
    const queue = this.#queues.get(dir) ?? new DeviceQueue()
    this.#queues.set(dir, queue)
    return queue
  }

  /** Nothing to give back: nothing is allocated ahead here. */
  trim(file: FileHandle): Promise<void> {
    return this.#run(async () => {
      const grown = this.#files.get(file)
      await grown.joined?.writeMap()
      // One that ends in a hole is too short.
      if (grown.hasEnd) await grown.using((fd) => ftruncateAsync(fd, grown.size ?? 0))
    })
  }

  discard(dir: DataDirHandle, id: string): Promise<void> {
    return this.#run(async () => {
      await unlinkIfThere(this.#partialPath(this.#dir(dir), id))
    })
  }

  expirePartials(dir: DataDirHandle, olderThanSeconds: number): Promise<number> {
    return this.#run(async () => {
      if (!(olderThanSeconds >= 0)) throw new TypeError('olderThanSeconds must be 0 or more')
      const before = Date.now() - olderThanSeconds * 1000
      let removed = 0
      await this.#eachLeftover(dir, async (_id, path, stats) => {
        // ctime, which nobody can set: the mtime of a partial may be the source's already.
        if (stats.ctimeMs <= before && (await unlinkIfThere(path))) removed += 1
      })
      return removed
    })
  }

  listPartials(dir: DataDirHandle): Promise<Leftover[]> {
    return this.#run(async () => {
      const found: Leftover[] = []
      await this.#eachLeftover(dir, async (id, _path, { blocks }) => {
        if (found.length < listedPartials) found.push({ id, allocatedBytes: blocks * 512 })
      })
      return found
    })
  }

  async #eachLeftover(
    dir: DataDirHandle,
    see: (id: string, path: string, stats: Stats) => Promise<void>,
  ): Promise<void> {
    const { hidden, isReadOnly } = this.#dir(dir)
    const ids = await readdir(`${hidden}/partials`).catch((error: unknown) => {
      if (isReadOnly && systemCode(error) === 'ENOENT') return []
      throw error
    })
    for (const id of ids) {
      const path = `${hidden}/partials/${id}`
      if (this.#opening.has(path) || this.#files.isPartialOpen(dir, id)) continue
      const stats = await lstat(path).catch(() => undefined)
      if (stats?.isFile()) await see(id, path, stats)
    }
  }

  freeBytes(dir: DataDirHandle): Promise<number> {
    return this.#run(async () => {
      const { bavail, bsize } = await statfs(this.#dir(dir).root)
      return bavail * bsize
    })
  }

  closeFile(file: FileHandle): void {
    if (this.#isClosed) return
    this.#files.close(file)
    this.#openings.delete(file)
  }

  closeDataDir(dir: DataDirHandle): void {
    if (this.#isClosed) return
    const { unlock } = this.#dir(dir)
    this.#dirs.delete(dir)
    this.#queues.delete(dir)
    unlock()
  }

  /** Refuses new work from here on. */
  stop(): void {
    this.#isClosed = true
  }

  /**
   * Refuses new work, waits for what is under way, gives back every lock. Files are the engine's.
   */
  async shutdown(): Promise<void> {
    this.stop()
    await Promise.allSettled(this.#running)
    for (const { unlock } of this.#dirs.values()) unlock()
    this.#dirs.clear()
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new FrError('ERR_FR_CLOSED')
    const running = work()
    this.#running.add(running)
    try {
      return await running
    } catch (error) {
      throw error instanceof TypeError ? error : asFrError(error)
    } finally {
      this.#running.delete(running)
    }
  }

  #dir(handle: DataDirHandle): DataDir {
    return known('data directory', handle, this.#dirs.get(handle))
  }

  #partial(dir: DataDirHandle, spec: PublishSpec): { file: OpenFile; partial: string } {
    const partial = this.#partialPath(this.#dir(dir), spec.id)
    const file = this.#files.get(spec.file)
    if (file.partial?.dir !== dir || file.partial.id !== spec.id) {
      throw new TypeError(`file ${spec.file} is not the partial ${spec.id} of this data directory`)
    }
    return { file, partial }
  }

  /** Of a partial; empty where it is none. */
  #pathOf(file: OpenFile): string {
    const dir = this.#dirs.get(file.partial?.dir ?? 0)
    return dir === undefined ? '' : this.#partialPath(dir, file.partial?.id ?? '')
  }

  #partialPath(dir: DataDir, id: string): string {
    if (!idPattern.test(id)) throw new TypeError(`id must match ${idPattern}, not ${String(id)}`)
    return `${dir.hidden}/partials/${id}`
  }
}

async function copyPart(
  source: OpenFile,
  target: OpenFile,
  part: Buffer,
  offset: number,
  at: number,
): Promise<void> {
  if ((await source.read(part, offset)) !== part.length) {
    throw new FrError('ERR_FR_IO', 'the file to copy from is too short')
  }
  await target.write([part], at)
}

async function unlinkIfThere(path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    throw error
  }
}
