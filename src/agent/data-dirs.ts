/**
 * Opens the data directories of a node.
 *
 * The first must be there: it has the identity of the node. Of the others one may be missing, which
 * is said and tried again (disks.ts). A disk that is not mounted leaves an empty directory at its
 * path, in which nothing may be made then: so the first directory keeps the paths that were used,
 * and one of these that has no `.fastreplica` any more counts as missing.
 */
import { lstat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import { hiddenDir } from '../base/names.js'
import type { DataDirHandle, Storage } from '../ports.js'
import { readKept, replaceFile, syncParent, writeAll } from '../store/files/durable.js'

export interface DataDir {
  readonly dir: DataDirHandle
  /** Path of `dir`. */
  readonly dataDir: string
  /** Its place among those of the node, from 0. */
  readonly number: number
}

/** One that could not be opened at the start. */
export interface MissingDir extends Omit<DataDir, 'dir'> {
  /** At an earlier start it was there. */
  readonly wasUsed: boolean
  readonly failure: FrError
}

export interface OpenedDirs {
  /** The first of all among them. */
  readonly dirs: readonly DataDir[]
  readonly missing: readonly MissingDir[]
}

type Opening = Pick<Storage, 'openDataDir' | 'closeDataDir'>

/** Rejects as `openDataDir` where the first cannot be opened, or another node serves one. */
export async function openDataDirs(
  storage: Opening,
  paths: readonly string[],
  isReadOnly: boolean,
): Promise<OpenedDirs> {
  const dirs: DataDir[] = []
  const missing: MissingDir[] = []
  const first = paths[0] as string
  try {
    dirs.push({ dir: await storage.openDataDir(first, isReadOnly), dataDir: first, number: 0 })
    const used = await usedPaths(first)
    for (const [at, dataDir] of paths.slice(1).entries()) {
      const number = at + 1
      const wasUsed = used.has(resolve(dataDir))
      try {
        if (wasUsed) await requireUsed(dataDir)
        dirs.push({ dir: await storage.openDataDir(dataDir, isReadOnly), dataDir, number })
        used.add(resolve(dataDir))
      } catch (error) {
        const failure = asFrError(error, 'ERR_FR_IO')
        if (failure.code === 'ERR_FR_DATA_DIR_LOCKED') throw failure
        missing.push({ dataDir, number, wasUsed, failure })
      }
    }
    if (paths.length > 1 && !isReadOnly) await keepPaths(first, used)
  } catch (error) {
    for (const { dir } of dirs) storage.closeDataDir(dir)
    throw error
  }
  return { dirs, missing }
}

/** Opens one that was missing. Rejects as long as it is not what it was. */
export async function openMissing(
  storage: Opening,
  { dataDir, number, wasUsed }: MissingDir,
  isReadOnly: boolean,
): Promise<DataDir> {
  if (wasUsed) await requireUsed(dataDir)
  return { dir: await storage.openDataDir(dataDir, isReadOnly), dataDir, number }
}

async function requireUsed(dataDir: string): Promise<void> {
  const path = join(dataDir, hiddenDir)
  const found = await lstat(path).catch(() => undefined)
  if (found?.isDirectory()) return
  const text = `${dataDir} was used before and has no ${hiddenDir} now: is its disk mounted?`
  throw new FrError('ERR_FR_DATA_DIR_GONE', `${text} (make ${path} to use it empty)`)
}

function fileOf(first: string): string {
  return join(first, hiddenDir, 'disks')
}

const mostBytes = limits.disksPerNode * 4 * limits.diskPathBytes

/** Of the directories that were used beside this one. */
async function usedPaths(first: string): Promise<Set<string>> {
  try {
    const text = (await readKept(fileOf(first), mostBytes))?.toString('utf8') ?? ''
    const found: unknown = text === '' ? [] : JSON.parse(text)
    const paths = Array.isArray(found) ? found.filter((path) => typeof path === 'string') : []
    return new Set(paths)
  } catch {
    // What is damaged protects from nothing, and is written anew.
    return new Set()
  }
}

/** The newest, as many as one node may have, a few times over. */
async function keepPaths(first: string, used: ReadonlySet<string>): Promise<void> {
  const path = fileOf(first)
  const text = JSON.stringify([...used].slice(-2 * limits.disksPerNode))
  try {
    await replaceFile(path, (file) => writeAll(file, Buffer.from(text), 0))
    await syncParent(path)
  } catch (error) {
    throw asFrError(error, 'ERR_FR_DATA_DIR')
  }
}
