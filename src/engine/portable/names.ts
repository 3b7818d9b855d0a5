/**
 * Names confined to a data directory, as well as Node can do it.
 *
 * A name is split into components, each is looked at with lstat, and the real path of the parent
 * must lie inside the directory. Between look and use a process with write access to the directory
 * could swap a component; only the native engine (openat2 in the kernel) excludes that. Names are
 * bytes throughout: nothing here may decode them.
 */
import { constants, type Stats } from 'node:fs'
import { access, type FileHandle, lstat, mkdir, open, readlink, realpath } from 'node:fs/promises'
import { constants as os } from 'node:os'
import { FrError } from '../../base/errors.js'
import { nameFault, partsFault, splitName, versionBytes, versionOfLink } from '../../base/names.js'
import { asFrError, atPath, errnoOf, systemCode } from '../checks.js'
import { systemFailure } from '../system-error.js'

/** A data directory in which directories come and go in turn. */
interface Shared {
  readonly root: Buffer
  readonly turns: { take<T>(work: () => Promise<T>): Promise<T> }
}

const stickyBit = 0o1000
const separator = Buffer.from('/')
/** Components of the name of a version. */
const versionParts = 4

export interface ConfinedName {
  readonly components: readonly Buffer[]
  /** How many of the first of them are the version of a tree that the name is in, or 0. */
  readonly version: number
  /** Absolute path of the directory that holds the name. */
  readonly parent: Buffer
  /** Absolute path of the name. */
  readonly path: Buffer
}

export function refuse(why: string): FrError {
  return systemFailure('ERR_FR_NAME', { what: why, errno: 0 })
}

export function join(...parts: readonly (Buffer | string)[]): Buffer {
  const pieces = parts.flatMap((part, index) => {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part
    return index === 0 ? [bytes] : [separator, bytes]
  })
  return Buffer.concat(pieces)
}

/** Judges the bytes alone; `root` is the real path of the data directory. */
export function parseName(root: Buffer, name: Uint8Array): ConfinedName {
  const fault = nameFault(name)
  if (fault !== null) throw refuse(fault)
  return placeOf(root, Buffer.from(name), 0)
}

/** Takes names in a version of a tree, too, and that of the version. */
export function parseOwnName(root: Buffer, name: Uint8Array): ConfinedName {
  const bytes = versionBytes(name)
  if (bytes === 0) return parseName(root, name)
  const fault = bytes === name.length ? null : partsFault(name.subarray(bytes + 1))
  if (fault !== null) throw refuse(fault)
  return placeOf(root, Buffer.from(name), versionParts)
}

function placeOf(root: Buffer, bytes: Buffer, version: number): ConfinedName {
  const components = splitName(bytes)
  const parent = join(root, ...components.slice(0, -1))
  return { components, version, parent, path: join(root, bytes) }
}

/**
 * A tree that changes all at once is a link to its present version. Where the component at `depth`
 * of the name is such a link: the same place as a name in that version. It has to lead from its own
 * place, by as many `..` as it has directories above it, to a version, and by nothing else.
 */
export async function throughVersion(
  root: Buffer,
  { components, version }: ConfinedName,
  depth: number,
): Promise<ConfinedName | undefined> {
  if (version > 0) return undefined
  const link = join(root, ...components.slice(0, depth + 1))
  const target = await readlink(link, { encoding: 'buffer' }).catch(() => null)
  const found = target && versionOfLink(target, depth)
  if (!found) return undefined
  return placeOf(root, join(Buffer.from(found), ...components.slice(depth + 1)), versionParts)
}

/** Judges a name, and goes through the link of a tree that is on the way to it. */
export async function findName(root: Buffer, bytes: Uint8Array): Promise<ConfinedName> {
  const name = parseName(root, bytes)
  for (let depth = 0; depth < name.components.length - 1; depth++) {
    const stats = await look(join(root, ...name.components.slice(0, depth + 1)))
    if (stats?.isSymbolicLink()) return (await throughVersion(root, name, depth)) ?? name
    if (!stats?.isDirectory()) break
  }
  return name
}

async function look(path: Buffer): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw refuseLookup(error)
  }
}

/** What a look-up or rename met, as it is said of a name. */
export function refuseLookup(error: unknown): FrError {
  const what = lookupWords[systemCode(error)]
  if (what === undefined) return asFrError(error)
  return systemFailure('ERR_FR_NAME', { what, errno: errnoOf(error) }, error)
}

const lookupWords: Readonly<Record<string, string>> = {
  ELOOP: 'a symlink is in its way',
  ENOTDIR: 'what should be a directory is none',
  EXDEV: 'another file system is mounted in its way',
  ENAMETOOLONG: 'it is too long for the file system',
  EINVAL: 'it has characters that the file system does not take',
  EILSEQ: 'it has characters that the file system does not take',
  EACCES: 'the system does not allow it there',
  EPERM: 'the system does not allow it there',
}

