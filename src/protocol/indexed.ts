/**
 * `indexed`: a piece of the index of a content. A fixed binary layout (docs/protocol.md, section
 * 3): u8 kind | u64 offset | u64 length | entries.
 */
import { concat, u64, u64At } from '../base/bytes.js'
import { limits } from '../base/limits.js'
import {
  chunkEntryBytes,
  chunkLength,
  type IndexKind,
  pageEntryBytes,
} from '../control/messages/delta.js'
import type { Frame } from '../control/messages/types.js'
import { protocolError } from './fields.js'

type Indexed = Extract<Frame, { type: 'indexed' }>

const kinds: readonly IndexKind[] = ['pages', 'chunks']
const headBytes = 1 + 8 + 8

export function encodeIndexed({ kind, offset, length, entries }: Indexed): Uint8Array<ArrayBuffer> {
  return concat(Uint8Array.of(kinds.indexOf(kind)), u64(offset), u64(length), entries)
}

/** Throws ERR_FR_PROTOCOL. */
export function decodeIndexed(body: Uint8Array): Indexed {
  const kind = kinds[body[0] ?? kinds.length]
  if (kind === undefined || body.length < headBytes) throw protocolError('frame indexed: no piece')
  const [offset, length] = [u64At(body, 1), u64At(body, 9)]
  const isWithin = length >= 1 && length <= limits[`${kind}PieceBytes`]
  if (!isWithin || !Number.isSafeInteger(offset + length))
    throw protocolError('frame indexed: a piece that cannot be')
  const entries = body.slice(headBytes)
  const isWhole =
    kind === 'pages'
      ? entries.length === Math.ceil(length / limits.indexPageBytes) * pageEntryBytes
      : chunkLengths(entries).reduce((sum, bytes) => sum + bytes, 0) === length
  if (!isWhole) throw protocolError('frame indexed: entries that are not of the piece')
  return { type: 'indexed', kind, offset, length, entries }
}

/** Of the chunks of a piece; NaN where an entry is broken off, or of no chunk. */
function chunkLengths(entries: Uint8Array): number[] {
  if (entries.length % chunkEntryBytes !== 0) return [Number.NaN]
  return Array.from({ length: entries.length / chunkEntryBytes }, (_, i) => {
    const bytes = chunkLength(entries, i * chunkEntryBytes)
    return bytes >= 1 && bytes <= limits.chunkBytesMax ? bytes : Number.NaN
  })
}
