/** Rows of several lists, each in walk order, written in one. */
import { limits } from '../../base/limits.js'
import { compareNames } from '../../protocol/listing.js'
import {
  bytesOfRow,
  type PackedRows,
  RowCursor,
  type RowWriter,
  rowBytes,
  type Segment,
  type TreeRow,
} from './segment.js'

/** Rows of different names, in walk order. */
export async function putRows(
  writer: RowWriter,
  rows: readonly TreeRow[],
  packed: PackedRows = { bytes: Buffer.alloc(0), ends: [] },
): Promise<void> {
  const { bytes, ends } = packed
  let [from, next] = [0, 0]
  for (const to of ends) {
    const nameAt = from + rowBytes
    const name = bytes.subarray(nameAt, nameAt + bytes.readUInt16LE(from + 2))
    for (; next < rows.length; next += 1) {
      const row = rows[next] as TreeRow
      if (compareNames(row.name, name) > 0) break
      await putRow(writer, row)
    }
    const full = writer.put(bytes, from, to)
    if (full !== undefined) await full
    from = to
  }
  for (const row of rows.slice(next)) await putRow(writer, row)
}

export async function putRow(writer: RowWriter, row: TreeRow): Promise<void> {
  const bytes = bytesOfRow(row)
  await writer.put(bytes, 0, bytes.length)
}

/** Where a list is. */
interface Head {
  readonly rows: RowCursor
  /** Of two lists, the later has the higher one. */
  readonly age: number
}

/** All rows of segments, oldest first; of each name the one of the latest; at most treeEntries. */
export async function putMerged(writer: RowWriter, segments: readonly Segment[]): Promise<void> {
  /** By their names; of one name, the latest first. */
  const heads: Head[] = []
  for (const [age, segment] of segments.entries())
    await goOn(heads, { rows: new RowCursor(segment), age })
  for (let head = heads.shift(); head !== undefined; head = heads.shift()) {
    const { rows } = head
    const { name } = rows
    while (heads[0] !== undefined && compareNames(heads[0].rows.name, name) === 0)
      await goOn(heads, heads.shift() as Head)
    // Most lists follow one another: what comes before the next one goes without a look at it.
    const bound = heads[0]?.rows.name
    let isNext = true
    do {
      if (writer.rows === limits.treeEntries) return
      const full = writer.put(rows.bytes, rows.start, rows.end)
      if (full !== undefined) await full
      const next = rows.next()
      isNext = next instanceof Promise ? await next : next
    } while (isNext && (bound === undefined || rows.order(bound, bound.length) < 0))
    if (isNext) insert(heads, head)
  }
}

/** To its next row, if it has one. */
async function goOn(heads: Head[], head: Head): Promise<void> {
  if (await head.rows.next()) insert(heads, head)
}

function insert(heads: Head[], head: Head): void {
  const { name } = head.rows
  const at = heads.findIndex(({ rows, age }) => {
    const order = compareNames(rows.name, name)
    return order > 0 || (order === 0 && age < head.age)
  })
  heads.splice(at < 0 ? heads.length : at, 0, head)
}
