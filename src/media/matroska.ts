/**
 * Matroska and WebM (RFC 9559): elements of EBML (RFC 8794).
 *
 * A player reads them from the front when the tracks are described before the first cluster. Cues
 * tell at which clusters decoding can begin; without any the clusters themselves are looked at.
 */
import { RangeSet } from '../base/ranges.js'
import { bitRateOf, type Found } from './found.js'
import { latin, Malformed, type Payload, type Reading, withinBudget } from './payload.js'

const ids = {
  ebml: 0x1a45dfa3,
  docType: 0x4282,
  segment: 0x18538067,
  seekHead: 0x114d9b74,
  seek: 0x4dbb,
  seekId: 0x53ab,
  seekPosition: 0x53ac,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  duration: 0x4489,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackNumber: 0xd7,
  trackType: 0x83,
  cues: 0x1c53bb6b,
  cuePoint: 0xbb,
  cuePositions: 0xb7,
  cueTrack: 0xf7,
  cueCluster: 0xf1,
  cluster: 0x1f43b675,
  timestamp: 0xe7,
  simpleBlock: 0xa3,
  blockGroup: 0xa0,
  block: 0xa1,
  reference: 0xfb,
} as const

/** Elements of a segment: any of them ends a cluster of unknown size. */
const topLevel: readonly number[] = [
  ...([ids.seekHead, ids.info, ids.tracks, ids.cues, ids.cluster] as const),
  ...[0x1941a469, 0x1043a770, 0x1254c367],
]

interface Element {
  readonly id: number
  readonly start: number
  readonly body: number
  /** Null: unknown, up to what cannot be in it. */
  readonly end: number | null
}

/** Elements of one parent that are looked at. */
const childrenMax = 65_536
const videoType = 1
/** Elements of a cluster before its first block of the main track. */
const elementsBeforeBlock = 64

export function isMatroska(first: number): boolean {
  return first === ids.ebml
}

interface Segment {
  readonly start: number
  scale: number
  duration: number | null
  hasTracks: boolean
  mainTrack: number | null
  cuesAt: number | null
  /** Of clusters where decoding can begin. */
  starts: number[]
  readonly clusters: RangeSet
  isIndexLast: boolean
  first: Timed | null
  last: Timed | null
}

interface Timed {
  readonly offset: number
  readonly time: number
}

export function* matroskaFound(payload: Payload): Reading<Found> {
  const header = yield* elementAt(payload, 0, payload.size)
  if (header.end === null) throw new Malformed('the header has no size')
  const types = yield* childrenOf(payload, header, payload.size)
  const docType = types.find(({ id }) => id === ids.docType)
  const text = docType === undefined ? '' : yield* textIn(payload, docType)
  if (text !== 'matroska' && text !== 'webm') throw new Malformed('another document type')
  const top = yield* elementAt(payload, header.end, payload.size)
  if (top.id !== ids.segment) throw new Malformed('there is no segment')
  const segment: Segment = {
    start: top.body,
    scale: 1_000_000,
    duration: null,
    hasTracks: false,
    mainTrack: null,
    cuesAt: null,
    starts: [],
    clusters: new RangeSet(),
    isIndexLast: false,
    first: null,
    last: null,
  }
  const end = Math.min(top.end ?? payload.size, payload.size)
  yield* withinBudget(walk(payload, segment, end))
  if (!segment.hasTracks || segment.clusters.isEmpty)
    throw new Malformed('there are no tracks, or no clusters')
  return {
    format: 'matroska',
    index: segment.isIndexLast ? segment.clusters.missing(0, payload.size) : [],
    bitRate: rateOf(payload.size, segment),
    starts: segment.starts,
  }
}

function* walk(payload: Payload, segment: Segment, end: number): Reading<void> {
  for (let at = segment.start; at < end; ) {
    const element = yield* elementAt(payload, at, end)
    if (element.id === ids.cluster) {
      const hasCues = segment.hasTracks && segment.starts.length === 0 && segment.cuesAt !== null
      if (hasCues && segment.clusters.isEmpty) {
        segment.clusters.add(element.start, end - element.start)
        yield* readCues(payload, segment, segment.cuesAt as number, end)
        if (segment.starts.length > 0) return
        segment.clusters.clear()
      }
      at = yield* readCluster(payload, segment, element, end)
      continue
    }
    if (element.end === null) throw new Malformed('an element has no size')
    if (element.id === ids.seekHead) yield* readSeekHead(payload, segment, element, end)
    else if (element.id === ids.info) yield* readInfo(payload, segment, element, end)
    else if (element.id === ids.tracks) yield* readTracks(payload, segment, element, end)
    else if (element.id === ids.cues && segment.clusters.isEmpty) segment.cuesAt = element.start
    at = element.end
  }
}

