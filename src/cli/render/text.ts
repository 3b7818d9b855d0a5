/**
 * Small parts of all rendering: safe text, display width, colours, tables, log lines. Pure string
 * building. No text from a peer or a file name may reach a terminal unescaped.
 */
import { createRequire } from 'node:module'
import type { LogLine } from '../../api/types.js'

/** Level and format of the log. */
export interface LogWish {
  readonly format: 'text' | 'json'
  readonly level: LogLine['level']
}

/** Control characters, separators and marks that change the direction of text. */
const unsafe = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu

/** Writes out everything that a terminal might obey, as `\x0a` or `\u{202e}`. */
export function printable(text: string): string {
  return text.replace(unsafe, (character) => {
    const code = character.codePointAt(0) ?? 0
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}

/** In single quotes, as shells take it literally. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** One line of JSON with nothing that a terminal might obey; it parses to the same value. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(
    unsafe,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

let widthOf: ((text: string) => number) | undefined

/** Columns the text takes on a terminal; colours take none. */
export function displayWidth(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length
  // Loading it takes longer than all else that most commands print.
  widthOf ??= (createRequire(import.meta.url)('string-width') as typeof import('string-width'))
    .default
  return widthOf(text)
}

let graphemes: Intl.Segmenter | undefined

/** The longest beginning of the characters that is at most `columns` wide. */
function beginning(characters: readonly string[], columns: number): string {
  let width = 0
  let kept = ''
  for (const character of characters) {
    width += displayWidth(character)
    if (width > columns) break
    kept += character
  }
  return kept
}

function charactersOf(text: string): string[] {
  graphemes ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' })
  return [...graphemes.segment(text)].map(({ segment }) => segment)
}

/** At most `columns` wide; `~` marks a cut. */
export function truncate(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text
  return columns <= 0 ? '' : `${beginning(charactersOf(text), columns - 1)}~`
}

/** Like `truncate`, but cuts the middle, because both ends of an address matter. */
export function truncateMiddle(text: string, columns: number): string {
  if (displayWidth(text) <= columns || columns < 4) return truncate(text, columns)
  const characters = charactersOf(text)
  const head = beginning(characters, Math.floor((columns - 1) / 2))
  const tailColumns = columns - 1 - displayWidth(head)
  const reversed = charactersOf(beginning(characters.reverse(), tailColumns)).reverse()
  return `${head}~${reversed.join('')}`
}

/** Joins the parts with `, `, in lines of at most `columns` where the parts allow it. */
export function wrapParts(parts: readonly string[], columns: number, indent = ''): string[] {
  const lines: string[] = []
  let line = ''
  for (const part of parts) {
    if (line !== '' && displayWidth(`${line}, ${part}`) + 1 > columns) {
      lines.push(`${line},`)
      line = `${indent}${part}`
    } else {
      line = line === '' ? part : `${line}, ${part}`
    }
  }
  return line === '' ? lines : [...lines, line]
}

/** Wraps the text at spaces to lines of at most `columns`; a longer word keeps its line. */
export function wrapWords(text: string, columns: number, indent = ''): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line.trim() !== '' && displayWidth(`${line} ${word}`) > columns) {
      lines.push(line)
      line = `${indent}${word}`
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}

export type Tone = 'plain' | 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'

const toneCodes: Readonly<Record<Exclude<Tone, 'plain'>, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
}

/** Paints the text, or returns it unchanged when colours are off. */
export type Paint = (tone: Tone, text: string) => string

export function painter(colours: boolean): Paint {
  return (tone, text) => {
    if (!colours || tone === 'plain' || text === '') return text
    const [on, off] = toneCodes[tone]
    return `\u001b[${on}m${text}\u001b[${off}m`
  }
}

/** FORCE_COLOR (not 0) wins over NO_COLOR, which wins over what the terminal can do. */
export function wantsColours(env: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  const forced = env['FORCE_COLOR']
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  if ((env['NO_COLOR'] ?? '') !== '') return false
  return isTerminal && env['TERM'] !== 'dumb'
}

