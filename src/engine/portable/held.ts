/**
 * Files that are there already, in the portable engine: published ones, looked up again by their
 * names to be read or removed, and partials that were left behind. Only a regular file is held;
 * whatever else has a name is left alone.
 */
import { constants, fstat } from 'node:fs'
import { chmod, lstat, rmdir, unlink } from 'node:fs/promises'
import { promisify } from 'node:util'
import { FrError } from '../../base/errors.js'
import { versionBytes } from '../../base/names.js'
import { asFrError, systemCode } from '../checks.js'
import { closeAsync, openAsync } from './calls.js'
import { findName, inspectHeld, join, parseOwnName, syncDirectory } from './names.js'

const fstatAsync = promisify(fstat)

/** O_NONBLOCK: what is a pipe by now must not be waited for. */
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** The descriptor of the file of this name; `root` is the real path of the data directory. */
export async function openHeld(root: Buffer, bytes: Uint8Array): Promise<number> {
  const name = versionBytes(bytes) > 0 ? parseOwnName(root, bytes) : await findName(root, bytes)
  await inspectHeld(root, name)
  return openRegular(name.path, readFlags)
}

/** A partial that is to be gone on with, for reading and writing, and its bytes. */
export async function openLeftover(
  path: string,
  names: number,
): Promise<{ fd: number; size: number }> {
  const found = await lstat(path).catch(notHeld)
  // One more name: a publication that makes links was cut short between its two steps.
  if (!found.isFile() || found.nlink > names) throw new FrError('ERR_FR_NOT_HELD')
  // One that had just given the file its mode may have shut its owner out.
  if ((found.mode & 0o600) !== 0o600) await chmod(path, 0o600).catch(() => {})
  const fd = await openRegular(Buffer.from(path), constants.O_RDWR | constants.O_NOFOLLOW)
  return { fd, size: found.size }
}

/** Rejects with ERR_FR_NOT_HELD where no regular file is at the path. */
async function openRegular(path: Buffer, flags: number): Promise<number> {
  const fd = await openAsync(path, flags).catch(notHeld)
  try {
    if ((await fstatAsync(fd)).isFile()) return fd
    throw new FrError('ERR_FR_NOT_HELD')
  } catch (error) {
    await closeAsync(fd)
    throw error
  }
}

/** And the directories above that are empty then, durably. */
export async function removeHeld(root: Buffer, bytes: Uint8Array): Promise<void> {
  const name = await findName(root, bytes)
  await inspectHeld(root, name)
  await unlink(name.path).catch(notHeld)
  // The directory that has lost an entry.
  let loser = name.parent
  for (let depth = name.components.length - 1; depth > name.version; depth -= 1) {
    const above = join(root, ...name.components.slice(0, depth - 1))
    const isRemoved = await rmdir(loser).then(
      () => true,
      () => false,
    )
    if (!isRemoved) break
    loser = above
  }
  await syncDirectory(loser)
}

function notHeld(error: unknown): never {
  const isGone = ['ENOENT', 'ELOOP', 'ENXIO'].includes(systemCode(error))
  throw isGone ? new FrError('ERR_FR_NOT_HELD') : asFrError(error)
}
