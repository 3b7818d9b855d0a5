/** Boxes of the ISO base media file format (ISO/IEC 14496-12) and of QuickTime. */
import { latin, Malformed, type Payload, type Reading, uint64 } from './payload.js'

export interface Box {
  readonly type: string
  /** Offsets in the payload: of the header, of what is in it, and behind it. */
  readonly start: number
  readonly body: number
  readonly end: number
}

/** Boxes of one container that are looked at. */
const childrenMax = 1_024

/**
 * The box at this place of what ends at `limit`. One that goes beyond is cut off where `isCut` says
 * so, as in a payload that ends early.
 */
export function* boxAt(
  payload: Payload,
  start: number,
  limit: number,
  isCut = false,
): Reading<Box> {
  if (start + 8 > limit) throw new Malformed('a box has no room')
  const head = yield* payload.at(start, Math.min(16, limit - start))
  const type = latin(head, 4)
  if (!/^[\x20-\x7e\xa9]{4}$/.test(type)) throw new Malformed('a box has no type')
  const short = head.getUint32(0)
  const isLong = short === 1
  if (isLong && head.byteLength < 16) throw new Malformed('a box has no room')
  const body = start + (isLong ? 16 : 8)
  const end = short === 0 ? limit : start + (isLong ? uint64(head, 8) : short)
  if (end < body || (end > limit && !isCut)) throw new Malformed('a box has a wrong size')
  return { type, start, body, end: Math.min(end, limit) }
}

/** The boxes in a box, from `from` on. */
export function* childrenOf(payload: Payload, box: Box, from = box.body): Reading<Box[]> {
  const children: Box[] = []
  for (let at = from; at + 8 <= box.end; ) {
    const child = yield* boxAt(payload, at, box.end)
    children.push(child)
    if (children.length > childrenMax) throw new Malformed('a box has too many boxes in it')
    at = child.end
  }
  return children
}

/** The box at a path of types below one; null where it is not there. */
export function* boxBelow(
  payload: Payload,
  box: Box,
  ...path: readonly string[]
): Reading<Box | null> {
  let found: Box | undefined = box
  for (const type of path) {
    const children: Box[] = yield* childrenOf(payload, found)
    found = children.find((child) => child.type === type)
    if (found === undefined) return null
  }
  return found
}

/** What is in a box of at least `least` and at most `most` bytes: of those, what it has. */
export function* bodyOf(
  payload: Payload,
  box: Box,
  least: number,
  most: number,
): Reading<DataView> {
  const length = Math.min(box.end - box.body, most)
  if (length < least) throw new Malformed(`${box.type} is too short`)
  return yield* payload.at(box.body, length)
}
