/**
 * The index of a catalogue: a file to which lines are appended.
 *
 *     fastreplica catalogue 1 CHECKSUM
 *     CHECKSUM {"n":7,"put":["name",…]}
 *     CHECKSUM {"n":8,"remove":"name"}
 *
 * The idea: a checksum guards each line, and of the lines about one name that with the highest
 * number counts. So a line is read as it was written or not at all, whatever happened to the file,
 * and the order of lines does not matter. A last line without its end is a write that was cut off.
 * Losing a line may bring an older record of its name back; the identity in the record tells that
 * it is not that of the file.
 */
import type { FileHandle } from 'node:fs/promises'
import { FrError } from '../../base/errors.js'
import { limits, MIB } from '../../base/limits.js'
import { checksum } from '../files/durable.js'
import { isCount, isKey, isObject, keyOf } from '../files/plain.js'
import { type HeldStream, recordOf, rowOf } from './record.js'

const format = 1
const title = 'fastreplica catalogue'
const checkChars = 16
const newline = 0x0a

export type IndexLine =
  | { readonly n: number; readonly put: HeldStream }
  | { readonly n: number; readonly remove: string }

export interface ReadIndex {
  /** By the key of the name. */
  readonly records: Map<string, HeldStream>
  /** Number of the first line that is still to be written. */
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
  const plain = 'put' in line ? { n: line.n, put: rowOf(line.put) } : line
  const text = JSON.stringify(plain)
  return `${checksum(text)} ${text}\n`
}

/** Rejects with ERR_FR_CATALOGUE for a format that a newer version has written. */
export async function readIndex(file: FileHandle, path: string): Promise<ReadIndex> {
  const records: ReadIndex['records'] = new Map()
  const numbers = new Map<string, number>()
  const authors = new Map<string, string>()
  let [next, lines, damaged] = [0, 0, 0]
  const wholeBytes = await eachLine(file, (bytes, isFirst) => {
    const line = isFirst ? undefined : parsed(bytes, authors)
    if (line === undefined) {
      if (!isFirst || !isHead(bytes, path)) damaged++
      return
    }
    lines++
    next = Math.max(next, line.n + 1)
    const key = 'put' in line ? keyOf(line.put.name) : line.remove
    if ((numbers.get(key) ?? -1) >= line.n) return
    numbers.set(key, line.n)
    if ('put' in line) records.set(key, line.put)
    else records.delete(key)
  })
  return { records, next, lines, damaged, wholeBytes }
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

/**
 * Undefined for a line that is not as it was written. Many records have one author: its text is
 * kept once, in `authors`.
 */
function parsed(bytes: Buffer, authors: Map<string, string>): IndexLine | undefined {
  const body = bytes.subarray(checkChars + 1)
  if (bytes[checkChars] !== 0x20 || checksum(body) !== bytes.toString('latin1', 0, checkChars))
    return undefined
  try {
    const plain: unknown = JSON.parse(body.toString('utf8'))
    if (!isObject(plain) || !isCount(plain['n'])) return undefined
    const { n, put, remove } = plain
    if (isKey(remove)) return { n, remove }
    const record = recordOf(put)
    if (record === undefined) return undefined
    const author = authors.get(record.author) ?? record.author
    authors.set(author, author)
    return { n, put: Object.assign(record, { author }) }
  } catch {
    return undefined
  }
}

/**
 * Calls `use` with each line that has an end, without it. One that is longer than
 * limits.catalogueLineBytes is handed over cut. Resolves to the bytes up to the last end.
 */
async function eachLine(
  file: FileHandle,
  use: (line: Buffer, isFirst: boolean) => void,
): Promise<number> {
  const chunk = Buffer.allocUnsafe(MIB + limits.catalogueLineBytes)
  let [held, at, wholeBytes] = [0, 0, 0]
  let isFirst = true
  for (;;) {
    const { bytesRead } = await file.read(chunk, held, MIB, at)
    if (bytesRead === 0) return wholeBytes
    at += bytesRead
    const end = held + bytesRead
    let from = 0
    for (
      let to = chunk.indexOf(newline);
      to !== -1 && to < end;
      to = chunk.indexOf(newline, from)
    ) {
      use(chunk.subarray(from, to), isFirst)
      isFirst = false
      from = to + 1
      wholeBytes = at - (end - from)
    }
    // Of a line without an end so much stays that it is known to be too long.
    held = Math.min(end - from, limits.catalogueLineBytes)
    chunk.copyWithin(0, from, from + held)
  }
}
