/**
 * Where the bytes of a reception land, and what of them the node has already.
 *
 * In this order: the published file itself, where it is the content under this name, time and mode;
 * another file of the node with this content, which is copied while the transfer runs, and read
 * before it counts; what an earlier transfer left; nothing, in a new partial. Older content of the
 * name (older.ts) may have some of the rest. What is found is no more than a claim: blocks count
 * when the author's digest says so.
 */
import { FrError } from '../../base/errors.js'
import type { HeldRun } from '../../control/holdings/have.js'
import type { StreamEntry } from '../../control/messages/types.js'
import type { Found } from '../../control/receiver/events.js'
import { type DigestRun, digestsOf, type HeldStream } from '../../store/catalogue/record.js'
import { digestTable } from '../../store/held/verify.js'
import type { Leftovers, Unfinished, WantedContent } from '../../store/leftovers.js'
import type { Partial } from '../../store/partial.js'
import type { NodeHost, OlderFile } from './node-host.js'
import { type Older, olderContent } from './older.js'

export interface ArrivalSpec {
  readonly wanted: WantedContent
  readonly entry: StreamEntry
  /** At this node. */
  readonly name: Uint8Array
  /** What it is to be called: that of `name`, but for a version of a tree that nobody sees yet. */
  readonly visibleName: Uint8Array
  /** Of the content, where the origin knows it; null: it does not. */
  readonly fileDigest: string | null
  /** What the file system does not keep of it is no matter of a warning. */
  readonly isStrict: boolean
  /** It has holes, by the word of the origin. */
  readonly isSparse: boolean
  /** Instead of files of its names: as of Publication. */
  readonly older?: (() => Promise<OlderFile | undefined>) | undefined
  /** Rejects with ERR_FR_NO_SPACE when there is no room for what is not there. */
  readonly requireSpace: (presentBytes: number) => Promise<void>
}

export interface SignedCopy {
  readonly contentId: string
  readonly author: string
  readonly signed: readonly DigestRun[]
}

export interface Arrival extends Found {
  /** Which content the journal of the partial is of; none: there is no journal. */
  readonly journal: 'none' | 'ours' | 'another'
  /** What is there of the author's digests of this content. */
  readonly signed?: readonly DigestRun[]
  /** Blocks may be filled from these. */
  readonly older?: readonly OlderFile[]
  /** The same bytes as another author, or in another content, signed them. */
  readonly copied?: SignedCopy
}

/** Opens the partial. */
export async function arrive(
  host: NodeHost,
  partial: Partial,
  spec: ArrivalSpec,
): Promise<Arrival> {
  const published = await publishedAs(host, partial, spec)
  if (published !== undefined) return published
  const arrival = await arriveInPartial(host, partial, spec)
  // Bytes that stand for a file are nowhere in a file, and what still grows is compared with none.
  if (spec.entry.coded !== undefined || isGrowing(spec)) return arrival
  const older = await olderOf(host, spec)
  if (older === undefined) return arrival
  const { files, runs: elsewhere, giveBack } = older
  partial.copyFrom(
    files.map(({ file }) => file),
    giveBack,
  )
  const olderBytes = Math.max(...files.map(({ identity }) => identity.size))
  return { ...arrival, elsewhere, olderBytes, older: files }
}

async function olderOf(host: NodeHost, spec: ArrivalSpec): Promise<Older | undefined> {
  const { older: ofBundle } = spec
  if (ofBundle === undefined) return olderContent(host, spec.wanted, [spec.name, spec.visibleName])
  const file = await ofBundle()
  return file && { files: [file], runs: [], giveBack: () => {} }
}

async function arriveInPartial(
  host: NodeHost,
  partial: Partial,
  { wanted, isSparse, requireSpace }: ArrivalSpec,
): Promise<Arrival> {
  const unfinished = await host.store.leftovers.find(wanted)
  // A file that grows begins with no bytes.
  const bytes = isGrowing({ wanted }) ? 0 : wanted.size
  // What another content left would show through the holes of this one.
  const isOfUse = (left: Unfinished): boolean => left.isOfContent || !isSparse
  if (unfinished !== undefined && isOfUse(unfinished)) {
    await requireSpace(unfinished.bytes)
    const found = await reopened(host, partial, unfinished, wanted)
    if (found !== undefined && isOfUse(found)) {
      await partial.resume(bytes)
      return foundIn(found)
    }
    if (found !== undefined) leave(host.store.leftovers, partial)
  }
  await requireSpace(0)
  await createNew(host, partial, bytes)
  return { journal: 'none' }
}

function isGrowing({ wanted }: Pick<ArrivalSpec, 'wanted'>): boolean {
  return wanted.blockBytes === 'sections'
}

