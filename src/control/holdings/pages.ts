/** The index of a content in pieces, and where two indexes of pages of the same place are equal. */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { IndexKind } from '../messages/delta.js'

/** The pieces of these ranges, cut at multiples: nodes that lack the same ask for the same. */
export function piecesOf(kind: IndexKind, ranges: readonly RangePair[]): RangePair[] {
  const most = limits[`${kind}PieceBytes`]
  return ranges.flatMap(([offset, length]) => {
    const pieces: RangePair[] = []
    const end = offset + length
    for (let at = offset; at < end; ) {
      const next = Math.min(end, (Math.floor(at / most) + 1) * most)
      pieces.push([at, next - at])
      at = next
    }
    return pieces
  })
}

/** Short pieces all over the first so many bytes of a content, many times as long as they are. */
export function samplesOf(kind: IndexKind, bytes: number): RangePair[] {
  const { indexSamples: count, indexSampleBytes: length, indexPageBytes: page } = limits
  const samples = Array.from({ length: count }, (_, i): RangePair => {
    const at = Math.floor((i * bytes) / count / page) * page
    return [at, Math.min(length, bytes - at)]
  })
  return piecesOf(kind, samples)
}

/** `offset`, `length`: of the piece that both are of; `ours` may end earlier. */
export function equalPages(
  { offset, length }: { readonly offset: number; readonly length: number },
  pageBytes: number,
  theirs: Uint8Array,
  ours: Uint8Array,
): RangePair[] {
  const equal = new RangeSet()
  const entryBytes = theirs.length / Math.ceil(length / pageBytes)
  for (let page = 0; (page + 1) * entryBytes <= Math.min(theirs.length, ours.length); page++) {
    if (!isEqualAt(theirs, ours, page * entryBytes, entryBytes)) continue
    const at = page * pageBytes
    equal.add(offset + at, Math.min(pageBytes, length - at))
  }
  return equal.toArray()
}

function isEqualAt(a: Uint8Array, b: Uint8Array, at: number, bytes: number): boolean {
  for (let i = at; i < at + bytes; i++) if (a[i] !== b[i]) return false
  return true
}
