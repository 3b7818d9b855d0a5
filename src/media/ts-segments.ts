/**
 * Segments of an MPEG transport stream. A segment begins at the tables ahead of a frame where they
 * are, or else at its packet.
 *
 * The idea: to know the segments not all has to be read. Behind the beginning of one a part of what
 * the last one had is skipped; where that was too much, it is read after all.
 */
import { noTables, noteTables, payloadIn } from './mpeg-ts.js'
import type { Payload, Reading } from './payload.js'
import type { Point, Segments } from './segments.js'

const packetBytes = 188
/** Below it are tables. */
const firstStreamPid = 0x20
/** Of the bytes of a segment, before the end of the next one is looked for. */
const skippedPart = 0.7
/** Times of frames count so many in a second, modulo 2^33. */
const [timeHz, timeWraps] = [90_000, 2 ** 33]

export class TsSegments {
  readonly format = 'mpeg-ts'
  readonly map = null
  readonly #segments: Segments
  readonly #tables = noTables()
  #at = 0
  /** Where the tables began that no frame has followed yet. */
  #tablesAt: number | null = null
  /** Of the last frame, unwrapped. */
  #ticks: number | null = null
  /** Something behind the beginning of the segment was not read. */
  #hasSkipped = false

  constructor(segments: Segments) {
    this.#segments = segments
  }

  /** All before it was looked at. */
  get at(): number {
    return this.#at
  }

  /** As far as the payload goes now. True: there is no more, or it is no stream from there on. */
  *advance(payload: Payload, isFinal: boolean): Reading<boolean> {
    for (;;) {
      while (this.#at + packetBytes <= payload.size) {
        const packet = yield* payload.at(this.#at, packetBytes)
        if (packet.getUint8(0) !== 0x47) {
          if (!this.#hasSkipped) return this.#finish()
          this.#rewind()
        } else this.#note(packet)
      }
      if (!isFinal) return false
      if (!this.#hasSkipped) return this.#finish()
      this.#rewind()
    }
  }

  #finish(): true {
    this.#segments.finish(this.#at, null)
    return true
  }

  #note(packet: DataView): void {
    const at = this.#at
    this.#at += packetBytes
    noteTables(this.#tables, packet)
    const pid = packet.getUint16(1) & 0x1fff
    if (pid < firstStreamPid || pid === this.#tables.tablePid) this.#tablesAt ??= at
    const { videoPid, otherPid } = this.#tables
    if (pid !== (videoPid ?? otherPid)) return
    const tablesAt = this.#tablesAt
    this.#tablesAt = null
    const ticks = ticksOf(packet)
    if (ticks === null) return
    const isSync = videoPid === null || (packet.getUint8(3) & 0x20 ? isMarked(packet) : false)
    const unwrapped = this.#unwrapped(ticks)
    // What comes before the first frame is of the first segment.
    const offset = this.#segments.start === null ? 0 : (tablesAt ?? at)
    const point = { offset, seconds: unwrapped / timeHz, isSync }
    if (this.#hasSkipped && !this.#segments.isNear(point)) return this.#rewind()
    this.#ticks = unwrapped
    if (this.#segments.note(point)) this.#skip(point)
  }

  #unwrapped(ticks: number): number {
    if (this.#ticks === null) return ticks
    const ahead = (((ticks - this.#ticks) % timeWraps) + timeWraps) % timeWraps
    return this.#ticks + (ahead > timeWraps / 2 ? ahead - timeWraps : ahead)
  }

  /** A segment begins. */
  #skip(point: Point): void {
    this.#hasSkipped = false
    const last = this.#segments.list.at(-1)
    // It began before this point: the film is cut in the midst.
    if (last === undefined || this.#segments.start !== point) return
    const skipped = Math.floor((last.length * skippedPart) / packetBytes) * packetBytes
    if (point.offset + skipped <= this.#at) return
    this.#at = point.offset + skipped
    this.#hasSkipped = true
  }

  #rewind(): void {
    const start = this.#segments.start as Point
    this.#hasSkipped = false
    this.#tablesAt = null
    this.#at = start.offset
    this.#ticks = Math.round(start.seconds * timeHz)
    this.#segments.rewind()
  }
}

/** Whether the adaptation field marks a packet at which decoding can begin. */
function isMarked(packet: DataView): boolean {
  return packet.getUint8(4) > 0 && (packet.getUint8(5) & 0x40) !== 0
}

/** When the frame that begins in a packet is decoded; null: none does that says so. */
function ticksOf(packet: DataView): number | null {
  const at = payloadIn(packet)
  const beginsUnit = (packet.getUint8(1) & 0x40) !== 0
  if (!beginsUnit || at === null || at + 14 > packetBytes) return null
  if (packet.getUint32(at) >>> 8 !== 1) return null
  const which = packet.getUint8(at + 7) >> 6
  const hasDecoding = which === 3
  if (which < 2 || (hasDecoding && at + 19 > packetBytes)) return null
  const from = hasDecoding ? at + 14 : at + 9
  const high = (packet.getUint8(from) >> 1) & 7
  return (
    high * 2 ** 30 + (packet.getUint16(from + 1) >> 1) * 2 ** 15 + (packet.getUint16(from + 3) >> 1)
  )
}
