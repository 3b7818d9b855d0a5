/**
 * What a node can prove to hold of a name: a published file, what a transfer that has not ended has
 * verified so far, or a file or a part of a tree, which is read and signed when somebody asks for
 * it. The client compares every block with digests that the author signed, so what is said here
 * decides only what it asks for.
 */
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { hiddenDir, isHidden } from '../../base/names.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { blockBytesAt } from '../../base/sections.js'
import { versionedName } from '../../base/versions.js'
import type { FetchOffer, PackOffer } from '../../control/messages/types.js'
import { spanBytes } from '../../control/space/space.js'
import type { DataEngine, FileHandle, FileIdentity } from '../../ports.js'
import { encodeName } from '../../protocol/manifest.js'
import type { DigestRun, HeldStream } from '../../store/catalogue/record.js'
import { isSameButLinked } from '../../store/catalogue/same-file.js'
import { openNow } from '../../store/held/holdings.js'
import { type ReadJournal, readHeader, readJournal } from '../../store/journal/journal.js'
import type { Filled } from '../../store/leftovers.js'
import { fullName, shown } from '../../store/trees/full-name.js'
import type { TreePlace } from '../../store/trees/held-trees.js'
import { digestText } from '../../store/trees/local-copies.js'
import { geometryOf, rawDigest } from '../../store/trees/raw-digest.js'
import { GrowingHere } from '../growing-here.js'
import { openPack, type PackKey, type PackSource } from './tree-pack.js'

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
  | 'only'
>

export interface ServedContent extends Described {
  readonly file: FileHandle
  /** As its author signed them; those that are about these ranges, and perhaps others. */
  runs(ranges: readonly RangePair[]): Promise<readonly DigestRun[]>
  /** What of these ranges is here. */
  present(ranges: readonly RangePair[]): RangePair[]
  /** Of what is still written: `size` is how far it is verified. */
  readonly growing?: GrowingHere
  /** Of a part of a tree. */
  readonly pack?: PackOffer
  /** Looks at the file again: why it may not be served any longer; null: it may. Never rejects. */
  look(): Promise<FrError | null>
  /** It is served no more. */
  release?(): void
}

export interface ContentSource extends PackSource {
  readonly engine: DataEngine
}

/** What stands for a content while nothing changes. */
export type ContentKey = HeldStream | TreePlace | PackKey | GrowingHere | string

/**
 * Undefined: the node holds nothing of the name that it could prove. `content`: the file digest of
 * what alone is wanted of it.
 */
export async function keyOf(
  { store, trees }: Pick<ContentSource, 'store' | 'trees'>,
  name: Uint8Array,
  content?: string,
): Promise<ContentKey | undefined> {
  const isWanted = (record: HeldStream): boolean =>
    (content ?? record.fileDigest) === record.fileDigest
  const record = isHidden(name) ? undefined : store.catalogue.get(name)
  if (record !== undefined && isWanted(record)) return record
  const { tree, row, only } = (await trees.meant(name)) ?? {}
  if (tree !== undefined && row !== undefined) {
    const ofRow = store.catalogue.get(fullName(tree, row.name))
    // What the other has is seen by its digest when it is offered.
    if (ofRow === undefined) return { tree, row, only }
    if (isWanted(ofRow)) return ofRow
  }
  const version =
    content === undefined
      ? (store.versions.meant(name) ?? (await versionInTree(trees, name)))
      : store.versions.of(name).find((kept) => isWanted(kept.record))?.record
  if (version !== undefined) return version
  // Opening a partial writes; another node may be at it.
  const id = store.isReadOnly ? undefined : await store.leftovers.provable(name, content)
  if (id !== undefined)
    await store.leftovers
      .filledOf(id)
      ?.publishing()
      ?.catch(() => {})
  // It may have got its name since it was looked for there.
  const published = isHidden(name) ? undefined : store.catalogue.get(name)
  return published !== undefined && isWanted(published) ? published : id
}

/** A file of a tree has one version, which may be meant by its digest. */
async function versionInTree(
  trees: ContentSource['trees'],
  said: Uint8Array,
): Promise<TreePlace | undefined> {
  const versioned = versionedName(said)
  const place = versioned === null ? undefined : await trees.find(versioned.name)
  const isMeant =
    versioned !== null &&
    place?.row.kind === 'file' &&
    Buffer.from(place.row.value).toString('hex').startsWith(versioned.version)
  return isMeant ? place : undefined
}

