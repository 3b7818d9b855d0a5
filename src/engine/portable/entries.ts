/**
 * Many entries put in their places at once, in the portable engine (placeEntries of ports.ts).
 *
 * What the native engine does and Node cannot: names are confined by looking before using; there is
 * no flush of a whole file system, so every file is flushed; two names cannot be exchanged, so that
 * for a moment nothing is where a file and a directory change places; and extended attributes are
 * not kept.
 */
import { constants, fchown, write } from 'node:fs'
import {
  chmod,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  readdir,
  rename,
  rm,
  rmdir,
  symlink,
  unlink,
} from 'node:fs/promises'
import { promisify } from 'node:util'
import { FrError } from '../../base/errors.js'
import { settableTime } from '../../base/file-times.js'
import type { EntryAttributes, EntryOutcome, EntryStep, LostEntryAttribute } from '../../ports.js'
import { asFrError, systemCode } from '../checks.js'
import { systemFailure } from '../system-error.js'
import {
  closeAsync,
  fchmodAsync,
  fsyncAsync,
  ftruncateAsync,
  futimesAsync,
  openAsync,
} from './calls.js'
import { type DataDir, gone, isAtPath } from './data-dir.js'
import { lookAtPath, lookOf, mounted, Ways } from './entry-looks.js'
import type { FileTable, OpenFile } from './files.js'
import { type ConfinedName, durably, join, refuseLookup, withoutSync } from './names.js'
import { type OneStep, oneByOne, together } from './packed-files.js'
import { isRefusal, losesTime, permissionBits } from './publish.js'

const writeAsync = promisify(write)
const fchownAsync = promisify(fchown)

const stepsMax = 65_536
const stagedAtOnce = 16
const pieceBytes = 256 * 1024
const pageBytes = 4096
const ownerBits = 0o700

interface Placed {
  readonly step: OneStep
  /** Where it is made, and where it waits for its name. */
  readonly staged: string
  readonly from: string
  readonly lost: Set<LostEntryAttribute>
  failure: FrError | null
  look: EntryOutcome['look']
}

const emptied = new WeakSet<DataDir>()
let stagings = 0

export async function placeSteps(
  dir: DataDir,
  files: FileTable,
  steps: readonly EntryStep[],
): Promise<EntryOutcome[]> {
  return together(steps, await placeOnes(dir, files, oneByOne(steps)))
}

async function placeOnes(
  dir: DataDir,
  files: FileTable,
  steps: readonly OneStep[],
): Promise<EntryOutcome[]> {
  if (steps.length > stepsMax) throw new TypeError(`steps: at most ${stepsMax}`)
  if (!(await isAtPath(dir))) throw gone('another directory is at its path', dir.path)
  const staging = await openStaging(dir)
  const prefix = `${staging}/${process.hrtime.bigint()}.${stagings++}.`
  const all = steps.map((step, at): Placed => {
    const staged = prefix + at
    const from = step.kind === 'partial' ? `${dir.hidden}/partials/${step.id}` : staged
    return { step, staged, from, lost: new Set(), failure: null, look: null }
  })
  for (let at = 0; at < all.length; at += stagedAtOnce)
    await Promise.all(all.slice(at, at + stagedAtOnce).map((placed) => stage(files, placed)))
  const changed = new Map<string, Buffer>()
  const ways = new Ways(dir)
  for (const placed of all) {
    await settle(ways, placed, changed).catch((error: unknown) => {
      placed.failure = refusal(error)
    })
    if (placed.failure !== null) await unlink(placed.staged).catch(() => {})
  }
  for (const path of changed.values())
    await durably([path], async () => {}).catch((error: unknown) => {
      // Removed by a later step.
      if (systemCode(error) !== 'ENOENT') throw error
    })
  return all.map(({ failure, lost, look }) => ({
    failure: failure && { code: failure.code, text: failure.message },
    lost: [...lost],
    look: failure === null ? look : null,
  }))
}

/** What an earlier process left in it goes when it is first used. */
async function openStaging(dir: DataDir): Promise<string> {
  const path = `${dir.hidden}/staging`
  await mkdir(path, 0o700).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw error
  })
  if (!(await lstat(path)).isDirectory()) throw new FrError('ERR_FR_IO', `${path} is no directory`)
  if (emptied.has(dir)) return path
  emptied.add(dir)
  for (const name of await readdir(path))
    await rm(`${path}/${name}`, { recursive: true, force: true }).catch(() => {})
  return path
}

async function stage(files: FileTable, placed: Placed): Promise<void> {
  const { step, staged, lost } = placed
  try {
    if (step.kind === 'file') await stageFile(files.get(step.file), step, placed)
    if (step.kind === 'partial') await stagePartial(placed.from, step, lost)
    if (step.kind !== 'symlink') return
    await symlink(Buffer.from(step.target), staged)
    await setAttributes(Buffer.from(staged), step.attributes, lost)
  } catch (error) {
    placed.failure = asFrError(error)
  }
}

