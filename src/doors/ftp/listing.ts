/**
 * What is in a directory of a node's files, as FTP tells it: lines of LIST as `ls -l` has them,
 * names of NLST, and facts of MLSD and MLST (RFC 3659, section 7). What nobody could fetch is not
 * listed. A character is a byte (latin1), as in command-line.ts.
 */
import type { Credentials, FrNode } from '../../api/types.js'
import { ftpLimits } from '../../base/ftp-limits.js'
import { openFor } from '../files/handler.js'
import { listingOf } from '../files/listing.js'
import { nameIn } from '../files/semantics.js'
import type { Who } from '../mount.js'
import { ownAddress } from '../own-address.js'
import { isTellable } from './command-line.js'

export interface Listed {
  /** The last part of its name. */
  readonly name: string
  readonly isDirectory: boolean
  /** Bytes; of what is still written those that are there. Null: of a directory. */
  readonly size: number | null
  /** It is still written, and will have more. */
  readonly isGrowing: boolean
  /** Milliseconds since 1970; null: of a directory. */
  readonly modifiedMs: number | null
}

export interface Directory {
  readonly entries: readonly Listed[]
  /** False: there are more. */
  readonly isWhole: boolean
}

export interface ListingWish {
  readonly node: FrNode
  readonly credentials: Credentials
  readonly who: Who
  readonly signal: AbortSignal
}

/** `directory`: a name; empty: the root. `rows`: entries at most. */
export async function directoryOf(
  wish: ListingWish,
  directory: string,
  rows: number = ftpLimits.entries,
): Promise<Directory> {
  const { node, credentials, who, signal } = wish
  const mayGet = (name: Uint8Array): boolean => who.rights('get', name)
  const { entries, isWhole } = await listingOf(
    ownAddress(node.address),
    Buffer.from(directory, 'latin1'),
    { ...credentials, signal },
    mayGet,
    { rows, names: ftpLimits.names },
  )
  const above = directory === '' ? '' : `${directory}/`
  const found = new Array<Listed | null>(entries.length).fill(null)
  let next = 0
  const look = async (): Promise<void> => {
    for (let at = next++; at < entries.length; at = next++) {
      signal.throwIfAborted()
      const { path } = entries[at] as (typeof entries)[number]
      const bytes = nameIn(path.replace(/\/$/, ''), '')
      const name = Buffer.from(bytes ?? []).toString('latin1')
      if (bytes === null || !isTellable(name)) continue
      found[at] = path.endsWith('/')
        ? { name, isDirectory: true, size: null, isGrowing: false, modifiedMs: null }
        : await fileOf(wish, `${above}${name}`)
    }
  }
  await Promise.all(Array.from({ length: ftpLimits.looks }, look))
  return { entries: found.filter((one) => one !== null), isWhole }
}

/** The end of the year 9999: later times have no four digits. */
const latestMs = Date.UTC(10_000, 0) - 1

/** Null: nobody can fetch it. */
export async function fileOf(
  { node, who }: Pick<ListingWish, 'node' | 'who'>,
  name: string,
): Promise<Listed | null> {
  try {
    const content = await openFor(node, Buffer.from(name, 'latin1'), who)
    const { size } = content
    const there = size ?? content.available(0)
    content.close()
    const last = name.slice(name.lastIndexOf('/') + 1)
    const isGrowing = size === null
    const modifiedMs = Math.min(Math.max(0, content.modifiedMs), latestMs)
    return { name: last, isDirectory: false, size: there, isGrowing, modifiedMs }
  } catch {
    return null
  }
}

/** As `ls -l`, in UTC. */
export function listLine(listed: Listed, nowMs: number): string {
  const { name, isDirectory, size, modifiedMs } = listed
  const mode = isDirectory ? 'drwxr-xr-x   2' : '-rw-r--r--   1'
  const bytes = String(size ?? 0).padStart(12)
  return `${mode} fr       fr       ${bytes} ${listDate(modifiedMs ?? 0, nowMs)} ${name}`
}

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')
const recentMs = 180 * 86_400_000

function listDate(ms: number, nowMs: number): string {
  const date = new Date(ms)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${months[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2)}`
  const isRecent = ms <= nowMs && ms > nowMs - recentMs
  if (!isRecent) return `${day}  ${date.getUTCFullYear()}`
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`
}

/** `YYYYMMDDHHMMSS` (RFC 3659, section 2.3). */
export function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\..*|\D/g, '')
}

/** Facts that are told, unless OPTS MLST has asked for fewer. */
export const factNames = ['type', 'size', 'modify', 'perm'] as const
export type FactName = (typeof factNames)[number]

/** Facts and the name, as MLSD and MLST have them; `name`: in place of its own. */
export function factsLine(
  listed: Listed,
  wanted: readonly FactName[],
  { name = listed.name, mayStore = false } = {},
): string {
  const { isDirectory, size, isGrowing, modifiedMs } = listed
  const directoryPerm = mayStore ? 'elcm' : 'el'
  const facts: Record<FactName, string | null> = {
    type: isDirectory ? 'dir' : 'file',
    size: size === null || isGrowing ? null : String(size),
    modify: modifiedMs === null ? null : timeText(modifiedMs),
    perm: isDirectory ? directoryPerm : mayStore ? 'rw' : 'r',
  }
  const told = wanted.filter((fact) => facts[fact] !== null)
  return `${told.map((fact) => `${fact}=${facts[fact]};`).join('')} ${name}`
}
