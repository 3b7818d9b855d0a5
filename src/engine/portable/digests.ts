/**
 * Digest records that a node passes on: the bytes of each are kept once, however many routes and
 * feeds it has. A feed holds no list of them but its place in the log of each route whose table it
 * stands in, so one that reads slowly or not at all costs nothing, and one that enters a table late
 * starts at the beginning.
 */
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { DigestSpec } from '../../ports.js'

/** What a route brought, in the order it came. */
export type DigestLog = readonly DigestSpec[]

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
    return this.#at < Math.min(this.#past, this.#log.length)
  }

  /** The next record to be sent. */
  take(): DigestSpec | undefined {
    const record = this.#at < this.#past ? this.#log[this.#at] : undefined
    if (record === undefined) return undefined
    this.#at += 1
    return { ...record, route: this.#next }
  }

  /** All that was not sent is sent, under this number. */
  go(next: number): void {
    this.#next = next
    this.#past = Number.POSITIVE_INFINITY
  }

  /** What comes from here on is not sent. */
  stop(): void {
    this.#past = Math.min(this.#past, this.#log.length)
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
  readonly #logs = new Map<number, DigestSpec[]>()
  /** By stream and place: the first record of each, with the routes that it was given. */
  readonly #kept = new Map<string, Kept>()
  readonly #bytes = new Map<number, number>()

  log(route: number): DigestLog {
    return this.#log(route)
  }

  /** Adds a record to the log of its route, unless it is there, or of too many bytes. */
  add(spec: DigestSpec, route: number, blocks: number): void {
    const { stream, offset, length, payload } = spec
    const key = `${stream} ${offset} ${length}`
    let kept = this.#kept.get(key)
    if (kept === undefined) {
      const bytes = (this.#bytes.get(stream) ?? 0) + payload.length
      if (bytes > blocks * limits.relayedDigestBytesPerBlock) return
      this.#bytes.set(stream, bytes)
      const record = { stream, offset, length, payload: Buffer.from(payload) }
      kept = { record, routes: new Set() }
      this.#kept.set(key, kept)
    }
    if (kept.routes.has(route)) return
    kept.routes.add(route)
    this.#log(route).push(kept.record)
  }

  #log(route: number): DigestSpec[] {
    let log = this.#logs.get(route)
    if (log === undefined) {
      log = []
      this.#logs.set(route, log)
    }
    return log
  }
}
