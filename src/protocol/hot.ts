/**
 * `progress` and `backlog`, the two frames that every node sends many times a second, and
 * `reports`, in which a leader sends those of its group: fixed binary layouts (docs/protocol.md,
 * section 3), counters, then counted lists of rows.
 *
 * The reader compares every count with its bound and with the bytes present before it uses it.
 * Lists are in ascending order of member numbers, so that each member appears at most once. The
 * loops are plain because they run often for every node.
 */

import { concat } from '../base/bytes.js'
import { limits } from '../base/limits.js'
import type { Frame, GroupReport, MateBytes, MateReport } from '../control/messages/types.js'
import { protocolError } from './fields.js'

type Progress = Extract<Frame, { type: 'progress' }>
type Backlog = Extract<Frame, { type: 'backlog' }>
type ReportsFrame = Extract<Frame, { type: 'reports' }>

const empty = new Uint8Array()
const counterBytes = 8
const countBytes = 2
const memberBytes = 4
/** Upper half of the largest counter, 2^53 - 1. */
const highMax = 0x1f_ffff

const progressHeadBytes = 8 * counterBytes + 3 * countBytes
const backlogHeadBytes = 4 * counterBytes + countBytes
const reportBytes = memberBytes + 2 * counterBytes
const bytesBytes = memberBytes + counterBytes

export function encodeProgress(frame: Progress): Uint8Array<ArrayBuffer> {
  const { mates, received, pulled } = frame
  const rows = mates.length * reportBytes + (received.length + pulled.length) * bytesBytes
  const out = new Writer('progress', progressHeadBytes + rows)
  out.counter(frame.atMs)
  out.counter(frame.landedBytes)
  out.counter(frame.holeBytes)
  out.counter(frame.verifiedBytes)
  out.counter(frame.repairedBytes)
  out.counter(frame.sentBytes)
  out.counter(frame.receivedBytes)
  out.counter(frame.duplicateBytes)
  for (const list of [mates, received, pulled]) out.count(list.length)
  let last = -1
  for (const { member, queuedBytes, unackedBytes } of mates) {
    last = out.member(member, last)
    out.counter(queuedBytes)
    out.counter(unackedBytes)
  }
  for (const list of [received, pulled]) {
    last = -1
    for (const { member, bytes } of list) {
      last = out.member(member, last)
      out.counter(bytes)
    }
  }
  return out.bytes
}

/** Throws ERR_FR_PROTOCOL. */
export function decodeProgress(body: Uint8Array): Progress {
  const from = new Reader('progress', body, progressHeadBytes)
  const atMs = from.counter()
  const landedBytes = from.counter()
  const holeBytes = from.counter()
  const verifiedBytes = from.counter()
  const repairedBytes = from.counter()
  const sentBytes = from.counter()
  const receivedBytes = from.counter()
  const duplicateBytes = from.counter()
  const counts = [from.count(), from.count(), from.count()] as const
  from.requireRows(counts[0] * reportBytes + (counts[1] + counts[2]) * bytesBytes)
  const mates: MateReport[] = []
  for (let last = -1, left = counts[0]; left > 0; left--) {
    last = from.member(last)
    mates.push({ member: last, queuedBytes: from.counter(), unackedBytes: from.counter() })
  }
  return {
    type: 'progress',
    atMs,
    landedBytes,
    holeBytes,
    verifiedBytes,
    repairedBytes,
    sentBytes,
    receivedBytes,
    duplicateBytes,
    mates,
    received: readBytes(from, counts[1]),
    pulled: readBytes(from, counts[2]),
  }
}

function readBytes(from: Reader, count: number): MateBytes[] {
  const rows: MateBytes[] = []
  for (let last = -1, left = count; left > 0; left--) {
    last = from.member(last)
    rows.push({ member: last, bytes: from.counter() })
  }
  return rows
}

export function encodeBacklog(frame: Backlog): Uint8Array<ArrayBuffer> {
  const { behind } = frame
  const out = new Writer('backlog', backlogHeadBytes + behind.length * memberBytes)
  out.counter(frame.atMs)
  out.counter(frame.landedBytes)
  out.counter(frame.receivedBytes)
  out.counter(frame.backlogBytes)
  out.count(behind.length)
  let last = -1
  for (const member of behind) last = out.member(member, last)
  return out.bytes
}

export function decodeBacklog(body: Uint8Array): Backlog {
  const from = new Reader('backlog', body, backlogHeadBytes)
  const atMs = from.counter()
  const landedBytes = from.counter()
  const receivedBytes = from.counter()
  const backlogBytes = from.counter()
  const count = from.count()
  from.requireRows(count * memberBytes)
  const behind: number[] = []
  for (let last = -1, left = count; left > 0; left--) {
    last = from.member(last)
    behind.push(last)
  }
  return { type: 'backlog', atMs, landedBytes, receivedBytes, backlogBytes, behind }
}

