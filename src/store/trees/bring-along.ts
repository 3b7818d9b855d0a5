/**
 * What of a version of a tree is in the next one as well: hard links, so that it takes no room.
 *
 * The idea: what a listing names and is unchanged is linked before the listing is applied, which
 * then finds it in its place. At the end whatever the push has not listed and does not delete comes
 * along. A link shares mode and time with the version before, so only what is to have the same is
 * linked: nothing here, and nothing later, changes a file of the version before.
 */
import { FrError } from '../../base/errors.js'
import { nameBelow } from '../../base/names.js'
import type { DataDirHandle, EntryLook, EntryStep, ListedEntry, Storage } from '../../ports.js'
import type { Listing, TreeEntry } from '../../protocol/listing.js'
import { isSameButLinked } from '../catalogue/same-file.js'
import { isShut } from './above.js'
import { hasAttributes, hasTime } from './attributes.js'
import { isEqual } from './entry-lists.js'
import { fullName, shown } from './full-name.js'
import { hasContent, rowOf } from './known.js'
import type { CopySpec } from './local-copies.js'
import { type HashTable, hashOf } from './name-table.js'
import type { Owners } from './owners.js'
import type { TreeRow } from './segment.js'
import { withXattrs, type XattrSpec } from './xattrs.js'

export interface Versioned {
  readonly storage: Pick<Storage, 'lookAt' | 'listEntries' | 'placeEntries'>
  readonly dir: DataDirHandle
  /** The version before. */
  readonly last: Uint8Array
  /** The version that is being built. */
  readonly next: Uint8Array
}

type Kept = Pick<CopySpec, 'record' | 'holdings' | 'algorithm' | 'only'>

export interface LinkSpec extends Versioned, Kept, XattrSpec {
  readonly owners: Owners | undefined
  /** Name of the tree. */
  readonly tree: Uint8Array
}

const stepsAtOnce = 4_096

/** Links what the listing names and the version before has; what cannot be linked is left out. */
export async function linkUnchanged(spec: LinkSpec, { entries }: Listing): Promise<void> {
  const { storage, dir, last, next, record } = spec
  const look = (tree: Uint8Array): Promise<(EntryLook | null)[]> =>
    storage.lookAt(
      dir,
      entries.map((entry) => fullName(tree, entry.name)),
    )
  const [before, there] = [await look(last), await look(next)]
  const same = async (
    tree: Uint8Array,
    looks: readonly (EntryLook | null)[],
  ): Promise<Set<TreeEntry>> => {
    const listed = entries.map((entry, at) => {
      return { entry, full: fullName(tree, entry.name), look: looks[at] ?? null }
    })
    return withXattrs(spec, listed)
  }
  const [sameBefore, sameThere] = [await same(last, before), await same(next, there)]
  const rows = await record.lookUp(entries.map((entry) => entry.name))
  const steps: EntryStep[] = []
  const of: number[] = []
  for (const [at, entry] of entries.entries()) {
    const found = there[at] ?? null
    const old = before[at] ?? null
    const step =
      found === null
        ? old && stepFor(spec, entry, old, rows[at], sameBefore.has(entry))
        : unlinkFor(spec, entry, found, sameThere.has(entry))
    if (step === null) continue
    steps.push(step)
    of.push(at)
  }
  const fresh: TreeRow[] = []
  const outcomes = steps.length === 0 ? [] : await storage.placeEntries(dir, steps)
  for (const [at, outcome] of outcomes.entries()) {
    const index = of[at] as number
    const isLink = steps[at]?.kind === 'hardlink' && outcome.failure === null
    const entry = entries[index] as TreeEntry
    const row = isLink && outcome.look && rowOf(entry, outcome.look, spec.algorithm)
    if (row) fresh.push(row)
  }
  await record.add(fresh)
  await linkLinks(spec, entries, before, there)
}

/** Null: it is to be made, or brought. */
function stepFor(
  spec: LinkSpec,
  entry: TreeEntry,
  old: EntryLook,
  row: TreeRow | undefined,
  hasXattrs: boolean,
): EntryStep | null {
  const name = fullName(spec.next, entry.name)
  const to = fullName(spec.last, entry.name)
  const link = { kind: 'hardlink', name, to, replacesDirectories: false } as const
  const isRecorded = row !== undefined && isSameButLinked(row.identity, old.identity)
  switch (entry.kind) {
    case 'directory':
      if (old.kind !== 'directory' || old.isMount) return null
      return { kind: 'directory', name, mode: entry.attributes.mode }
    case 'symlink': {
      const isSame = isRecorded && row.kind === 'symlink' && isEqual(row.value, entry.target)
      const isTimed = old.kind === 'symlink' && hasTime(old, entry.attributes)
      return isTimed && isSame ? link : null
    }
    case 'file': {
      const isIt = hasAttributes(old, entry.attributes, spec.owners, hasXattrs)
      const hasAll = old.kind === 'file' && isIt
      const known = { full: fullName(spec.tree, entry.name), row, isSame: isSameButLinked }
      return hasAll && hasContent(spec, entry, old, known) ? link : null
    }
    case 'hardlink':
      return null
    default:
      return entry satisfies never
  }
}

