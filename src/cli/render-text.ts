/**
 * The small parts of all rendering: safe text, display width, colours, tables, log lines. Pure
 * string building. Nothing a peer or a file name says may reach a terminal unescaped.
 */
import type { LogLine } from '../api/types.js'

/** Control characters, separators and the marks that turn text around. */
const unsafe = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu

/** The text with everything a terminal might obey written out, as `\x0a` or `\u{202e}`. */
export function printable(text: string): string {
  return text.replace(unsafe, (character) => {
    const code = character.codePointAt(0) ?? 0
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}

/** One line of JSON in which nothing is left that a terminal might obey; it reads as the same. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(
    unsafe,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** What East Asian scripts and emoji take two columns for; near enough for cutting lines. */
const wideRanges: readonly (readonly [first: number, last: number])[] = [
  [0x1100, 0x115f],
  [0x2e80, 0xa4cf],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x1f300, 0x1faff],
  [0x20000, 0x3fffd],
]
const zeroWidth = /[\p{Mn}\p{Me}\p{Cf}]/u

function characterWidth(character: string): number {
  if (character < '\u0300') return 1
  if (zeroWidth.test(character)) return 0
  const code = character.codePointAt(0) ?? 0
  return wideRanges.some(([first, last]) => code >= first && code <= last) ? 2 : 1
}

/** Columns the text takes on a terminal; it holds no escape sequences. */
export function displayWidth(text: string): number {
  let width = 0
  for (const character of text) width += characterWidth(character)
  return width
}

/** At most `columns` wide; what was cut is marked with `~`. */
export function truncate(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text
  if (columns <= 0) return ''
  let width = 0
  let kept = ''
  for (const character of text) {
    width += characterWidth(character)
    if (width > columns - 1) break
    kept += character
  }
  return `${kept}~`
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

/** The text in a colour, or as it is where colours are off. */
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
}

/** Lines of a table: a title line, then one per row; two spaces between, nothing at line ends. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  paint: Paint,
): string[] {
  const widths = columns.map((column, index) =>
    Math.max(
      displayWidth(column.title),
      ...rows.map((row) => displayWidth(row[index]?.text ?? '')),
    ),
  )
  const line = (cells: readonly Cell[]): string => {
    let last = columns.length - 1
    while (last > 0 && (cells[last]?.text ?? '') === '') last--
    const parts: string[] = []
    for (let index = 0; index <= last; index++) {
      const { text = '', tone = 'plain' } = cells[index] ?? {}
      const width = widths[index] ?? 0
      const gap = ' '.repeat(Math.max(0, width - displayWidth(text)))
      const painted = paint(tone, text)
      parts.push(columns[index]?.right ? gap + painted : index === last ? painted : painted + gap)
    }
    return parts.join('  ')
  }
  const titles = columns.map((column): Cell => ({ text: column.title, tone: 'bold' }))
  return [line(titles), ...rows.map(line)]
}

/** A value of a key=value line: quoted where a reader would otherwise have to guess. */
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