export interface Cell {
  readonly text: string
  readonly tone?: Tone
}

export interface Column {
  readonly title: string
  readonly right?: boolean
  /** How the column shrinks when the table is too wide: it is cut at the end or in the middle. */
  readonly cut?: 'end' | 'middle'
}

/** Least width of a column that is cut. */
const cutWidthMin = 8

/** A table of what nodes have, a row for each; with `isOfSeveral` the first column says whose. */
export function nodeTable<T extends { readonly node: string }>(
  items: readonly T[],
  columns: readonly Column[],
  cellsOf: (item: T) => readonly Cell[],
  paint: Paint,
  { isOfSeveral, room }: { readonly isOfSeveral: boolean; readonly room: number },
): string[] {
  if (!isOfSeveral) return tableLines(columns, items.map(cellsOf), paint, room)
  const rows = items.map((item): Cell[] => [{ text: printable(item.node) }, ...cellsOf(item)])
  return tableLines([{ title: 'node', cut: 'middle' }, ...columns], rows, paint, room)
}

/**
 * Lines of a table: a title line, then one per row, two spaces between columns, none at line ends.
 * A table wider than `room` cuts the columns that may be cut, the widest first.
 */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  paint: Paint,
  room = Number.POSITIVE_INFINITY,
): string[] {
  const widths = columns.map((column, index) =>
    Math.max(
      displayWidth(column.title),
      ...rows.map((row) => displayWidth(row[index]?.text ?? '')),
    ),
  )
  let excess = widths.reduce((sum, width) => sum + width, 2 * (widths.length - 1)) - room
  while (excess > 0) {
    const widest = columns.reduce((best, column, index) => {
      const width = widths[index] ?? 0
      const isWider = column.cut !== undefined && width > Math.max(cutWidthMin, widths[best] ?? 0)
      return isWider ? index : best
    }, -1)
    if (widest < 0) break
    widths[widest] = (widths[widest] ?? 0) - 1
    excess--
  }
  const line = (cells: readonly Cell[]): string => {
    let last = columns.length - 1
    while (last > 0 && (cells[last]?.text ?? '') === '') last--
    const parts: string[] = []
    for (let index = 0; index <= last; index++) {
      const { text: whole = '', tone = 'plain' } = cells[index] ?? {}
      const width = widths[index] ?? 0
      const text = (columns[index]?.cut === 'middle' ? truncateMiddle : truncate)(whole, width)
      const gap = ' '.repeat(Math.max(0, width - displayWidth(text)))
      const painted = paint(tone, text)
      parts.push(columns[index]?.right ? gap + painted : index === last ? painted : painted + gap)
    }
    return parts.join('  ')
  }
  const titles = columns.map((column): Cell => ({ text: column.title, tone: 'bold' }))
  return [line(titles), ...rows.map(line)]
}

/** A value for a key=value line, quoted if a reader would otherwise have to guess. */
export function logValue(value: string | number | boolean | null): string {
  if (typeof value !== 'string') return String(value)
  if (/^[\p{L}\p{N}!#$%&()*+,./:;<>?@[\]^_{|}~-]+$/u.test(value)) return value
  return `"${printable(value.replace(/["\\]/g, '\\$&'))}"`
}

/** One log line without its end: `time=… level=info event=listening address=…`, or JSON. */
export function logText(line: LogLine, format: 'text' | 'json', nowMs: number): string {
  const time = new Date(nowMs).toISOString()
  if (format === 'json') {
    return jsonText({ time, level: line.level, event: line.event, ...line.fields })
  }
  let text = `time=${time} level=${line.level} event=${logValue(line.event)}`
  for (const [key, value] of Object.entries(line.fields)) {
    text += ` ${key.replace(/[^\w.-]/g, '_')}=${logValue(value)}`
  }
  return text
}

export const logLevels = ['debug', 'info', 'warn', 'error'] as const

export function isLogged(level: LogLine['level'], from: LogLine['level']): boolean {
  return logLevels.indexOf(level) >= logLevels.indexOf(from)
}