/** Rows: member, the lengths of its reports, where 0 is none, and these. */
export function encodeReports(frame: ReportsFrame): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = []
  let last = -1
  for (const { member, progress, backlog } of frame.of) {
    const bodies = [
      progress === null ? empty : encodeProgress(progress),
      backlog === null ? empty : encodeBacklog(backlog),
    ]
    const head = new Writer('reports', memberBytes + 2 * countBytes)
    last = head.member(member, last)
    for (const body of bodies) head.length(body.length)
    parts.push(head.bytes, ...bodies)
  }
  const count = new Writer('reports', countBytes)
  count.count(frame.of.length)
  return concat(count.bytes, ...parts)
}

export function decodeReports(body: Uint8Array): ReportsFrame {
  const from = new Reader('reports', body, countBytes)
  const of: GroupReport[] = []
  for (let last = -1, left = from.count(); left > 0; left--) {
    from.require(memberBytes + 2 * countBytes)
    last = from.member(last)
    const [progressBytes, backlogBytes] = [from.length(), from.length()]
    const [progress, backlog] = [from.take(progressBytes), from.take(backlogBytes)]
    of.push({
      member: last,
      progress: progressBytes === 0 ? null : decodeProgress(progress),
      backlog: backlogBytes === 0 ? null : decodeBacklog(backlog),
    })
  }
  from.requireRows(0)
  return { type: 'reports', of }
}

/** Throws TypeError for values that the other side would refuse: a mistake of this side. */
class Writer {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly #view: DataView
  readonly #type: string
  #at = 0

  constructor(type: string, length: number) {
    this.#type = type
    this.bytes = new Uint8Array(length)
    this.#view = new DataView(this.bytes.buffer)
  }

  counter(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) this.#refuse(`${value} is not a counter`)
    this.#view.setUint32(this.#at, value, true)
    this.#view.setUint32(this.#at + 4, value / 2 ** 32, true)
    this.#at += counterBytes
  }

  count(value: number): void {
    if (value > limits.membersPerPlan) this.#refuse(`a list has ${value} members`)
    this.#view.setUint16(this.#at, value, true)
    this.#at += countBytes
  }

  length(value: number): void {
    if (value > 0xffff) this.#refuse(`a report has ${value} bytes`)
    this.#view.setUint16(this.#at, value, true)
    this.#at += countBytes
  }

  member(value: number, last: number): number {
    if (value <= last || value >>> 0 !== value) this.#refuse('members of a list do not ascend')
    this.#view.setUint32(this.#at, value, true)
    this.#at += memberBytes
    return value
  }

  #refuse(problem: string): never {
    throw new TypeError(`cannot be sent: frame ${this.#type}: ${problem}`)
  }
}

class Reader {
  readonly #view: DataView
  readonly #type: string
  #at = 0

  constructor(type: string, body: Uint8Array, headBytes: number) {
    this.#type = type
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength)
    if (body.length < headBytes) this.#refuse(`${body.length} bytes are too few`)
  }

  counter(): number {
    const high = this.#view.getUint32(this.#at + 4, true)
    if (high > highMax) this.#refuse('a counter is not below 2^53')
    const value = high * 2 ** 32 + this.#view.getUint32(this.#at, true)
    this.#at += counterBytes
    return value
  }

  count(): number {
    const value = this.#view.getUint16(this.#at, true)
    if (value > limits.membersPerPlan) this.#refuse(`a list has ${value} members`)
    this.#at += countBytes
    return value
  }

  length(): number {
    const value = this.#view.getUint16(this.#at, true)
    this.#at += countBytes
    return value
  }

  /** As many bytes must be left. */
  require(bytes: number): void {
    const left = this.#view.byteLength - this.#at
    if (left < bytes) this.#refuse(`${left} bytes are too few`)
  }

  take(bytes: number): Uint8Array {
    this.require(bytes)
    const { buffer, byteOffset } = this.#view
    this.#at += bytes
    return new Uint8Array(buffer, byteOffset + this.#at - bytes, bytes)
  }

  /** Requires exactly as many bytes as the counts need. */
  requireRows(bytes: number): void {
    const left = this.#view.byteLength - this.#at
    if (left !== bytes) this.#refuse(`${left} bytes of rows, and counts of ${bytes}`)
  }

  member(last: number): number {
    const value = this.#view.getUint32(this.#at, true)
    if (value <= last) this.#refuse('members of a list do not ascend')
    this.#at += memberBytes
    return value
  }

  #refuse(problem: string): never {
    throw protocolError(`frame ${this.#type}: ${problem}`)
  }
}
