/**
 * Uploads that can be broken off and go on, kept as files until they have become a content:
 * `ID.json` says what is to come of it, `ID.part` has what has come, and is as long as that. So a
 * process that is killed finds again all that it had; one that is whole is sent on again.
 *
 * Bounded: how many there are, how long each is, how long one that nobody touches is kept; and
 * what all of them may still need is compared with the room on the disk before one begins.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, readFile, rm, stat, statfs } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { doorLimits } from '../../base/door-limits.js'
import { replaceFile, syncDirectory } from '../../store/files/durable.js'
import { HttpError } from '../problem.js'
import type { Running } from './running.js'
import { type UploadWish, wishOf } from './upload-wish.js'

export class Upload {
  readonly id: string
  readonly length: number
  readonly wish: UploadWish
  offset: number
  touchedMs: number
  /** What it becomes, or has become. */
  running: Running | null = null
  /** Ends who writes now, and waits for that. */
  interrupt: () => Promise<void> = async () => {}

  constructor(id: string, length: number, wish: UploadWish, offset: number, touchedMs: number) {
    this.id = id
    this.length = length
    this.wish = wish
    this.offset = offset
    this.touchedMs = touchedMs
  }

  get isWhole(): boolean {
    return this.offset === this.length
  }

  get isDone(): boolean {
    return this.running?.state === 'complete'
  }
}

export type Ingest = (wish: UploadWish, path: string) => Promise<Running>

export class Uploads {
  /** Null: the node keeps nothing. */
  readonly #directory: string | null
  readonly #ingest: Ingest
  readonly #all = new Map<string, Upload>()
  #opened: Promise<void> | undefined
  #isClosed = false

  /** The directory is made once it is needed. */
  constructor(directory: string | null, ingest: Ingest) {
    this.#directory = directory
    this.#ingest = ingest
  }

  /** Finds what an earlier process has left, and goes on with what was whole. Idempotent. */
  open(): Promise<void> {
    this.#opened ??= this.#open()
    return this.#opened
  }

