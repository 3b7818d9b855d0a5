/** Fragments of an MP4 file (`moof` boxes). */
import { contentLimits } from '../base/content-limits.js'
import { type Box, bodyOf, childrenOf } from './iso-boxes.js'
import type { IsoTrack } from './iso-tracks.js'
import { Malformed, type Payload, type Reading, uint64 } from './payload.js'

export interface Fragment {
  /** Decoding can begin with it. */
  readonly isSync: boolean
  /** When it is decoded, in units of its track; null where that is not said. */
  readonly time: number | null
  /** It says where its samples are in the file, and not in the fragment. */
  readonly isPlaced: boolean
}

/** Flags of boxes: which fields are there. */
const tfhdFields = [
  [0x1, 8],
  [0x2, 4],
  [0x8, 4],
  [0x10, 4],
] as const
const [tfhdFlags, trunDataOffset, trunFirstFlags, trunFlags] = [0x20, 0x1, 0x4, 0x400]
/** Of each sample ahead of its flags: duration and size. */
const trunFields = [0x100, 0x200] as const
const [tfhdPlace, tfhdDuration] = [0x1, 0x8]
/** All of a sample, its flags and its delay too. */
const trunSampleFields = [...trunFields, 0x400, 0x800] as const
const isNotSync = 0x1_0000

/** What a fragment says of that track; null where it has nothing of it. */
export function* fragmentOf(
  payload: Payload,
  moof: Box,
  track: IsoTrack,
): Reading<Fragment | null> {
  for (const traf of yield* childrenOf(payload, moof)) {
    if (traf.type !== 'traf') continue
    const boxes = yield* childrenOf(payload, traf)
    const header = boxes.find(({ type }) => type === 'tfhd')
    if (header === undefined) throw new Malformed('a fragment has no header')
    const head = yield* bodyOf(payload, header, 8, 40)
    if (head.getUint32(4) !== track.id) continue
    const flags = defaultOf(head, tfhdFlags) ?? track.defaultFlags
    const run = boxes.find(({ type }) => type === 'trun')
    const first = run === undefined ? flags : ((yield* firstFlags(payload, run)) ?? flags)
    const time = boxes.find(({ type }) => type === 'tfdt')
    return {
      isPlaced: (head.getUint32(0) & tfhdPlace) !== 0,
      isSync: (first & isNotSync) === 0,
      time: time === undefined ? null : yield* timeOf(payload, time),
    }
  }
  return null
}

/** Seconds that a fragment of that track lasts; null: it says nothing of it. */
export function* fragmentSeconds(
  payload: Payload,
  moof: Box,
  track: IsoTrack,
): Reading<number | null> {
  let units = 0
  for (const traf of yield* childrenOf(payload, moof)) {
    if (traf.type !== 'traf') continue
    const boxes = yield* childrenOf(payload, traf)
    const header = boxes.find(({ type }) => type === 'tfhd')
    if (header === undefined) throw new Malformed('a fragment has no header')
    const head = yield* bodyOf(payload, header, 8, 40)
    if (head.getUint32(4) !== track.id) continue
    const ofEach = defaultOf(head, tfhdDuration) ?? track.defaultDuration
    for (const run of boxes.filter(({ type }) => type === 'trun'))
      units += yield* runUnits(payload, run, ofEach)
  }
  return units > 0 && track.timescale > 0 ? units / track.timescale : null
}

function* runUnits(payload: Payload, run: Box, ofEach: number): Reading<number> {
  const body = yield* bodyOf(payload, run, 8, 8)
  const [fields, samples] = [body.getUint32(0) & 0xff_ffff, body.getUint32(4)]
  if ((fields & trunFields[0]) === 0) return samples * ofEach
  const before = 8 + (fields & trunDataOffset ? 4 : 0) + (fields & trunFirstFlags ? 4 : 0)
  const sampleBytes = trunSampleFields.reduce((sum, flag) => sum + (fields & flag ? 4 : 0), 0)
  const bytes = samples * sampleBytes
  if (bytes > contentLimits.analysisTableBytes || run.body + before + bytes > run.end)
    throw new Malformed('trun is too long')
  const table = yield* payload.at(run.body + before, bytes)
  let units = 0
  for (let at = 0; at < bytes; at += sampleBytes) units += table.getUint32(at)
  return units
}

/** What `tfhd` says in one of its fields; null: nothing. */
function defaultOf(head: DataView, field: number): number | null {
  const fields = head.getUint32(0) & 0xff_ffff
  if ((fields & field) === 0) return null
  const before = tfhdFields.filter(([flag]) => flag < field)
  const at = before.reduce((sum, [flag, bytes]) => sum + (fields & flag ? bytes : 0), 8)
  return at + 4 <= head.byteLength ? head.getUint32(at) : null
}

function* firstFlags(payload: Payload, run: Box): Reading<number | null> {
  const body = yield* bodyOf(payload, run, 8, 32)
  const fields = body.getUint32(0) & 0xff_ffff
  const behindOffset = 8 + (fields & trunDataOffset ? 4 : 0)
  const has = (at: number): number | null => (at + 4 <= body.byteLength ? body.getUint32(at) : null)
  if (fields & trunFirstFlags) return has(behindOffset)
  if ((fields & trunFlags) === 0) return null
  return has(trunFields.reduce((sum, flag) => sum + (fields & flag ? 4 : 0), behindOffset))
}

function* timeOf(payload: Payload, box: Box): Reading<number> {
  const body = yield* bodyOf(payload, box, 8, 12)
  if (body.getUint8(0) === 0) return body.getUint32(4)
  if (body.byteLength < 12) throw new Malformed('tfdt is too short')
  return uint64(body, 4)
}
