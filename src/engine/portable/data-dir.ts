/**
 * The data directory of the portable engine: opened and locked once, and looked up again later.
 *
 * Work goes through paths here, so what is compared with what was opened are device and inode
 * numbers: of the directory, and of what the product keeps in it.
 */
import { constants } from 'node:fs'
import { access, lstat, mkdir, realpath, stat } from 'node:fs/promises'
import { dirname, join as joinPath, resolve } from 'node:path'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { hiddenDir } from '../../base/names.js'
import { asFrError, systemCode } from '../checks.js'
import { acquireLock, lockNames, refuseFlocked } from '../lock.js'
import { systemFailure } from '../system-error.js'
import { join, syncDirectory } from './names.js'

export interface DataDir {
  /** As it was given, made absolute. */
  readonly path: string
  /** Real path of the data directory. */
  readonly root: Buffer
  /** Real path of DATA/.fastreplica. */
  readonly hidden: string
  readonly marks: Marks
  /** Nothing is made, locked or written here. */
  readonly isReadOnly: boolean
  /** Directories are made for a name, and removed after one, in turn. */
  readonly turns: Turns
  readonly unlock: () => void
}

/** Work that is done one after the other, in the order it was asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  take<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => {})
    return turn
  }
}

/** Device and inode: of DATA, .fastreplica, its partials and its lock. */
interface Marks {
  readonly root: string
  readonly hidden: string
  readonly partials: string
  readonly lock: string
}

/** Makes DATA itself when only that is missing, and may write there. */
export async function openDir(given: string, isReadOnly: boolean): Promise<DataDir> {
  const path = resolve(given)
  try {
    if (isReadOnly) return await openReadOnly(path)
    await makeMissing(path)
    return await prepare(path)
  } catch (error) {
    throw asFrError(error, 'ERR_FR_DATA_DIR')
  }
}

/** What is at the path now, when that is not what was opened; see refreshDataDir of ports.ts. */
export async function refreshDir(dir: DataDir): Promise<DataDir | null> {
  const isOurs = await isAtPath(dir)
  try {
    if (dir.isReadOnly) return isOurs ? null : await openReadOnly(dir.path)
    if (isOurs) {
      await access(dir.root, constants.W_OK | constants.X_OK)
      if (same(await marksOf(dir.root, dir.hidden), dir.marks)) return null
    }
    return await prepare(dir.path, dir)
  } catch (error) {
    throw asFrError(error, 'ERR_FR_DATA_DIR')
  }
}

/**
 * Whether the directory that was opened is at its path. Rejects with ERR_FR_DATA_DIR_GONE when what
 * is there must not be taken for it either.
 */
export async function isAtPath(dir: DataDir): Promise<boolean> {
  const { path } = dir
  const found = await stat(path, { bigint: true }).catch((error: unknown) => {
    const isLost = ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(systemCode(error))
    throw asFrError(error, isLost ? 'ERR_FR_DATA_DIR_GONE' : 'ERR_FR_IO')
  })
  if (!found.isDirectory()) throw gone('something else is at its path', path)
  if (mark(found) === dir.marks.root) return true
  if (String(found.dev) === dir.marks.root.split(':')[0]) return false
  // A disk that was unmounted shows the directory below it, which nobody meant to fill.
  const above = await stat(joinPath(path, '..'), { bigint: true })
  if (above.dev !== found.dev) return false
  throw gone('another file system is at its path: is it unmounted?', path)
}

export function gone(what: string, path: string): FrError {
  return systemFailure('ERR_FR_DATA_DIR_GONE', { what, path, errno: 0 })
}

/** `before`: what was open for the path; its lock stays when it is the same. */
async function prepare(path: string, before?: DataDir): Promise<DataDir> {
  const root = await realpath(path, { encoding: 'buffer' })
  await access(root, constants.R_OK | constants.W_OK | constants.X_OK)
  const hidden = join(root, hiddenDir)
  await makePrivate(hidden)
  await makePrivate(join(hidden, 'partials'))
  const lock = join(hidden, lockNames.portable).toString()
  const isHeld = before !== undefined && (await markOf(lock)) === before.marks.lock
  const unlock = isHeld ? before.unlock : await acquireLock(lock)
  try {
    await refuseFlocked(join(hidden, lockNames.native).toString())
    const marks = await marksOf(root, hidden.toString())
    const turns = before?.turns ?? new Turns()
    return { path, root, hidden: hidden.toString(), marks, isReadOnly: false, turns, unlock }
  } catch (error) {
    if (!isHeld) unlock()
    throw error
  }
}

async function openReadOnly(path: string): Promise<DataDir> {
  const root = await realpath(path, { encoding: 'buffer' })
  await access(root, constants.R_OK | constants.X_OK)
  const found = await stat(root, { bigint: true })
  if (!found.isDirectory()) throw new FrError('ERR_FR_DATA_DIR', `${path} is no directory`)
  const marks = { root: mark(found), hidden: '', partials: '', lock: '' }
  const hidden = join(root, hiddenDir).toString()
  return { path, root, hidden, marks, isReadOnly: true, turns: new Turns(), unlock: () => {} }
}

async function marksOf(root: Buffer, hidden: string): Promise<Marks> {
  const [rootMark, hiddenMark, partials, lock] = await Promise.all([
    markOf(root),
    markOf(hidden),
    markOf(`${hidden}/partials`),
    markOf(`${hidden}/${lockNames.portable}`),
  ])
  return { root: rootMark, hidden: hiddenMark, partials, lock }
}

/** Empty: nothing is there. */
async function markOf(path: string | Buffer): Promise<string> {
  try {
    return mark(await lstat(path, { bigint: true }))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return ''
    throw error
  }
}

export function mark({ dev, ino }: { dev: bigint; ino: bigint }): string {
  return `${dev}:${ino}`
}

function same(a: Marks, b: Marks): boolean {
  return (
    a.root === b.root && a.hidden === b.hidden && a.partials === b.partials && a.lock === b.lock
  )
}

/** Made when it is missing, the ones above it are not; 0755, as the native engine makes it. */
async function makeMissing(path: string): Promise<void> {
  try {
    await mkdir(path, 0o755)
    await syncDirectory(dirname(path))
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
}

/** A directory only its owner may enter; a symlink or a file in its place is refused. */
async function makePrivate(path: Buffer): Promise<void> {
  try {
    await mkdir(path, 0o700)
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
    const stats = await lstat(path)
    const code: FrErrorCode = 'ERR_FR_DATA_DIR'
    if (!stats.isDirectory()) throw new FrError(code, `${path} is no directory`)
  }
}
