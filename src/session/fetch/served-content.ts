/**
 * What a node can prove to hold of a name: a published file, or what a transfer that has not ended
 * has verified so far. The client compares every block with digests that the author signed, so what
 * is said here decides only what it asks for.
 */
import { FrError } from '../../base/errors.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { FetchOffer } from '../../control/messages/types.js'
import { spanBytes } from '../../control/space/space.js'
import type { DataEngine, FileHandle } from '../../ports.js'
import { encodeName } from '../../protocol/manifest.js'
import type { DigestRun, HeldStream } from '../../store/catalogue/record.js'
import { isSameFile } from '../../store/catalogue/same-file.js'
import { readJournal } from '../../store/journal/journal.js'
import type { NodeStore } from '../../store/node-store.js'

type Described = Pick<
  HeldStream,
  | 'name'
  | 'contentId'
  | 'author'
  | 'algorithm'
  | 'blockBytes'
  | 'size'
  | 'dataBytes'
  | 'fileDigest'
  | 'mode'
  | 'mtime'
>

export interface ServedContent extends Described {
  readonly file: FileHandle
  /** As its author signed them. */
  runs(): Promise<readonly DigestRun[]>
  /** What of these ranges is here. */
  present(ranges: readonly RangePair[]): RangePair[]
  /** Looks at the file again: why it may not be served any longer; null: it may. Never rejects. */
  look(): Promise<FrError | null>
}

export interface ContentSource {
  readonly engine: DataEngine
  readonly store: NodeStore
}

/** What stands for a content while nothing changes. */
export type ContentKey = HeldStream | string

/** Undefined: the node holds nothing of the name that it could prove. */
export async function keyOf(store: NodeStore, name: Uint8Array): Promise<ContentKey | undefined> {
  const record = store.catalogue.get(name)
  // Opening a partial writes; another node may be at it.
  if (record !== undefined || store.isReadOnly) return record
  return (await store.leftovers.provable(name))?.id
}

/** Rejects with ERR_FR_NOT_HELD when it is not what was verified. */
export function openContent(source: ContentSource, key: ContentKey): Promise<ServedContent> {
  return typeof key === 'string' ? openUnfinished(source, key) : openHeld(source, key)
}

export function entryOf(content: ServedContent): FetchOffer['entry'] {
  const { name, contentId, size, dataBytes, blockBytes, mode, mtime, author } = content
  return {
    stream: 0,
    contentId,
    author,
    ...encodeName(name),
    base: 0,
    span: spanBytes(size, blockBytes),
    size,
    dataBytes,
    mode,
    mtimeSeconds: mtime.seconds,
    mtimeNanos: mtime.nanos,
  }
}

async function openHeld(
  { engine, store }: ContentSource,
  record: HeldStream,
): Promise<ServedContent> {
  const file = await store.holdings.openUnchanged(record)
  if (file === undefined) {
    const text = 'somebody else changed or removed the file, so the node does not hold it any more'
    throw new FrError('ERR_FR_NOT_HELD', text)
  }
  let runs: Promise<readonly DigestRun[]> | undefined
  return {
    ...record,
    file,
    runs: () => {
      runs ??= store.catalogue.runs(record)
      return runs
    },
    present: (ranges) => [...ranges],
    look: async () => {
      const now = await engine.storage.identityOf(file).catch(() => undefined)
      if (now === undefined) return null
      // Its other times change when another file takes its name, and its bytes do not.
      const isSame = isSameFile({ ...now, ctime: record.identity.ctime }, record.identity)
      return isSame ? null : new FrError('ERR_FR_NOT_HELD', 'somebody else changes the file')
    },
  }
}

/** A transfer may go on with the partial, and publish it: what was verified stays what it is. */
async function openUnfinished(
  { engine, store }: ContentSource,
  id: string,
): Promise<ServedContent> {
  const { storage } = engine
  const path = store.leftovers.pathOf(id)
  const file = await store.leftovers.openToRead(id)
  const here = new RangeSet()
  const read = async (): ReturnType<typeof readJournal> => {
    const journal = await readJournal(path, await storage.identityOf(file))
    for (const { offset, length, isSure } of journal?.runs ?? [])
      if (isSure) here.add(offset, length)
    return journal
  }
  try {
    const journal = await read()
    const { fileDigest, attributes } = journal?.whole ?? {}
    if (journal === null || fileDigest === undefined) throw new FrError('ERR_FR_NOT_HELD')
    const { header, signed } = journal
    const { mode, mtime } = attributes ?? { mode: 0o644, mtime: { seconds: 0, nanos: 0 } }
    return {
      ...header,
      ...{ file, fileDigest, mode, mtime, dataBytes: header.size },
      runs: () => Promise.resolve(signed),
      present: (ranges) => ranges.flatMap((range) => here.present(...range)),
      look: async () => {
        await read().catch(() => null)
        return null
      },
    }
  } catch (error) {
    storage.closeFile(file)
    throw error
  }
}
