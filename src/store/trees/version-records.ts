/**
 * Records of the versions of a tree that changes all at once: `DATA/.fastreplica/trees/KEY.N`.
 *
 * The idea: a version has the record of its own rows, which begins with that of the present version
 * (further links to its segments, which nobody writes again) and is what its push adds to. So
 * whatever becomes of the push, the record of the present version stays as it is, and one rename of
 * the symlink changes both. A version is marked (`shown`) before another one gets the name: what is
 * neither present nor marked was never finished.
 */
import { link, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { hiddenDir, versionBytes } from '../../base/names.js'
import { readKept, replaceFile, syncDirectory, writeAll } from '../files/durable.js'
import { dirKeyOf } from '../files/plain.js'
import { VersionDir } from '../versions/version-dir.js'
import { isOfRows, nameOfRecord, unlinked } from './tree-record.js'

const countChars = 16
const pattern = /^([0-9a-f]{32})(?:\.([1-9]\d{0,8}))?$/

export interface RecordKey {
  /** Of the name of the tree. */
  readonly key: string
  /** Null: of a tree that changes entry by entry. */
  readonly version: number | null
}

export function treesDirOf(dataDir: string): string {
  return join(dataDir, hiddenDir, 'trees')
}

/** Undefined for what is no record. */
export function recordKey(file: string): RecordKey | undefined {
  const [, key, version] = pattern.exec(file) ?? []
  return key === undefined ? undefined : { key, version: version ? Number(version) : null }
}

export function versionKeyOf(tree: Uint8Array, version: number): string {
  return `${dirKeyOf(tree)}.${version}`
}

/** Of the tree of which this is a version, `.fastreplica/versions/KEY/N`, or which is called so. */
export function treeKeyOf(name: Uint8Array): string {
  return placeKeyOf(name)?.[0] ?? dirKeyOf(name)
}

function placeKeyOf(name: Uint8Array): readonly [key: string, version: string] | null {
  if (name.length === 0 || versionBytes(name) !== name.length) return null
  return Buffer.from(name).toString('latin1').split('/').slice(-2) as [string, string]
}

/** Where the record of a tree is as it is now, or of the version in this place. */
export async function presentKeyOf(dataDir: string, tree: Uint8Array): Promise<string> {
  const place = placeKeyOf(tree)
  if (place !== null) return place.join('.')
  // What the system cannot look up, such as too long a path, is no link.
  const present = await new VersionDir(dataDir, tree).present().catch(() => null)
  return present === null ? dirKeyOf(tree) : versionKeyOf(tree, present)
}

/** Whether there is a record of the tree as it is now, or of the version in this place. */
export async function isRecorded(dataDir: string, tree: Uint8Array): Promise<boolean> {
  return (await nameOfRecord(treesDirOf(dataDir), await presentKeyOf(dataDir, tree))) !== null
}

/** Before a version is built. Whatever has its number is of one that was not finished. */
export async function beginRecord(
  dataDir: string,
  tree: Uint8Array,
  version: number,
): Promise<void> {
  const all = treesDirOf(dataDir)
  const from = join(all, await presentKeyOf(dataDir, tree))
  const to = join(all, versionKeyOf(tree, version))
  await rm(to, { recursive: true, force: true })
  await mkdir(to, { recursive: true, mode: 0o700 })
  for (const file of await readdir(from).catch(() => []))
    if (isOfRows(file)) await link(join(from, file), join(to, file))
  await replaceFile(join(to, 'name'), (file) => writeAll(file, tree, 0))
  for (const path of [to, all]) await syncDirectory(path)
}

/** Those of versions that go. The mark goes first: what is left by a kill is of no version. */
export async function dropRecords(
  dataDir: string,
  tree: Uint8Array,
  goes: (version: number) => boolean,
): Promise<void> {
  const all = treesDirOf(dataDir)
  for (const version of await recordedVersions(dataDir, tree))
    if (goes(version)) {
      const path = join(all, versionKeyOf(tree, version))
      if (await unlinked(pathOfMark(dataDir, tree, version))) await syncDirectory(path)
      await rm(path, { recursive: true, force: true })
    }
}

/** That of a tree which changed entry by entry, and does so no more. */
export async function dropPlainRecord(dataDir: string, tree: Uint8Array): Promise<void> {
  await rm(join(treesDirOf(dataDir), dirKeyOf(tree)), { recursive: true, force: true })
}

/** In no order; one that is being built among them. */
async function recordedVersions(dataDir: string, tree: Uint8Array): Promise<number[]> {
  const own = dirKeyOf(tree)
  const files: string[] = await readdir(treesDirOf(dataDir)).catch(() => [])
  return files.flatMap((file) => {
    const found = recordKey(file)
    return found?.key === own && found.version !== null ? found.version : []
  })
}

/** A version that had the name before the present one. */
export interface ShownVersion {
  readonly number: number
  /** Of two the one with the higher count had the name later, whatever clocks say. */
  readonly count: number
  /** When another one took the name, in Unix milliseconds. */
  readonly keptAtMs: number
}

/** Those that have a record, the last one first; `present` is none of them. */
export async function shownVersions(
  dataDir: string,
  tree: Uint8Array,
  present: number | null,
): Promise<ShownVersion[]> {
  const found: ShownVersion[] = []
  for (const number of await recordedVersions(dataDir, tree)) {
    const path = pathOfMark(dataDir, tree, number)
    const text = number === present ? null : await readKept(path, countChars).catch(() => null)
    const count = Number(text?.toString('latin1') ?? Number.NaN)
    if (!Number.isSafeInteger(count)) continue
    const { mtimeMs } = await stat(path)
    found.push({ number, count, keptAtMs: Math.floor(mtimeMs) })
  }
  return found.sort((a, b) => b.count - a.count)
}

/** Before another version gets the name. Durable. */
export async function markShown(dataDir: string, tree: Uint8Array, version: number): Promise<void> {
  const [last] = await shownVersions(dataDir, tree, version)
  const path = pathOfMark(dataDir, tree, version)
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const count = Buffer.from(`${(last?.count ?? 0) + 1}`)
  await replaceFile(path, (file) => writeAll(file, count, 0))
  await syncDirectory(dirname(path))
}

function pathOfMark(dataDir: string, tree: Uint8Array, version: number): string {
  return join(treesDirOf(dataDir), versionKeyOf(tree, version), 'shown')
}

export interface RecordedTree {
  readonly name: Uint8Array
  /** There is a record of it that is of no version, and there are some of versions. */
  readonly isPlain: boolean
  readonly isVersioned: boolean
}

/** Trees that have a record, by key; also one of which nobody has seen a version yet. */
export async function recordedTrees(
  dataDir: string,
  known: ReadonlyMap<string, RecordedTree>,
): Promise<Map<string, RecordedTree>> {
  const all = treesDirOf(dataDir)
  const files: string[] = await readdir(all).catch(() => [])
  const trees = new Map<string, RecordedTree>()
  for (const file of files) {
    const { key, version } = recordKey(file) ?? nobody
    if (key === '') continue
    const before = trees.get(key)
    const name = (before ?? known.get(key))?.name ?? (await nameOfRecord(all, file))
    if (name === null) continue
    const isPlain = version === null || before?.isPlain === true
    const isVersioned = version !== null || before?.isVersioned === true
    trees.set(key, { name, isPlain, isVersioned })
  }
  return trees
}

const nobody: RecordKey = { key: '', version: null }
