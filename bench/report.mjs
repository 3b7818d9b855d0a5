/**
 * Reports of the suites: numbers in, text, JSON and Markdown out. A report is data:
 *
 *     { suite, title, columns: [{ key, title, digits? }], rows: [{ ... }], notes: ['...'],
 *       missed?: ['...'] }
 *
 * A cell is a number, a text, or null ("-"). `missed` lists target values that were not reached;
 * the text output shows those of all reports at its end. Nothing here measures anything.
 */
import { appendFileSync, existsSync, mkdirSync } from 'node:fs'
import path from 'node:path'

/**
 * @typedef {{
 *   suite: string,
 *   title: string,
 *   columns: readonly { key: string, title: string, digits?: number }[],
 *   rows: readonly Record<string, any>[],
 *   notes: readonly string[],
 *   missed?: readonly string[],
 *   isFailed?: boolean,
 *   isJudged?: boolean,
 * }} Report
 */

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * `median (min-max)` of trials.
 * @param {readonly number[]} values
 */
export function spread(values, digits = 2) {
  if (values.length === 0) return null
  const text = (value) => value.toFixed(digits)
  if (values.length === 1) return text(values[0])
  return `${text(median(values))} (${text(Math.min(...values))}-${text(Math.max(...values))})`
}

function cellText(value, digits) {
  if (value === null || value === undefined) return '-'
  return typeof value === 'number' ? value.toFixed(digits ?? 2) : String(value)
}

function cells(report) {
  return report.rows.map((row) =>
    report.columns.map((column) => cellText(row[column.key], column.digits)),
  )
}

/** @param {Report} report */
export function tableText(report) {
  const lines = [report.columns.map((column) => column.title), ...cells(report)]
  const widths = report.columns.map((_, at) => Math.max(...lines.map((line) => line[at].length)))
  const pad = (text, at) => (at === 0 ? text.padEnd(widths[at]) : text.padStart(widths[at]))
  return lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n')
}

/** @param {Report} report */
export function reportText(report) {
  return [`${report.suite}: ${report.title}`, '', tableText(report), '', ...report.notes, ''].join(
    '\n',
  )
}

function markdown(report, { machine, command, date }) {
  const row = (texts) => `| ${texts.join(' | ')} |`
  return [
    `## ${report.suite}: ${report.title}`,
    '',
    `${date}. ${machine}. \`${command}\``,
    '',
    row(report.columns.map((column) => column.title)),
    row(report.columns.map(() => '---')),
    ...cells(report).map(row),
    '',
    ...report.notes.map((note) => `- ${note}`),
    ...(report.missed ?? []).map((each) => `- missed: ${each}`),
    '',
    '',
  ].join('\n')
}

/**
 * Appends to DIR/RESULTS.md.
 * @param {string} directory
 * @param {Report} report
 * @param {{ machine: string, command: string, date: string }} circumstances
 */
export function appendResults(directory, report, circumstances) {
  mkdirSync(directory, { recursive: true })
  const file = path.join(directory, 'RESULTS.md')
  if (!existsSync(file)) {
    appendFileSync(file, '# Results\n\nAppended by `fr-bench --out`; newest last.\n\n')
  }
  appendFileSync(file, markdown(report, circumstances))
}
