/**
 * Names confined to a data directory, as well as Node can do it.
 *
 * A name is split into components, each is looked at with lstat, and the real path of the parent
 * must lie inside the directory. Between look and use a process with write access to the directory
 * could swap a component; only the native engine (openat2 in the kernel) excludes that. Names are
 * bytes throughout: nothing here may decode them.
 */
import type { Stats } from 'node:fs'
import { lstat, mkdir, open, realpath } from 'node:fs/promises'
import { FrError } from '../errors.js'
import { nameFault, splitName } from './names.js'
import { asFrError, systemCode } from './portable-checks.js'

const separator = Buffer.from('/')

export interface ConfinedName {
  readonly components: readonly Buffer[]
  /** Absolute path of the directory that holds the name. */
  readonly parent: Buffer
  /** Absolute path of the name. */
  readonly path: Buffer
}

function refuse(why: string): FrError {
  return new FrError('ERR_FR_NAME', `the name cannot be stored: ${why}`)
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
  const bytes = Buffer.from(name)
  const components = splitName(bytes)
  const parent = join(root, ...components.slice(0, -1))
  return { components, parent, path: join(root, bytes) }
}

async function look(path: Buffer): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (error) {
    const code = systemCode(error)
    if (code === 'ENOENT') return undefined
    if (code === 'ENAMETOOLONG' || code === 'ENOTDIR' || code === 'EINVAL') {
      throw asFrError(error, 'ERR_FR_NAME')
    }
    throw asFrError(error)
  }
}

/** Refuses what stands in the way of publishing under this name; missing directories do not. */
export async function inspectName(
  root: Buffer,
  name: ConfinedName,
  noClobber: boolean,
): Promise<void> {
  let path = root
  for (const component of name.components.slice(0, -1)) {
    path = join(path, component)
    const stats = await look(path)
    if (stats === undefined) return
    if (!stats.isDirectory()) throw refuse('a component is no directory')
  }
  const stats = await look(name.path)
  if (stats === undefined) return
  if (stats.isDirectory()) throw new FrError('ERR_FR_IS_DIRECTORY')
  if (noClobber) throw new FrError('ERR_FR_EXISTS')
  if (!stats.isFile()) throw refuse('what is there is no regular file')
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
      await mkdir(path)
      await syncDirectory(above)
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw asFrError(error)
    }
  }
  const real = await realpath(name.parent, { encoding: 'buffer' })
  if (!real.equals(name.parent)) throw refuse('it leads out of its place')
}

export async function syncDirectory(path: Buffer | string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
