/**
 * Control frames on the wire:
 *
 *     u32 length (of what follows) | u8 frame type | body: JSON (UTF-8), or binary (hot.ts)
 *
 * One table gives every frame its number and the reader of its body. Reading checks every field
 * against base/limits.ts. Writing cuts texts for people and checks the length: the simulator reads
 * every frame that it writes, which proves that this program writes nothing that its reader refuses
 * or changes. TLS below the link guarantees that no frame is changed, dropped, replayed or moved.
 *
 * Never: more than one frame in memory.
 */
import { cleanText, concat, readU32, u32, utf8 } from '../base/bytes.js'
import { digestAlgorithms } from '../base/digests.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { FetchOffer, Frame, FrameType } from '../control/messages/types.js'
import { readApplied, readTreePart } from './applied.js'
import { askingMasterFrames } from './asking-master.js'
import { readBridge, readReach } from './bridging.js'
import { readConsult, readForce, readForced, readPrepare, readVoted } from './commit.js'
import { readCopyWish, readDetection, readNodeLink, readShare } from './copy-wish.js'
import { directoryFrames } from './directory.js'
import { type Fields, parseObject, protocolError } from './fields.js'
import { readFileDigest } from './file-digest.js'
import { readFollow, readMore, readPosition } from './growing.js'
import { heldFrames, readPackAsk, readPackOffer } from './held.js'
import {
  decodeBacklog,
  decodeProgress,
  decodeReports,
  encodeBacklog,
  encodeProgress,
  encodeReports,
} from './hot.js'
import { decodeIndexed, encodeIndexed } from './indexed.js'
import { readName, readStreamEntry } from './manifest.js'
import { masterFrames } from './mastering.js'
import {
  numberMax,
  readNumber,
  readNumbers,
  readPlan,
  readRoster,
  readSealed,
  readTerm,
  routeMax,
} from './plan.js'
import { publishingFrames } from './publishing.js'
import { readAnswer, readCode, readReason } from './reasons.js'
import { swarmFrames } from './swarming.js'

type BodyReader<T extends FrameType> = (body: Fields) => Omit<Extract<Frame, { type: T }>, 'type'>
type HotType = 'progress' | 'backlog' | 'reports' | 'indexed'
type FrameTable = {
  readonly [T in Exclude<FrameType, HotType>]: readonly [number: number, read: BodyReader<T>]
}

const roles = ['receiver', 'mirror', 'gateway'] as const
const bytesMax = Number.MAX_SAFE_INTEGER
const streamMax = 0xffff_ffff
const empty = (): Record<never, never> => ({})

