/**
 * RESULTS.md: one table of what matters, the newest figure of every row that has a wanted value,
 * and below it the history, all tables as they were measured. A run with `--out` replaces the rows
 * it has measured and appends its tables; whatever else is written in the file stays.
 *
 * A row of the table comes from `matters` of a report:
 *
 *     { what, of, measured, wanted, met, cpu }
 *
 * `what` and `of` (what it is compared with) name the row. All are text; `cpu` may be null.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { cells, markdownTable } from './report.mjs'

/**
 * @typedef {{ machine: string, command: string, date: string, isQuick?: boolean }} Circumstances
 */

const [begin, end] = ['<!-- matters -->', '<!-- /matters -->']
const titles = ['what', 'measured', 'of', 'wanted', 'met', 'CPU-s/GB', 'when, where']
const header = `# Results

What matters, each row as it was measured last. \`measured\` is the figure of \`fr push\` divided by
that of what stands under \`of\`: medians of the same rounds, in turns. \`CPU-s/GB\` is processor
time of all processes for each gigabyte that reached a node. [README.md](README.md) says how.

${begin}
${end}

## History

Tables as they were measured; newest last.

`

/** A row as cells, without the bars that would end a cell. */
function cellsOf({ what, measured, of, wanted, met, cpu }, { machine, date }) {
  const verdict = met === null || met === undefined ? '-' : met.startsWith('no') ? 'no' : met
  const all = [what, measured, of, wanted, verdict, cpu ?? '-', `${date}, ${machine}`]
  return all.map((cell) => String(cell).replaceAll('|', '/'))
}

const rowsIn = (table) =>
  table
    .split('\n')
    .slice(2)
    .filter((line) => line.startsWith('| '))
    .map((line) => line.slice(2, -2).split(' | '))

const isSame = (one, other) => one[0] === other[0] && one[2] === other[2]

/** New rows take the place of older ones of the same name; others come last. */
function mergedRows(older, newer) {
  const added = newer.filter((row) => !older.some((each) => isSame(each, row)))
  return [...older.map((row) => newer.find((each) => isSame(each, row)) ?? row), ...added]
}

/**
 * The text of RESULTS.md with a report; `text` is null where there is no file yet.
 * @param {string | null} text
 * @param {import('./report.mjs').Report} report
 * @param {Circumstances} circumstances
 */
export function withResults(text, report, circumstances) {
  const before = text ?? header
  return `${withMatters(before, report, circumstances)}${historyOf(report, circumstances)}`
}

/** Small sizes say nothing, and do not enter the table. A file without the table keeps its form. */
function withMatters(text, report, circumstances) {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  const newer = (report.matters ?? []).map((row) => cellsOf(row, circumstances))
  if (newer.length === 0 || circumstances.isQuick || from === -1 || to < from) return text
  const rows = mergedRows(rowsIn(text.slice(from + begin.length, to).trim()), newer)
  const table = markdownTable(titles, rows).join('\n')
  return `${text.slice(0, from)}${begin}\n\n${table}\n\n${text.slice(to)}`
}

function historyOf(report, { machine, command, date }) {
  const titles = report.columns.map((column) => column.title)
  const lines = [...report.notes, ...(report.missed ?? []).map((each) => `missed: ${each}`)]
  return [
    `### ${report.suite}: ${report.title}`,
    '',
    `${date}. ${machine}. \`${command}\``,
    '',
    ...markdownTable(titles, cells(report)),
    '',
    ...lines.map((line) => `- ${line}`),
    '',
    '',
  ].join('\n')
}

/**
 * Writes a report into DIR/RESULTS.md.
 * @param {string} directory
 * @param {import('./report.mjs').Report} report
 * @param {Circumstances} circumstances
 */
export function writeResults(directory, report, circumstances) {
  mkdirSync(directory, { recursive: true })
  const file = path.join(directory, 'RESULTS.md')
  const text = existsSync(file) ? readFileSync(file, 'utf8') : null
  writeFileSync(file, withResults(text, report, circumstances))
}