async function stageFile(
  from: OpenFile,
  step: EntryStep & { kind: 'file' },
  { staged, lost }: Placed,
): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  const fd = await openAsync(staged, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  await closing(fd, async () => {
    const buffer = Buffer.allocUnsafe(Math.min(step.size, pieceBytes))
    for (let done = 0; done < step.size; done += buffer.length) {
      const piece = buffer.subarray(0, Math.min(buffer.length, step.size - done))
      if ((await from.read(piece, step.offset + done)) !== piece.length)
        throw new FrError('ERR_FR_IO', 'the file to copy from is too short')
      if (step.isSparse) await writeSparse(fd, piece, done)
      else await writeAll(fd, piece, done)
    }
    if (step.isSparse) await ftruncateAsync(fd, step.size)
    await finish(fd, step.attributes, lost)
  })
}

async function stagePartial(
  path: string,
  step: EntryStep & { kind: 'partial' },
  lost: Set<LostEntryAttribute>,
): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  const fd = await openAsync(path, flags)
  await closing(fd, async () => {
    const stats = await lstat(path)
    if (!stats.isFile() || stats.size !== step.size) {
      const what = 'another file is in the place of the partial file'
      throw systemFailure('ERR_FR_IO', { what, path, errno: 0 })
    }
    await finish(fd, step.attributes, lost)
  })
}

function closing(fd: number, work: () => Promise<void>): Promise<void> {
  return work().finally(() => closeAsync(fd))
}

async function finish(
  fd: number,
  { mode, mtime, owner, xattrs }: EntryAttributes,
  lost: Set<LostEntryAttribute>,
): Promise<void> {
  if (owner !== undefined) await fchownAsync(fd, owner.uid, owner.gid).catch(isLost('owner', lost))
  if (xattrs !== undefined && xattrs.length > 0) lost.add('xattrs')
  await fchmodAsync(fd, mode & 0o777).catch(isLost('mode', lost))
  const time = settableTime(mtime)
  await futimesAsync(fd, time, time).catch(isLost('mtime', lost))
  await fsyncAsync(fd).catch(withoutSync)
}

/** Of what a path stands for, no link followed. */
async function setAttributes(
  path: Buffer,
  { mode, mtime, owner, xattrs }: EntryAttributes,
  lost: Set<LostEntryAttribute>,
): Promise<void> {
  if (owner !== undefined) await lchown(path, owner.uid, owner.gid).catch(isLost('owner', lost))
  if (xattrs !== undefined && xattrs.length > 0) lost.add('xattrs')
  const isLink = (await lstat(path)).isSymbolicLink()
  if (!isLink) await chmod(path, mode & 0o777).catch(isLost('mode', lost))
  const time = settableTime(mtime)
  await lutimes(path, time, time).catch(isLost('mtime', lost))
}

/** That an attribute is refused is no failure. */
function isLost(name: LostEntryAttribute, lost: Set<LostEntryAttribute>) {
  return (error: unknown): void => {
    if (!isRefusal(error)) throw error
    lost.add(name)
  }
}

async function writeAll(fd: number, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const rest = bytes.length - done
    done += (await writeAsync(fd, bytes, done, rest, offset + done)).bytesWritten
  }
}

const zeros = Buffer.alloc(pageBytes)

/** Writes what is not zero, page by page of the new file. */
async function writeSparse(fd: number, bytes: Buffer, offset: number): Promise<void> {
  for (let at = 0; at < bytes.length; at += pageBytes) {
    const page = bytes.subarray(at, at + pageBytes)
    if (!page.equals(zeros.subarray(0, page.length))) await writeAll(fd, page, offset + at)
  }
}

async function settle(ways: Ways, placed: Placed, changed: Map<string, Buffer>): Promise<void> {
  const { step, lost } = placed
  if (placed.failure !== null) return
  const isMaking = step.kind !== 'attributes' && step.kind !== 'remove'
  const { name, device } = await ways.to(step.name, isMaking)
  if (device === undefined) {
    if (step.kind === 'remove') return
    throw new FrError('ERR_FR_NOT_HELD')
  }
  await act(ways, placed, name, device)
  if (step.kind !== 'attributes') changed.set(name.parent.toString('latin1'), name.parent)
  const stats = await lookAtPath(name.path)
  if (stats === undefined) return
  placed.look = lookOf(stats, device)
  if ('attributes' in step) compare(placed.look, step.attributes, lost)
}

/** Some file systems agree and do nothing. */
function compare(
  { kind, mode, identity }: NonNullable<EntryOutcome['look']>,
  wanted: EntryAttributes,
  lost: Set<LostEntryAttribute>,
): void {
  if (losesTime(BigInt(identity.mtime.seconds), wanted.mtime)) lost.add('mtime')
  const isKept = ((BigInt(mode) ^ BigInt(wanted.mode)) & permissionBits) === 0n
  if (kind !== 'symlink' && !isKept) lost.add('mode')
}

