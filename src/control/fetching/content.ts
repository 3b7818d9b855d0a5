/** What is fetched of a file that a holder offers. */
import { digestBytesOf } from '../../base/digests.js'
import type { Failure } from '../../base/errors.js'
import { blockBytesFor } from '../../base/limits.js'
import type { FetchOffer } from '../messages/types.js'
import type { FetchedContent, FetchRange } from './events.js'

/** Why a file of this size does not have the range; null: it has. */
export function rangeFault(range: FetchRange | null, size: number): Failure | null {
  if (range === null || range.last < size) return null
  const text = `the file has ${size} bytes, so it has no byte ${range.last}`
  return { code: 'ERR_FR_RANGE', text }
}

/** `range`, which the file has: null wants all of it. */
export function contentOf(offer: FetchOffer, range: FetchRange | null): FetchedContent {
  const { entry, digest, fileDigest, pack } = offer
  const { size } = entry
  const blockBytes = blockBytesFor(size)
  const offset = range === null ? 0 : Math.floor(range.first / blockBytes) * blockBytes
  const blocks = range === null ? 0 : Math.ceil((range.last + 1) / blockBytes)
  const end = range === null ? size : Math.min(size, blocks * blockBytes)
  const length = end - offset
  const digestBytes = digestBytesOf(digest)
  const about = { entry, digest, fileDigest, ...(pack && { pack }) }
  return { ...about, size, blockBytes, digestBytes, offset, length }
}