/** Rejects with ERR_FR_NOT_HELD when it is not what was verified. */
export function openContent(source: ContentSource, key: ContentKey): Promise<ServedContent> {
  if (typeof key === 'string') return openUnfinished(source, key)
  if (key instanceof GrowingHere) return openGrowing(source, key)
  if ('ask' in key) return openPart(source, key)
  return 'row' in key ? openOfTree(source, key) : openHeld(source, key)
}

export function entryOf(content: ServedContent): FetchOffer['entry'] {
  const { name, contentId, size, dataBytes, blockBytes, mode, mtime, author, only } = content
  const isGrowing = content.growing !== undefined
  return {
    stream: 0,
    contentId,
    author,
    ...encodeName(name),
    base: 0,
    span: isGrowing ? limits.growingSpanBytes : spanBytes(size, blockBytes),
    size,
    dataBytes,
    mode,
    mtimeSeconds: mtime.seconds,
    mtimeNanos: mtime.nanos,
    ...(only !== undefined && { only }),
    ...(isGrowing && { growing: true as const }),
  }
}

async function openHeld(
  { engine, store }: ContentSource,
  record: HeldStream,
): Promise<ServedContent> {
  const file = await store.holdings.openUnchanged(record)
  if (file === undefined) {
    throw changedFile()
  }
  // Another file may take the name, and a version may be removed, while the file is read.
  const runs = store.catalogue.runs(record)
  runs.catch(() => {})
  return {
    ...record,
    name: store.versions.nameOf(record),
    file,
    release: store.versions.use(record),
    runs: () => runs,
    present: (ranges) => [...ranges],
    look: () => lookAgain(engine.storage, file, record.identity),
  }
}

async function lookAgain(
  storage: DataEngine['storage'],
  file: FileHandle,
  identity: FileIdentity,
): Promise<FrError | null> {
  const now = await storage.identityOf(file).catch(() => undefined)
  if (now === undefined) return null
  // Its other times change when another file takes its name, and its bytes do not.
  const isSame = isSameButLinked(now, identity)
  return isSame ? null : new FrError('ERR_FR_NOT_HELD', 'somebody else changes the file')
}

/** The node signs what it reads, once that has the digest that the file came with. */
async function openOfTree(
  { engine: { storage }, store, trees, work }: ContentSource,
  place: TreePlace,
): Promise<ServedContent> {
  const { row, tree, only } = place
  const { kind, identity, algorithm, value } = row
  const name = fullName(tree, row.name)
  if (kind !== 'file') {
    const what = kind === 'directory' ? 'a directory' : 'a link'
    throw new FrError('ERR_FR_UNSUPPORTED', `${shown(name)} is ${what} of a tree, and no file`)
  }
  const { dir } = store.holdings.spec
  const { size } = identity
  const [state] = await trees.statesOf(tree, [row])
  if (size > limits.rowServedBytes)
    throw new FrError('ERR_FR_NOT_HELD', `${shown(name)} is large, and has no record of its own`)
  const isServed = state === 'held' && algorithm !== null
  const file = isServed ? await openNow(storage, dir, name) : undefined
  if (file === undefined || algorithm === null) throw changedFile()
  const isStill = async (): Promise<boolean> =>
    isSameButLinked(await storage.identityOf(file), identity)
  try {
    const geometry = geometryOf(size, algorithm)
    const { digest, blocks } = await rawDigest(work, file, geometry)
    if (!Buffer.from(value).equals(digest) || !(await isStill())) throw changedFile()
    const [look] = await storage.lookAt(dir, [name])
    const content = { ...geometry, contentId: work.freshId(), author: work.author }
    const runs = Promise.resolve(work.sign(content, blocks))
    const fileDigest = digestText(algorithm, size, Buffer.from(digest).toString('hex'))
    return {
      ...{ ...content, name, file, dataBytes: size, fileDigest, mtime: identity.mtime },
      mode: (look?.mode ?? 0o644) & 0o777,
      ...(only !== undefined && { only }),
      runs: () => runs,
      present: (ranges) => [...ranges],
      look: () => lookAgain(storage, file, identity),
    }
  } catch (error) {
    storage.closeFile(file)
    throw error
  }
}

