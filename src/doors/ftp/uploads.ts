/**
 * What comes in by STOR: it is written down beside what the node holds, and once its client has
 * ended it becomes a content of the node by a push, or is published. Nothing is kept of what broke
 * off, where that can be told: the end of a file is that of its connection (RFC 959, section
 * 3.4.1), and to Node a reset behind data, and TLS without its last word, look alike.
 *
 * Bounded: uploads at once, bytes of each, room that stays on the disk, and how slowly it comes.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rm, stat, statfs } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { publish, push } from '../../api/index.js'
import type { Credentials, FrNode } from '../../api/types.js'
import { textOf } from '../../base/bytes.js'
import { parseCriteria } from '../../base/criteria.js'
import { doorLimits } from '../../base/door-limits.js'
import { FrError } from '../../base/errors.js'
import { ftpLimits } from '../../base/ftp-limits.js'
import { hiddenDir } from '../../base/names.js'
import { ownAddress } from '../own-address.js'
import { FtpError } from './ftp-error.js'

export interface UploadsSpec {
  readonly node: FrNode
  readonly credentials: Credentials
  /** Criteria by which they are published; null: they are pushed to the node. */
  readonly where: string | null
  readonly leastBytesPerSecond: number
}

export class Uploads {
  readonly #spec: UploadsSpec
  /** Null: the node keeps nothing. */
  readonly #directory: string | null
  #open = 0

  /** Throws ERR_FR_CRITERIA. */
  constructor(spec: UploadsSpec) {
    if (spec.where !== null) parseCriteria(spec.where)
    this.#spec = spec
    const { dataDir, readOnly, relayOnly } = spec.node.status()
    this.#directory = readOnly || relayOnly ? null : join(dataDir, hiddenDir, 'ftp')
  }

  /**
   * Has a place for one; the result gives it back. Rejects with ERR_FR_READ_ONLY, ERR_FR_LIMIT,
   * ERR_FR_NO_SPACE, ERR_FR_NAME.
   */
  async begin(name: Uint8Array): Promise<Upload> {
    const directory = this.#directory
    if (directory === null)
      throw new FrError('ERR_FR_READ_ONLY', 'this node keeps nothing that is sent to it')
    const as = textOf(name)
    if (as === null) throw new FrError('ERR_FR_NAME', 'names of uploads are UTF-8')
    if (this.#open >= ftpLimits.uploads)
      throw new FrError('ERR_FR_LIMIT', `${this.#open} uploads are under way`)
    this.#open++
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await removeOld(directory)
      await requireRoom(directory)
      const path = join(directory, `${randomBytes(16).toString('hex')}.part`)
      return new Upload(this.#spec, as, { directory, path }, () => this.#open--)
    } catch (error) {
      this.#open--
      throw error
    }
  }
}

/** What a process has left that was killed. */
async function removeOld(directory: string): Promise<void> {
  const since = Date.now() - doorLimits.uploadMs
  for (const name of await readdir(directory)) {
    const path = join(directory, name)
    const found = /^[0-9a-f]{32}\.part$/.test(name) ? await stat(path).catch(() => null) : null
    if (found !== null && found.mtimeMs < since) await rm(path, { force: true })
  }
}

async function requireRoom(directory: string): Promise<void> {
  const { bavail, bsize } = await statfs(directory)
  if (bavail * bsize < ftpLimits.roomBytes)
    throw new FrError('ERR_FR_NO_SPACE', 'the disk has no room for more')
}

export class Upload {
  readonly #spec: UploadsSpec
  readonly #as: string
  readonly #at: { readonly directory: string; readonly path: string }
  readonly #leave: () => void

  constructor(
    spec: UploadsSpec,
    as: string,
    at: { readonly directory: string; readonly path: string },
    leave: () => void,
  ) {
    this.#spec = spec
    this.#as = as
    this.#at = at
    this.#leave = leave
  }

  /** All that comes becomes what the node holds. Rejects with why not. */
  async take(socket: Socket, stop: AbortController): Promise<void> {
    const slow = this.#watch(stop)
    const onStop = (): void => {
      socket.destroy()
    }
    stop.signal.addEventListener('abort', onStop, { once: true })
    try {
      await this.#write(socket, slow)
    } catch (error) {
      stop.signal.throwIfAborted()
      throw refusalOf(error)
    } finally {
      slow.end()
      stop.signal.removeEventListener('abort', onStop)
    }
    // Of a client that was killed both connections end: then this is no end of a file.
    await delay(ftpLimits.settleMs)
    stop.signal.throwIfAborted()
    await this.#ingest(stop.signal)
  }

  async close(): Promise<void> {
    await rm(this.#at.path, { force: true })
    this.#leave()
  }

  /** Of each stretch of time so much has to come. */
  #watch(stop: AbortController): { came(bytes: number): void; end(): void } {
    const least = (this.#spec.leastBytesPerSecond * doorLimits.idleMs) / 1_000
    let bytes = 0
    const timer = setInterval(() => {
      if (bytes < least) stop.abort(new FtpError(426, 'It comes too slowly'))
      bytes = 0
    }, doorLimits.idleMs)
    return { came: (more) => (bytes += more), end: () => clearInterval(timer) }
  }

  async #write(socket: Socket, slow: { came(bytes: number): void }): Promise<void> {
    const { path, directory } = this.#at
    const file = await open(path, 'wx', 0o600)
    try {
      let [offset, looked] = [0, 0]
      const chunks = socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
      for await (const chunk of chunks) {
        slow.came(chunk.length)
        if (offset + chunk.length > doorLimits.uploadBytes)
          throw new FrError('ERR_FR_LIMIT', `more than ${doorLimits.uploadBytes} bytes`)
        for (let at = 0; at < chunk.length; ) {
          const { bytesWritten } = await file.write(chunk, at, chunk.length - at, offset)
          at += bytesWritten
          offset += bytesWritten
        }
        if (offset - looked < ftpLimits.roomBytes / 2) continue
        looked = offset
        await requireRoom(directory)
      }
    } finally {
      await file.close()
    }
  }

  async #ingest(signal: AbortSignal): Promise<void> {
    const { node, credentials, where } = this.#spec
    const at = ownAddress(node.address)
    const { path } = this.#at
    const as = this.#as
    if (where !== null) {
      await publish(path, { as, where, via: at, ...credentials, signal })
      return
    }
    const pushing = push(path, { as, to: [at], ...credentials })
    const cancel = (): void => pushing.cancel(signal.reason)
    signal.addEventListener('abort', cancel, { once: true })
    try {
      const { nodes } = await pushing.result
      const failed = nodes.find(({ status }) => status !== 'complete')
      if (failed === undefined) return
      throw new FrError(failed.code ?? 'ERR_FR_INTERNAL', failed.reason ?? undefined)
    } finally {
      signal.removeEventListener('abort', cancel)
    }
  }
}

function refusalOf(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new FrError('ERR_FR_NO_SPACE', 'the disk is full')
  if (code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET')
    return new FtpError(426, 'The data connection is gone')
  return error
}
