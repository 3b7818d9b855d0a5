/** What `fr ls` and `fr verify` show. Pure string building. */
import type { HeldFile, VerifyProgress, VerifyReport } from '../../api/types.js'
import { type Cell, type Column, type Paint, printable, tableLines, truncate } from './text.js'
import { formatBytes, formatDuration, formatPercent } from './units.js'

/** Hex digits that tell one digest from another. */
const digestDigits = 12

/** A table; `withNode` shows which node has each file. */
export function heldLines(
  files: readonly HeldFile[],
  paint: Paint,
  withNode: boolean,
  columns = Number.POSITIVE_INFINITY,
): string[] {
  const titles: Column[] = [
    ...(withNode ? [{ title: 'node', cut: 'middle' } as const] : []),
    { title: 'name', cut: 'middle' },
    { title: 'size', right: true },
    { title: 'digest', cut: 'end' },
    { title: 'held', right: true },
    { title: 'version', cut: 'end' },
    { title: 'age', right: true },
  ]
  const rows = files.map((file): Cell[] => [
    ...(withNode ? [{ text: printable(file.node) }] : []),
    { text: printable(file.name) },
    { text: formatBytes(file.bytes) },
    { text: shortDigest(file.digest) },
    heldCell(file),
    { text: file.version ?? '-' },
    { text: file.ageSeconds === null ? '-' : formatDuration(file.ageSeconds) },
  ])
  return tableLines(titles, rows, paint, columns)
}

function heldCell({ state, bytes, heldBytes }: HeldFile): Cell {
  if (state === 'changed' || state === 'missing') return { text: state, tone: 'red' }
  const text = share(heldBytes, bytes)
  return state === 'partial' ? { text, tone: 'yellow' } : { text }
}

/** `blake3:0123456789ab`, without the block size that the whole text may name. */
function shortDigest(digest: string | null): string {
  if (digest === null) return '-'
  const [algorithm = '', hex = ''] = digest.split(':')
  return `${algorithm.replace(/-.*/, '')}:${hex.slice(0, digestDigits)}`
}

/** One file that was read: good, or what is wrong with it. */
export function verifyLine(report: VerifyReport, paint: Paint, withNode: boolean): string {
  const where = withNode ? `${printable(report.node)}  ` : ''
  const name = printable(report.name)
  if (report.status === 'good')
    return `${where}${paint('green', 'good')}    ${name}  ${formatBytes(report.bytes)}`
  const bad = report.badBytes === 0 ? '' : ` (${formatBytes(report.badBytes)} wrong)`
  return `${where}${paint('red', 'failed')}  ${name}  ${printable(report.reason ?? '')}${bad}`
}

export function verifyProgressLine(progress: VerifyProgress, columns: number): string {
  const { name, readBytes, bytes } = progress
  return truncate(`${share(readBytes, bytes)} of ${printable(name)}`, columns)
}

function share(bytes: number, whole: number): string {
  return formatPercent(whole === 0 ? 1 : Math.min(1, bytes / whole))
}
