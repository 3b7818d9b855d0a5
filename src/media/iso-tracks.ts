/** The tracks of an MP4 or QuickTime file (its `moov` box), and where decoding can begin. */
import { contentLimits } from '../base/content-limits.js'
import { type Box, bodyOf, boxBelow, childrenOf } from './iso-boxes.js'
import { latin, Malformed, type Payload, type Reading, uint64 } from './payload.js'

export interface IsoTrack {
  readonly id: number
  readonly kind: string
  /** Units of its times in a second. */
  readonly timescale: number
  readonly samples: Box | null
  /** Flags of samples in fragments that say none themselves. */
  readonly defaultFlags: number
  /** The same for how long they are, in its units. */
  readonly defaultDuration: number
}

export interface IsoMovie {
  /** Null: it says none, as one in fragments. */
  readonly seconds: number | null
  readonly isFragmented: boolean
  /** By which it is cut: of the first video track, or else the first one. */
  readonly main: IsoTrack | null
}

const tracksMax = 64
const tableBytes = contentLimits.analysisTableBytes

export function* movieOf(payload: Payload, moov: Box): Reading<IsoMovie> {
  const children = yield* childrenOf(payload, moov)
  const header = children.find(({ type }) => type === 'mvhd')
  if (header === undefined) throw new Malformed('a moov box has no header')
  const { duration, timescale } = yield* timesOf(payload, header)
  const extended = children.find(({ type }) => type === 'mvex')
  const defaults =
    extended === undefined ? new Map<number, Defaults>() : yield* defaultsOf(payload, extended)
  const tracks: IsoTrack[] = []
  for (const box of children.filter(({ type }) => type === 'trak').slice(0, tracksMax)) {
    const track = yield* trackOf(payload, box, defaults)
    if (track !== null) tracks.push(track)
  }
  const main = tracks.find(({ kind }) => kind === 'vide') ?? tracks[0] ?? null
  const isKnown = timescale > 0 && duration > 0
  return {
    seconds: isKnown ? duration / timescale : null,
    isFragmented: extended !== undefined,
    main,
  }
}

/** Of a box `mvhd` or `mdhd`, which begin alike. */
function* timesOf(
  payload: Payload,
  box: Box,
): Reading<{ readonly timescale: number; readonly duration: number }> {
  const body = yield* bodyOf(payload, box, 20, 32)
  if (body.getUint8(0) === 0) {
    const duration = body.getUint32(16)
    return { timescale: body.getUint32(12), duration: duration === 0xffff_ffff ? 0 : duration }
  }
  if (body.byteLength < 32) throw new Malformed(`${box.type} is too short`)
  const isKnown = body.getBigUint64(24) !== 0xffff_ffff_ffff_ffffn
  return { timescale: body.getUint32(20), duration: isKnown ? uint64(body, 24) : 0 }
}

interface Defaults {
  readonly flags: number
  readonly duration: number
}

function* defaultsOf(payload: Payload, mvex: Box): Reading<Map<number, Defaults>> {
  const defaults = new Map<number, Defaults>()
  for (const box of yield* childrenOf(payload, mvex)) {
    if (box.type !== 'trex') continue
    const body = yield* bodyOf(payload, box, 24, 24)
    const said = { flags: body.getUint32(20), duration: body.getUint32(12) }
    defaults.set(body.getUint32(4), said)
  }
  return defaults
}

function* trackOf(
  payload: Payload,
  box: Box,
  defaults: ReadonlyMap<number, Defaults>,
): Reading<IsoTrack | null> {
  const header = yield* boxBelow(payload, box, 'tkhd')
  const media = yield* boxBelow(payload, box, 'mdia')
  if (header === null || media === null) return null
  const times = yield* boxBelow(payload, media, 'mdhd')
  const handler = yield* boxBelow(payload, media, 'hdlr')
  if (times === null || handler === null) return null
  const head = yield* bodyOf(payload, header, 24, 24)
  const id = head.getUint32(head.getUint8(0) === 0 ? 12 : 20)
  const kind = latin(yield* bodyOf(payload, handler, 12, 12), 8)
  const { timescale } = yield* timesOf(payload, times)
  const samples = yield* boxBelow(payload, media, 'minf', 'stbl')
  const { flags: defaultFlags = 0, duration: defaultDuration = 0 } = defaults.get(id) ?? {}
  return { id, kind, timescale, samples, defaultFlags, defaultDuration }
}

