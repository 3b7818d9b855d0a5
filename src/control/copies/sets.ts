/**
 * File sets: which files a node is to hold.
 *
 * The idea: a set names files and says by criteria which nodes are to hold them. What one node is
 * to hold is the union of the sets that mean it. A name can have one version at a node, so where
 * two sets say different ones the higher priority decides, and of equal ones the set that was
 * named first; the other is a contradiction that people are told of.
 */
import type { Attributes } from '../../base/attributes.js'
import { matchesCriteria } from '../../base/criteria.js'
import type { FileSet, SetFile } from '../messages/file-sets.js'

export type { FileSet, SetFile } from '../messages/file-sets.js'

/** A file that a node is to hold, and because of which set. */
export interface Wanted extends SetFile {
  readonly set: FileSet
}

export interface Contradiction {
  readonly name: string
  /** The one that decides, and the other one. */
  readonly sets: readonly [string, string]
}

export interface NodeSet {
  readonly wanted: ReadonlyMap<string, Wanted>
  readonly contradictions: readonly Contradiction[]
}

function isMeant({ where, nodes = [] }: FileSet, attributes: Attributes): boolean {
  const name = attributes['name']
  if (name !== undefined && nodes.includes(name)) return true
  return where !== null && matchesCriteria(where, attributes)
}

/** What a node with these attributes, its name among them, is to hold. */
export function setOf(sets: readonly FileSet[], attributes: Attributes): NodeSet {
  const wanted = new Map<string, Wanted>()
  const contradictions: Contradiction[] = []
  for (const set of sets) {
    if (!isMeant(set, attributes)) continue
    if (set.never !== null && matchesCriteria(set.never, attributes)) continue
    for (const file of set.files) {
      const known = wanted.get(file.name)
      const one: Wanted = { ...file, set }
      if (known === undefined) {
        wanted.set(file.name, one)
        continue
      }
      const isStronger = set.priority > known.set.priority
      if (known.digest !== file.digest) {
        const [first, other] = isStronger ? [set, known.set] : [known.set, set]
        contradictions.push({ name: file.name, sets: [first.name, other.name] })
      }
      if (isStronger) wanted.set(file.name, one)
    }
  }
  return { wanted, contradictions }
}

/** Whether a node has to be told of it. */
export function isSameSet(a: NodeSet, b: NodeSet): boolean {
  if (a.wanted.size !== b.wanted.size) return false
  for (const [name, { digest, set }] of a.wanted) {
    const other = b.wanted.get(name)
    if (other === undefined || other.digest !== digest) return false
    if (other.set.priority !== set.priority) return false
  }
  return a.contradictions.length === b.contradictions.length
}

/** Whether other sites may have a file from this one, by all sets that it is in. */
export function mayComeFrom(sets: readonly FileSet[], file: string, site: string): boolean {
  return sets.every(
    ({ from, files }) =>
      from === null || !files.some(({ name }) => name === file) || matchesCriteria(from, { site }),
  )
}

/** Whether any says which sites others may copy from: where those change, schedules do. */
export function areSourcesSaid(sets: readonly FileSet[]): boolean {
  return sets.some(({ from }) => from !== null)
}