const frameTable: FrameTable = {
  offer: [
    1,
    (body) => ({
      transfer: body.hex('transfer', 32),
      digest: body.oneOf('digest', digestAlgorithms),
      noClobber: body.boolean('noClobber'),
      strict: body.boolean('strict'),
      streams: body.integer('streams', 1, limits.streamsPerTransfer),
      bytes: body.integer('bytes', 0, bytesMax),
      manifestPages: body.integer('manifestPages', 1, limits.manifestPages),
      author: body.hex('author', 2 * limits.publicKeyBytes),
      silenceMs: body.integer('silenceMs', limits.silenceMsMin, limits.silenceMsMax),
      ...readDetection(body),
      planned: body.boolean('planned'),
      fileDigest: body.isNull('fileDigest') ? null : readFileDigest(body, 'fileDigest'),
      role: body.oneOf('role', roles),
      ...(body.has('share') && { share: readShare(body.object('share')) }),
      ...(body.has('tree') && { tree: readTreePart(body.object('tree')) }),
      ...(body.has('keep') && { keep: body.integer('keep', 0, limits.versionsPerName) }),
      ...(body.has('beside') && { beside: body.boolean('beside') }),
    }),
  ],
  manifest: [
    2,
    (body) => ({
      page: body.integer('page', 0, limits.manifestPages - 1),
      entries: body.list('entries', limits.manifestPageEntries, readStreamEntry),
      signature: body.hex('signature', 2 * limits.signatureBytes),
    }),
  ],
  plan: [3, readPlan],
  roster: [14, readRoster],
  detour: [
    4,
    (body) => ({
      member: readNumber(body, 'member'),
      why: body.oneOf('why', ['broken', 'away', 'held']),
      ranges: body.ranges('ranges', limits.needRanges),
      route: body.integer('route', 0, routeMax),
    }),
  ],
  passOn: [
    10,
    (body) => ({
      ranges: body.ranges('ranges', limits.needRanges),
      route: body.integer('route', 1, routeMax),
    }),
  ],
  mend: [
    70,
    (body) => ({
      member: readNumber(body, 'member'),
      ranges: body.ranges('ranges', limits.needRanges),
    }),
  ],
  seal: [
    5,
    (body) => ({
      stream: body.integer('stream', 0, streamMax),
      fileDigest: body.isNull('fileDigest') ? null : readFileDigest(body, 'fileDigest'),
    }),
  ],
  succeed: [
    12,
    (body) => ({ transfer: body.hex('transfer', 32), term: readTerm(body.object('term')) }),
  ],
  holds: [
    31,
    (body) => ({
      have: body.ranges('have', limits.needRanges),
      fileDigest: body.isNull('fileDigest') ? null : readFileDigest(body, 'fileDigest'),
    }),
  ],
  beat: [6, empty],
  heard: [71, (body) => ({ frames: body.integer('frames', 0, bytesMax) })],
  finish: [7, empty],
  abort: [8, readReason],
  joined: [11, (body) => ({ request: body.integer('request', 0, bytesMax), ...readAnswer(body) })],
  lagging: [9, (body) => ({ members: readNumbers(body, 'members') })],
  claimed: [28, empty],
  compares: [22, empty],
  accept: [16, (body) => ({ have: body.ranges('have', limits.needRanges) })],
  index: [
    86,
    (body) => ({
      kind: body.oneOf('kind', ['pages', 'chunks']),
      ranges: body.ranges('ranges', limits.needRanges),
    }),
  ],
  fills: [88, (body) => ({ ranges: body.ranges('ranges', limits.needRanges) })],
  whole: [89, empty],
  refuse: [17, readReason],
  need: [
    19,
    (body) => ({
      scratch: body.boolean('scratch'),
      ranges: body.ranges('ranges', limits.needRanges),
    }),
  ],
  bad: [
    20,
    (body) => {
      const offset = body.integer('offset', 0, bytesMax - 1)
      return {
        offset,
        length: body.integer('length', 1, bytesMax - offset),
      }
    },
  ],
  stale: [
    29,
    (body) => ({ term: readTerm(body.object('term')), epoch: body.integer('epoch', 0, bytesMax) }),
  ],
  edgeLost: [21, (body) => ({ ...readEdge(body), code: readCode(body) })],
  edgeBack: [73, readEdge],
  complete: [
    23,
    (body) => ({
      bytes: body.integer('bytes', 0, bytesMax),
      repairedBytes: body.integer('repairedBytes', 0, bytesMax),
      fileDigest: readFileDigest(body, 'fileDigest'),
      warnings: body.texts('warnings', limits.warningsPerNode),
      ...(body.has('applied') && { applied: readApplied(body.object('applied')) }),
    }),
  ],
  missed: [13, (body) => ({ member: readNumber(body, 'member') })],
  failed: [24, readReason],
  needDigests: [
    26,
    (body) => ({
      ranges: body.ranges('ranges', limits.needRanges),
    }),
  ],
  pull: [
    40,
    (body) => ({
      request: body.integer('request', 0, bytesMax),
      ranges: body.ranges('ranges', limits.needRanges),
    }),
  ],
  holding: [
    41,
    (body) => ({
      request: body.integer('request', 0, bytesMax),
      ranges: body.ranges('ranges', limits.needRanges),
      backlogBytes: body.integer('backlogBytes', 0, bytesMax),
    }),
  ],
  pullRefused: [
    42,
    (body) => ({ request: body.integer('request', 0, bytesMax), ...readReason(body) }),
  ],
  join: [
    27,
    (body) => ({
      request: body.integer('request', 0, bytesMax),
      node: readNodeLink(body.object('node')),
    }),
  ],
  fetch: [
    46,
    (body) => ({
      ...readName(body),
      ...(body.has('pack') && { pack: readPackAsk(body.object('pack')) }),
      ...(body.has('content') && { content: readFileDigest(body, 'content') }),
      ...readFollow(body),
      ...readSealed(body),
    }),
  ],
  fetched: [47, readFetchOffer],
  flows: [74, (body) => ({ count: body.integer('count', 2, limits.flowsPerFeed) })],
  statusRequest: [32, empty],
  status: [33, (body) => ({ json: body.string('json', limits.frameBytes) })],
  add: [
    34,
    (body) => ({ transfer: body.hex('transfer', 32), node: readNodeLink(body.object('node')) }),
  ],
  added: [35, empty],
  reach: [67, readReach],
  bridge: [68, readBridge],
  bridged: [
    69,
    (body) => {
      const answer = { request: body.integer('request', 0, bytesMax), ...readAnswer(body) }
      return { ...answer, ticket: answer.code === null ? body.hex('ticket', 64) : '' }
    },
  ],
  limit: [
    65,
    (body) => ({
      transfer: body.isNull('transfer') ? null : body.hex('transfer', 32),
      ...(body.has('upBytesPerSecond') && { upBytesPerSecond: readRate(body, 'upBytesPerSecond') }),
      ...(body.has('downBytesPerSecond') && {
        downBytesPerSecond: readRate(body, 'downBytesPerSecond'),
      }),
    }),
  ],
  limited: [
    66,
    (body) => ({
      upBytesPerSecond: readRate(body, 'upBytesPerSecond'),
      downBytesPerSecond: readRate(body, 'downBytesPerSecond'),
    }),
  ],
  copy: [60, readCopyWish],
  copying: [61, (body) => ({ transfer: body.hex('transfer', 32) })],
  follow: [62, (body) => ({ transfer: body.hex('transfer', 32) })],
  report: [63, (body) => ({ json: body.string('json', limits.frameBytes) })],
  reported: [64, (body) => ({ json: body.string('json', limits.frameBytes) })],
  disks: [100, empty],
  ...heldFrames,
  grown: [110, readPosition],
  floor: [111, readPosition],
  reached: [112, readPosition],
  more: [113, readMore],
  prepare: [90, readPrepare],
  consult: [91, readConsult],
  voted: [92, readVoted],
  force: [93, readForce],
  forced: [94, readForced],
  ...masterFrames,
  ...askingMasterFrames,
  ...publishingFrames,
  ...directoryFrames,
  ...swarmFrames,
}

