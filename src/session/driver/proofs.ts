/** Digest records as their author signed them: read where they come, and sent to mates that ask. */
import { bytesOfHex } from '../../base/bytes.js'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import { blockStart } from '../../base/sections.js'
import { type Holdings, isBlockRun } from '../../control/holdings/ledger.js'
import type { DigestSpec } from '../../ports.js'
import { type ReadDigests, readDigests } from '../../protocol/digest-record.js'
import type { Primitives } from '../../protocol/primitives.js'
import type { Content, Contents } from './contents.js'
import type { Neighbour, Neighbours } from './neighbours.js'
import type { FeedEngine } from './ports.js'
import type { Way } from './way.js'

/**
 * The digests of a record, found authentic. Throws ERR_FR_PROTOCOL otherwise: whoever sends on the
 * feed may only have passed it on. After many of them the feed's records are not looked at.
 */
export function readRecord(
  contents: Contents,
  primitives: Primitives,
  { fedBy }: Neighbour,
  { stream, offset, length, payload }: DigestSpec,
): ReadDigests {
  const content = contents.of(stream)
  try {
    if (fedBy.state !== 'open' || fedBy.wrongDigests >= limits.wrongDigestsPerFeed)
      throw new FrError('ERR_FR_PROTOCOL', 'this feed has brought too many wrong digests')
    if (content === undefined || !mayBe(content, [offset, length]))
      throw new FrError('ERR_FR_PROTOCOL', 'digests of no whole blocks of this file')
    const author = bytesOfHex(content.author) ?? new Uint8Array()
    return readDigests(primitives, author, content, { offset, length }, payload)
  } catch (error) {
    if (fedBy.state === 'open') fedBy.wrongDigests++
    throw error
  }
}

/** Of a content that is still written a record may end anywhere in its span. */
function mayBe({ blockBytes, size }: Content, [offset, length]: RangePair): boolean {
  return blockBytes === 'sections'
    ? offset + length <= size
    : isBlockRun(offset, length, blockBytes, size)
}

/** Whether the record says only what is known. `verifiedTo`: all before it is verified. */
export function saysNothingNew(
  contents: Contents,
  held: Holdings,
  verifiedTo: number,
  { stream, offset, length, payload }: DigestSpec,
): boolean {
  const end = offset + length
  const blockBytes = contents.of(stream)?.blockBytes
  if (blockBytes === 'sections') {
    const isEnd = payload[limits.signatureBytes] !== 0
    if (isEnd) return false
    if (blockStart(end, blockBytes) !== end) return end <= verifiedTo
    // Of what is not heard of yet nothing is known.
    if (end > held.size) return false
  }
  return held.unannounced(offset, length).isEmpty
}

/** Sends the mate these records. `lost`: it has to ask again. */
export function prove(
  neighbours: Neighbours,
  engine: FeedEngine,
  [member, way]: readonly [Neighbour, Way],
  records: readonly DigestSpec[],
  lost: (code: FrErrorCode) => void,
): void {
  if (records.length === 0) return
  neighbours.open(member, way, false, {
    opened: (feed) => {
      try {
        for (const record of records) engine.sendDigests(feed, record)
      } catch (error) {
        if (!(error instanceof FrError)) throw error
        lost(error.code)
      }
    },
    failed: ({ code }) => lost(code),
  })
}