/** A file that is to have other attributes than the version before is a file of its own. */
function unlinkFor(
  { next, owners }: LinkSpec,
  entry: TreeEntry,
  found: EntryLook,
  hasXattrs: boolean,
) {
  const isShared = entry.kind === 'file' && found.kind === 'file' && found.links > 1
  if (!isShared || hasAttributes(found, entry.attributes, owners, hasXattrs)) return null
  return { kind: 'remove', name: fullName(next, entry.name) } as const
}

/** Further names of files that were linked, where the version before had them, too. */
async function linkLinks(
  { storage, dir, next }: LinkSpec,
  entries: readonly TreeEntry[],
  before: readonly (EntryLook | null)[],
  there: readonly (EntryLook | null)[],
): Promise<void> {
  const links = entries.flatMap((entry, at) => {
    const old = before[at]
    if (entry.kind !== 'hardlink' || old?.kind !== 'file' || there[at]) return []
    return [{ entry, old }]
  })
  if (links.length === 0) return
  const targets = links.map(({ entry }) => fullName(next, entry.to))
  const looks = await storage.lookAt(dir, targets)
  const steps = links.flatMap(({ entry, old }, at): EntryStep[] => {
    if (looks[at]?.identity.inode !== old.identity.inode) return []
    const [name, to] = [fullName(next, entry.name), targets[at] as Uint8Array]
    return [{ kind: 'hardlink', name, to, replacesDirectories: false }]
  })
  if (steps.length > 0) await storage.placeEntries(dir, steps)
}

export interface Rest {
  readonly listed: HashTable
  /** Of what is not listed, relative to the tree. */
  readonly stays: (name: Uint8Array, look: EntryLook) => boolean
  readonly warn: (text: string) => void
}

/** Links what was not listed and stays. Rejects where some of it cannot be linked. */
export async function linkRest(spec: Versioned, { listed, stays, warn }: Rest): Promise<void> {
  const { storage, dir, last, next } = spec
  let steps: EntryStep[] = []
  const flush = async (): Promise<void> => {
    const outcomes = steps.length === 0 ? [] : await storage.placeEntries(dir, steps)
    for (const { failure } of outcomes)
      if (failure !== null) throw new FrError(failure.code, failure.text)
    steps = []
  }
  /** False: neither it nor anything in it stays. */
  const take = async (name: Uint8Array, look: EntryLook, isAll: boolean): Promise<boolean> => {
    if (look.isMount || look.kind === 'other') {
      warn(`${shown(name)} does not come along: it is a mount, or no file`)
      return false
    }
    const isToStay = isAll || stays(name, look)
    const full = fullName(next, name)
    if (look.kind === 'directory') {
      let some = isToStay
      for (const { name: own, look: inner } of await entriesBefore(spec, name))
        some = (await take(nameBelow(name, own), inner, isToStay)) || some
      if (!some) return false
      const { mode, uid, gid, identity } = look
      const attributes = { mode, mtime: identity.mtime, owner: { uid, gid } }
      steps.push({ kind: 'directory', name: full, mode })
      steps.push({ kind: 'attributes', name: full, attributes })
    } else if (isToStay) {
      const to = fullName(last, name)
      steps.push({ kind: 'hardlink', name: full, to, replacesDirectories: false })
    } else return false
    if (steps.length >= stepsAtOnce) await flush()
    return true
  }
  const waiting: Uint8Array[] = [new Uint8Array()]
  for (let above = waiting.pop(); above !== undefined; above = waiting.pop()) {
    const full = fullName(next, above)
    const [there] = await storage.lookAt(dir, [full])
    if (there?.kind !== 'directory') continue
    const { mode, identity } = there
    const isClosed = isShut(there)
    if (isClosed) await storage.placeEntries(dir, [{ kind: 'directory', name: full, mode }])
    let some = isClosed
    for (const { name: own, look } of await entriesBefore(spec, above)) {
      const name = nameBelow(above, own)
      const isListed = listed.get(hashOf(name)) !== undefined
      if (!isListed) some = (await take(name, look, false)) || some
      else if (look.kind === 'directory' && !look.isMount) waiting.push(name)
    }
    // It had its attributes already.
    if (some)
      steps.push({ kind: 'attributes', name: full, attributes: { mode, mtime: identity.mtime } })
    await flush()
  }
}

/** What is in a directory of the version before. */
async function entriesBefore(
  { storage, dir, last }: Versioned,
  of: Uint8Array,
): Promise<ListedEntry[]> {
  try {
    return await storage.listEntries(dir, fullName(last, of))
  } catch (error) {
    if (error instanceof FrError && error.code === 'ERR_FR_NOT_HELD') return []
    throw error
  }
}
