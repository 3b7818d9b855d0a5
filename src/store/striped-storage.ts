/**
 * The storage of a directory whose files are striped: each is a head there, under its name, and
 * parts on the disks of the node (native/core/file/joined.h).
 *
 * The idea: the directory is a data directory like any other, DATA/.fastreplica/stripes, so what
 * lands, is published, kept, recorded, removed goes its usual way; only opening and making a file
 * joins it to its parts, DIR/.fastreplica/parts/ID.NUMBER of each disk. A second link to each head,
 * heads/ID beside the partials, outlives its name: where it is the only one the parts are of no use
 * and go. Parts of which nothing is known here stay: their disk may be another node's.
 *
 * A file that is written has the parts there are: units of a part that is missing count as never
 * written. One that is held is all there, or not to be opened now.
 */
import { randomBytes } from 'node:crypto'
import {
  constants,
  link,
  lstat,
  mkdir,
  type FileHandle as OpenedFile,
  open,
  readdir,
  stat,
  unlink,
} from 'node:fs/promises'
import { join } from 'node:path'
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import type { Logger } from '../base/log.js'
import { hiddenDir } from '../base/names.js'
import { overlaid } from '../base/overlaid.js'
import type {
  DataDirHandle,
  FileHandle,
  JoinedPart,
  Leftover,
  SourceFile,
  Storage,
} from '../ports.js'
import { freshHead, type Head, readHead, unitBytesFor, writeHead } from './disks/head.js'
import { isScratch } from './partial.js'

/** A disk that may have parts. */
export interface PartDisk {
  readonly dir: DataDirHandle
  readonly dataDir: string
}

export interface StripesSpec {
  readonly storage: Storage
  /** The directory of the heads, and its path. */
  readonly dir: DataDirHandle
  readonly dataDir: string
  readonly reserveBytes: number
  readonly log: Logger
  /** Disks that answer now. */
  readonly disks: () => readonly PartDisk[]
  /** They are all that the node has. */
  readonly isAll: () => boolean
}

const namesOfPartial = 2
/** What such a disk has is there. */
const takesNoMore = ['ENOSPC', 'EDQUOT', 'EROFS']

export class Stripes {
  readonly #spec: StripesSpec
  readonly #hidden: string
  #sweeping: Promise<void> | undefined
  #isDue = false

  constructor(spec: StripesSpec) {
    this.#spec = spec
    this.#hidden = join(spec.dataDir, hiddenDir)
  }

  /** The storage, with what is different for this directory. */
  get storage(): Storage {
    const { storage } = this.#spec
    const swept = <T>(work: Promise<T>): Promise<T> => work.finally(() => this.sweep())
    return overlaid(storage, {
      createPartial: (dir, id, size) => this.#create(dir, id, size),
      openPartial: (dir, id) => this.#openPartial(dir, id),
      openHeld: (dir, name) => this.#openHeld(dir, name),
      openSource: (path) => this.#openSource(path),
      listPartials: (dir) => this.#list(dir),
      freeBytes: () => this.#freeBytes(),
      discard: (dir, id) => swept(storage.discard(dir, id)),
      remove: (dir, name) => swept(storage.remove(dir, name)),
      publish: (dir, spec) => swept(storage.publish(dir, spec)),
      placeEntries: (dir, steps) => swept(storage.placeEntries(dir, steps)),
      expirePartials: (dir, seconds) => swept(storage.expirePartials(dir, seconds)),
    })
  }

