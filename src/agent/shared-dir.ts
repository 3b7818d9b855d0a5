/**
 * A directory that several nodes of a cluster mount (`shared:DIR`), and this node's own place in
 * it: `DIR/.fastreplica/nodes/ID`, a data directory like any other. ID is of the name of the node,
 * or of its machine, and a number: the first that nobody else has locked.
 *
 * Who only reads there (`openView`) has such a place as well, for its identity, in `views`: nothing
 * is ever in it, and what is served are the places of the nodes.
 */
import { hash, randomBytes } from 'node:crypto'
import { link, mkdir, readdir, stat, unlink, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import { hiddenDir } from '../base/names.js'
import { isStaleLock, ownRecord } from '../engine/lock.js'
import type { Storage } from '../ports.js'
import { Catalogue } from '../store/catalogue/catalogue.js'
import { machineId } from '../store/identity.js'
import { Leases } from '../store/shared/leases.js'
import { ShownNames } from '../store/shared/shown.js'
import type { ClusterSpec } from './cluster.js'
import type { DataDir } from './data-dirs.js'

export interface SharedDir {
  readonly dir: DataDir
  /** Of the contents of all nodes. */
  readonly directory: string
  readonly leases: Leases
  readonly shown: ShownNames
  readonly cluster: ClusterPlace
}

/** What a process needs to be one of several of a node. */
export type ClusterPlace = Pick<ClusterSpec, 'id' | 'servers' | 'leases'>

/**
 * Makes what is missing, DIR as well. Rejects with ERR_FR_DATA_DIR, also where it is an ordinary
 * data directory, or a file cannot have several names there; with ERR_FR_DATA_DIR_LOCKED where this
 * machine has too many nodes there.
 */
export async function openShared(
  storage: Pick<Storage, 'openDataDir'>,
  path: string,
  name: string | null,
): Promise<SharedDir> {
  const { nodes, contents, leases: directory, servers } = await directoriesIn(path)
  const dir = await firstFree(storage, join(nodes, await whoIs(name)))
  const who = { holder: ownRecord().trim(), isGone: isStaleLock }
  const leases = new Leases({ directory, ...who })
  const shown = new ShownNames({ root: path, nodes, dataDir: dir.dataDir })
  const id = basename(dir.dataDir)
  const cluster = { id, servers: { directory: servers, ...who }, leases }
  return { dir, directory: contents, leases, shown, cluster }
}

export interface SharedView {
  readonly dir: DataDir
  /** Data directories of the nodes that there are now. */
  readonly places: () => Promise<readonly string[]>
  readonly cluster: ClusterPlace
}

/** Rejects as `openShared`. */
export async function openView(
  storage: Pick<Storage, 'openDataDir' | 'closeDataDir'>,
  path: string,
  name: string | null,
): Promise<SharedView> {
  const { nodes, views, leases: directory, servers } = await directoriesIn(path)
  const dir = await firstFree(storage, join(views, await whoIs(name)))
  try {
    const catalogue = await Catalogue.open(join(dir.dataDir, hiddenDir))
    await catalogue.close()
  } catch (error) {
    storage.closeDataDir(dir.dir)
    throw error
  }
  const places = async (): Promise<readonly string[]> => {
    const names = await readdir(nodes)
    const own = names.filter((one) => /^[0-9a-f]{16}-\d{1,2}$/.test(one)).sort()
    return own.slice(0, limits.sharedPlaces).map((one) => join(nodes, one))
  }
  const who = { holder: ownRecord().trim(), isGone: isStaleLock }
  const leases = new Leases({ directory, ...who })
  const id = `view-${basename(dir.dataDir)}`
  return { dir, places, cluster: { id, servers: { directory: servers, ...who }, leases } }
}

const parts = ['nodes', 'contents', 'leases', 'views', 'servers'] as const

/** Makes those that are missing. */
async function directoriesIn(path: string): Promise<Record<(typeof parts)[number], string>> {
  const hidden = join(path, hiddenDir)
  const paths = parts.map((one) => join(hidden, one))
  const [nodes = '', contents = '', leases = '', views = '', servers = ''] = paths
  try {
    if (await isThere(join(hidden, 'catalogue')))
      throw new FrError('ERR_FR_DATA_DIR', `${path} is the data directory of one node`, { path })
    for (const one of [path, hidden, ...paths]) await made(one)
    await requireLinks(leases)
  } catch (error) {
    throw error instanceof FrError ? error : asFrError(error, 'ERR_FR_DATA_DIR')
  }
  return { nodes, contents, leases, views, servers }
}

/** Of the name of a node, or of its machine. */
async function whoIs(name: string | null): Promise<string> {
  return hash('sha256', name ?? ((await machineId()) || hostname()), 'hex').slice(0, 16)
}

async function firstFree(storage: Pick<Storage, 'openDataDir'>, path: string): Promise<DataDir> {
  for (let at = 0; ; at++) {
    const dataDir = `${path}-${at}`
    try {
      return { dir: await storage.openDataDir(dataDir), dataDir, number: 0 }
    } catch (error) {
      const isLocked = error instanceof FrError && error.code === 'ERR_FR_DATA_DIR_LOCKED'
      if (!isLocked || at + 1 >= limits.sharedNodesPerMachine) throw error
    }
  }
}

async function made(path: string): Promise<void> {
  await mkdir(path, 0o700).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}

async function requireLinks(directory: string): Promise<void> {
  const path = join(directory, `.${randomBytes(8).toString('hex')}`)
  const other = `${path}.link`
  try {
    await writeFile(path, '', { flag: 'wx', mode: 0o600 })
    await link(path, other)
  } catch (cause) {
    const text = `a file can have one name only in ${directory}: ${(cause as Error).message}`
    throw new FrError('ERR_FR_DATA_DIR', text, { cause, path: directory })
  } finally {
    await unlink(path).catch(() => {})
    await unlink(other).catch(() => {})
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
