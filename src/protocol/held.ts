/** Bodies of frames about what a node holds. */
import { limits } from '../base/limits.js'
import { isVersion } from '../base/versions.js'
import {
  type DiskEntry,
  diskStates,
  type HeldEntry,
  type HeldFailure,
  type HeldFrame,
  heldKinds,
  heldStates,
  type PackAsk,
  type PackOffer,
  type SetEntry,
  type VersionEntry,
  type VersionedEntry,
  versionKinds,
} from '../control/messages/held.js'
import { readIndices } from './applied.js'
import type { Fields } from './fields.js'
import { readFileDigest, readVersionDigest } from './file-digest.js'
import { readName } from './manifest.js'
import { readAnswer, readReason } from './reasons.js'

type BodyOf<T extends HeldFrame['type']> = Omit<Extract<HeldFrame, { type: T }>, 'type'>

const most = Number.MAX_SAFE_INTEGER

function readList(body: Fields): BodyOf<'list'> {
  return {
    glob: body.isNull('glob') ? null : readName(body.object('glob')),
    after: body.string('after', limits.listCursorChars),
    limit: body.integer('limit', 1, limits.listPageFiles),
  }
}

function readListed(body: Fields): BodyOf<'listed'> {
  return {
    nowMs: body.integer('nowMs', 0, most),
    entries: body.list('entries', limits.listPageFiles, readHeldEntry),
    next: body.isNull('next') ? null : body.string('next', limits.listCursorChars),
    ...(body.has('disk') && { disk: body.string('disk', limits.diskPathBytes) }),
  }
}

function readDisksTold(body: Fields): BodyOf<'disksTold'> {
  return { disks: body.list('disks', limits.disksPerNode + 1, readDisk) }
}

function readDisk(disk: Fields): DiskEntry {
  const orNull = (name: string): number | null =>
    disk.isNull(name) ? null : disk.integer(name, 0, most)
  return {
    path: disk.string('path', limits.diskPathBytes),
    state: disk.oneOf('state', diskStates),
    problems: disk.texts('problems', limits.diskProblems),
    sizeBytes: orNull('sizeBytes'),
    freeBytes: disk.integer('freeBytes', 0, most),
    heldFiles: disk.integer('heldFiles', 0, most),
    heldBytes: disk.integer('heldBytes', 0, most),
    partialBytes: disk.integer('partialBytes', 0, most),
    transfers: disk.integer('transfers', 0, limits.transfersPerNode),
    waitingBytes: disk.integer('waitingBytes', 0, most),
    load: disk.isNull('load') ? null : readLoad(disk.object('load')),
    speedBytesPerSecond: orNull('speedBytesPerSecond'),
  }
}

function readLoad(load: Fields): NonNullable<DiskEntry['load']> {
  return {
    busyPpm: load.integer('busyPpm', 0, 1e6),
    requestMicros: load.integer('requestMicros', 0, most),
    readBytesPerSecond: load.integer('readBytesPerSecond', 0, most),
    writtenBytesPerSecond: load.integer('writtenBytesPerSecond', 0, most),
  }
}

function readRemove(body: Fields): BodyOf<'remove'> {
  return { ...readName(body), isGlob: body.boolean('isGlob') }
}

function readRemoving(body: Fields): BodyOf<'removing'> {
  return { entries: body.integer('entries', 0, most) }
}

function readRemoved(body: Fields): BodyOf<'removed'> {
  return {
    entries: body.integer('entries', 0, most),
    kept: body.integer('kept', 0, most),
    failedCount: body.integer('failedCount', 0, most),
    text: body.text('text'),
  }
}

function readVerifying(body: Fields): BodyOf<'verifying'> {
  return { readBytes: body.integer('readBytes', 0, most), bytes: body.integer('bytes', 0, most) }
}

function readVerified(body: Fields): BodyOf<'verified'> {
  return {
    ...readAnswer(body),
    bytes: body.integer('bytes', 0, most),
    badBytes: body.integer('badBytes', 0, most),
    fileDigest: body.isNull('fileDigest') ? null : readFileDigest(body, 'fileDigest'),
    tree: body.isNull('tree') ? null : readTreeVerdict(body.object('tree')),
  }
}

function readTreeVerdict(tree: Fields): NonNullable<BodyOf<'verified'>['tree']> {
  return { entries: tree.integer('entries', 0, most), ...readFailures(tree) }
}

export function readPackAsk(pack: Fields): PackAsk {
  return {
    from: pack.string('from', limits.listCursorChars),
    only: pack.isNull('only') ? null : readIndices(pack, 'only'),
  }
}

export function readPackOffer(pack: Fields): PackOffer {
  return {
    isFirst: pack.boolean('isFirst'),
    isWhole: pack.boolean('isWhole'),
    bytes: pack.isNull('bytes') ? null : pack.integer('bytes', 0, most),
    next: pack.isNull('next') ? null : pack.string('next', limits.listCursorChars),
    ...readFailures(pack),
  }
}

