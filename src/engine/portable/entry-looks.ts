/** What is at names, and in directories, of a data directory: the looks of the portable engine. */
import type { BigIntStats } from 'node:fs'
import { lstat, mkdir, readdir } from 'node:fs/promises'
import { put64 } from '../../base/bytes.js'
import { FrError } from '../../base/errors.js'
import { lookKinds, packedLook } from '../../ports/entries.js'
import type { EntryLook, ListedEntry } from '../../ports.js'
import { systemCode } from '../checks.js'
import { systemFailure } from '../system-error.js'
import type { DataDir } from './data-dir.js'
import {
  type ConfinedName,
  join,
  parseOwnName,
  refuse,
  refuseLookup,
  throughVersion,
} from './names.js'

const listedMax = 1_048_576
const looksAtOnce = 64
const permissionBits = 0o7777n

/** Undefined: nothing is there. */
export async function lookAtPath(path: Buffer): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true })
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error))) return undefined
    throw refuseLookup(error)
  }
}

/** `parentDevice`: of the directory it is in. */
export function lookOf(stats: BigIntStats, parentDevice: bigint): EntryLook {
  const kind = stats.isFile() ? 'file' : stats.isDirectory() ? 'directory' : otherKind(stats)
  return {
    kind,
    // A mount of the same file system cannot be told from here.
    isMount: stats.dev !== parentDevice,
    mode: Number(stats.mode & permissionBits),
    links: Number(stats.nlink),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    identity: {
      size: Number(stats.size),
      mtime: timeOf(stats.mtimeNs),
      ctime: timeOf(stats.ctimeNs),
      inode: String(BigInt.asUintN(64, stats.ino)),
    },
  }
}

function otherKind(stats: BigIntStats): EntryLook['kind'] {
  return stats.isSymbolicLink() ? 'symlink' : 'other'
}

/** Floored, so that nanos is never negative, before 1970 too. */
export function timeOf(nanoseconds: bigint): EntryLook['identity']['mtime'] {
  const nanos = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  return { seconds: Number((nanoseconds - nanos) / 1_000_000_000n), nanos: Number(nanos) }
}

/** Where a name is, and the device of the directory that it is in. */
export interface FoundPlace {
  readonly name: ConfinedName
  /** Undefined: a directory on the way is missing, and is not to be made. */
  readonly device: bigint | undefined
}

/** The directories on the way to names, each looked at once. */
export class Ways {
  readonly #dir: DataDir
  /** By path: what is wrong with it, or its device. */
  readonly #seen = new Map<string, FrError | bigint>()

  constructor(dir: DataDir) {
    this.#dir = dir
  }

  /** Directories came or went: they are looked at anew. */
  forget(): void {
    this.#seen.clear()
  }

  /** Names in versions, too. Rejects with what is wrong with the name, or with the way. */
  async to(bytes: Uint8Array, isMaking: boolean): Promise<FoundPlace> {
    return this.#to(parseOwnName(this.#dir.root, bytes), isMaking)
  }

  async #to(name: ConfinedName, isMaking: boolean): Promise<FoundPlace> {
    const { root } = this.#dir
    let path = root
    let device = (await lstat(path, { bigint: true })).dev
    for (const [depth, component] of name.components.slice(0, -1).entries()) {
      path = join(path, component)
      const step = await this.#step(path, device, isMaking)
      if (step === undefined) return { name, device: undefined }
      if (!(step instanceof FrError)) device = step
      else {
        const inside = await throughVersion(root, name, depth)
        if (inside === undefined) throw step
        return this.#to(inside, isMaking)
      }
    }
    return { name, device }
  }

  async #step(
    path: Buffer,
    above: bigint,
    isMaking: boolean,
  ): Promise<FrError | bigint | undefined> {
    const key = path.toString('latin1')
    const known = this.#seen.get(key)
    if (known !== undefined) return known
    let stats = await lookAtPath(path)
    if (stats === undefined && isMaking) {
      await mkdir(path, 0o755).catch((error: unknown) => {
        if (systemCode(error) !== 'EEXIST') throw refuseLookup(error)
      })
      stats = await lookAtPath(path)
    }
    if (stats === undefined) return undefined
    const found = judged(stats, above)
    this.#seen.set(key, found)
    return found
  }
}

