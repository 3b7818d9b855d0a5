/**
 * What a request for a part of a file asks for (RFC 9110, sections 8, 13 and 14): conditions,
 * ranges, dates. No I/O, and nothing that was received is trusted.
 */

/** What is known of a file when it is asked for. */
export interface Representation {
  /** With its quotation marks; a strong validator. */
  readonly etag: string
  /** Milliseconds since 1970. */
  readonly modifiedMs: number
  /** Null: it is still written. */
  readonly size: number | null
  /** Bytes from its beginning that are there. */
  readonly there: number
}

/** Headers of the request, as Node has them. */
export type Asked = Readonly<Record<string, string | readonly string[] | undefined>>

export interface ByteRange {
  readonly offset: number
  readonly length: number
}

export type Verdict =
  | { readonly status: 200 | 304 | 412 | 416 }
  | { readonly status: 206; readonly ranges: readonly [ByteRange, ...ByteRange[]] }

/** Ranges of one request that are served; of more, or of more bytes than there are, all is sent. */
export const rangesMax = 16

/** How a GET or HEAD is answered, in the order of section 13.2.2. */
export function judge(asked: Asked, file: Representation): Verdict {
  const ifMatch = one(asked, 'if-match')
  const unmodifiedSince = dateOf(one(asked, 'if-unmodified-since'))
  if (ifMatch !== null) {
    if (!matches(ifMatch, file.etag, true)) return { status: 412 }
  } else if (unmodifiedSince !== null && secondsOf(file) > unmodifiedSince) return { status: 412 }
  const ifNoneMatch = one(asked, 'if-none-match')
  const modifiedSince = dateOf(one(asked, 'if-modified-since'))
  if (ifNoneMatch !== null) {
    if (matches(ifNoneMatch, file.etag, false)) return { status: 304 }
  } else if (modifiedSince !== null && secondsOf(file) <= modifiedSince) return { status: 304 }
  const range = one(asked, 'range')
  if (range === null || !isStill(one(asked, 'if-range'), file)) return { status: 200 }
  const ranges = rangesOf(range, file)
  if (ranges === null) return { status: 200 }
  const [first, ...others] = ranges
  return first === undefined ? { status: 416 } : { status: 206, ranges: [first, ...others] }
}

/** Null: the header is none that is understood, or it asks for too much, and is to be ignored. */
export function rangesOf(header: string, { size, there }: Representation): ByteRange[] | null {
  const list = /^bytes=(.*)$/i.exec(header.trim())?.[1]
  if (list === undefined) return null
  const end = size ?? there
  const found: ByteRange[] = []
  let count = 0
  for (const part of list.split(',')) {
    const text = part.trim()
    // Empty elements of a list are ignored (section 5.6.1).
    if (text === '') continue
    const [, from = '', to = ''] = /^(\d*)-(\d*)$/.exec(text) ?? []
    if (from === '' && to === '') return null
    count++
    if (from === '') {
      // The end of what is still written is not known.
      if (size === null) return null
      const length = Math.min(Number(to), end)
      if (length > 0) found.push({ offset: end - length, length })
      continue
    }
    const [offset, last] = [Number(from), to === '' ? Number.POSITIVE_INFINITY : Number(to)]
    if (last < offset) return null
    if (offset < end) found.push({ offset, length: Math.min(last + 1, end) - offset })
  }
  if (count === 0 || count > rangesMax) return null
  const bytes = found.reduce((sum, { length }) => sum + length, 0)
  return found.length > 1 && bytes > end ? null : found
}

/** Of If-Range: the file is what the client has a part of, by its tag or the second of its date. */
function isStill(ifRange: string | null, file: Representation): boolean {
  if (ifRange === null) return true
  if (ifRange.startsWith('"')) return ifRange === file.etag
  return dateOf(ifRange) === secondsOf(file)
}

/** Whether a list of entity tags has this one; weak tags are never strongly equal. */
function matches(list: string, etag: string, isStrong: boolean): boolean {
  if (list.trim() === '*') return true
  for (const [, weak, tag] of list.matchAll(/(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g))
    if (tag === etag && !(isStrong && weak !== undefined)) return true
  return false
}

function secondsOf({ modifiedMs }: Representation): number {
  return Math.floor(modifiedMs / 1000)
}

/** Of several of one name only a list would make sense, and none of these is one. */
function one(asked: Asked, name: string): string | null {
  const value = asked[name]
  return typeof value === 'string' ? value : (value?.join(', ') ?? null)
}

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')
const imf = /^\w{3}, (\d{2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const rfc850 = /^\w{6,9}, (\d{2})-(\w{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/
const asctime = /^\w{3} (\w{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/

/** Seconds since 1970 of a date of HTTP in any of its three forms; null: it is none. */
export function dateOf(text: string | null, thisYear = new Date().getUTCFullYear()): number | null {
  if (text === null) return null
  const [, day, month, year, hour, minute, second] =
    imf.exec(text) ?? rfc850.exec(text) ?? orderedAsctime(text) ?? []
  const at = months.indexOf(month ?? '')
  if (day === undefined || year === undefined || at === -1) return null
  const full = year.length === 4 ? Number(year) : fullYear(Number(year), thisYear)
  const [d, h, m, s] = [day, hour, minute, second].map(Number) as [number, number, number, number]
  const ms = Date.UTC(full, at, d, h, m, Math.min(s, 59))
  const made = new Date(ms)
  const isDate = made.getUTCDate() === d && made.getUTCHours() === h && m < 60 && s <= 60
  return isDate ? ms / 1000 : null
}

function orderedAsctime(text: string): string[] | null {
  const [all, month, day, hour, minute, second, year] = asctime.exec(text) ?? []
  if (all === undefined) return null
  return [all, day, month, year, hour, minute, second] as string[]
}

/** Two digits that would be more than 50 years ahead are of the century before. */
function fullYear(digits: number, thisYear: number): number {
  const year = Math.floor(thisYear / 100) * 100 + digits
  return year > thisYear + 50 ? year - 100 : year
}

/** The form in which dates are sent. */
export function httpDate(ms: number): string {
  return new Date(Math.floor(ms / 1000) * 1000).toUTCString()
}

/**
 * The name that a path asks for, below `prefix`; null: the path is not below it, or malformed. The
 * bytes are what was meant: a slash that is written as %2F, and a NUL, are no part of a name.
 */
export function nameIn(target: string, prefix: string): Uint8Array | null {
  const [path = ''] = target.split(/[?#]/, 1)
  if (!path.startsWith(prefix)) return null
  const rest = path.slice(prefix.length)
  if (!/^(?:[^%]|%[0-9a-f]{2})*$/i.test(rest) || /%(?:00|2f)/i.test(rest)) return null
  const bytes: number[] = []
  const raw = Buffer.from(rest, 'utf8')
  for (let at = 0; at < raw.length; at++) {
    const isEscape = raw[at] === 0x25
    bytes.push(
      isEscape ? Number.parseInt(raw.toString('latin1', at + 1, at + 3), 16) : Number(raw[at]),
    )
    if (isEscape) at += 2
  }
  return Uint8Array.from(bytes)
}

/** A name as a path has it. */
export function pathOf(name: Uint8Array): string {
  let path = ''
  for (const byte of name) {
    const char = String.fromCharCode(byte)
    path += /[\w.~!$&'()*+,;=:@/-]/.test(char)
      ? char
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return path
}
