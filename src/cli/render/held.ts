/** What `fr ls`, `fr rm` and `fr verify` show. Pure string building. */
import type { HeldFile, RemoveResult, VerifyProgress, VerifyReport } from '../../api/types.js'
import { type Cell, type Column, nodeTable, type Paint, printable, truncate } from './text.js'
import { formatBytes, formatDuration, formatPercent } from './units.js'

/** Hex digits that tell one digest from another. */
const digestDigits = 12

/** A table; `withNode` shows which node has each file. Disks are shown of nodes with several. */
export function heldLines(
  files: readonly HeldFile[],
  paint: Paint,
  withNode: boolean,
  columns = Number.POSITIVE_INFINITY,
): string[] {
  const withDisk = files.some(({ disk }) => disk !== null)
  const titles: Column[] = [
    ...(withDisk ? [{ title: 'disk', cut: 'middle' } as const] : []),
    { title: 'name', cut: 'middle' },
    { title: 'size', right: true },
    { title: 'digest', cut: 'end' },
    { title: 'held', right: true },
    { title: 'version', cut: 'end' },
    { title: 'age', right: true },
  ]
  const cellsOf = (file: HeldFile): Cell[] => [
    ...(withDisk ? [{ text: file.disk === null ? '-' : printable(file.disk) }] : []),
    { text: shownName(file) },
    { text: file.kind === 'directory' || file.kind === 'symlink' ? '-' : formatBytes(file.bytes) },
    { text: file.entries === null ? shortDigest(file.digest) : entriesText(file.entries) },
    heldCell(file),
    { text: file.version ?? '-' },
    { text: file.ageSeconds === null ? '-' : formatDuration(file.ageSeconds) },
  ]
  return nodeTable(files, titles, cellsOf, paint, { isOfSeveral: withNode, room: columns })
}

/** What is no file shows that at its end, as `ls -F` has it. */
function shownName({ name, kind }: HeldFile): string {
  const end = kind === 'symlink' ? '@' : kind === 'file' ? '' : '/'
  return printable(name) + end
}

export function entriesText(entries: number): string {
  return entries === 1 ? '1 entry' : `${entries} entries`
}

function heldCell({ kind, state, bytes, heldBytes }: HeldFile): Cell {
  if (state === 'changed' || state === 'missing') return { text: state, tone: 'red' }
  // How much of it there is to be is not known.
  const isOpen = kind === 'tree' || bytes === heldBytes
  if (state === 'partial' && isOpen) return { text: state, tone: 'yellow' }
  if (state === 'prepared' || state === 'growing') return { text: state, tone: 'yellow' }
  const text = share(heldBytes, bytes)
  return state === 'partial' ? { text, tone: 'yellow' } : { text }
}

/** `blake3:0123456789ab`, without the block size that the whole text may name. */
export function shortDigest(digest: string | null): string {
  if (digest === null) return '-'
  const [algorithm = '', hex = ''] = digest.split(':')
  return `${algorithm.replace(/-.*/, '')}:${hex.slice(0, digestDigits)}`
}

/** One file or tree that was read: good, or what is wrong with it. */
export function verifyLines(report: VerifyReport, paint: Paint, withNode: boolean): string[] {
  const where = withNode ? `${printable(report.node)}  ` : ''
  const name = printable(report.name)
  const tree = report.entries === null ? '' : `  ${entriesText(report.entries)}`
  if (report.status === 'good')
    return [`${where}${paint('green', 'good')}    ${name}  ${formatBytes(report.bytes)}${tree}`]
  const failed = `${where}${paint('red', 'failed')}  `
  const bad = report.badBytes === 0 ? '' : ` (${formatBytes(report.badBytes)} wrong)`
  const all = report.entries === null ? '' : `  ${report.failedCount} of ${report.entries} entries:`
  return [
    ...report.failures.map(({ name, code, text }) => {
      return `${failed}${printable(name)}  ${code}: ${printable(text)}`
    }),
    `${failed}${name}${all}  ${printable(report.reason ?? '')}${bad}`,
  ]
}

/** What is gone from a node, and what stays there. */
export function removedLine(removed: RemoveResult): string {
  const { name, node, entries, kept, failedCount, reason } = removed
  const said = `${printable(name)} is removed from ${printable(node)}`
  const notes = [
    ...(entries === 1 ? [] : [entriesText(entries)]),
    ...(kept === 0 ? [] : [`${kept} ${kept === 1 ? 'directory stays' : 'directories stay'}`]),
    ...(failedCount === 0 ? [] : [`${failedCount} could not be removed: ${reason ?? ''}`]),
  ]
  return notes.length === 0 ? said : `${said} (${printable(notes.join('; '))})`
}

export function verifyProgressLine(progress: VerifyProgress, columns: number): string {
  const { name, readBytes, bytes } = progress
  return truncate(`${share(readBytes, bytes)} of ${printable(name)}`, columns)
}

function share(bytes: number, whole: number): string {
  return formatPercent(whole === 0 ? 1 : Math.min(1, bytes / whole))
}