function judged(stats: BigIntStats, above: bigint): FrError | bigint {
  if (stats.isSymbolicLink()) return refuse('a symlink is in its way')
  if (!stats.isDirectory()) return refuse('what should be a directory is none')
  return stats.dev === above ? above : mounted()
}

export function mounted(): FrError {
  const what = 'another file system is mounted in its way'
  return systemFailure('ERR_FR_NAME', { what, errno: 0 })
}

export async function lookAtNames(
  dir: DataDir,
  names: readonly Uint8Array[],
): Promise<(EntryLook | null)[]> {
  const ways = new Ways(dir)
  const looks: (EntryLook | null)[] = []
  for (let at = 0; at < names.length; at += looksAtOnce) {
    const some = names.slice(at, at + looksAtOnce)
    looks.push(...(await Promise.all(some.map((name) => lookAtName(ways, name)))))
  }
  return looks
}

/** As `packedLook` lays them out. */
export async function lookAtPacked(dir: DataDir, packed: Uint8Array): Promise<Uint8Array> {
  const names: Uint8Array[] = []
  for (let at = 0; at + 2 <= packed.length; ) {
    const from = at + 2
    at = from + ((packed[at] as number) | ((packed[at + 1] as number) << 8))
    if (at > packed.length) throw new TypeError('names: not packed')
    names.push(packed.subarray(from, at))
  }
  const looks = await lookAtNames(dir, names)
  const rows = Buffer.alloc(looks.length * packedLook.bytes)
  for (const [index, look] of looks.entries())
    if (look !== null) putLook(rows, index * packedLook.bytes, look)
  return rows
}

export function putLook(rows: Buffer, at: number, look: EntryLook): void {
  const { kind, isMount, mode, links, uid, gid, identity } = look
  const { size, inode, mtime, ctime } = identity
  rows[at] = lookKinds.indexOf(kind)
  rows[at + 1] = isMount ? 1 : 0
  rows.writeUInt16LE(mode, at + packedLook.mode)
  rows.writeUInt32LE(links, at + 4)
  put64(rows, at + 8, size)
  rows.writeBigUInt64LE(BigInt(inode), at + 16)
  put64(rows, at + 24, mtime.seconds)
  put64(rows, at + 32, ctime.seconds)
  rows.writeUInt32LE(mtime.nanos, at + 40)
  rows.writeUInt32LE(ctime.nanos, at + 44)
  rows.writeUInt32LE(uid, at + 48)
  rows.writeUInt32LE(gid, at + 52)
}

async function lookAtName(ways: Ways, bytes: Uint8Array): Promise<EntryLook | null> {
  try {
    const { name, device } = await ways.to(bytes, false)
    const stats = device === undefined ? undefined : await lookAtPath(name.path)
    return device === undefined || stats === undefined ? null : lookOf(stats, device)
  } catch (error) {
    if (error instanceof FrError && error.code === 'ERR_FR_NAME') return null
    throw error
  }
}

export async function listNames(dir: DataDir, bytes: Uint8Array): Promise<ListedEntry[]> {
  const ways = new Ways(dir)
  let { name, device: above } = await ways.to(bytes, false)
  let stats = above === undefined ? undefined : await lookAtPath(name.path)
  const inside =
    stats?.isSymbolicLink() && (await throughVersion(dir.root, name, name.components.length - 1))
  if (inside) {
    const version = Buffer.from(inside.path.subarray(dir.root.length + 1))
    ;({ name, device: above } = await ways.to(version, false))
    stats = above === undefined ? undefined : await lookAtPath(name.path)
  }
  if (stats?.isDirectory() !== true) throw new FrError('ERR_FR_NOT_HELD')
  if (stats.dev !== above) throw mounted()
  const names = await readdir(name.path, { encoding: 'buffer' })
  if (names.length > listedMax)
    throw new FrError('ERR_FR_LIMIT', 'the directory has too many entries')
  const found: ListedEntry[] = []
  for (const last of names) {
    const look = await lookAtPath(join(name.path, last))
    if (look !== undefined) found.push({ name: last, look: lookOf(look, stats.dev) })
  }
  return found
}
