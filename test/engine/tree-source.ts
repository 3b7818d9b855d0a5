/** A tree on the disk of a test: made and edited at random, listed, packed, and compared. */
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { DataEngine } from '../../src/ports.js'
import {
  compareNames,
  encodeListing,
  type Listing,
  type ListingOptions,
  listingBytes,
  type TreeEntry,
} from '../../src/protocol/listing.js'
import { fileDigestOf } from '../../src/session/file-digest.js'

export const options: ListingOptions = {
  ...{ isAtomic: false, deletes: true, strict: false, owner: false, xattrs: false, acls: false },
  isDry: false,
}
const blockBytes = 65_536

/** Numbers below a bound, the same for a seed. */
export type Random = (below: number) => number

export function randomOf(seed: number): Random {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b_79f5) | 0
    let mix = Math.imul(state ^ (state >>> 15), 1 | state)
    mix = (mix + Math.imul(mix ^ (mix >>> 7), 61 | mix)) ^ mix
    return ((mix ^ (mix >>> 14)) >>> 0) % below
  }
}

/** Paths below a directory; links are not followed. */
export function pathsIn(root: string, above = ''): string[] {
  return readdirSync(join(root, above), { withFileTypes: true }).flatMap((entry) => {
    const path = join(above, entry.name)
    return entry.isDirectory() ? [path, ...pathsIn(root, path)] : [path]
  })
}

const names = ['a', 'b', 'b-c', 'd.e', 'f g', 'Z', 'ö']

/**
 * One change: whatever is there may become anything else. Directories have times of whole seconds:
 * Node sets others only to within a microsecond.
 */
export function edit(root: string, random: Random): void {
  change(root, random)
  for (const path of ['', ...pathsIn(root)]) {
    const full = join(root, path)
    const stats = lstatSync(full)
    if (!stats.isDirectory() || stats.mtimeMs % 1000 === 0) continue
    const seconds = Math.floor(stats.mtimeMs / 1000) - random(1_000_000)
    utimesSync(full, seconds, seconds)
  }
}

function change(root: string, random: Random): void {
  const directories = [
    '',
    ...pathsIn(root).filter((path) => lstatSync(join(root, path)).isDirectory()),
  ]
  const above = directories[random(directories.length)] as string
  const path = join(root, above, names[random(names.length)] as string)
  const files = pathsIn(root).filter((file) => lstatSync(join(root, file)).isFile())
  const other = files.length === 0 ? undefined : join(root, files[random(files.length)] as string)
  const seconds = 1_500_000_000 + random(1_000_000)
  const kind = random(10)
  if (kind === 0 && other !== undefined) {
    // A rename.
    if (existsSync(path)) return
    renameSync(other, path)
    return
  }
  if (kind === 1 && other !== undefined) {
    chmodSync(other, [0o644, 0o600, 0o755, 0o444][random(4)] as number)
    return
  }
  rmSync(path, { recursive: true, force: true })
  if (kind === 2) return
  if (kind === 3) {
    symlinkSync(['a', '../..', '/etc/passwd', 'gone'][random(4)] as string, path)
    lutimesSync(path, seconds, seconds)
  } else if (kind === 4 && other !== undefined && existsSync(other)) linkSync(other, path)
  else if (kind < 7) {
    mkdirSync(path)
    chmodSync(path, [0o755, 0o700, 0o555][random(3)] as number)
  } else {
    const size = [0, 1, 4096, random(30_000)][random(4)] as number
    writeFileSync(path, Buffer.alloc(size, `${seconds} ${random(1000)} `))
    utimesSync(path, seconds, seconds)
  }
}

/** Everything that has to be equal, by name; files with several names by the first of them. */
export function stateOf(root: string): Record<string, string> {
  const found: Record<string, string> = {}
  const inodes = new Map<number, string>()
  for (const path of ['', ...pathsIn(root).sort()]) {
    const full = join(root, path)
    const stats = lstatSync(full)
    const mtime = Math.round(stats.mtimeMs)
    const mode = (stats.mode & 0o777).toString(8)
    if (stats.isSymbolicLink()) found[path] = `link ${readlinkSync(full)} ${mtime}`
    else if (stats.isDirectory()) found[path] = `directory ${mode} ${mtime}`
    else {
      const first = inodes.get(stats.ino) ?? path
      inodes.set(stats.ino, first)
      found[path] = `file ${mode} ${mtime} ${first} ${readFileSync(full).toString('latin1')}`
    }
  }
  return found
}

