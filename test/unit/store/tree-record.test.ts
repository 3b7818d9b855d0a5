/** The record of a tree: lists of rows, of which the latest has the last word. */
import { expect, it } from 'vitest'
import { sortedRows } from '../../../src/store/trees/entry-lists.js'
import { bytesOfRow, type PackedRows, type TreeRow } from '../../../src/store/trees/segment.js'
import { TreeRecord } from '../../../src/store/trees/tree-record.js'
import { scratch } from './tree-support.js'

function row(at: number, round: number): TreeRow {
  const time = { seconds: 1_700_000_000 + round, nanos: at }
  return {
    kind: at % 50 === 0 ? 'directory' : 'file',
    name: Buffer.from(`d${at % 7}/${at}`.padEnd(300, 'x')),
    identity: { size: at, inode: `${at}`, mtime: time, ctime: time },
    value: at % 50 === 0 ? Buffer.alloc(0) : Buffer.alloc(32, round),
    algorithm: at % 50 === 0 ? null : 'blake3',
  }
}

function packed(rows: readonly TreeRow[]): PackedRows {
  const all = rows.map(bytesOfRow)
  let end = 0
  const ends = all.map(({ length }) => (end += length))
  return { bytes: Buffer.concat(all), ends }
}

async function allOf(record: TreeRecord): Promise<Buffer> {
  const rows: Buffer[] = []
  for await (const one of record.behind(null)) rows.push(bytesOfRow(one))
  return Buffer.concat(rows)
}

it('is the same before and after its lists are merged, and finds each name', async () => {
  const record = await TreeRecord.open(scratch(), Buffer.from('tree'))
  const known = new Map<number, TreeRow>()
  // Lists that follow one another, then some that lie across them.
  const lists = [
    ...[[0, 300, 1] as const, [300, 600, 1] as const, [600, 700, 1] as const],
    ...[[30, 650, 3] as const, [0, 800, 17] as const],
  ]
  for (const [round, [from, to, step]] of lists.entries()) {
    const count = Math.ceil((to - from) / step)
    const numbers = Array.from({ length: count }, (_, at) => from + at * step)
    for (const at of numbers) known.set(at, row(at, round))
    const isSlow = (at: number): boolean => at % 10 < round
    const rowsWhere = (is: (at: number) => boolean): TreeRow[] =>
      sortedRows(numbers.filter(is).map((at) => row(at, round)))
    await record.add(rowsWhere(isSlow), packed(rowsWhere((at) => !isSlow(at))))
  }
  const rows = sortedRows([...known.values()])
  const wanted = Buffer.concat(rows.map(bytesOfRow))
  expect(wanted.equals(await allOf(record))).toBe(true)
  expect(record.rows()).toBeUndefined()
  const look = async (): Promise<void> => {
    const names = sortedRows([...rows, row(5_000, 0)]).map(({ name }) => name)
    const found = (await record.lookUp(names)).filter((one) => one !== undefined)
    expect(wanted.equals(Buffer.concat(found.map(bytesOfRow)))).toBe(true)
  }
  await look()
  await record.merge()
  expect(wanted.equals(await allOf(record))).toBe(true)
  await look()
  const cursor = record.rows()
  const sizes: unknown[] = []
  for (const { name } of rows) sizes.push((await cursor?.find(name, name.length)) && cursor?.size)
  expect(sizes).toEqual(rows.map(({ identity }) => identity.size))
  expect((await record.totals()).rows).toBe(rows.length)
  await record.close()
})