function readFailures(fields: Fields): Pick<PackOffer, 'failedCount' | 'failures'> {
  const failedCount = fields.integer('failedCount', 0, most)
  const failures = fields.list('failures', limits.treeFailuresTold, readHeldFailure)
  if (failures.length > failedCount) fields.refuse('failures', 'has more entries than failed')
  return { failedCount, failures }
}

function readHeldFailure(fields: Fields): HeldFailure {
  return { ...readName(fields), ...readReason(fields) }
}

function readHeldEntry(entry: Fields): HeldEntry {
  const kind = entry.oneOf('kind', heldKinds)
  const size = entry.integer('size', 0, kind === 'tree' ? most : limits.fileBytes)
  const time = (name: string): number | null =>
    entry.isNull(name) ? null : entry.integer(name, 0, most)
  return {
    ...readName(entry),
    kind,
    state: entry.oneOf('state', heldStates),
    contentId: entry.isNull('contentId') ? null : entry.hex('contentId', 32),
    size,
    heldBytes: entry.integer('heldBytes', 0, size),
    entries: entry.isNull('entries') ? null : entry.integer('entries', 0, most),
    fileDigest: entry.isNull('fileDigest') ? null : readFileDigest(entry, 'fileDigest'),
    publishedAtMs: time('publishedAtMs'),
    verifiedAtMs: time('verifiedAtMs'),
  }
}

function readVersions(body: Fields): BodyOf<'versions'> {
  return {
    glob: body.isNull('glob') ? null : readName(body.object('glob')),
    after: body.string('after', limits.listCursorChars),
  }
}

function readVersionsListed(body: Fields): BodyOf<'versionsListed'> {
  return {
    nowMs: body.integer('nowMs', 0, most),
    entries: body.list('entries', limits.versionPageNames, readVersionedEntry),
    next: body.isNull('next') ? null : body.string('next', limits.listCursorChars),
  }
}

function readVersionedEntry(entry: Fields): VersionedEntry {
  const versions = entry.list('versions', limits.versionsPerName + 1, readVersionEntry)
  return { ...readName(entry), versions }
}

function readVersionEntry(entry: Fields): VersionEntry {
  const kind = entry.oneOf('kind', versionKinds)
  const size = entry.integer('size', 0, kind === 'tree' ? most : limits.fileBytes)
  return {
    kind,
    back: entry.integer('back', 0, limits.versionsPerName),
    state: entry.oneOf('state', heldStates),
    contentId: entry.isNull('contentId') ? null : entry.hex('contentId', 32),
    author: entry.isNull('author') ? null : entry.hex('author', 2 * limits.publicKeyBytes),
    size,
    fileDigest: readVersionDigest(entry, 'fileDigest'),
    diskBytes: entry.integer('diskBytes', 0, size),
    publishedAtMs: entry.integer('publishedAtMs', 0, most),
    keptAtMs: entry.isNull('keptAtMs') ? null : entry.integer('keptAtMs', 0, most),
  }
}

function readRollback(body: Fields): BodyOf<'rollback'> {
  const version = body.string('version', limits.versionChars)
  if (!isVersion(version)) body.refuse('version', 'is no version')
  return { ...readName(body), version }
}

function readRolledBack(body: Fields): BodyOf<'rolledBack'> {
  return {
    fileDigest: readVersionDigest(body, 'fileDigest'),
    bytes: body.integer('bytes', 0, most),
    before: body.isNull('before') ? null : readVersionDigest(body, 'before'),
  }
}

function readLacks(body: Fields): BodyOf<'lacks'> {
  return { entries: body.list('entries', limits.setPageFiles, readSetEntry) }
}

function readSetEntry(entry: Fields): SetEntry {
  return {
    ...readName(entry),
    size: entry.integer('size', 0, limits.fileBytes),
    fileDigest: readFileDigest(entry, 'fileDigest'),
  }
}

function readLacking(body: Fields): BodyOf<'lacking'> {
  let least = 0
  const entries = body.list('entries', limits.setPageFiles, (entry) => {
    const index = entry.integer('index', least, limits.setPageFiles - 1)
    least = index + 1
    return { index, has: entry.isNull('has') ? null : readFileDigest(entry, 'has') }
  })
  return { entries }
}

/** Number and reader of each. */
export const heldFrames = {
  list: [36, readList],
  listed: [37, readListed],
  remove: [38, readRemove],
  removing: [72, readRemoving],
  removed: [39, readRemoved],
  verify: [43, readName],
  verifying: [44, readVerifying],
  verified: [45, readVerified],
  versions: [80, readVersions],
  versionsListed: [81, readVersionsListed],
  rollback: [82, readRollback],
  rolledBack: [83, readRolledBack],
  lacks: [84, readLacks],
  lacking: [85, readLacking],
  disksTold: [101, readDisksTold],
} as const
