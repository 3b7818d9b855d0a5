/** Files of the machine that may be sent through a door: below directories that it was given. */
import { lstat, opendir, realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, sep } from 'node:path'
import { HttpError } from '../problem.js'
import type { SourceEntry, SourcesTold } from './transfer-schemas.js'

/**
 * The path with all links followed. Relative ones are below the first directory. Rejects with
 * HttpError: 403 where it leads elsewhere, 404 where nothing is.
 */
export async function sourceAt(path: string, directories: readonly string[]): Promise<string> {
  return (await resolved(path, directories, isBelow)).found
}

interface Resolved {
  /** As it was asked for, and absolute where the directories are. */
  readonly wanted: string
  readonly found: string
}

async function resolved(
  path: string,
  directories: readonly string[],
  isIn: (path: string, directory: string) => boolean,
): Promise<Resolved> {
  const [first] = directories
  if (first === undefined)
    throw new HttpError(403, 'ERR_FR_RIGHT', 'this door sends no files of its machine')
  if (path.includes('\0')) throw new HttpError(400, 'ERR_FR_REQUEST', 'a path has no zero byte')
  const roots = await Promise.all(directories.map((one) => realpath(one).catch(() => null)))
  // What a path outside would lead to is nobody's business: it is refused before it is looked at.
  const wanted = join(isAbsolute(path) ? path : join(first, path))
  const isNamed = directories.some((one) => isIn(wanted, one))
  const found = isNamed ? await realpath(wanted).catch(() => null) : null
  if (isNamed && found === null)
    throw new HttpError(404, 'ERR_FR_SOURCE', 'there is no such file in a directory of the door')
  if (found === null || !roots.some((root) => root !== null && isIn(found, root)))
    throw new HttpError(403, 'ERR_FR_RIGHT', 'the path leads out of what this door may send')
  return { wanted, found }
}

function isBelow(path: string, directory: string): boolean {
  const root = join(directory, sep)
  return path.startsWith(root)
}

const isInOrAt = (path: string, directory: string): boolean => isBelow(join(path, sep), directory)

export interface ListWish {
  /** A directory; absent: those that the door was given. */
  readonly path?: string
  /** A name: what follows it is listed. */
  readonly after?: string
  readonly limit: number
}

/** Entries that are looked at together. */
const together = 64

/**
 * What may be sent of a directory, by name, so many at most; the memory that it takes is theirs,
 * however many there are. Left out is what is neither a file nor a directory, links that lead out
 * of the directories of the door, and names that are not UTF-8, which no request could say.
 * Rejects as `sourceAt`.
 */
export async function listSources(
  { path, after = '', limit }: ListWish,
  directories: readonly string[],
  signal: AbortSignal,
): Promise<SourcesTold> {
  const at = path === undefined ? null : await resolved(path, directories, isInOrAt)
  const all = at === null ? directories : await entriesOf(at.found)
  const names = await namesBehind(after, limit + 1, all, signal)
  const shown = names.slice(0, limit)
  const items: SourceEntry[] = []
  for (let begin = 0; begin < shown.length; begin += together) {
    signal.throwIfAborted()
    const some = shown.slice(begin, begin + together).map((name) => {
      if (at === null) return entryOf(name, name, { path: name, mayFollow: async () => name })
      const path = join(at.wanted, name)
      const mayFollow = () => sourceAt(path, directories)
      return entryOf(name, join(at.found, name), { path, mayFollow })
    })
    for (const entry of await Promise.all(some)) if (entry !== null) items.push(entry)
  }
  const next = names.length > limit ? (shown.at(-1) ?? null) : null
  return { items, next }
}

async function entriesOf(directory: string): Promise<AsyncIterable<string>> {
  const opened = await opendir(directory, { bufferSize: 1_024 }).catch(() => {
    const text = 'there is no such directory in one of the door, or it cannot be read'
    throw new HttpError(404, 'ERR_FR_SOURCE', text)
  })
  return (async function* () {
    for await (const { name } of opened) yield name
  })()
}

/** The first names behind one. */
async function namesBehind(
  after: string,
  count: number,
  all: AsyncIterable<string> | Iterable<string>,
  signal: AbortSignal,
): Promise<string[]> {
  let names: string[] = []
  for await (const name of all) {
    signal.throwIfAborted()
    if (name <= after) continue
    names.push(name)
    if (names.length >= 2 * count) names = names.sort().slice(0, count)
  }
  return names.sort().slice(0, count)
}

/** Null: it is gone, or nothing that may be sent. */
async function entryOf(
  name: string,
  found: string,
  { path, mayFollow }: { path: string; mayFollow: () => Promise<string> },
): Promise<SourceEntry | null> {
  const own = await lstat(found).catch(() => null)
  const what = own?.isSymbolicLink()
    ? await mayFollow()
        .then((target) => stat(target))
        .catch(() => null)
    : own
  if (what?.isDirectory()) return { name, path, kind: 'directory', bytes: null }
  return what?.isFile() ? { name, path, kind: 'file', bytes: what.size } : null
}
