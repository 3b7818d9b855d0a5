/** What a master knows of a node. */
import type { Attributes } from '../../base/attributes.js'
import type { RangePair } from '../../base/ranges.js'
import type { CopyOrder, HeldThere, Said } from '../messages/mastering.js'
import type { FileId } from './demand.js'
import { lacksEnd, rangesOf, type SaidToHave } from './held.js'
import type { NodeId } from './network.js'
import type { FileSet, NodeSet } from './sets.js'
import type { Version, Versions } from './versions.js'

export interface Member {
  readonly id: NodeId
  readonly name: string
  attributes: Attributes
  isHere: boolean
  isDrained: boolean
  set: NodeSet
  /** The sets that it was found by; null: none since it joined, when it may know nothing. */
  judgedBy: readonly FileSet[] | null
  freeBytes: number
  /** There was no room for something that it is to hold. */
  isShort: boolean
  /** It has said what it holds since it joined. */
  hasSpoken: boolean
  /** Copies that run there and that nobody has allocated anything for yet. */
  found: readonly CopyOrder[]
  /** What it said last; null: all of it, and no more comes. */
  readonly held: Map<FileId, readonly RangePair[] | null>
  /** Of these it has every byte, and has not heard that they have ended. */
  readonly unended: Set<FileId>
  /** Ids under which it holds those that are known under other ones. */
  readonly heldAs: Map<FileId, string>
  /** Files that it has demands for. */
  readonly wants: Set<FileId>
}

const emptySet: NodeSet = { wanted: new Map(), contradictions: [] }

export function newMember(id: NodeId, name: string, attributes: Attributes): Member {
  return {
    ...{ id, name, attributes, isHere: true, isDrained: false },
    ...{ set: emptySet, judgedBy: null, freeBytes: 0, isShort: false },
    ...{ hasSpoken: false, found: [], held: new Map(), heldAs: new Map() },
    ...{ unended: new Set(), wants: new Set() },
  }
}

/** It has said this; the result is what counts of it. */
export function keep(
  { held, unended }: Member,
  version: Version,
  said: SaidToHave,
): readonly RangePair[] | null {
  const ranges = rangesOf(said, version)
  held.set(version.id, ranges)
  if (lacksEnd(said, version)) unended.add(version.id)
  else unended.delete(version.id)
  return ranges
}

/** It is away: what it said counts no more. */
export function forget(member: Member): void {
  const { held, heldAs, unended, wants } = member
  for (const all of [held, heldAs, unended, wants]) all.clear()
  Object.assign(member, { isHere: false, hasSpoken: false, found: [] })
}

/** What it has said to hold under this id; undefined: nothing, or under another one since. */
export function heldUnder(
  { held, heldAs }: Member,
  gone: Pick<Said, 'name' | 'contentId'>,
  versions: Versions,
): FileId | undefined {
  const version = versions.byId(gone)
  if (version === undefined || !held.has(version.id)) return undefined
  const as = heldAs.get(version.id) ?? version.contentId
  return as === gone.contentId ? version.id : undefined
}

/** It had nothing of what it holds now under its name, and nobody sent it by order. */
export function isPut(
  { held }: Member,
  id: FileId,
  { ranges }: Pick<HeldThere, 'ranges'>,
  coming: Iterable<{ readonly file: FileId }>,
): boolean {
  return ranges === null && !held.has(id) && ![...coming].some(({ file }) => file === id)
}
