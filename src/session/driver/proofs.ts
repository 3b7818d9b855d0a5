/** Digest records as their author signed them: read where they come, and sent to mates that ask. */
import { bytesOfHex } from '../../base/bytes.js'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { isBlockRun } from '../../control/holdings/ledger.js'
import type { DigestSpec } from '../../ports.js'
import { readDigests } from '../../protocol/digest-record.js'
import type { Primitives } from '../../protocol/primitives.js'
import type { Contents } from './contents.js'
import type { Neighbour, Neighbours, Way } from './neighbours.js'
import type { FeedEngine } from './ports.js'

/**
 * The digests of a record, found authentic. Throws ERR_FR_PROTOCOL otherwise: whoever sends on the
 * feed may only have passed it on. After many of them the feed's records are not looked at.
 */
export function readRecord(
  contents: Contents,
  primitives: Primitives,
  { fedBy }: Neighbour,
  { stream, offset, length, payload }: DigestSpec,
): Uint8Array {
  const content = contents.of(stream)
  try {
    if (fedBy.state !== 'open' || fedBy.wrongDigests >= limits.wrongDigestsPerFeed)
      throw new FrError('ERR_FR_PROTOCOL', 'this feed has brought too many wrong digests')
    if (content === undefined || !isBlockRun(offset, length, content.blockBytes, content.size))
      throw new FrError('ERR_FR_PROTOCOL', 'digests of no whole blocks of this file')
    const author = bytesOfHex(content.author) ?? new Uint8Array()
    return readDigests(primitives, author, content, { offset, length }, payload).digests
  } catch (error) {
    if (fedBy.state === 'open') fedBy.wrongDigests++
    throw error
  }
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