/** Undefined: somebody else has taken it, or removed it, since it was found. */
async function reopened(
  { storage, store: { leftovers } }: NodeHost,
  partial: Partial,
  left: Unfinished,
  wanted: WantedContent,
): Promise<Unfinished | undefined> {
  const { id } = left
  if (!leftovers.reserve(id)) return undefined
  try {
    await leftovers.stretch(left)
  } catch (error) {
    leftovers.close(id)
    throw error
  }
  if (!(await partial.reopen(id))) {
    leftovers.close(id)
    return undefined
  }
  // Another transfer may have written to it meanwhile. From now on nobody does.
  const identity = await storage.identityOf(partial.file)
  const found = await leftovers.look(id, wanted, identity)
  if (found === undefined) leave(leftovers, partial)
  return found
}

/**
 * The file of the node that has this content, whatever it is called: for others. Rejects with
 * ERR_FR_NOT_HELD.
 */
export async function lend(host: NodeHost, partial: Partial, spec: ArrivalSpec): Promise<Arrival> {
  const record = recordOf(host, spec)
  const signed = record && (await signedOf(host, record))
  const runs = signed?.map(heldRun)
  const file = record && runs && (await host.store.holdings.openWhole(record))
  if (record === undefined || signed === undefined || runs === undefined || file === undefined)
    throw new FrError('ERR_FR_NOT_HELD', 'the node holds no file of this content')
  partial.borrow(file, await host.storage.identityOf(file))
  return { held: runs, journal: 'none', ...(isOf(record, spec.wanted) && { signed }) }
}

function leave(leftovers: Leftovers, partial: Partial): void {
  leftovers.close(partial.id)
  partial.leave()
}

/** A journal of an earlier partial of this id tells nothing of the new one. */
async function createNew({ store }: NodeHost, partial: Partial, bytes: number): Promise<void> {
  await store.leftovers.drop(partial.id)
  await partial.create(bytes)
}

function foundIn({ isOfContent, held, unread, signed }: Unfinished): Arrival {
  if (isOfContent) return { held, unread, signed, journal: 'ours' }
  return { candidates: held, unreadCandidates: unread, journal: 'another' }
}

/** Undefined: no file of the node is known to have this content. */
async function publishedAs(
  host: NodeHost,
  partial: Partial,
  spec: ArrivalSpec,
): Promise<Arrival | undefined> {
  const record = recordOf(host, spec)
  if (record === undefined) return undefined
  const signed = await signedOf(host, record)
  const runs = signed?.map(heldRun)
  const file = runs && (await host.store.holdings.openWhole(record))
  if (signed === undefined || runs === undefined || file === undefined) return undefined
  try {
    const isSigned = isOf(record, spec.wanted)
    if (await isAsWanted(host, record, spec)) {
      partial.borrow(file, await host.storage.identityOf(file), host.shared !== undefined)
      return { held: runs, journal: 'none', ...(isSigned && { signed }) }
    }
    await spec.requireSpace(0)
    await createNew(host, partial, spec.wanted.size)
    partial.copyFrom([file], host.store.versions.use(record))
    partial.toBring([[0, spec.wanted.size]])
    const { contentId, author } = record
    const found = { unread: runs, journal: 'none' } as const
    return isSigned ? { ...found, signed } : { ...found, copied: { contentId, author, signed } }
  } catch (error) {
    host.storage.closeFile(file)
    throw error
  }
}

/** What is signed of the record is signed of what is wanted. */
function isOf(record: HeldStream, { contentId, author }: WantedContent): boolean {
  return record.contentId === contentId && record.author === author
}

function heldRun(run: DigestRun): HeldRun {
  return { ...run, digests: digestsOf(run) }
}

/** Undefined: they are damaged, and of no use. */
async function signedOf(
  { store }: NodeHost,
  record: HeldStream,
): Promise<readonly DigestRun[] | undefined> {
  const signed = await store.catalogue.runs(record).catch(() => [])
  return digestTable(record, signed) === null ? undefined : signed
}

function recordOf({ store }: NodeHost, spec: ArrivalSpec): HeldStream | undefined {
  const { fileDigest, name, wanted } = spec
  if (fileDigest === null) return undefined
  const record = store.catalogue.ofContent(name, fileDigest, wanted.size, wanted.only)
  return record?.blockBytes === wanted.blockBytes ? record : undefined
}

async function isAsWanted(
  { store, shared }: NodeHost,
  { name, mode, mtime, identity, only }: HeldStream,
  { entry, ...spec }: ArrivalSpec,
): Promise<boolean> {
  // Nodes share a file for the time it was to have, however much of that the system keeps.
  const { seconds, nanos } = shared === undefined ? identity.mtime : mtime
  const isSameTime = seconds === entry.mtimeSeconds && nanos === entry.mtimeNanos
  const isSameMode = (mode & 0o777) === (entry.mode & 0o777)
  const isSameFor = only === entry.only
  const isSame = isSameTime && isSameMode && isSameFor && Buffer.compare(name, spec.name) === 0
  if (!isSame || !spec.isStrict) return isSame
  // The record has the mode that was wished; whether it was kept only the file tells.
  return (await store.modeOf(name)) === (entry.mode & 0o777)
}
