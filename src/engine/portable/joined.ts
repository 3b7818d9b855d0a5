/**
 * A file whose bytes are spread over parts on several devices, as native/core/file/joined.h has it:
 * the same map, the same choice, the same files. What the kernel cannot tell Node, when a range has
 * reached the disk, a flush of the part tells.
 */
import { close, constants, fdatasync, read, statfs, writev } from 'node:fs'
import { promisify } from 'node:util'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { JoinSpec, Spread } from '../../ports.js'
import { asFrError, checkInteger, systemCode } from '../checks.js'
import { readSpread } from '../read-now.js'
import { fstatAsync, ftruncateAsync, openAsync } from './calls.js'

const readAsync = promisify(read)
const writevAsync = promisify(writev)
const fdatasyncAsync = promisify(fdatasync)
const statfsAsync = promisify(statfs)

/** Of the header of a head: where the map is, and what says that units have lost their bytes. */
const mapAt = 64
const lostAt = 48
/** A part is flushed when so much waits for its device. */
const flushBytes = 8 * 1024 * 1024
/** Of the newest measurement in the speed. */
const newest = 0.3
const usualBytesPerMs = limits.diskBytesPerSecond / 1000
/** One that is busy with a flush for longer most likely hangs. */
const longMs = 1000
const stays = ['ENOSPC', 'EDQUOT', 'EROFS', 'EFBIG']

/** Of one device, shared by all files that have a part on it. */
export class DeviceQueue {
  waiting = 0
  /** Null: not known. */
  bytesPerMs: number | null = null
  free = 0
  sinceMs: number | null = null

  measured(bytes: number, ms: number): void {
    const now = bytes / Math.max(ms, 0.1)
    const before = this.bytesPerMs
    this.bytesPerMs = before === null ? now : (1 - newest) * before + newest * now
  }
}

interface Part {
  readonly number: number
  readonly fd: number
  readonly path: string
  readonly queue: DeviceQueue
  /** Of what waits in the queue. */
  given: number
  unflushed: number
  isClosed: boolean
  flushing: Promise<void> | undefined
}

interface Place {
  /** Undefined: in no part. */
  readonly part: Part | undefined
  readonly length: number
}

export class JoinedFile {
  readonly #head: number
  readonly #size: number
  readonly #unitBytes: number
  readonly #reserveBytes: number
  readonly #map: Uint8Array
  readonly #parts = new Map<number, Part>()
  #isChanged = false
  #hasLost = false

  private constructor(head: number, size: number, spec: JoinSpec) {
    this.#head = head
    this.#size = size
    this.#unitBytes = spec.unitBytes
    this.#reserveBytes = spec.reserveBytes
    this.#map = new Uint8Array(Math.ceil(size / spec.unitBytes))
    this.#map.set(spec.map.subarray(0, this.#map.length))
  }

  static async open(
    head: number,
    size: number,
    spec: JoinSpec,
    queueOf: (dir: number) => DeviceQueue,
  ): Promise<JoinedFile> {
    checkInteger('unitBytes', spec.unitBytes, 1)
    checkInteger('reserveBytes', spec.reserveBytes, 0)
    const joined = new JoinedFile(head, size, spec)
    try {
      for (const { number, dir, path } of spec.parts)
        joined.#parts.set(number, await joined.#open(number, path, queueOf(dir), spec.isWritten))
    } catch (error) {
      joined.close(() => {})
      throw error
    }
    return joined
  }

