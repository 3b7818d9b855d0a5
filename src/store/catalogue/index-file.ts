/**
 * The index of a catalogue: a file to which lines are appended.
 *
 *     fastreplica catalogue 1 CHECKSUM
 *     CHECKSUM {"n":7,"put":["name",…],"runs":[[0,4096,"base64"]]}
 *     CHECKSUM {"n":8,"put":["other",…]}
 *     CHECKSUM {"n":9,"remove":"name"}
 *
 * The idea: a checksum guards each line, and of the lines about one name that with the highest
 * number counts. So a line is read as it was written or not at all, whatever happened to the file,
 * and the order of lines does not matter. A last line without its end is a write that was cut off.
 * Losing a line may bring an older record of its name back; the identity in the record tells that
 * it is not that of the file. The digest runs of small files are in the line itself, so that many
 * of them cost no file each.
 */
import type { FileHandle } from 'node:fs/promises'
import { FrError } from '../../base/errors.js'
import { limits, MIB } from '../../base/limits.js'
import { checksum } from '../files/durable.js'
import { isCount, isKey, isObject } from '../files/plain.js'
import { type DigestRun, type HeldStream, recordOf, rowOf } from './record.js'

const format = 1
const title = 'fastreplica catalogue'
const checkChars = 16
const newline = 0x0a
const lineEnd = Buffer.from('\n')

export type IndexLine =
  | { readonly n: number; readonly put: HeldStream; readonly runs?: readonly DigestRun[] }
  | { readonly n: number; readonly remove: string }

/** A record and its line. */
export interface IndexEntry {
  /** Number of the line. */
  readonly n: number
  readonly record: HeldStream
  /** Where the line begins, and its length without its end. */
  readonly at: number
  readonly bytes: number
  /** The line holds the digest runs. */
  readonly hasRuns: boolean
}

export interface ReadIndex {
  /** By the key of the name. */
  readonly entries: Map<string, IndexEntry>
  /** Of names that are removed: the number of the line that says so. */
  readonly removed: Map<string, number>
  /** Number of the next line to be written. */
  readonly next: number
  readonly lines: number
  /** Whole lines that were not as they had been written, the first one too. */
  readonly damaged: number
  /** Bytes up to the end of the last whole line. */
  readonly wholeBytes: number
}

export function headLine(): string {
  const text = `${title} ${format}`
  return `${text} ${checksum(text)}\n`
}

export function textOfLine(line: IndexLine): string {
  const plain =
    'put' in line
      ? { n: line.n, put: rowOf(line.put), ...(line.runs && { runs: line.runs.map(rowOfRun) }) }
      : line
  const text = JSON.stringify(plain)
  return `${checksum(text)} ${text}\n`
}

/**
 * What stands in the index from this byte on, where a line begins. Rejects with ERR_FR_CATALOGUE
 * for a format that a newer version has written.
 */
export async function readIndex(file: FileHandle, path: string, from = 0): Promise<ReadIndex> {
  const entries: ReadIndex['entries'] = new Map()
  const removed: ReadIndex['removed'] = new Map()
  const authors = new Map<string, string>()
  let [next, lines, damaged] = [0, 0, 0]
  const wholeBytes = await eachLine(file, from, (bytes, at) => {
    const line = at === 0 ? undefined : parsed(bytes)
    if (line === undefined) {
      if (at > 0 || !isHead(bytes, path)) damaged++
      return
    }
    lines++
    next = Math.max(next, line.n + 1)
    const { n, key } = line
    if ((entries.get(key)?.n ?? removed.get(key) ?? -1) >= n) return
    if (line.put === undefined) {
      entries.delete(key)
      removed.set(key, n)
      return
    }
    // Many records have one author: its text is kept once.
    const author = authors.get(line.put.author) ?? line.put.author
    authors.set(author, author)
    const record = Object.assign(line.put, { author })
    removed.delete(key)
    entries.set(key, { n, record, at, bytes: bytes.length, hasRuns: line.runs !== undefined })
  })
  return { entries, removed, next, lines, damaged, wholeBytes }
}