/** A bundle that is made for one client, in a file that nobody else sees. */
async function openPart(source: ContentSource, key: PackKey): Promise<ServedContent> {
  const { engine, work } = source
  const { storage } = engine
  const { offer: pack, algorithm, path, only, release } = await openPack(source, key)
  const opened = await storage.openSource(path).finally(release)
  const { file, size } = opened
  try {
    const geometry = geometryOf(size, algorithm)
    const { digest, blocks } = await rawDigest(work, file, geometry)
    const content = { ...geometry, contentId: work.freshId(), author: work.author }
    const runs = Promise.resolve(work.sign(content, blocks))
    const fileDigest = digestText(algorithm, size, Buffer.from(digest).toString('hex'))
    return {
      ...{ ...content, name: key.said, file, dataBytes: size, fileDigest, mode: 0o600 },
      ...{ mtime: { seconds: 0, nanos: 0 }, pack, ...(only !== undefined && { only }) },
      runs: () => runs,
      present: (ranges) => [...ranges],
      look: () => Promise.resolve(null),
    }
  } catch (error) {
    storage.closeFile(file)
    throw error
  }
}

/** As its journal says, or whoever fills it. */
interface Unfinished extends Pick<ReadJournal, 'header' | 'whole'> {
  readonly signed: readonly DigestRun[]
}

/** A transfer may go on with the partial, and publish it: what was verified stays what it is. */
async function openUnfinished(
  { engine, store }: ContentSource,
  id: string,
): Promise<ServedContent> {
  const { storage } = engine
  const path = store.leftovers.pathOf(id)
  const header = store.leftovers.filledOf(id)?.header ?? (await readHeader(path))
  if (header === null) throw new FrError('ERR_FR_NOT_HELD')
  const file = await store.leftovers.openToRead(id, header)
  const here = new RangeSet()
  let filled: Filled | undefined
  const fill = (): Filled | undefined => {
    // Once it has got its name nobody fills it: all that was verified is here then, too.
    filled = store.leftovers.filledOf(id) ?? filled
    for (const range of filled?.here ?? []) here.add(...range)
    return filled
  }
  const read = async (): Promise<Unfinished | null> => {
    const now = fill()
    if (now !== undefined) return now
    const journal = await readJournal(path, await storage.identityOf(file))
    for (const { offset, length, isSure } of journal?.runs ?? [])
      if (isSure) here.add(offset, length)
    return journal
  }
  try {
    const found = await read()
    const { fileDigest, attributes } = found?.whole ?? {}
    const { blockBytes = 'sections' } = found?.header ?? {}
    if (found === null || fileDigest === undefined || blockBytes === 'sections')
      throw new FrError('ERR_FR_NOT_HELD')
    const { signed } = found
    const { mode, mtime } = attributes ?? { mode: 0o644, mtime: { seconds: 0, nanos: 0 } }
    return {
      ...header,
      ...{ blockBytes, file, fileDigest, mode, mtime, dataBytes: header.size },
      runs: () => Promise.resolve(signed),
      present: (ranges) => {
        fill()
        return ranges.flatMap((range) => here.present(...range))
      },
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

/** Its file gets its name while it is read, and stays what it is. */
async function openGrowing(
  { engine: { storage }, dataDir, store }: ContentSource,
  growing: GrowingHere,
): Promise<ServedContent> {
  const { name, entry, algorithm, partialId } = growing.spec
  const { contentId, author, mode, mtimeSeconds: seconds, mtimeNanos: nanos, only } = entry
  const path = `${dataDir}/${hiddenDir}/partials/${partialId()}`
  const file = await storage.openSource(path).then(
    (opened) => opened.file,
    (cause: unknown) => {
      // It got its name a moment ago.
      const record = growing.isFinal ? store.catalogue.get(name) : undefined
      const named =
        record?.contentId === contentId ? store.holdings.openUnchanged(record) : undefined
      if (named !== undefined) return named
      throw new FrError('ERR_FR_BUSY', 'the file is being published', { cause })
    },
  )
  if (file === undefined) throw changedFile()
  const { failure } = growing
  if (failure !== null) {
    storage.closeFile(file)
    throw new FrError(failure.code, failure.text)
  }
  return {
    ...{ name, contentId, author, algorithm, blockBytes: blockBytesAt(0), mode, file, growing },
    ...{ fileDigest: '', mtime: { seconds, nanos } },
    ...(only !== undefined && { only }),
    get size() {
      return growing.bytes
    },
    get dataBytes() {
      return growing.bytes
    },
    runs: (ranges) => Promise.resolve(growing.runs(ranges)),
    present: (ranges) => [...ranges],
    look: () => Promise.resolve(null),
  }
}

function changedFile(): FrError {
  const text = 'somebody else changed or removed the file, so the node does not hold it any more'
  return new FrError('ERR_FR_NOT_HELD', text)
}