function readFetchOffer(body: Fields): FetchOffer {
  const edge = body.object('edge')
  const entry = readStreamEntry(body.object('entry'))
  // Of what is still written nobody knows it.
  const isUnknown = entry.growing === true && body.string('fileDigest', 96) === ''
  return {
    transfer: body.hex('transfer', 32),
    you: body.integer('you', 1, numberMax),
    edge: { id: edge.hex('id', 32), secret: edge.hex('secret', 64), ...readSealed(edge) },
    entry,
    digest: body.oneOf('digest', digestAlgorithms),
    fileDigest: isUnknown ? '' : readFileDigest(body, 'fileDigest'),
    ...(body.has('pack') && { pack: readPackOffer(body.object('pack')) }),
  }
}

/** Bytes a second; null: no limit. */
function readRate(body: Fields, name: string): number | null {
  return body.isNull(name) ? null : body.integer(name, limits.rateMin, limits.rateMax)
}

function readEdge(body: Fields) {
  return { member: readNumber(body, 'member'), incoming: body.boolean('incoming') }
}

/** Frames with a binary body. */
const hotTable = {
  progress: [18, encodeProgress, decodeProgress],
  backlog: [25, encodeBacklog, decodeBacklog],
  reports: [30, encodeReports, decodeReports],
  indexed: [87, encodeIndexed, decodeIndexed],
} as const