async function act(ways: Ways, placed: Placed, name: ConfinedName, device: bigint): Promise<void> {
  const { step, lost } = placed
  switch (step.kind) {
    case 'directory':
      return makeDirectory(name.path, step.mode, device)
    case 'file':
    case 'partial':
    case 'symlink':
      return moveIn(ways, placed, placed.from, name.path, step.replacesDirectories)
    case 'hardlink':
      return addName(ways, placed, step, name.path)
    case 'attributes': {
      if ((await lookAtPath(name.path)) === undefined) throw new FrError('ERR_FR_NOT_HELD')
      return setAttributes(name.path, step.attributes, lost)
    }
    case 'remove':
      return step.isWhole
        ? removeWhole(ways, name.path, device)
        : removeOne(ways, name.path, device)
    default:
      step satisfies never
  }
}

async function makeDirectory(path: Buffer, mode: number, device: bigint): Promise<void> {
  const open = (mode & 0o777) | ownerBits
  const found = await lookAtPath(path)
  if (found !== undefined && !found.isDirectory()) await unlink(path)
  if (found?.isDirectory() !== true) return mkdir(path, open).then(() => {})
  if (found.dev !== device) throw mounted()
  const now = Number(found.mode & permissionBits)
  if ((now & ownerBits) !== ownerBits) await chmod(path, now | ownerBits)
}

async function addName(
  ways: Ways,
  placed: Placed,
  step: EntryStep & { kind: 'hardlink' },
  path: Buffer,
): Promise<void> {
  const { name: source, device } = await ways.to(step.to, false)
  const stats = device === undefined ? undefined : await lookAtPath(source.path)
  if (!stats?.isFile() && !stats?.isSymbolicLink()) throw new FrError('ERR_FR_NOT_HELD')
  const code = await link(source.path, path).then(() => '', systemCodeOr)
  if (code === '') return
  await link(source.path, placed.staged)
  await moveIn(ways, placed, placed.staged, path, step.replacesDirectories)
  // Where both names were one file already, the rename did nothing.
  await unlink(placed.staged).catch(() => {})
}

async function moveIn(
  ways: Ways,
  placed: Placed,
  from: string,
  path: Buffer,
  isForced: boolean,
): Promise<void> {
  const code = await rename(from, path).then(() => '', systemCodeOr)
  if (code === '') return
  const found = await lookAtPath(path)
  if (found?.isDirectory() !== true) return rename(from, path)
  const isEmpty = (await readdir(path)).length === 0
  if (!isEmpty && !isForced) throw new FrError('ERR_FR_IS_DIRECTORY')
  if (await hasMount(path, (await lstat(join(path, '..'), { bigint: true })).dev)) throw mounted()
  const aside = `${placed.staged}.old`
  await rename(path, aside)
  ways.forget()
  await rename(from, path)
  await rm(aside, { recursive: true, force: true }).catch(() => {})
}

function systemCodeOr(error: unknown): string {
  const code = systemCode(error)
  if (['EISDIR', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(code)) return code
  throw error
}

async function hasMount(path: Buffer, device: bigint): Promise<boolean> {
  const stats = await lookAtPath(path)
  if (stats === undefined) return false
  if (stats.dev !== device) return true
  if (!stats.isDirectory()) return false
  for (const name of await readdir(path, { encoding: 'buffer' }))
    if (await hasMount(join(path, name), device)) return true
  return false
}

async function removeOne(ways: Ways, path: Buffer, device: bigint): Promise<void> {
  const stats = await lookAtPath(path)
  if (stats === undefined) return
  if (stats.dev !== device) throw mounted()
  if (!stats.isDirectory()) return unlink(path)
  ways.forget()
  await rmdir(path).catch((error: unknown) => {
    const isFull = ['ENOTEMPTY', 'EEXIST'].includes(systemCode(error))
    throw isFull ? asFrError(error, 'ERR_FR_IS_DIRECTORY') : error
  })
}

async function removeWhole(ways: Ways, path: Buffer, device: bigint): Promise<void> {
  await openToOwner(path, device)
  if (await hasMount(path, device)) throw mounted()
  ways.forget()
  await rm(path, { recursive: true, force: true })
}

/** Directories that shut their owner out keep what is in them. */
async function openToOwner(path: Buffer, device: bigint): Promise<void> {
  const stats = await lookAtPath(path)
  if (stats?.isDirectory() !== true || stats.dev !== device) return
  const mode = Number(stats.mode & permissionBits)
  if ((mode & ownerBits) !== ownerBits) await chmod(path, mode | ownerBits)
  for (const name of await readdir(path, { encoding: 'buffer' }))
    await openToOwner(join(path, name), device)
}

/** What a look-up met says something of the name; a disk that is full does not. */
function refusal(error: unknown): FrError {
  return error instanceof FrError ? error : refuseLookup(error)
}
