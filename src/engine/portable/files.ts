/**
 * Open files of the portable engine. A file is closed in the system only when its handle is closed
 * *and* nobody uses it: a descriptor number that is closed under a read in the thread pool could
 * be another file's by the time the read runs. Every user therefore holds a reference while it
 * reads or writes.
 */
import { type BigIntStats, close, read, writev } from 'node:fs'
import { promisify } from 'node:util'
import type { FileHandle, HashSource } from '../../ports.js'
import { known } from '../checks.js'
import { readNow } from '../read-now.js'
import { fstatAsync } from './calls.js'
import type { JoinedFile } from './joined.js'

const readAsync = promisify(read)
const writevAsync = promisify(writev)

/** Numbers that are never used twice within one engine, whatever they stand for. */
export class HandleSource {
  #last = 0

  next(): number {
    this.#last += 1
    return this.#last
  }
}

/** Which partial of which data directory a file is. */
export interface PartialName {
  readonly dir: number
  readonly id: string
  /** Bytes it was made with. */
  readonly size: number
}

export class OpenFile {
  readonly fd: number
  readonly partial: PartialName | undefined
  #grownTo: number | undefined
  #hasEnd = false
  #joined: JoinedFile | undefined
  #users = 1
  readonly #closed: () => void

  constructor(fd: number, partial: PartialName | undefined, closed: () => void) {
    this.fd = fd
    this.partial = partial
    this.#closed = closed
  }

  /** It grows: this many bytes may be in it by now. `isFinal`: that is all. */
  grow(size: number, isFinal: boolean): void {
    this.#grownTo = size
    this.#hasEnd = isFinal
  }

  /** Of a partial: as made, or as far as it may grow by now. */
  get size(): number | undefined {
    return this.#grownTo ?? this.partial?.size
  }

  /** It has grown, and its size is that of the whole by now. */
  get hasEnd(): boolean {
    return this.#hasEnd
  }

  retain(): void {
    if (this.#users === 0) throw new Error('the file is closed already')
    this.#users += 1
  }

  /** Its bytes are in parts from now on; before anybody else uses it. */
  join(joined: JoinedFile): void {
    this.#joined = joined
  }

  get hashSource(): HashSource {
    const spread = this.#joined?.spread
    return { kind: 'fd', fd: this.fd, ...(spread && { spread }) }
  }

  get joined(): JoinedFile | undefined {
    return this.#joined
  }

  release(): void {
    this.#users -= 1
    if (this.#users > 0) return
    this.#joined?.close(() => {})
    // What close says is of no use: fsync makes data durable, and the number is free either way.
    close(this.fd, () => this.#closed())
  }

  /** Runs with the file held open. */
  async using<T>(work: (fd: number) => Promise<T>): Promise<T> {
    this.retain()
    try {
      return await work(this.fd)
    } finally {
      this.release()
    }
  }

  stat(): Promise<BigIntStats> {
    return this.using((fd) => fstatAsync(fd, { bigint: true }))
  }

  /** Fills `into` from `offset`; resolves to the bytes read, fewer only at the end of the file. */
  read(into: Uint8Array, offset: number): Promise<number> {
    return this.using(async (fd) => {
      if (this.#joined !== undefined) return this.#joined.read(into, offset)
      let have = 0
      while (have < into.length) {
        const { bytesRead } = await readAsync(fd, into, have, into.length - have, offset + have)
        if (bytesRead === 0) break
        have += bytesRead
      }
      return have
    })
  }

  readNow(into: Uint8Array, offset: number): number {
    return this.#joined?.readNow(into, offset) ?? readNow(this.fd, into, offset)
  }

  /** Writes all the buffers, one after the other, from `offset` on. */
  write(buffers: readonly Uint8Array[], offset: number): Promise<void> {
    return this.using(async (fd) => {
      if (this.#joined !== undefined) return this.#joined.write(buffers, offset)
      let rest = [...buffers]
      let at = offset
      while (rest.length > 0) {
        const { bytesWritten } = await writevAsync(fd, rest, at)
        at += bytesWritten
        rest = dropFront(rest, bytesWritten)
      }
    })
  }
}

function dropFront(buffers: Uint8Array[], count: number): Uint8Array[] {
  let left = count
  while (buffers.length > 0 && left >= (buffers[0] as Uint8Array).length) {
    left -= (buffers.shift() as Uint8Array).length
  }
  if (left > 0) buffers[0] = (buffers[0] as Uint8Array).subarray(left)
  return buffers
}

export class FileTable {
  readonly #handles: HandleSource
  readonly #files = new Map<FileHandle, OpenFile>()
  #openCount = 0
  #whenNone: (() => void) | undefined

  constructor(handles: HandleSource) {
    this.#handles = handles
  }

  /** Files open in the system, also those whose handle is closed already. */
  get openCount(): number {
    return this.#openCount
  }

  add(fd: number, partial?: PartialName): FileHandle {
    const handle = this.#handles.next()
    this.#openCount += 1
    const closed = () => {
      this.#openCount -= 1
      if (this.#openCount === 0) this.#whenNone?.()
    }
    this.#files.set(handle, new OpenFile(fd, partial, closed))
    return handle
  }

  get(handle: FileHandle): OpenFile {
    return known('file', handle, this.#files.get(handle))
  }

  close(handle: FileHandle): void {
    const file = this.get(handle)
    this.#files.delete(handle)
    file.release()
  }

  isPartialOpen(dir: number, id: string): boolean {
    for (const { partial } of this.#files.values()) {
      if (partial !== undefined && partial.dir === dir && partial.id === id) return true
    }
    return false
  }

  /** Closes every handle; resolves when the last descriptor is gone. */
  async closeAll(): Promise<void> {
    for (const handle of [...this.#files.keys()]) this.close(handle)
    if (this.#openCount > 0) {
      await new Promise<void>((resolve) => {
        this.#whenNone = resolve
      })
    }
  }
}
