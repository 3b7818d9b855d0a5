/**
 * From a partial to a name, in the portable engine: what is tried out when a file is offered, and
 * done when it is whole. Attributes that the file system does not keep are an answer, not a
 * failure.
 */
import { fdatasync } from 'node:fs'
import { link, lstat, rename, unlink } from 'node:fs/promises'
import { promisify } from 'node:util'
import { FrError } from '../../base/errors.js'
import { settableTime } from '../../base/file-times.js'
import type { FileTime, FlushedFile, LostAttribute, PublishSpec } from '../../ports.js'
import { asFrError, atPath, systemCode } from '../checks.js'
import { systemFailure } from '../system-error.js'
import { fchmodAsync, fstatAsync, fsyncAsync, futimesAsync } from './calls.js'
import { type DataDir, gone, isAtPath, mark } from './data-dir.js'
import type { OpenFile } from './files.js'
import {
  type ConfinedName,
  durably,
  findName,
  inspectName,
  makeParents,
  refuseLookup,
  withoutSync,
} from './names.js'

const fdatasyncAsync = promisify(fdatasync)

export const permissionBits = 0o777n
/** Coarser clocks than this lose the time; vfat keeps every second second. */
const timeGrainSeconds = 2n
const attributeRefusals = ['EPERM', 'EACCES', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EINVAL']

export async function flushFile(file: OpenFile, path: string): Promise<FlushedFile> {
  return file.using(async (fd) => {
    if (file.joined !== undefined) {
      const done = await file.joined.sync().catch(atPath(path))
      return { size: file.size ?? 0, ...done }
    }
    const before = await fstatAsync(fd, { bigint: true }).catch(atPath(path))
    await fdatasyncAsync(fd).catch(withoutSync).catch(atPath(path))
    const after = await fstatAsync(fd, { bigint: true }).catch(atPath(path))
    return {
      size: Number(after.size),
      allocatedBytes: Number(after.blocks * 512n),
      wasTouched: before.size !== after.size || before.mtimeNs !== after.mtimeNs,
      wasLost: false,
    }
  })
}

export async function probePartial(
  file: OpenFile,
  partial: string,
  spec: PublishSpec,
): Promise<LostAttribute[]> {
  await checkPartial(file, partial)
  return file.using(async (fd) => {
    const lost = await setAttributes(fd, partial, spec)
    await fchmodAsync(fd, 0o600).catch(ifNoAttribute(partial))
    const moved = `${partial}.probe`
    await move(partial, Buffer.from(moved), spec.noClobber)
    await move(moved, Buffer.from(partial), spec.noClobber)
    return lost
  })
}

export async function publishPartial(
  dir: DataDir,
  file: OpenFile,
  partial: string,
  spec: PublishSpec,
): Promise<LostAttribute[]> {
  const name = await findName(dir.root, spec.name)
  await inspectName(dir, name, spec.noClobber)
  await checkPartial(file, partial)
  const lost = await file.using(async (fd) => {
    // Before the attributes: the map moves the time of the head.
    const synced = await file.joined?.sync().catch(atPath(partial))
    if (synced?.wasLost) throw new FrError('ERR_FR_IO', 'a disk of the file has failed')
    const missing = await setAttributes(fd, partial, spec)
    // Data, mode and time: one commit makes all of it durable before the name appears.
    await fsyncAsync(fd).catch(withoutSync).catch(atPath(partial))
    return missing
  })
  // The user named a path: a directory that is not there any more is no place to succeed in.
  if (!(await isAtPath(dir))) throw gone('another directory is at its path', dir.path)
  await dir.turns.take(async () => {
    await makeParents(dir.root, name)
    const changed = [name.parent, `${dir.hidden}/partials`]
    await durably(changed, () => giveName(partial, name, spec.noClobber))
  })
  return lost
}

async function giveName(partial: string, name: ConfinedName, noClobber: boolean): Promise<void> {
  try {
    await move(partial, name.path, noClobber)
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EISDIR') throw asFrError(error, 'ERR_FR_IS_DIRECTORY')
    if (code === 'EEXIST') throw asFrError(error, 'ERR_FR_EXISTS')
    throw refuseLookup(error)
  }
}

/** Over what is there, or, by a link, only where the name is free, which rename cannot do. */
async function move(from: string, to: Buffer, noClobber: boolean): Promise<void> {
  if (!noClobber) return rename(from, to)
  await link(from, to)
  await unlink(from)
}

/** What is verified is the open file; what is renamed is a name. They must be one. */
async function checkPartial(file: OpenFile, path: string): Promise<void> {
  const open = await file.stat()
  const named = await lstat(path, { bigint: true })
  if (mark(open) !== mark(named)) {
    const what = 'another file is in the place of the partial file'
    throw systemFailure('ERR_FR_IO', { what, path, errno: 0 })
  }
  if (open.size !== BigInt(file.size ?? -1)) {
    const what = 'somebody else has changed the size of the partial file'
    throw systemFailure('ERR_FR_IO', { what, path, errno: 0 })
  }
}

async function setAttributes(
  fd: number,
  path: string,
  spec: PublishSpec,
): Promise<LostAttribute[]> {
  const mode = BigInt(spec.mode) & permissionBits
  const time = settableTime(spec.mtime)
  await fchmodAsync(fd, Number(mode)).catch(ifNoAttribute(path))
  await futimesAsync(fd, time, time).catch(ifNoAttribute(path))
  // Some file systems refuse, and some agree and do nothing.
  const found = await fstatAsync(fd, { bigint: true }).catch(atPath(path))
  const lost: LostAttribute[] = []
  if ((found.mode & permissionBits) !== mode) lost.push('mode')
  if (losesTime(found.mtimeNs / 1_000_000_000n, spec.mtime)) lost.push('mtime')
  return lost
}

/** Whether a file whose time is `seconds` now has not the one that was wished. */
export function losesTime(seconds: bigint, wished: FileTime): boolean {
  const late = seconds - BigInt(wished.seconds)
  return late > timeGrainSeconds || late < -timeGrainSeconds
}

/** That an attribute is refused is no failure. */
export function isRefusal(error: unknown): boolean {
  return attributeRefusals.includes(systemCode(error))
}

function ifNoAttribute(path: string): (error: unknown) => void {
  return (error) => {
    if (!isRefusal(error)) throw asFrError(error, undefined, path)
  }
}
