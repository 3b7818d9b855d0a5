/** What one list of sets is beside another. */
import { canonical } from '../../base/criteria.js'
import type { FileSet } from '../messages/file-sets.js'
import type { SetChange } from '../messages/told.js'
import { namesTold } from './names-told.js'

export function setChanges(before: readonly FileSet[], after: readonly FileSet[]): SetChange[] {
  const known = new Map(before.map((set) => [set.name, set]))
  const left = new Set(after.map(({ name }) => name))
  const changes: SetChange[] = []
  for (const set of after) {
    const other = known.get(set.name)
    const change = changeOf(set.name, other, set)
    if (other === undefined || change.fields.length > 0) changes.push(change)
  }
  for (const set of before)
    if (!left.has(set.name)) changes.push(changeOf(set.name, set, undefined))
  return changes
}

/** Those that are given take the place of those with their names; others stay, unless pruned. */
export function appliedSets(
  before: readonly FileSet[],
  given: readonly FileSet[],
  isPruned: boolean,
): FileSet[] {
  if (isPruned) return [...given]
  const byName = new Map(before.map((set) => [set.name, set]))
  for (const set of given) byName.set(set.name, set)
  return [...byName.values()]
}

/**
 * Those of the master's own directory take the place of those with their names, and those that were
 * of it before and are there no more go. Null: it has none.
 */
export function withOwnSets(before: readonly FileSet[], own: readonly FileSet[] | null): FileSet[] {
  if (own === null) return [...before]
  const names = new Set(own.map(({ name }) => name))
  const left = before.filter(({ name, isOwn }) => isOwn !== true || names.has(name))
  const marked = own.map((set) => ({ ...set, isOwn: true as const }))
  return appliedSets(left, marked, false)
}

function changeOf(name: string, before?: FileSet, after?: FileSet): SetChange {
  const versions = (set?: FileSet) =>
    new Map((set?.files ?? []).map((file) => [file.name, `${file.digest} ${file.size}`]))
  const [old, now] = [versions(before), versions(after)]
  const filesAdded = [...now.keys()].filter((file) => !old.has(file))
  const filesRemoved = [...old.keys()].filter((file) => !now.has(file))
  const filesChanged = [...now].filter(([file, is]) => old.has(file) && old.get(file) !== is)
  const isOther = filesAdded.length + filesRemoved.length + filesChanged.length > 0
  const fields = (['where', 'nodes', 'never', 'from', 'priority'] as const).filter(
    (field) => textOf(before, field) !== textOf(after, field),
  )
  return {
    ...{ event: 'change', set: name },
    change: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed',
    fields: [...fields, ...(isOther ? ['files'] : [])],
    ...{ added: filesAdded.length, removed: filesRemoved.length, changed: filesChanged.length },
    filesAdded: namesTold(filesAdded),
    filesRemoved: namesTold(filesRemoved),
    filesChanged: namesTold(filesChanged.map(([file]) => file)),
  }
}

function textOf(
  set: FileSet | undefined,
  field: 'where' | 'nodes' | 'never' | 'from' | 'priority',
): string {
  if (set === undefined) return ''
  switch (field) {
    case 'priority':
      return String(set.priority)
    case 'nodes':
      return (set.nodes ?? []).join(' ')
    default: {
      const criteria = set[field]
      return criteria === null ? '' : canonical(criteria)
    }
  }
}
