/**
 * Digest records that a node passes on: the bytes of each are kept once, however many routes and
 * feeds it has. A feed holds no list of them but its place in the log of each route whose table it
 * stands in, so one that reads slowly or not at all costs nothing, and one that enters a table late
 * starts at the beginning.
 */
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { DigestSpec } from '../../ports.js'
import type { StreamState } from './stream.js'

/** What a route brought, in the order it came. Records have numbers, also those forgotten. */
export class DigestLog {
  #records: (DigestSpec | undefined)[] = []
  /** Number of the first one that is kept. */
  #first = 0

  get end(): number {
    return this.#first + this.#records.length
  }

  /** Undefined: it is forgotten. */
  at(number: number): DigestSpec | undefined {
    return this.#records[number - this.#first]
  }

  push(record: DigestSpec): void {
    this.#records.push(record)
  }

  /** Forgets the records of a stream that end here or before. */
  forget(stream: number, before: number): void {
    this.#records = this.#records.map((one) => (isBehind(one, stream, before) ? undefined : one))
    const kept = this.#records.findIndex((one) => one !== undefined)
    this.#first += this.#records.splice(0, kept < 0 ? this.#records.length : kept).length
  }
}

function isBehind(record: DigestSpec | undefined, stream: number, before: number): boolean {
  return record?.stream === stream && record.offset + record.length <= before
}

/** The place of a feed in the log of a route. */
class DigestCursor {
  readonly #log: DigestLog
  #at = 0
  #past = 0
  /** The route that the records have beyond the feed. */
  #next = 0

  constructor(log: DigestLog) {
    this.#log = log
  }

  get isDue(): boolean {
    return this.#at < Math.min(this.#past, this.#log.end)
  }

  /** The next record to be sent. */
  take(): DigestSpec | undefined {
    while (this.isDue) {
      const record = this.#log.at(this.#at++)
      if (record !== undefined) return { ...record, route: this.#next }
    }
    return undefined
  }

  /** All that was not sent is sent, under this number. */
  go(next: number): void {
    this.#next = next
    this.#past = Number.POSITIVE_INFINITY
  }

  /** What comes from here on is not sent. */
  stop(): void {
    this.#past = Math.min(this.#past, this.#log.end)
  }
}

/** What a feed has to send of digests: its caller's records, then those that routes bring. */
export class DigestQueue {
  readonly #own: DigestSpec[] = []
  #ownBytes = 0
  /** By route, also of tables that the feed has left. */
  readonly #cursors = new Map<number, DigestCursor>()

  /** Throws ERR_FR_INBOX_FULL where too much waits already. */
  add(spec: DigestSpec): void {
    if (this.#ownBytes + spec.payload.length > limits.digestQueueBytes)
      throw new FrError('ERR_FR_INBOX_FULL')
    this.#ownBytes += spec.payload.length
    this.#own.push({ ...spec, payload: Buffer.from(spec.payload) })
  }

  /** The feed enters the table of a route, or stays in it under another number. */
  follow(route: number, next: number, log: DigestLog): void {
    const cursor = this.#cursors.get(route) ?? new DigestCursor(log)
    this.#cursors.set(route, cursor)
    cursor.go(next)
  }

  /** The feed leaves the table of a route. */
  leave(route: number): void {
    this.#cursors.get(route)?.stop()
  }

  /** Routes bring nothing more. */
  finish(): void {
    for (const cursor of this.#cursors.values()) cursor.stop()
  }

  get isDue(): boolean {
    return this.#own.length > 0 || [...this.#cursors.values()].some(({ isDue }) => isDue)
  }

  /** Undefined: nothing waits. */
  take(): DigestSpec | undefined {
    const own = this.#own.shift()
    if (own !== undefined) {
      this.#ownBytes -= own.payload.length
      return own
    }
    for (const cursor of this.#cursors.values()) {
      const record = cursor.take()
      if (record !== undefined) return record
    }
    return undefined
  }
}

interface Kept {
  readonly record: DigestSpec
  readonly routes: Set<number>
}

/** The records of a transfer, by route. */
export class RelayedDigests {
  readonly #logs = new Map<number, DigestLog>()
  /**
   * By stream and place: the first record of each, with the routes that it was given. Of a stream
   * that grows a place may have several: the last block is covered once more by the record that
   * says that it is the last.
   */
  readonly #kept = new Map<string, Kept>()
  readonly #bytes = new Map<number, number>()

  log(route: number): DigestLog {
    return this.#log(route)
  }

  /** Adds a record to the log of its route, unless it is there, or of too many bytes. */
  add(spec: DigestSpec, route: number, { digestBytesMost, growing }: StreamState): void {
    const { stream, offset, length, payload } = spec
    const which = growing ? Buffer.from(payload).toString('latin1') : ''
    const key = `${stream} ${offset} ${length} ${which}`
    let kept = this.#kept.get(key)
    if (kept === undefined) {
      const bytes = (this.#bytes.get(stream) ?? 0) + payload.length
      if (bytes > digestBytesMost) return
      this.#bytes.set(stream, bytes)
      const record = { stream, offset, length, payload: Buffer.from(payload) }
      kept = { record, routes: new Set() }
      this.#kept.set(key, kept)
    }
    if (kept.routes.has(route)) return
    kept.routes.add(route)
    this.#log(route).push(kept.record)
  }

  /** Forgets the records of a stream that end here or before. */
  forget(stream: number, before: number): void {
    for (const log of this.#logs.values()) log.forget(stream, before)
    for (const [key, { record }] of this.#kept) {
      if (!isBehind(record, stream, before)) continue
      this.#kept.delete(key)
      this.#bytes.set(stream, (this.#bytes.get(stream) ?? 0) - record.payload.length)
    }
  }

  #log(route: number): DigestLog {
    let log = this.#logs.get(route)
    if (log === undefined) {
      log = new DigestLog()
      this.#logs.set(route, log)
    }
    return log
  }
}
