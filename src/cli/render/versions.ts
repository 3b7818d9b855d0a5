/** What `fr versions` and `fr rollback` show. Pure string building. */
import type { FileVersion, ForcedResult, RollbackResult, TogetherResult } from '../../api/types.js'
import { commitLines } from './closing.js'
import { shortDigest } from './held.js'
import { type Cell, type Column, nodeTable, type Paint, printable } from './text.js'
import { formatBytes, formatDuration } from './units.js'

const authorDigits = 8

/** A table; `withNode` shows which node has each version. */
export function versionLines(
  versions: readonly FileVersion[],
  paint: Paint,
  withNode: boolean,
  columns = Number.POSITIVE_INFINITY,
): string[] {
  const titles: Column[] = [
    { title: 'name', cut: 'middle' },
    { title: 'version' },
    { title: 'digest', cut: 'end' },
    { title: 'size', right: true },
    { title: 'on disk', right: true },
    { title: 'age', right: true },
    { title: 'kept for', right: true },
    { title: 'author', cut: 'end' },
  ]
  const cellsOf = (version: FileVersion): Cell[] => [
    { text: printable(version.name) + (version.kind === 'tree' ? '/' : '') },
    backCell(version),
    { text: shortDigest(version.digest) },
    { text: formatBytes(version.bytes) },
    { text: formatBytes(version.diskBytes) },
    { text: formatDuration(version.ageSeconds) },
    { text: version.keptSeconds === null ? '-' : formatDuration(version.keptSeconds) },
    { text: version.author?.slice(0, authorDigits) ?? '-' },
  ]
  return nodeTable(versions, titles, cellsOf, paint, { isOfSeveral: withNode, room: columns })
}

function backCell({ back, state }: FileVersion): Cell {
  const text = back === 0 ? 'present' : `@-${back}`
  return state === 'held' ? { text } : { text: `${text} ${state}`, tone: 'red' }
}

/** A line for each node, and what they have decided. */
export function togetherLines({ name, digest, commit, nodes }: TogetherResult): string[] {
  const what = `${printable(name)} is ${shortDigest(digest)}`
  const lines = nodes.map(({ node, reason }) =>
    reason === null
      ? `${what} again at ${printable(node)}`
      : `${printable(node)}: ${printable(reason)}`,
  )
  return [...lines, ...commitLines(commit, Number.POSITIVE_INFINITY)]
}

export function forcedLine({ node, name, digest, verdict }: ForcedResult): string {
  return `${verdict} of ${printable(name)} ${shortDigest(digest)} at ${printable(node)}`
}

export function rolledBackLine({ node, name, digest, before }: RollbackResult): string {
  const what = `${printable(name)} at ${printable(node)}`
  const now = shortDigest(digest)
  if (before === digest) return `${what} is ${now} already`
  return `${what} is ${now} again${before === null ? '' : `, and was ${shortDigest(before)}`}`
}
