/**
 * MPEG transport streams (ISO/IEC 13818-1): packets of 188 bytes, also with 4 bytes of time ahead
 * of each, or with 16 of error correction behind. They can be played from the front. The tables
 * PAT and PMT tell which packets are video; of those some are marked: decoding can begin there.
 */
import { contentLimits } from '../base/content-limits.js'
import { bitRateOf, type Found } from './found.js'
import { type Payload, type Reading, withinBudget } from './payload.js'

const syncByte = 0x47
const packetSizes = [188, 192, 204] as const
/** Packets in a row by which a stream is known, at least and where it has as many. */
const [packetsLeast, packetsKnown] = [5, 8]
/** Types of elementary streams that are video: MPEG-1, 2 and 4, H.264, H.265, H.266, AVS, VC-1. */
const videoTypes = [0x01, 0x02, 0x10, 0x1b, 0x24, 0x33, 0x42, 0xd1, 0xea]
/** The clock of a program: 27 MHz, of 33 bits x 300. */
const [clockHz, clockWraps] = [27_000_000, 2 ** 33 * 300]
/** Bytes at the end in which its last time is looked for. */
const tailBytes = 512 * 1024

export interface Packing {
  /** Bytes of a packet with all around it, and the offset of its sync byte in them. */
  readonly bytes: number
  readonly sync: number
}

interface Clock {
  readonly pid: number
  readonly offset: number
  readonly ticks: number
}

/** What the tables PAT and PMT say, as far as they were read. */
export interface Tables {
  tablePid: number | null
  videoPid: number | null
  /** Of the first stream that is no video. */
  otherPid: number | null
}

interface Stream extends Tables {
  readonly packing: Packing
  first: Clock | null
  last: Clock | null
  readonly starts: number[]
}

/** The packing of a payload that is such a stream; null of any other. */
export function* packingOf(payload: Payload): Reading<Packing | null> {
  for (const bytes of packetSizes) {
    const sync = bytes === 192 ? 4 : 0
    const packets = Math.min(Math.floor(payload.size / bytes), packetsKnown)
    if (packets < packetsLeast) continue
    const view = yield* payload.at(0, packets * bytes)
    const isAll = Array.from({ length: packets }, (_, i) => view.getUint8(i * bytes + sync))
    if (isAll.every((byte) => byte === syncByte)) return { bytes, sync }
  }
  return null
}

export function* tsFound(payload: Payload, packing: Packing): Reading<Found> {
  const end = noneOf(packing)
  yield* withinBudget(scan(payload, end, tailOf(payload, packing)))
  const all = noneOf(packing)
  yield* withinBudget(scan(payload, all, 0))
  const last = end.last !== null && end.last.pid === all.first?.pid ? end.last : all.last
  return {
    format: 'mpeg-ts',
    index: [],
    bitRate: all.first === null || last === null ? null : rateOf(all.first, last),
    starts: all.starts,
    unitBytes: packing.bytes,
  }
}

export function noTables(): Tables {
  return { tablePid: null, videoPid: null, otherPid: null }
}

function noneOf(packing: Packing): Stream {
  return { ...noTables(), packing, first: null, last: null, starts: [] }
}

/** Where the packets begin in which the last time is looked for. */
function tailOf(payload: Payload, { bytes }: Packing): number {
  const packets = Math.floor(payload.size / bytes)
  return Math.max(0, packets - Math.floor(tailBytes / bytes)) * bytes
}

/** Notes what the packets say; ends where one does not begin as it should. */
function* scan(payload: Payload, stream: Stream, from: number): Reading<void> {
  const { bytes, sync } = stream.packing
  for (let at = from; at + bytes <= payload.size; at += bytes) {
    const packet = yield* payload.at(at + sync, 188)
    if (packet.getUint8(0) !== syncByte) return
    notePacket(stream, packet, at)
    if (stream.starts.length > contentLimits.analysisStarts) return
  }
}

function notePacket(stream: Stream, packet: DataView, offset: number): void {
  const pid = packet.getUint16(1) & 0x1fff
  const control = packet.getUint8(3) & 0x30
  const adaptationBytes = control & 0x20 ? packet.getUint8(4) : 0
  if (adaptationBytes > 0) {
    const flags = packet.getUint8(5)
    if (flags & 0x40 && pid === stream.videoPid) stream.starts.push(offset)
    if (flags & 0x10 && adaptationBytes >= 7) {
      const ticks = clockOf(packet)
      stream.first ??= { pid, offset, ticks }
      if (stream.first.pid === pid) stream.last = { pid, offset, ticks }
    }
  }
  noteTables(stream, packet)
}

/** Notes what a packet says of them; any packet of the stream may be one. */
export function noteTables(tables: Tables, packet: DataView): void {
  const pid = packet.getUint16(1) & 0x1fff
  const beginsUnit = (packet.getUint8(1) & 0x40) !== 0
  const isTable = pid === 0 || pid === tables.tablePid
  const payloadAt = payloadIn(packet)
  if (isTable && beginsUnit && payloadAt !== null && tables.videoPid === null)
    noteTable(tables, packet, pid, payloadAt)
}

/** Offset in a packet of what it carries; null: nothing. */
export function payloadIn(packet: DataView): number | null {
  const control = packet.getUint8(3) & 0x30
  const at = control & 0x20 ? 5 + packet.getUint8(4) : 4
  return control & 0x10 && at < 188 ? at : null
}

function clockOf(packet: DataView): number {
  const base = packet.getUint32(6) * 2 + (packet.getUint8(10) >> 7)
  const extension = packet.getUint16(10) & 0x1ff
  return base * 300 + extension
}

/** A section of PAT or PMT, as far as it is in this packet. */
function noteTable(tables: Tables, packet: DataView, pid: number, payloadAt: number): void {
  const at = payloadAt + 1 + packet.getUint8(payloadAt)
  if (at + 12 > 188) return
  const id = packet.getUint8(at)
  const end = Math.min(188, at + 3 + (packet.getUint16(at + 1) & 0xfff) - 4)
  if (pid === 0 && id === 0) {
    for (let entry = at + 8; entry + 4 <= end; entry += 4)
      // Program 0 tells of the network.
      if (packet.getUint16(entry) !== 0) {
        tables.tablePid = packet.getUint16(entry + 2) & 0x1fff
        return
      } else tables.otherPid ??= packet.getUint16(entry + 1) & 0x1fff
  } else if (pid === tables.tablePid && id === 2) {
    let entry = at + 12 + (packet.getUint16(at + 10) & 0xfff)
    for (; entry + 5 <= end; entry += 5 + (packet.getUint16(entry + 3) & 0xfff))
      if (videoTypes.includes(packet.getUint8(entry))) {
        tables.videoPid = packet.getUint16(entry + 1) & 0x1fff
        return
      } else tables.otherPid ??= packet.getUint16(entry + 1) & 0x1fff
  }
}

function rateOf(first: Clock, last: Clock): number | null {
  const ticks = (last.ticks - first.ticks + clockWraps) % clockWraps
  return bitRateOf(last.offset - first.offset, ticks / clockHz)
}
