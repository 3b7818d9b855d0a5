/**
 * Reports of the suites: numbers in, text out. A report is data:
 *
 *     { suite, title, columns: [{ key, title, digits? }], rows: [{ ... }], notes: ['...'],
 *       missed?: ['...'], matters?: [{ ... }] }
 *
 * A cell is a number, a text, or null ("-"). `missed` lists target values that were not reached;
 * the text output shows those of all reports at its end. `matters` are rows of the table at the top
 * of RESULTS.md (results.mjs). Nothing here measures anything.
 */

/**
 * @typedef {{
 *   what: string,
 *   of: string,
 *   measured: string,
 *   wanted: string | null,
 *   met: string | null,
 *   cpu?: string | null,
 * }} Matter
 * @typedef {{
 *   suite: string,
 *   title: string,
 *   columns: readonly { key: string, title: string, digits?: number }[],
 *   rows: readonly Record<string, any>[],
 *   notes: readonly string[],
 *   missed?: readonly string[],
 *   matters?: readonly Matter[],
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

/**
 * The cells of a report as texts.
 * @param {Report} report
 */
export function cells(report) {
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

/**
 * Lines of a Markdown table.
 * @param {readonly string[]} titles
 * @param {readonly (readonly string[])[]} rows
 */
export function markdownTable(titles, rows) {
  const line = (texts) => `| ${texts.join(' | ')} |`
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)]
}