/** Offsets in the payload of samples that can be decoded by themselves, in the order of chunks. */
export function* syncOffsets(payload: Payload, samples: Box): Reading<number[]> {
  const boxes = yield* childrenOf(payload, samples)
  const chunks = yield* chunkOffsets(payload, boxes)
  const sync = boxes.find(({ type }) => type === 'stss')
  // Where nothing says which samples are, all are: those that begin a chunk will do.
  if (sync === undefined) return chunks
  const table = yield* tableOf(payload, sync, 4)
  const numbers = Array.from({ length: table.count }, (_, i) => table.view.getUint32(i * 4))
  const sizes = yield* sampleSizes(payload, boxes)
  const runs = yield* samplesPerChunk(payload, boxes)
  const offsets: number[] = []
  let [sample, next, run] = [1, 0, 0]
  for (const [at, chunk] of chunks.entries()) {
    while ((runs[run + 1]?.firstChunk ?? Infinity) <= at + 1) run++
    const behind = sample + (runs[run]?.samples ?? 0)
    let [offset, last] = [chunk, sample]
    for (; (numbers[next] ?? Infinity) < behind; next++) {
      const number = numbers[next] as number
      if (number < last) throw new Malformed('sync samples are not in order')
      offset += sizes.between(last, number)
      last = number
      offsets.push(offset)
    }
    sample = behind
  }
  return offsets
}

interface Table {
  readonly count: number
  /** Of the entries. */
  readonly view: DataView
}

/** The entries of a table of so many bytes each, behind `head` bytes and their number. */
function* tableOf(payload: Payload, box: Box, entryBytes: number, head = 4): Reading<Table> {
  const start = yield* bodyOf(payload, box, head + 4, head + 4)
  const count = start.getUint32(head)
  const bytes = count * entryBytes
  if (bytes > tableBytes || box.body + head + 4 + bytes > box.end)
    throw new Malformed(`${box.type} is too long`)
  const view = yield* payload.at(box.body + head + 4, bytes)
  return { count, view }
}

function* chunkOffsets(payload: Payload, boxes: readonly Box[]): Reading<number[]> {
  const box = boxes.find(({ type }) => type === 'stco' || type === 'co64')
  if (box === undefined) throw new Malformed('a track has no chunks')
  const isLong = box.type === 'co64'
  const { count, view } = yield* tableOf(payload, box, isLong ? 8 : 4)
  const offsetAt = (i: number): number => (isLong ? uint64(view, i * 8) : view.getUint32(i * 4))
  return Array.from({ length: count }, (_, i) => offsetAt(i))
}

interface SampleSizes {
  /** Bytes of the samples from one number (from 1 on) to before another. */
  between(from: number, to: number): number
}

function* sampleSizes(payload: Payload, boxes: readonly Box[]): Reading<SampleSizes> {
  const box = boxes.find(({ type }) => type === 'stsz')
  if (box === undefined) throw new Malformed('a track has no sizes')
  const size = (yield* bodyOf(payload, box, 12, 12)).getUint32(4)
  if (size > 0) return { between: (from, to) => (to - from) * size }
  const { count, view } = yield* tableOf(payload, box, 4, 8)
  // A copy, as the payload's window moves on.
  const sums = new Float64Array(count + 1)
  for (let i = 0; i < count; i++) sums[i + 1] = (sums[i] as number) + view.getUint32(i * 4)
  const upTo = (sample: number): number => sums[Math.min(sample - 1, count)] as number
  return { between: (from, to) => upTo(to) - upTo(from) }
}

interface ChunkRun {
  /** From 1 on. */
  readonly firstChunk: number
  readonly samples: number
}

function* samplesPerChunk(payload: Payload, boxes: readonly Box[]): Reading<ChunkRun[]> {
  const box = boxes.find(({ type }) => type === 'stsc')
  if (box === undefined) throw new Malformed('a track has no chunks')
  const { count, view } = yield* tableOf(payload, box, 12)
  return Array.from({ length: count }, (_, i) => ({
    firstChunk: view.getUint32(i * 12),
    samples: view.getUint32(i * 12 + 4),
  }))
}