  get all(): Upload[] {
    return [...this.#all.values()]
  }

  /** Rejects with HttpError 404. */
  async find(id: string): Promise<Upload> {
    await this.open()
    await this.#expire()
    const found = this.#all.get(id)
    if (found !== undefined) return found
    throw new HttpError(404, 'ERR_FR_NO_TRANSFER', 'there is no such upload, or it has expired')
  }

  /** Rejects with HttpError 403, 413, 503, 507. */
  async create(length: number, wish: UploadWish): Promise<Upload> {
    const directory = this.#directory
    if (directory === null)
      throw new HttpError(403, 'ERR_FR_READ_ONLY', 'this node keeps nothing that is sent to it')
    if (this.#isClosed) throw new HttpError(503, 'ERR_FR_CLOSED', 'the door is closed')
    await this.open()
    await this.#expire()
    // Who never takes an upload has no directory for them.
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const { bavail, bsize } = await statfs(directory)
    // From here to where it is counted nothing else runs.
    const open = this.all.filter(({ isDone }) => !isDone)
    if (open.length >= doorLimits.uploads)
      throw new HttpError(503, 'ERR_FR_LIMIT', `${open.length} uploads are open already`)
    if (length > doorLimits.uploadBytes)
      throw new HttpError(413, 'ERR_FR_LIMIT', `more than ${doorLimits.uploadBytes} bytes`)
    // It lies here first, and then in the data directory too.
    const needed = open.reduce((sum, one) => sum + 2 * one.length - one.offset, 2 * length)
    if (needed > bavail * bsize)
      throw new HttpError(507, 'ERR_FR_NO_SPACE', 'the disk has no room for this upload')
    const id = randomBytes(16).toString('hex')
    const upload = new Upload(id, length, wish, 0, Date.now())
    this.#all.set(id, upload)
    try {
      await (await open600(this.#partOf(id), 'wx')).close()
      const about = JSON.stringify({ length, wish })
      await replaceFile(this.#metaOf(id), (file) => file.writeFile(about))
      await syncDirectory(directory)
      return upload
    } catch (error) {
      await this.remove(upload)
      throw refusalOf(error)
    }
  }

  /**
   * Appends what the request brings from `offset` on; `ready` is called before it is read. What has
   * come before it broke off stays. Rejects with HttpError: 409, 413, 507, 400 where it broke off.
   */
  async append(
    upload: Upload,
    offset: number,
    request: IncomingMessage,
    ready: () => void,
  ): Promise<void> {
    await upload.interrupt()
    if (offset !== upload.offset)
      throw new HttpError(409, 'ERR_FR_RANGE', `the upload goes on at ${upload.offset}`)
    const length = Number(request.headers['content-length'] ?? 0)
    if (offset + length > upload.length) throw tooLong(upload)
    // Whoever has missed the answer asks once more; what it has become may have its file by now.
    if (upload.isWhole && length === 0 && request.headers['transfer-encoding'] === undefined) return
    let written = (): void => {}
    const over = new Promise<void>((resolve) => {
      written = resolve
    })
    upload.interrupt = () => {
      request.destroy()
      return over
    }
    try {
      const file = await open600(this.#partOf(upload.id), 'r+').catch((error: unknown) => {
        throw refusalOf(error)
      })
      try {
        ready()
        await write(upload, file, request)
      } finally {
        await file.datasync().catch(() => {})
        await file.close()
      }
    } finally {
      upload.touchedMs = Date.now()
      upload.interrupt = async () => {}
      written()
    }
  }

  /** Of one that is whole: begins what is to become of it. Rejects with what refuses that. */
  async ingest(upload: Upload): Promise<Running> {
    const { running: before } = upload
    // What has failed may be tried again.
    if (before !== null && (before.state === 'running' || upload.isDone)) return before
    const running = await this.#ingest(upload.wish, this.#partOf(upload.id))
    upload.running = running
    void running.over.then(async () => {
      if (!upload.isDone) return
      await this.#removeFiles(upload.id).catch(() => {})
      this.#forgetDone()
    })
    return running
  }

  /** Ends it, and removes what has come. */
  async remove(upload: Upload): Promise<void> {
    await upload.interrupt()
    this.#all.delete(upload.id)
    await this.#removeFiles(upload.id)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.all.map((one) => one.interrupt()))
  }

  async #open(): Promise<void> {
    const directory = this.#directory
    if (directory === null) return
    const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    for (const name of names) {
      const id = /^([0-9a-f]{32})\.json$/.exec(name)?.[1]
      if (id === undefined || this.#all.size >= doorLimits.uploads) continue
      const found = await this.#read(id)
      if (found !== null) this.#all.set(id, found)
    }
    for (const name of names) {
      const id = name.slice(0, 32)
      const isOurs = /^[0-9a-f]{32}\.(?:part|json)/.test(name)
      if (isOurs && !this.#all.has(id)) await rm(join(directory, name), { force: true })
    }
    for (const one of this.all) if (one.isWhole) await this.ingest(one).catch(() => {})
  }

  /** Null: nothing that could go on. */
  async #read(id: string): Promise<Upload | null> {
    try {
      const { length, wish } = JSON.parse(await readFile(this.#metaOf(id), 'utf8'))
      const { name, where, to, sha256 } = wish as UploadWish
      const known = {
        ...{ name, ...(where !== null && { where }), ...(sha256 !== null && { sha256 }) },
        ...(to.length > 0 && { to: to.join(',') }),
      }
      const { size, mtimeMs } = await stat(this.#partOf(id))
      const isPossible = Number.isSafeInteger(length) && size <= length
      return isPossible ? new Upload(id, length, wishOf(known), size, mtimeMs) : null
    } catch {
      return null
    }
  }

  async #expire(): Promise<void> {
    const since = Date.now() - doorLimits.uploadMs
    for (const one of this.all)
      if (one.touchedMs < since && one.running?.state !== 'running') await this.remove(one)
  }

  /** Of those that have become something only the last are kept. */
  #forgetDone(): void {
    const done = this.all.filter(({ isDone }) => isDone)
    for (const { id } of done.slice(0, -doorLimits.ended)) this.#all.delete(id)
  }

  async #removeFiles(id: string): Promise<void> {
    await rm(this.#metaOf(id), { force: true })
    await rm(this.#partOf(id), { force: true })
  }

  #partOf(id: string): string {
    return join(this.#directory ?? '', `${id}.part`)
  }

  #metaOf(id: string): string {
    return join(this.#directory ?? '', `${id}.json`)
  }
}

async function write(upload: Upload, file: FileHandle, request: IncomingMessage): Promise<void> {
  try {
    // Whoever is refused in the midst of it is to hear why.
    const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
    for await (const chunk of chunks) {
      if (upload.offset + chunk.length > upload.length) throw tooLong(upload)
      let at = 0
      while (at < chunk.length) {
        const { bytesWritten } = await file.write(chunk, at, chunk.length - at, upload.offset)
        at += bytesWritten
        upload.offset += bytesWritten
      }
    }
  } catch (error) {
    throw refusalOf(error)
  }
}

function refusalOf(error: unknown): HttpError {
  if (error instanceof HttpError) return error
  const { code, syscall } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new HttpError(507, 'ERR_FR_NO_SPACE', 'the disk is full; what has come is kept')
  if (syscall === 'write' || syscall === 'open')
    return new HttpError(500, 'ERR_FR_IO', `what comes cannot be written: ${code}`)
  return new HttpError(400, 'ERR_FR_REQUEST', 'the upload broke off; what has come is kept')
}

function open600(path: string, flags: string): Promise<FileHandle> {
  return open(path, flags, 0o600)
}

function tooLong({ length }: Upload): HttpError {
  return new HttpError(413, 'ERR_FR_LIMIT', `the upload was to have ${length} bytes`)
}
