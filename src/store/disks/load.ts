/**
 * How busy the device beneath a directory is, by the counters that Linux keeps of each block
 * device. File systems without a device of their own (tmpfs, overlay, btrfs, network) have none:
 * nothing is known of them then, and nothing is guessed.
 *
 * The directory is looked at once, since a disk that hangs answers nobody; the counters answer
 * always.
 */
import { readFile, stat } from 'node:fs/promises'
import { limits } from '../../base/limits.js'

/** Since the system has started. */
export interface DeviceCounters {
  readonly requests: number
  readonly readBytes: number
  readonly writtenBytes: number
  /** Milliseconds in which there was anything to do. */
  readonly busyMs: number
  /** Milliseconds that requests have waited and taken, all added up. */
  readonly requestsMs: number
}

/** In the last second or so. */
export interface DeviceLoad {
  /** Part of the time in which there was anything to do, 0..1. */
  readonly busy: number
  /** Milliseconds from a request to its end, on the average. */
  readonly requestMs: number
  readonly readBytesPerSecond: number
  readonly writtenBytesPerSecond: number
}

/** Of `/sys/dev/block/MAJOR:MINOR/stat`; sectors are of 512 bytes there, on any device. */
export function countersIn(text: string): DeviceCounters | null {
  const fields = text.trim().split(/\s+/).map(Number)
  const [reads, , readSectors, , writes, , writtenSectors, , , busyMs, requestsMs] = fields
  if (reads === undefined || readSectors === undefined || writes === undefined) return null
  if (writtenSectors === undefined || busyMs === undefined || requestsMs === undefined) return null
  if (fields.some((field) => !Number.isFinite(field))) return null
  const [readBytes, writtenBytes] = [readSectors * 512, writtenSectors * 512]
  return { requests: reads + writes, readBytes, writtenBytes, busyMs, requestsMs }
}

/** Between two readings, `ms` apart. */
export function loadBetween(before: DeviceCounters, now: DeviceCounters, ms: number): DeviceLoad {
  const since = (name: keyof DeviceCounters): number => Math.max(0, now[name] - before[name])
  const requests = since('requests')
  return {
    busy: Math.min(1, since('busyMs') / ms),
    requestMs: requests === 0 ? 0 : since('requestsMs') / requests,
    readBytesPerSecond: (since('readBytes') * 1000) / ms,
    writtenBytesPerSecond: (since('writtenBytes') * 1000) / ms,
  }
}

/** Of the device number that `stat` tells (as the C library packs it). */
export function countersPath(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)
  const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn)
  return `/sys/dev/block/${major}:${minor}/stat`
}

/** A second with less to do says nothing about speed. */
const busyMin = 0.05
/** Of the newest second in the speed. */
const newest = 0.2

export class DiskLoad {
  readonly #path: string
  #counters: string | undefined
  #before: { readonly counters: DeviceCounters; readonly atMs: number } | undefined
  #load: DeviceLoad | null = null
  #speed: number | null = null
  #timer: NodeJS.Timeout | undefined

  /** Of the device beneath this directory. */
  constructor(path: string) {
    this.#path = path
  }

  /** Null: not known. */
  get now(): DeviceLoad | null {
    return this.#load
  }

  /** Bytes that a busy second has written, smoothed; null: not known. */
  get speedBytesPerSecond(): number | null {
    return this.#speed
  }

  /** Never rejects. */
  async start(): Promise<void> {
    try {
      this.#counters = countersPath((await stat(this.#path, { bigint: true })).dev)
    } catch {
      return
    }
    await this.#read()
    // What has no counters now never will.
    if (this.#before === undefined) return
    this.#timer = setInterval(() => void this.#read(), limits.diskLoadMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  async #read(): Promise<void> {
    const text = await readFile(this.#counters as string, 'utf8').catch(() => '')
    this.took(countersIn(text), performance.now())
  }

  /** A reading of the counters; null: there was none. */
  took(counters: DeviceCounters | null, atMs: number): void {
    const before = this.#before
    this.#before = counters === null ? undefined : { counters, atMs }
    this.#load = null
    if (counters === null || before === undefined || atMs <= before.atMs) return
    this.#load = loadBetween(before.counters, counters, atMs - before.atMs)
    const { busy, writtenBytesPerSecond } = this.#load
    if (busy < busyMin || writtenBytesPerSecond === 0) return
    const speed = writtenBytesPerSecond / busy
    this.#speed = this.#speed === null ? speed : (1 - newest) * this.#speed + newest * speed
  }
}