interface Scanned {
  /** Directories and files, and what comes last: links, directories once more. */
  readonly first: TreeEntry[]
  readonly closing: TreeEntry[]
  readonly bytes: ReadonlyMap<string, Buffer>
}

export async function scan(root: string, engine: DataEngine): Promise<Scanned> {
  const first: TreeEntry[] = []
  const closing: TreeEntry[] = []
  const bytes = new Map<string, Buffer>()
  const inodes = new Map<number, Buffer>()
  const paths = ['', ...pathsIn(root)].map((path) => Buffer.from(path)).sort(compareNames)
  for (const name of paths) {
    const full = join(root, name.toString())
    const stats = lstatSync(full, { bigint: true })
    const attributes = {
      mode: Number(stats.mode & 0o7777n),
      mtimeSeconds: Number(stats.mtimeNs / 1_000_000_000n),
      mtimeNanos: Number(stats.mtimeNs % 1_000_000_000n),
    }
    if (stats.isSymbolicLink()) {
      const target = readlinkSync(full, { encoding: 'buffer' })
      closing.push({ kind: 'symlink', name, attributes, target })
    } else if (stats.isDirectory()) {
      first.push({ kind: 'directory', name, attributes })
      closing.push({ kind: 'directory', name, attributes })
    } else if (inodes.has(Number(stats.ino))) {
      const to = inodes.get(Number(stats.ino)) as Buffer
      closing.push({ kind: 'hardlink', name, attributes, to })
    } else {
      inodes.set(Number(stats.ino), name)
      const content = readFileSync(full)
      bytes.set(name.toString(), content)
      const size = content.length
      first.push({
        ...{ kind: 'file', name, attributes, size, dataBytes: size, at: null, isAlone: false },
        digest: await digestOf(engine, full, size),
      })
    }
  }
  return { first, closing, bytes }
}

async function digestOf(engine: DataEngine, path: string, size: number): Promise<Buffer> {
  const { file } = await engine.storage.openSource(path)
  const range = { offset: 0, length: size }
  const digests = size === 0 ? new Uint8Array() : engine.hashNow(file, range, blockBytes, 'xxh64')
  engine.storage.closeFile(file)
  if (digests === undefined) throw new Error('not hashed')
  const text = fileDigestOf(engine, 'xxh64', size, blockBytes, digests)
  return Buffer.from(text.slice(text.lastIndexOf(':') + 1), 'hex')
}

/** Entries of a batch, and those of what closes that it does not have. */
export function together(batch: readonly TreeEntry[], closing: readonly TreeEntry[]): TreeEntry[] {
  const own = new Set(batch.map(({ name }) => Buffer.from(name).toString('latin1')))
  const others = closing.filter(({ name }) => !own.has(Buffer.from(name).toString('latin1')))
  return [...batch, ...others].sort((a, b) => compareNames(a.name, b.name))
}

/** A bundle of these entries, with the bytes of those files that `isWanted`. */
export function pack(
  listing: Listing,
  bytes: ReadonlyMap<string, Buffer>,
  isWanted: (entry: TreeEntry) => boolean,
): Buffer {
  const parts: Buffer[] = []
  const wanted = listing.entries.map((entry) => entry.kind === 'file' && isWanted(entry))
  const placed = listing.entries.map(
    (entry, at): TreeEntry => (entry.kind === 'file' && wanted[at] ? { ...entry, at: 0 } : entry),
  )
  let at = listingBytes(placed)
  const entries = placed.map((entry): TreeEntry => {
    if (entry.kind !== 'file' || entry.at === null) return entry
    const content = bytes.get(Buffer.from(entry.name).toString()) as Buffer
    parts.push(content)
    at += content.length
    return { ...entry, at: at - content.length }
  })
  return Buffer.concat([encodeListing({ ...listing, entries }), ...parts])
}