const typeByNumber = new Map<number, FrameType>()
for (const [type, [number]] of Object.entries({ ...frameTable, ...hotTable })) {
  typeByNumber.set(number, type as FrameType)
}

/** A frame that is ready to be written. */
export interface FrameBody {
  readonly type: number
  readonly bytes: Uint8Array
}

const prefixBytes = 4
const typeBytes = 1

/** Bytes of a body on the wire. */
export function wireBytes(body: FrameBody): number {
  return prefixBytes + typeBytes + body.bytes.length
}

/** Throws TypeError for a frame longer than limits.frameBytes: a mistake of this side. */
export function encodeBody(frame: Frame): FrameBody {
  if (frame.type === 'progress') return { type: hotTable.progress[0], bytes: encodeProgress(frame) }
  if (frame.type === 'backlog') return { type: hotTable.backlog[0], bytes: encodeBacklog(frame) }
  if (frame.type === 'reports') return { type: hotTable.reports[0], bytes: encodeReports(frame) }
  if (frame.type === 'indexed') return { type: hotTable.indexed[0], bytes: encodeIndexed(frame) }
  const { type: name, ...body } = frame
  const type = frameTable[name][0]
  const said = 'text' in body ? { ...body, text: cleanText(body.text) } : body
  const bytes = utf8(JSON.stringify(said))
  if (typeBytes + bytes.length > limits.frameBytes) {
    throw new TypeError(`cannot be sent: frame ${name} exceeds ${limits.frameBytes} bytes`)
  }
  return { type, bytes }
}

/** Throws ERR_FR_PROTOCOL. */
export function decodeBody(type: number, bytes: Uint8Array): Frame {
  const name = typeByNumber.get(type)
  if (name === undefined) throw protocolError(`frame type ${type} is unknown`)
  if (name in hotTable) return hotTable[name as HotType][2](bytes)
  const read: (body: Fields) => object = frameTable[name as Exclude<FrameType, HotType>][1]
  return { type: name, ...read(parseObject(bytes, `frame ${name}`)) } as Frame
}

export function encodeFrame({ type, bytes }: FrameBody): Uint8Array<ArrayBuffer> {
  return concat(u32(typeBytes + bytes.length), Uint8Array.of(type), bytes)
}

/**
 * Takes the bytes of one direction in pieces of any size and returns the frames in them. The first
 * violation throws ERR_FR_PROTOCOL, and so does every later call.
 */
export class FrameReader {
  readonly #prefix = new Uint8Array(prefixBytes)
  /** The frame that is arriving; null until its length is known. */
  #frame: Uint8Array | null = null
  #filled = 0
  #failure: FrError | null = null

  /** True in the middle of a frame, where the stream must not end. */
  get isPartial(): boolean {
    return this.#frame !== null || this.#filled > 0
  }

  /** Calls `onFrame` in order, also for the frames before a violation. */
  push(chunk: Uint8Array, onFrame: (frame: Frame, bytes: number) => void): void {
    if (this.#failure !== null) throw this.#failure
    let at = 0
    while (at < chunk.length) {
      const target = this.#frame ?? this.#prefix
      const taken = chunk.subarray(at, at + target.length - this.#filled)
      target.set(taken, this.#filled)
      this.#filled += taken.length
      at += taken.length
      if (this.#filled < target.length) continue
      this.#filled = 0
      const frame = this.#advance()
      if (frame !== null) onFrame(frame, prefixBytes + target.length)
    }
  }

  /** Called when a prefix or a frame is complete; moves on to its frame or to the next prefix. */
  #advance(): Frame | null {
    try {
      if (this.#frame === null) {
        this.#frame = this.#open()
        return null
      }
      const whole = this.#frame
      this.#frame = null
      return decodeBody(whole[0] ?? 0, whole.subarray(typeBytes))
    } catch (error) {
      if (error instanceof FrError) this.#failure = error
      throw error
    }
  }

  #open(): Uint8Array {
    const length = readU32(this.#prefix, 0)
    if (length <= typeBytes || length > limits.frameBytes) {
      throw protocolError(`a frame of ${length} bytes is announced`)
    }
    return new Uint8Array(length)
  }
}
