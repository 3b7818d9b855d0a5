/** Names of one file are found by the rows of a record. */
import { expect, it } from 'vitest'
import { fileNamesOf } from '../../../src/store/trees/file-names.js'
import type { TreeRow } from '../../../src/store/trees/segment.js'

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

function row(name: string, inode: string, more: Partial<TreeRow> = {}, seconds = 1): TreeRow {
  const time = { seconds, nanos: 0 }
  const identity = { size: 1, inode, mtime: time, ctime: time }
  const about = { value: bytes('digest'), algorithm: 'blake3' } as const
  return { kind: 'file', name: bytes(name), identity, ...about, ...more }
}

it('tells the first name of a file that has several, and of no other', async () => {
  const rows = [
    row('a', '1'),
    row('b', '2'),
    row('c', '1', { kind: 'directory' }),
    row('d', '1'),
    // The inode of a file that is gone.
    row('e', '2', {}, 2),
    row('f', '1'),
  ]
  const names = await fileNamesOf(async function* () {
    yield* rows
  })
  const firsts = rows.map(({ name }) => names.firstOf(name))
  expect(firsts.map((first) => first && Buffer.from(first).toString())).toEqual([
    ...[undefined, undefined, undefined, 'a', undefined, 'a'],
  ])
})