function* readSeekHead(
  payload: Payload,
  segment: Segment,
  element: Element,
  limit: number,
): Reading<void> {
  for (const seek of yield* childrenOf(payload, element, limit)) {
    if (seek.id !== ids.seek) continue
    const parts = yield* childrenOf(payload, seek, limit)
    const id = parts.find((part) => part.id === ids.seekId)
    const position = parts.find((part) => part.id === ids.seekPosition)
    if (id === undefined || position === undefined) continue
    if ((yield* numberIn(payload, id)) === ids.cues)
      segment.cuesAt = segment.start + (yield* numberIn(payload, position))
  }
}

function* readInfo(
  payload: Payload,
  segment: Segment,
  element: Element,
  limit: number,
): Reading<void> {
  for (const part of yield* childrenOf(payload, element, limit)) {
    if (part.id === ids.timestampScale) segment.scale = yield* numberIn(payload, part)
    if (part.id !== ids.duration || part.end === null) continue
    const bytes = part.end - part.body
    const view = yield* payload.at(part.body, bytes)
    if (bytes === 4) segment.duration = view.getFloat32(0)
    else if (bytes === 8) segment.duration = view.getFloat64(0)
  }
}

function* readTracks(
  payload: Payload,
  segment: Segment,
  element: Element,
  limit: number,
): Reading<void> {
  segment.hasTracks = true
  segment.isIndexLast = !segment.clusters.isEmpty
  let first: number | null = null
  for (const entry of yield* childrenOf(payload, element, limit)) {
    if (entry.id !== ids.trackEntry) continue
    const parts = yield* childrenOf(payload, entry, limit)
    const number = parts.find(({ id }) => id === ids.trackNumber)
    const type = parts.find(({ id }) => id === ids.trackType)
    if (number === undefined || type === undefined) continue
    const track = yield* numberIn(payload, number)
    first ??= track
    if ((yield* numberIn(payload, type)) === videoType) segment.mainTrack ??= track
  }
  segment.mainTrack ??= first
}

/** Cues that cannot be read are as none. */
function* readCues(payload: Payload, segment: Segment, at: number, end: number): Reading<void> {
  try {
    const cues = yield* elementAt(payload, at, end)
    if (cues.id !== ids.cues) return
    const starts: number[] = []
    for (const point of yield* childrenOf(payload, cues, end)) {
      if (point.id !== ids.cuePoint) continue
      const start = yield* cueStart(payload, segment, point, end)
      if (start !== null && start < end) starts.push(start)
    }
    segment.starts = starts
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
  }
}

function* cueStart(
  payload: Payload,
  segment: Segment,
  point: Element,
  limit: number,
): Reading<number | null> {
  for (const positions of yield* childrenOf(payload, point, limit)) {
    if (positions.id !== ids.cuePositions) continue
    const parts = yield* childrenOf(payload, positions, limit)
    const track = parts.find(({ id }) => id === ids.cueTrack)
    const cluster = parts.find(({ id }) => id === ids.cueCluster)
    if (track === undefined || cluster === undefined) continue
    if ((yield* numberIn(payload, track)) !== segment.mainTrack) continue
    return segment.start + (yield* numberIn(payload, cluster))
  }
  return null
}

/** Notes a cluster, and returns where what follows it begins. */
function* readCluster(
  payload: Payload,
  segment: Segment,
  cluster: Element,
  limit: number,
): Reading<number> {
  const end = Math.min(cluster.end ?? limit, limit)
  let isDecided = false
  let at = cluster.body
  for (let seen = 0; at < end; seen++) {
    // One whose size is known is left once it is known how it begins.
    if (cluster.end !== null && (isDecided || seen === elementsBeforeBlock)) break
    const part = yield* elementAt(payload, at, end)
    if (cluster.end === null && topLevel.includes(part.id)) break
    if (part.end === null) throw new Malformed('an element of a cluster has no size')
    if (part.id === ids.timestamp) {
      const timed = { offset: cluster.start, time: yield* numberIn(payload, part) }
      segment.first ??= timed
      segment.last = timed
    } else if (!isDecided) {
      const isKey = yield* beginsWithKey(payload, segment, part, end)
      isDecided = isKey !== null
      if (isKey === true) segment.starts.push(cluster.start)
    }
    at = Math.min(part.end, end)
  }
  const behind = cluster.end === null ? at : end
  segment.clusters.add(cluster.start, behind - cluster.start)
  return behind
}

