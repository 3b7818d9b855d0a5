/**
 * Records of large files of a tree that were copied at the node: like one that came by itself, each
 * has digests of its blocks in the catalogue, by which it is served and copied on.
 *
 * The idea: the copy was hashed, so its digests are known; where the file that it was made from, or
 * another of this content, has them signed by their author, the record has those, else the node
 * signs its own.
 */
import type { EntryLook } from '../../ports.js'
import type { TreeEntry } from '../../protocol/listing.js'
import type { Catalogue } from '../catalogue/catalogue.js'
import type { DigestRun, HeldStream } from '../catalogue/record.js'
import { digestTable } from '../held/verify.js'
import type { HeldGeometry } from '../held/work.js'
import { type Copied, type CopySpec, digestText } from './local-copies.js'
import { geometryOf } from './raw-digest.js'

type RecordSpec = Pick<CopySpec, 'holdings' | 'work' | 'algorithm' | 'only'>

interface Signed {
  readonly content: Pick<HeldStream, 'contentId' | 'author'>
  readonly runs: readonly DigestRun[]
}

/** `full`: its name at the node, where it is in place. Never rejects. */
export async function recordCopied(
  { holdings, work, algorithm, only }: RecordSpec,
  { entry, full }: { readonly entry: TreeEntry; readonly full: Uint8Array },
  { identity }: EntryLook,
  { blocks }: Copied,
): Promise<void> {
  const { catalogue } = holdings
  if (catalogue === undefined || entry.kind !== 'file') return
  // Small ones are served by their rows.
  if (!entry.isAlone || entry.digest === null) return
  const { size, dataBytes, digest, attributes } = entry
  const { mode, mtimeSeconds: seconds, mtimeNanos: nanos } = attributes
  const geometry = geometryOf(size, algorithm)
  const fileDigest = digestText(algorithm, size, Buffer.from(digest).toString('hex'))
  const signed = await signedBefore(catalogue, geometry, fileDigest, blocks)
  const own = { contentId: work.freshId(), author: work.author }
  const { content, runs } = signed ?? {
    content: own,
    runs: work.sign({ ...own, ...geometry }, blocks),
  }
  const nowMs = Date.now()
  const record: HeldStream = {
    ...{ ...content, ...geometry, name: full, dataBytes, fileDigest, identity, mode },
    ...{ mtime: { seconds, nanos }, publishedAtMs: nowMs, verifiedAtMs: nowMs, via: 'push' },
    ...(only !== undefined && { only }),
  }
  await holdings.put(record, runs)
}

/** By whoever signed these digests of this content, as some record has them. */
async function signedBefore(
  catalogue: Catalogue,
  geometry: HeldGeometry,
  fileDigest: string,
  blocks: Uint8Array,
): Promise<Signed | undefined> {
  const known = catalogue.withDigest(fileDigest, geometry.size)
  const isFit = known?.blockBytes === geometry.blockBytes && known.algorithm === geometry.algorithm
  if (known === undefined || !isFit) return undefined
  const runs = await catalogue.runs(known).catch(() => [])
  const table = digestTable(geometry, runs)
  if (table === null || Buffer.compare(table, blocks) !== 0) return undefined
  return { content: { contentId: known.contentId, author: known.author }, runs }
}