/** The digest runs in the line of an entry; undefined when that is not there as it was written. */
export async function runsInLine(
  file: FileHandle,
  { record, at, bytes }: IndexEntry,
): Promise<readonly DigestRun[] | undefined> {
  const line = parsed((await file.read(Buffer.alloc(bytes), 0, bytes, at)).buffer)
  return line?.put?.contentId === record.contentId ? line.runs : undefined
}

/**
 * Copies lines that begin at these places as they are. `write` is given some at a time, and for
 * each its key and its length.
 */
export async function copyLines(
  file: FileHandle,
  keys: ReadonlyMap<number, string>,
  write: (
    bytes: Buffer,
    lines: readonly (readonly [key: string, bytes: number])[],
  ) => Promise<void>,
): Promise<void> {
  let parts: Buffer[] = []
  let lines: [string, number][] = []
  await eachLine(
    file,
    0,
    (bytes, at) => {
      const key = keys.get(at)
      if (key === undefined) return
      parts.push(Buffer.from(bytes), lineEnd)
      lines.push([key, bytes.length])
    },
    async () => {
      await write(Buffer.concat(parts), lines)
      parts = []
      lines = []
    },
  )
}

function isHead(bytes: Buffer, path: string): boolean {
  const match = /^(fastreplica catalogue (\d{1,9})) ([0-9a-f]{16})$/.exec(bytes.toString('latin1'))
  if (match === null || checksum(match[1] as string) !== match[3]) return false
  if (Number(match[2]) <= format) return true
  const text =
    `${path} was written by a newer version (format ${match[2]}; this one reads ${format}): ` +
    'start that version, or move the file away and let fr node --adopt make a new one'
  throw new FrError('ERR_FR_CATALOGUE', text, { path })
}

interface ParsedLine {
  readonly n: number
  /** Of the name. */
  readonly key: string
  /** Absent: the name is removed. */
  readonly put?: HeldStream
  readonly runs?: readonly DigestRun[]
}

/** Undefined for a line that is not as it was written. */
function parsed(bytes: Buffer): ParsedLine | undefined {
  const body = bytes.subarray(checkChars + 1)
  if (bytes[checkChars] !== 0x20 || checksum(body) !== bytes.toString('latin1', 0, checkChars))
    return undefined
  try {
    const plain: unknown = JSON.parse(body.toString('utf8'))
    if (!isObject(plain) || !isCount(plain['n'])) return undefined
    const { n, put, remove, runs } = plain
    if (isKey(remove)) return { n, key: remove }
    const record = recordOf(put)
    if (record === undefined) return undefined
    const [key] = put as [string]
    return Array.isArray(runs)
      ? { n, key, put: record, runs: runs.map(runOf) }
      : { n, key, put: record }
  } catch {
    return undefined
  }
}

function rowOfRun({ offset, length, payload }: DigestRun): readonly unknown[] {
  return [offset, length, Buffer.from(payload).toString('base64')]
}

function runOf(row: readonly unknown[]): DigestRun {
  const [offset, length, payload] = row as [number, number, string]
  return { offset, length, payload: new Uint8Array(Buffer.from(payload, 'base64')) }
}

/**
 * Calls `use` with each line from this byte on that has an end, without it, and with its place;
 * `pause` after some of them. A line that is longer than limits.catalogueLineBytes is handed over
 * cut. Resolves to the bytes up to the last end.
 */
async function eachLine(
  file: FileHandle,
  begin: number,
  use: (line: Buffer, at: number) => void,
  pause: () => Promise<void> = async () => {},
): Promise<number> {
  const chunk = Buffer.allocUnsafe(MIB + limits.catalogueLineBytes)
  let [held, at, wholeBytes] = [0, begin, begin]
  for (;;) {
    const { bytesRead } = await file.read(chunk, held, MIB, at)
    if (bytesRead === 0) return wholeBytes
    at += bytesRead
    const end = held + bytesRead
    let from = 0
    for (let to = chunk.indexOf(newline); to !== -1 && to < end; ) {
      use(chunk.subarray(from, to), wholeBytes)
      from = to + 1
      wholeBytes = at - (end - from)
      to = chunk.indexOf(newline, from)
    }
    await pause()
    // Of a line without an end so much stays that it is known to be too long.
    held = Math.min(end - from, limits.catalogueLineBytes)
    chunk.copyWithin(0, from, from + held)
  }
}