/** Whether this is a key frame of the main track; null where it is no frame of it. */
function* beginsWithKey(
  payload: Payload,
  { mainTrack }: Segment,
  part: Element,
  limit: number,
): Reading<boolean | null> {
  if (part.id === ids.simpleBlock) {
    const { track, flags } = yield* blockAt(payload, part)
    return track === mainTrack ? (flags & 0x80) !== 0 : null
  }
  if (part.id !== ids.blockGroup) return null
  const parts = yield* childrenOf(payload, part, limit)
  const block = parts.find(({ id }) => id === ids.block)
  if (block === undefined || (yield* blockAt(payload, block)).track !== mainTrack) return null
  return !parts.some(({ id }) => id === ids.reference)
}

function* blockAt(
  payload: Payload,
  element: Element,
): Reading<{ readonly track: number | null; readonly flags: number }> {
  const { value: track, bytes } = yield* vintAt(payload, element.body, payload.size)
  const head = yield* payload.at(element.body + bytes, 3)
  return { track, flags: head.getUint8(2) }
}

function rateOf(size: number, { duration, scale, first, last }: Segment): number | null {
  const seconds = (time: number): number => (time * scale) / 1e9
  if (duration !== null) return bitRateOf(size, seconds(duration))
  if (first === null || last === null) return null
  return bitRateOf(last.offset - first.offset, seconds(last.time - first.time))
}

// --- EBML ---

/** A number of variable length, without its marker; null: all its bits are set. */
function* vintAt(
  payload: Payload,
  at: number,
  limit: number,
): Reading<{ readonly value: number | null; readonly bytes: number }> {
  if (at >= limit) throw new Malformed('a number has no room')
  const first = (yield* payload.at(at, 1)).getUint8(0)
  const bytes = Math.clz32(first) - 23
  if (bytes > 8) throw new Malformed('a number is too long')
  const view = yield* payload.at(at, bytes)
  let value = first & ((1 << (8 - bytes)) - 1)
  let isAllOnes = value === (1 << (8 - bytes)) - 1
  for (let i = 1; i < bytes; i++) {
    const byte = view.getUint8(i)
    isAllOnes &&= byte === 0xff
    value = value * 256 + byte
  }
  if (isAllOnes) return { value: null, bytes }
  if (!Number.isSafeInteger(value)) throw new Malformed('a number is too large')
  return { value, bytes }
}

function* elementAt(payload: Payload, start: number, limit: number): Reading<Element> {
  if (start >= limit) throw new Malformed('an element has no room')
  const first = (yield* payload.at(start, 1)).getUint8(0)
  const idBytes = Math.clz32(first) - 23
  if (idBytes > 4) throw new Malformed('an element has no id')
  const view = yield* payload.at(start, idBytes)
  const id = uintOf(view)
  const size = yield* vintAt(payload, start + idBytes, limit)
  const body = start + idBytes + size.bytes
  const end = size.value === null ? null : body + size.value
  return { id, start, body, end }
}

/** What is in an element whose size is known and that ends before `limit`. */
function* childrenOf(payload: Payload, parent: Element, limit: number): Reading<Element[]> {
  if (parent.end === null || parent.end > limit) throw new Malformed('an element is cut off')
  const children: Element[] = []
  for (let at = parent.body; at < parent.end; ) {
    const child = yield* elementAt(payload, at, parent.end)
    if (child.end === null || child.end > parent.end) throw new Malformed('an element is cut off')
    children.push(child)
    if (children.length > childrenMax) throw new Malformed('an element has too many parts')
    at = child.end
  }
  return children
}

function* numberIn(payload: Payload, { body, end }: Element): Reading<number> {
  const bytes = (end ?? body) - body
  if (bytes > 8) throw new Malformed('a number is too long')
  const value = uintOf(yield* payload.at(body, bytes))
  if (!Number.isSafeInteger(value)) throw new Malformed('a number is too large')
  return value
}

/** All of it as one big-endian number. */
function uintOf(view: DataView): number {
  let value = 0
  for (let i = 0; i < view.byteLength; i++) value = value * 256 + view.getUint8(i)
  return value
}

function* textIn(payload: Payload, { body, end }: Element): Reading<string> {
  const view = yield* payload.at(body, Math.min((end ?? body) - body, 32))
  return latin(view, 0, view.byteLength).replace(/\0.*$/s, '')
}