/**
 * The last directory on the way to the name that is there, and whether one after it is missing.
 */
async function walk(
  root: Buffer,
  name: ConfinedName,
): Promise<{ above: Buffer; isMissing: boolean }> {
  let above = root
  let isMissing = false
  for (const component of name.components.slice(0, -1)) {
    // What is missing would be made in the last directory that is there: it takes the name or not.
    const path = join(above, component)
    const stats = await look(path)
    isMissing ||= stats === undefined
    if (isMissing) continue
    if (stats?.isSymbolicLink()) throw refuse('a symlink is in its way')
    if (!stats?.isDirectory()) throw refuse('what should be a directory is none')
    above = path
  }
  return { above, isMissing }
}

/** Rejects with ERR_FR_NOT_HELD unless a regular file has this name. */
export async function inspectHeld(root: Buffer, name: ConfinedName): Promise<void> {
  const { isMissing } = await walk(root, name)
  const stats = isMissing ? undefined : await look(name.path)
  if (stats?.isFile() !== true) throw new FrError('ERR_FR_NOT_HELD')
}

/**
 * Refuses what stands in the way of publishing under this name; directories that are missing do
 * not, where they can be made. That a file may only be appended to cannot be seen from here. Takes
 * a turn: a removal may take the directories away that it looks at.
 */
export function inspectName(
  { root, turns }: Shared,
  name: ConfinedName,
  noClobber: boolean,
): Promise<void> {
  return turns.take(() => inspect(root, name, noClobber))
}

async function inspect(root: Buffer, name: ConfinedName, noClobber: boolean): Promise<void> {
  const { above, isMissing } = await walk(root, name)
  await access(above, constants.W_OK | constants.X_OK).catch((error: unknown) => {
    const what = 'the directory for it cannot be written to'
    throw systemFailure('ERR_FR_NAME', { what, errno: errnoOf(error) }, error)
  })
  const last = name.components.at(-1) as Buffer
  const stats = await look(join(above, last))
  if (isMissing || stats === undefined) return
  if (stats.isDirectory()) {
    const failed = { path: name.path.toString(), errno: os.errno.EISDIR }
    throw systemFailure('ERR_FR_IS_DIRECTORY', failed)
  }
  if (noClobber) throw new FrError('ERR_FR_EXISTS')
  if (!stats.isFile()) throw refuse('what is there is no regular file')
  await checkReplaceable(name.path, stats, await lstat(above))
}

async function checkReplaceable(path: Buffer, target: Stats, parent: Stats): Promise<void> {
  const self = process.geteuid?.() ?? 0
  const isOwner = self === 0 || self === parent.uid || self === target.uid
  if ((parent.mode & stickyBit) !== 0 && !isOwner) {
    throw refuse('the file there belongs to another user')
  }
  // Whoever may not write a file may replace it, but nobody may one that is immutable.
  await access(path, constants.W_OK).catch((error: unknown) => {
    if (systemCode(error) !== 'EPERM') return
    const what = 'the file there is marked as unchangeable'
    throw systemFailure('ERR_FR_NAME', { what, errno: errnoOf(error) }, error)
  })
}

/**
 * Makes the directories of the name that are missing, durably, and checks where they really are.
 */
export async function makeParents(root: Buffer, name: ConfinedName): Promise<void> {
  let path = root
  for (const component of name.components.slice(0, -1)) {
    const above = path
    path = join(path, component)
    try {
      await mkdir(path, 0o755)
      await syncDirectory(above)
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw refuseLookup(error)
    }
  }
  const real = await realpath(name.parent, { encoding: 'buffer' })
  if (!real.equals(name.parent)) throw refuse('it leads out of its place')
}

export function syncDirectory(path: Buffer | string): Promise<void> {
  return durably([path], async () => {})
}

/**
 * A change of these directories that is durable once this resolves. They are open before it is
 * made: what could not be made durable for want of a descriptor is not begun.
 */
export async function durably(
  paths: readonly (Buffer | string)[],
  change: () => Promise<void>,
): Promise<void> {
  const directories: FileHandle[] = []
  try {
    for (const path of paths) directories.push(await open(path, 'r'))
    await change()
    for (const [at, directory] of directories.entries())
      await directory
        .sync()
        .catch(withoutSync)
        .catch(atPath(String(paths[at])))
  } finally {
    for (const directory of directories) await directory.close()
  }
}

/** Only EINVAL is forgiven: the file system has no fsync for what this is. */
export function withoutSync(error: unknown): void {
  if (systemCode(error) !== 'EINVAL') throw error
}