  async #open(number: number, path: string, queue: DeviceQueue, isWritten: boolean): Promise<Part> {
    if (!(number >= 1 && number <= limits.stripedParts) || this.#parts.has(number))
      throw new FrError('ERR_FR_IO', 'a part has no number of its own')
    const { O_RDONLY, O_RDWR, O_CREAT, O_NOFOLLOW } = constants
    const flags = (isWritten ? O_RDWR | O_CREAT : O_RDONLY) | O_NOFOLLOW
    // What a disk had that has become read-only is there.
    const opened = await openAsync(path, flags, 0o600).catch((error: unknown) => {
      if (!isWritten || systemCode(error) !== 'EROFS') throw error
    })
    if (opened === undefined) return this.#open(number, path, queue, false)
    const fd = opened
    try {
      const stats = await fstatAsync(fd, { bigint: true })
      if (!stats.isFile()) throw new FrError('ERR_FR_IO', 'a part is no regular file')
      if (Number(stats.size) !== this.#size) {
        if (!isWritten) throw new FrError('ERR_FR_IO', 'a part has another size')
        await ftruncateAsync(fd, this.#size)
      }
    } catch (error) {
      close(fd, () => {})
      throw error
    }
    const part: Part = {
      ...{ number, fd, path, queue, given: 0, unflushed: 0 },
      ...{ isClosed: !isWritten, flushing: undefined },
    }
    await askFree(part)
    return part
  }

  close(closed: () => void): void {
    for (const part of this.#parts.values()) {
      this.#took(part, part.given)
      // A number that is closed under a flush could be another file's by then.
      const free = (): void => close(part.fd, closed)
      if (part.flushing === undefined) free()
      else void part.flushing.finally(free)
    }
  }

  /** Descriptors of the parts, by number, and the map: for whoever reads beside this. */
  get spread(): Spread {
    const fds = new Array<number>(limits.stripedParts + 1).fill(-1)
    for (const { number, fd } of this.#parts.values()) fds[number] = fd
    return { unitBytes: this.#unitBytes, size: this.#size, map: this.#map, fds }
  }

  #find(at: number, length: number): Place {
    const number = this.#map[Math.floor(at / this.#unitBytes)] ?? 0
    const end = Math.min(at + length, this.#size)
    let upto = at
    while (upto < end && this.#map[Math.floor(upto / this.#unitBytes)] === number)
      upto = (Math.floor(upto / this.#unitBytes) + 1) * this.#unitBytes
    return { part: this.#parts.get(number), length: Math.min(upto, end) - at }
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    let have = 0
    while (have < into.length && offset + have < this.#size) {
      const { part, length } = this.#find(offset + have, into.length - have)
      if (part === undefined) {
        into.fill(0, have, have + length)
        have += length
        continue
      }
      const { bytesRead } = await readAsync(part.fd, into, have, length, offset + have)
      if (bytesRead === 0) break
      have += bytesRead
    }
    return have
  }

  readNow(into: Uint8Array, offset: number): number {
    return readSpread(this.spread, into, offset)
  }

  async write(buffers: readonly Uint8Array[], offset: number): Promise<void> {
    const bytes = buffers.length === 1 ? (buffers[0] as Uint8Array) : Buffer.concat(buffers)
    for (let done = 0; done < bytes.length; ) {
      const at = offset + done
      const unit = Math.floor(at / this.#unitBytes)
      const part = this.#give(unit)
      if (part === undefined) throw new FrError('ERR_FR_NO_SPACE', 'no disk of the node takes more')
      const most = Math.min(bytes.length - done, (unit + 1) * this.#unitBytes - at)
      try {
        const piece = bytes.subarray(done, done + most)
        const { bytesWritten } = await writevAsync(part.fd, [piece], at)
        done += bytesWritten
        part.unflushed += bytesWritten
      } catch (error) {
        this.#failed(unit, systemCode(error) ?? '')
        throw asFrError(error, undefined, part.path)
      }
      if (part.unflushed >= flushBytes) part.flushing ??= this.#flush(part)
    }
  }

  #give(unit: number): Part | undefined {
    const before = this.#parts.get(this.#map[unit] ?? 0)
    if (before !== undefined) return before
    const part = this.#choose()
    if (part === undefined) return undefined
    part.given += this.#unitBytes
    part.queue.waiting += this.#unitBytes
    this.#map[unit] = part.number
    this.#isChanged = true
    return part
  }

  /** The one that is soonest done with one unit more; of equals the emptiest. */
  #choose(): Part | undefined {
    const parts = [...this.#parts.values()]
    const fastest = Math.max(0, ...parts.map(({ queue }) => queue.bytesPerMs ?? 0))
    const nowMs = performance.now()
    let best: { readonly part: Part; readonly ms: number } | undefined
    for (const part of parts) {
      const { waiting, free, bytesPerMs, sinceMs } = part.queue
      const hasRoom = free >= waiting + this.#reserveBytes + this.#unitBytes
      if (part.isClosed || !hasRoom) continue
      const busyMs = sinceMs === null ? 0 : nowMs - sinceMs
      const speed = bytesPerMs ?? (fastest === 0 ? usualBytesPerMs : fastest)
      const ms = (waiting + this.#unitBytes) / speed + (busyMs > longMs ? busyMs : 0)
      const isEmptier = ms === best?.ms && free > best.part.queue.free
      if (best === undefined || ms < best.ms || isEmptier) best = { part, ms }
    }
    return best?.part
  }

  /** What fails here fails the flush of all as well, where it counts. */
  async #flush(part: Part): Promise<void> {
    const { unflushed, queue } = part
    part.unflushed = 0
    const beganMs = performance.now()
    queue.sinceMs = beganMs
    await fdatasyncAsync(part.fd).catch(() => {})
    queue.sinceMs = null
    queue.measured(unflushed, performance.now() - beganMs)
    this.#took(part, unflushed)
    await askFree(part)
    part.flushing = undefined
  }

  #took(part: Part, bytes: number): void {
    const taken = Math.min(part.given, bytes)
    part.given -= taken
    part.queue.waiting -= taken
  }

  /**
   * The unit has no part any more; where the device has failed rather than filled up, no unit that
   * it had.
   */
  #failed(unit: number, code: string): void {
    const part = this.#parts.get(this.#map[unit] ?? 0)
    if (part === undefined) return
    part.isClosed = true
    if (!stays.includes(code)) {
      this.#lose(part)
      return
    }
    this.#map[unit] = 0
    this.#took(part, this.#unitBytes)
    this.#isChanged = this.#hasLost = true
  }

  #lose(part: Part): void {
    part.isClosed = true
    this.#map.forEach((number, unit) => {
      if (number === part.number) this.#map[unit] = 0
    })
    this.#took(part, part.given)
    this.#isChanged = this.#hasLost = true
  }

  /** Makes all that was written durable, then the map. */
  async sync(): Promise<{ allocatedBytes: number; wasTouched: boolean; wasLost: boolean }> {
    let [allocatedBytes, wasTouched, wasLost] = [0, false, false]
    const work = [...this.#parts.values()].map(async (part) => {
      const { given } = part
      try {
        const before = await fstatAsync(part.fd, { bigint: true })
        await fdatasyncAsync(part.fd)
        const after = await fstatAsync(part.fd, { bigint: true })
        allocatedBytes += Number(after.blocks * 512n)
        wasTouched ||= before.size !== after.size || before.mtimeNs !== after.mtimeNs
        this.#took(part, given)
      } catch {
        wasLost ||= this.#map.includes(part.number)
        this.#lose(part)
      }
    })
    await Promise.all(work)
    await this.writeMap()
    await fdatasyncAsync(this.#head)
    return { allocatedBytes, wasTouched, wasLost }
  }

  /** Writes the map, if it has changed, without waiting for the disk. */
  async writeMap(): Promise<void> {
    if (!this.#isChanged) return
    const map = this.#map.slice()
    this.#isChanged = false
    try {
      // Before the map: who sees the new one must not believe what was told of the old one.
      if (this.#hasLost) await writevAsync(this.#head, [Uint8Array.of(1)], lostAt)
      await writevAsync(this.#head, [map], mapAt)
    } catch (error) {
      this.#isChanged = true
      throw error
    }
  }
}

async function askFree({ path, queue }: Part): Promise<void> {
  const found = await statfsAsync(path).catch(() => undefined)
  if (found !== undefined) queue.free = found.bavail * found.bsize
}