  async #create(dir: DataDirHandle, id: string, size: number): Promise<FileHandle> {
    const { storage } = this.#spec
    const file = await storage.createPartial(dir, id, size)
    if (isScratch(id) || size <= unitBytesFor(size)) return file
    const head = freshHead(randomBytes(16).toString('hex'), size)
    try {
      const path = join(this.#hidden, 'partials', id)
      await using opened = await open(path, constants.O_RDWR | constants.O_NOFOLLOW)
      await writeHead(opened, head)
      await makeDir(join(this.#hidden, 'heads'))
      await link(path, this.#linkOf(head))
      await this.#join(
        dir,
        file,
        head,
        await this.#partsToWrite(head, new Map(), await this.#probed()),
      )
      return file
    } catch (error) {
      storage.closeFile(file)
      await storage.discard(dir, id).catch(() => {})
      this.sweep()
      throw asFrError(error, 'ERR_FR_IO')
    }
  }

  async #openPartial(dir: DataDirHandle, id: string): Promise<FileHandle> {
    const { storage } = this.#spec
    const file = await storage.openPartial(dir, id, namesOfPartial)
    try {
      const path = join(this.#hidden, 'partials', id)
      await using opened = await open(path, constants.O_RDWR | constants.O_NOFOLLOW)
      const head = await readHead(opened)
      if (head === null) return file
      const probed = await this.#probed()
      const found = await this.#partsOf(head, [...probed.keys()])
      const map = head.map.map((number) => (found.has(number) ? number : 0))
      const isLess = Buffer.compare(map, head.map) !== 0
      const now = { ...head, map }
      // Written anew it is another file to its journal, which is believed no more.
      if (isLess || head.hasLost) await writeHead(opened, now)
      await this.#join(dir, file, now, await this.#partsToWrite(now, found, probed))
      return file
    } catch (error) {
      storage.closeFile(file)
      throw asFrError(error, 'ERR_FR_IO')
    }
  }

  async #openHeld(dir: DataDirHandle, name: Uint8Array): Promise<FileHandle> {
    const { storage, dataDir } = this.#spec
    const file = await storage.openHeld(dir, name)
    const path = Buffer.concat([Buffer.from(`${dataDir}/`), name])
    await this.#joinHeld(file, path, constants.O_NOFOLLOW)
    return file
  }

  /** A head is opened as the file that it stands for, whose holes nobody knows. */
  async #openSource(path: string): Promise<SourceFile> {
    const source = await this.#spec.storage.openSource(path)
    const isHead = await this.#joinHeld(source.file, path, 0)
    return isHead ? { ...source, dataBytes: source.size, holes: [] } : source
  }

