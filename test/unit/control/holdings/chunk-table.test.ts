/** Chunks of older content by their entries, and what of other content is found among them. */
import { describe, expect, it } from 'vitest'
import { ChunkTable, chunksOf, foundIn } from '../../../../src/control/holdings/chunk-table.js'
import { Random } from '../../../../src/sim/random.js'

/** Of chunks of these lengths, each with a hash that begins with its number. */
function entriesOf(...chunks: readonly (readonly [length: number, hash: number])[]): Uint8Array {
  const entries = new Uint8Array(11 * chunks.length)
  const view = new DataView(entries.buffer)
  for (const [i, [length, hash]] of chunks.entries()) {
    entries.set([length >> 16, (length >> 8) & 255, length & 255], 11 * i)
    view.setUint32(11 * i + 3, hash)
  }
  return entries
}

describe('a table of chunks', () => {
  it('has each where it lies first, by length and hash', () => {
    const table = new ChunkTable(100)
    const entries = entriesOf([5000, 1], [70_000, 2], [5000, 1], [5000, 3])
    expect([...chunksOf(entries)]).toEqual([
      [0, 5000],
      [11, 70_000],
      [22, 5000],
      [33, 5000],
    ])
    expect(table.add(1000, entries)).toBe(86_000)
    const wanted = entriesOf([5000, 1], [5000, 3], [70_000, 2], [5001, 1], [5000, 4])
    const found = [...chunksOf(wanted)].map(([at]) => table.find(wanted, at))
    expect(found).toEqual([1000, 81_000, 6000, undefined, undefined])
  })

  it('has all of many, also where all would have a few places', () => {
    const table = new ChunkTable(10_000)
    const random = new Random(1)
    // The low bits say where a chunk is looked for.
    const chunks = Array.from({ length: 1_000 }, (_, i) => {
      return [4096 + random.integer(0, 60_000), i * 4096] as const
    })
    let at = 0
    for (let from = 0; from < chunks.length; from += 100)
      at = table.add(at, entriesOf(...chunks.slice(from, from + 100)))
    let offset = 0
    for (const chunk of chunks) {
      expect(table.find(entriesOf(chunk), 0)).toBe(offset)
      offset += chunk[0]
    }
    expect(at).toBe(offset)
  })

  it('leaves out what is too much', () => {
    const table = new ChunkTable(2)
    const entries = entriesOf([4096, 1], [4096, 2], [4096, 3])
    expect(table.isFull).toBe(false)
    expect(table.add(0, entries)).toBe(3 * 4096)
    expect(table.isFull).toBe(true)
    expect([0, 11, 22].map((at) => table.find(entries, at))).toEqual([0, 4096, undefined])
  })
})

it('what is found one behind the other is one run', () => {
  const table = new ChunkTable(100)
  table.add(0, entriesOf([5000, 1], [6000, 2], [7000, 3], [8000, 4]))
  const wanted = entriesOf([4500, 9], [5000, 1], [6000, 2], [8000, 4], [7000, 3], [4100, 8])
  expect(foundIn(table, 1_000_000, wanted)).toEqual([
    { offset: 1_004_500, length: 11_000, from: 0 },
    { offset: 1_015_500, length: 8000, from: 18_000 },
    { offset: 1_023_500, length: 7000, from: 11_000 },
  ])
  expect(foundIn(table, 0, entriesOf([4096, 7]))).toEqual([])
})
