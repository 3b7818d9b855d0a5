/**
 * Files that a process published, and was killed before it recorded them.
 *
 * The idea: right before a partial gets its name, its journal says so, with the inode. A file of
 * this name that is the same inode, and has the size and time it was given, is what was verified
 * and made durable then. Its record is made of the journal.
 */
import { digestBytesOf } from '../base/digests.js'
import type { DataDirHandle, FileIdentity, Storage } from '../ports.js'
import type { Catalogue } from './catalogue/catalogue.js'
import { type DigestRun, digestsOf, type HeldStream } from './catalogue/record.js'
import { openNow } from './held/holdings.js'
import { granuleMs } from './held/identity.js'
import { digestTable } from './held/verify.js'
import type { ReadJournal } from './journal/journal.js'

/** A published file whose digests have to be made anew before it can be recorded. */
export interface Unhashed {
  readonly name: Uint8Array
  readonly fileDigest: string
  readonly only?: string
}

/**
 * True: the file of the journal is published, and recorded now at the latest; or `unhashed` was
 * told of it.
 */
export async function recordUnrecorded(
  storage: Storage,
  dir: DataDirHandle,
  catalogue: Catalogue,
  journal: ReadJournal,
  unhashed: (file: Unhashed) => void,
): Promise<boolean> {
  const { header, whole } = journal
  const { publishing, fileDigest } = whole
  if (publishing === undefined || fileDigest === undefined) return false
  const file = await openNow(storage, dir, header.name)
  if (file === undefined) return false
  const identity = await storage.identityOf(file).finally(() => storage.closeFile(file))
  if (identity.inode !== publishing.inode) return false
  const known = catalogue.get(header.name)?.identity
  if (known?.inode === identity.inode) return true
  const { blockBytes } = header
  // It was still written when it came: digests by sections are not those of the file.
  if (blockBytes === 'sections') {
    const { name, only } = header
    unhashed({ name, fileDigest, ...(only !== undefined && { only }) })
    return true
  }
  const runs = signedRuns(journal, blockBytes)
  if (runs === undefined || !isAsPublished(identity, journal)) return true
  const { transfer: _, ...content } = header
  const nowMs = Date.now()
  const { mode, mtime, dataBytes } = publishing
  const record: HeldStream = {
    ...{ ...content, blockBytes, mode, mtime, dataBytes, fileDigest, identity },
    ...{ publishedAtMs: nowMs, verifiedAtMs: nowMs, via: 'push' },
  }
  await catalogue.put(record, runs)
  return true
}

/** Whoever writes to a file moves its time. */
function isAsPublished({ size, mtime }: FileIdentity, { header, whole }: ReadJournal): boolean {
  const moved = Math.abs(mtime.seconds - (whole.publishing?.mtime.seconds ?? 0))
  return size === header.size && moved * 1000 <= granuleMs
}

/** Digests of the author for all that was verified; undefined: some are missing. */
function signedRuns(
  { header, runs, signed }: ReadJournal,
  blockBytes: number,
): DigestRun[] | undefined {
  const digestBytes = digestBytesOf(header.algorithm)
  const verified = new Uint8Array(Math.ceil(header.size / blockBytes) * digestBytes)
  let bytes = 0
  for (const { offset, length, digests } of runs) {
    verified.set(digests, (offset / blockBytes) * digestBytes)
    bytes += length
  }
  const right = signed.filter((run) => {
    const [from, digests] = [(run.offset / blockBytes) * digestBytes, digestsOf(run)]
    return Buffer.compare(digests, verified.subarray(from, from + digests.length)) === 0
  })
  const found = right.toSorted((a, b) => a.offset - b.offset)
  return bytes === header.size && digestTable({ ...header, blockBytes }, found) !== null
    ? found
    : undefined
}