  /** `path`: of the open file, which is closed when this rejects. */
  async #joinHeld(file: FileHandle, path: string | Buffer, flags: number): Promise<boolean> {
    const { storage, dir } = this.#spec
    try {
      await using opened = await open(path, flags | constants.O_RDONLY | constants.O_NONBLOCK)
      const { ino } = await opened.stat({ bigint: true })
      // Another one has taken the name in between.
      if (String(ino) !== (await storage.identityOf(file)).inode)
        throw new FrError('ERR_FR_NOT_HELD', 'the file is just being replaced')
      const head = await readHead(opened)
      if (head === null) return false
      const found = await this.#partsOf(head)
      if (head.map.some((number) => number !== 0 && !found.has(number))) throw notAllThere()
      await this.#join(dir, file, head, [...found.values()], false)
      return true
    } catch (error) {
      storage.closeFile(file)
      throw asFrError(error, 'ERR_FR_IO')
    }
  }

  #linkOf({ id }: Head): string {
    return join(this.#hidden, 'heads', id)
  }

  /** The disks that can be read now, and whether more can be written there. */
  async #probed(): Promise<Map<PartDisk, boolean>> {
    const disks = this.#spec.disks()
    const found = await Promise.all(disks.map(async (disk) => [disk, await probe(disk)] as const))
    return new Map(found.flatMap(([disk, takes]) => (takes === null ? [] : [[disk, takes]])))
  }

  /** Of the parts that have units, those that are there. */
  async #partsOf({ id, map }: Head, disks = this.#spec.disks()): Promise<Map<number, JoinedPart>> {
    const found = new Map<number, JoinedPart>()
    for (const number of new Set(map.filter((one) => one !== 0)))
      for (const { dir, dataDir } of disks) {
        const path = partPath(dataDir, id, number)
        const isThere = await stat(path).then(
          (stats) => stats.isFile(),
          () => false,
        )
        if (isThere) found.set(number, { number, dir, path })
      }
    return found
  }

  /** One on each disk that takes more; `found`: those that have units. */
  async #partsToWrite(
    { id, map }: Head,
    found: ReadonlyMap<number, JoinedPart>,
    probed: ReadonlyMap<PartDisk, boolean>,
  ): Promise<JoinedPart[]> {
    const parts = [...found.values()]
    const used = new Set([...map, ...found.keys()])
    let number = 1
    for (const [{ dir, dataDir }, takesMore] of probed) {
      if (!takesMore || parts.some((part) => part.dir === dir)) continue
      while (used.has(number)) number += 1
      if (number > limits.stripedParts) break
      used.add(number)
      parts.push({ number, dir, path: partPath(dataDir, id, number) })
    }
    if (parts.length === 0) throw new FrError('ERR_FR_NO_SPACE', 'no disk of the node takes more')
    return parts
  }

  async #join(
    dir: DataDirHandle,
    file: FileHandle,
    { unitBytes, map }: Head,
    parts: readonly JoinedPart[],
    isWritten = true,
  ): Promise<void> {
    const { storage, reserveBytes } = this.#spec
    const spec = { dir, file, unitBytes, reserveBytes, isWritten, map }
    await storage.joinFile({ ...spec, parts })
  }

  async #list(dir: DataDirHandle): Promise<readonly Leftover[]> {
    const left = await this.#spec.storage.listPartials(dir)
    const counted = left.slice(0, limits.journalsRead).map(async ({ id, allocatedBytes }) => {
      const path = join(this.#hidden, 'partials', id)
      const sizes = await this.#withHead(path, async (head) => {
        const parts = [...(await this.#partsOf(head)).values()]
        return Promise.all(parts.map(({ path }) => allocatedAt(path)))
      })
      return { id, allocatedBytes: (sizes ?? []).reduce((sum, size) => sum + size, allocatedBytes) }
    })
    return [...(await Promise.all(counted)), ...left.slice(limits.journalsRead)]
  }

  async #withHead<T>(path: string, work: (head: Head) => Promise<T>): Promise<T | undefined> {
    let opened: OpenedFile | undefined
    try {
      opened = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
      const head = await readHead(opened)
      return head === null ? undefined : await work(head)
    } catch {
      return undefined
    } finally {
      await opened?.close()
    }
  }

  /** Of all devices; what stays free is left out but once. */
  async #freeBytes(): Promise<number> {
    const { storage, reserveBytes } = this.#spec
    const rooms = new Map<bigint, number>()
    for (const { dir, dataDir } of this.#spec.disks())
      try {
        const { dev } = await stat(dataDir, { bigint: true })
        rooms.set(dev, Math.max(0, (await storage.freeBytes(dir)) - reserveBytes))
      } catch {
        // It has no room then.
      }
    return [...rooms.values()].reduce((sum, room) => sum + room, reserveBytes)
  }

  /** Removes the parts of files that are gone, in the background. Never throws. */
  sweep(): void {
    this.#isDue = true
    this.#sweeping ??= this.#sweepAll().finally(() => {
      this.#sweeping = undefined
    })
  }

  /** What is under way is done. */
  async settle(): Promise<void> {
    await this.#sweeping
  }

  async #sweepAll(): Promise<void> {
    while (this.#isDue) {
      this.#isDue = false
      try {
        await this.#sweepOnce()
      } catch (error) {
        const text = asFrError(error, 'ERR_FR_IO').message
        this.#spec.log({ level: 'warn', event: 'sweep-failed', fields: { text } })
      }
    }
  }

  async #sweepOnce(): Promise<void> {
    const heads = join(this.#hidden, 'heads')
    const gone = new Set<string>()
    for (const id of await readdir(heads).catch(() => []))
      if ((await lstat(join(heads, id)).catch(() => undefined))?.nlink === 1) gone.add(id)
    if (gone.size === 0) return
    const isAll = this.#spec.isAll()
    for (const { dataDir } of this.#spec.disks()) {
      const parts = join(dataDir, hiddenDir, 'parts')
      for (const name of await readdir(parts).catch(() => []))
        if (gone.has(name.split('.')[0] as string)) await unlink(join(parts, name))
    }
    // A disk that is away may have some still.
    if (isAll) for (const id of gone) await unlink(join(heads, id)).catch(() => {})
  }
}

/**
 * Whether a disk takes more; null: it cannot be used at all now. One may answer questions and fail,
 * or hang, at the first byte.
 */
async function probe({ dataDir }: PartDisk): Promise<boolean | null> {
  const hidden = join(dataDir, hiddenDir)
  const write = async (): Promise<boolean> => {
    await makeDir(join(hidden, 'parts'))
    await using file = await open(join(hidden, 'probe'), 'w', 0o600)
    await file.write(Buffer.alloc(1), 0, 1, 0)
    await file.datasync()
    return true
  }
  const written = write().catch((error: NodeJS.ErrnoException) => {
    return takesNoMore.includes(error.code ?? '') ? false : null
  })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), limits.diskAnswerMs)
  })
  try {
    return await Promise.race([written, late])
  } finally {
    clearTimeout(timer)
  }
}

async function makeDir(path: string): Promise<void> {
  await mkdir(path, 0o700).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}

function partPath(dataDir: string, id: string, number: number): string {
  return join(dataDir, hiddenDir, 'parts', `${id}.${number}`)
}

async function allocatedAt(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined)
  return (found?.blocks ?? 0) * 512
}

function notAllThere(): FrError {
  return new FrError('ERR_FR_DATA_DIR_GONE', 'the file has parts on a disk that is not there now')
}
