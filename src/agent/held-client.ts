/** Questions about the files that a node holds; names are bytes on this side. */
import { FrError, type FrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type {
  DiskEntry,
  Frame,
  HeldEntry,
  SetEntry,
  VersionedEntry,
} from '../control/messages/types.js'
import { decodeName, encodeName } from '../protocol/manifest.js'
import type { AskOptions, Inquiry } from './client.js'

export interface Found {
  readonly name: Uint8Array
  readonly entry: HeldEntry
  /** When the node said so, in Unix milliseconds of its own clock. */
  readonly nowMs: number
  /** Path of the data directory that it is in; null: the node has one. */
  readonly disk: string | null
}

export type Removed = Extract<Frame, { type: 'removed' }>
type Verified = Extract<Frame, { type: 'verified' }>

/** Names of failures are bytes. */
export interface Verdict extends Omit<Verified, 'tree'> {
  readonly tree: {
    readonly entries: number
    readonly failedCount: number
    readonly failures: readonly {
      readonly name: Uint8Array
      readonly code: FrErrorCode
      readonly text: string
    }[]
  } | null
}

/** Where a list goes on: a page, and how many of its entries have been told. */
export interface ListPlace {
  readonly after: string
  readonly told: number
}

/**
 * All entries, page by page: bounded, whatever the node answers. Null: all, trees as one each. Each
 * has the place where a list goes on behind it.
 */
export async function* listHeld(
  inquiry: Inquiry,
  within: AskOptions,
  glob: Uint8Array | null,
  from: ListPlace = { after: '', told: 0 },
): AsyncGenerator<Found & { readonly place: ListPlace }, void, undefined> {
  const wanted = glob === null ? null : encodeName(glob)
  let { after } = from
  let files = 0
  for (let pages = 0; ; pages++) {
    const question = { type: 'list', glob: wanted, after, limit: limits.listPageFiles } as const
    const page = await inquiry.ask(question, 'listed', within)
    const { nowMs, entries, next, disk = null } = page
    files += entries.length
    if (files > limits.listFiles || pages >= limits.listPages)
      throw new FrError('ERR_FR_LIMIT', 'the node lists more files than one list takes')
    for (const [at, entry] of entries.entries()) {
      if (pages === 0 && at < from.told) continue
      yield { name: decodeName(entry), entry, nowMs, disk, place: { after, told: at + 1 } }
    }
    if (next === null) return
    after = next
  }
}

/** The data directories of the node. */
export async function askForDisks(inquiry: Inquiry, within: AskOptions): Promise<DiskEntry[]> {
  const { disks } = await inquiry.ask({ type: 'disks' }, 'disksTold', within)
  return [...disks]
}

export function askToRemove(
  inquiry: Inquiry,
  within: AskOptions,
  name: Uint8Array,
  isGlob: boolean,
): Promise<Removed> {
  const question = { type: 'remove', ...encodeName(name), isGlob } as const
  return inquiry.ask(question, 'removed', within, 'removing')
}

/** `isReading` is called again and again until the verdict. */
export async function askToVerify(
  inquiry: Inquiry,
  within: AskOptions,
  name: Uint8Array,
  isReading: (readBytes: number, bytes: number) => void,
): Promise<Verdict> {
  const question = { type: 'verify', ...encodeName(name) } as const
  const found = await inquiry.ask(
    ...([question, 'verified', within, 'verifying'] as const),
    ({ readBytes, bytes }) => isReading(readBytes, bytes),
  )
  const failures = (found.tree?.failures ?? []).map((failure) => {
    const { code, text } = failure
    return { name: decodeName(failure), code, text }
  })
  return { ...found, tree: found.tree && { ...found.tree, failures } }
}

export interface FoundVersions extends Pick<VersionedEntry, 'versions'> {
  readonly name: Uint8Array
  /** As in `Found`. */
  readonly nowMs: number
}

/** A file by its name and content. */
export interface SetFile extends Pick<SetEntry, 'size' | 'fileDigest'> {
  readonly name: Uint8Array
}

/** Of each name the newest first. Null: of names of which earlier versions are kept. */
export async function* listVersions(
  inquiry: Inquiry,
  within: AskOptions,
  glob: Uint8Array | null,
): AsyncGenerator<FoundVersions, void, undefined> {
  const wanted = glob === null ? null : encodeName(glob)
  let after = ''
  for (let page = 0; page < limits.listPages; page++) {
    const question = { type: 'versions', glob: wanted, after } as const
    const { nowMs, entries, next } = await inquiry.ask(question, 'versionsListed', within)
    for (const entry of entries) {
      const { versions } = entry
      yield { name: decodeName(entry), versions, nowMs }
    }
    if (next === null) return
    after = next
  }
  throw new FrError('ERR_FR_LIMIT', 'the node lists more versions than one list takes')
}

export function askToRollBack(
  inquiry: Inquiry,
  within: AskOptions,
  name: Uint8Array,
  version: string,
): Promise<Extract<Frame, { type: 'rolledBack' }>> {
  const question = { type: 'rollback', ...encodeName(name), version } as const
  return inquiry.ask(question, 'rolledBack', within, 'verifying')
}

/** Decides about the version of this name that is in doubt at the node. */
export function askToForce(
  inquiry: Inquiry,
  within: AskOptions,
  name: Uint8Array,
  verdict: 'commit' | 'abort',
): Promise<Extract<Frame, { type: 'forced' }>> {
  return inquiry.ask({ type: 'force', ...encodeName(name), verdict }, 'forced', within)
}

/** Which of these the node lacks, and what it has under their names. */
export async function askWhatLacks(
  inquiry: Inquiry,
  within: AskOptions,
  set: readonly SetFile[],
): Promise<{ readonly index: number; readonly has: string | null }[]> {
  const lacking: { index: number; has: string | null }[] = []
  for (let at = 0; at < set.length; ) {
    const some = pageOf(set, at)
    const question = { type: 'lacks', entries: some } as const
    const { entries } = await inquiry.ask(question, 'lacking', within)
    for (const { index, has } of entries) {
      if (index >= some.length) throw new FrError('ERR_FR_PROTOCOL', 'lacks what none asked of')
      lacking.push({ index: at + index, has })
    }
    at += some.length
  }
  return lacking
}

/** As much of it as one question takes. */
function pageOf(set: readonly SetFile[], from: number): SetEntry[] {
  const page: SetEntry[] = []
  let bytes = 0
  for (const { name, size, fileDigest } of set.slice(from, from + limits.setPageFiles)) {
    if (bytes >= limits.listPageBytes) break
    const entry = { ...encodeName(name), size, fileDigest }
    bytes += Buffer.byteLength(JSON.stringify(entry))
    page.push(entry)
  }
  return page
}
