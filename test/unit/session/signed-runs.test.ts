/** Which digest records of an author are kept for later. */
import { describe, expect, it } from 'vitest'
import { SignedRuns } from '../../../src/session/receiver/signed-runs.js'

const blockBytes = 65_536
const run = (block: number, blocks: number) => ({
  offset: block * blockBytes,
  length: blocks * blockBytes,
  payload: new Uint8Array(65 + 8 * blocks).fill(block),
})

function kept(...runs: readonly (readonly [block: number, blocks: number])[]): SignedRuns {
  const all = new SignedRuns(10 * blockBytes, blockBytes)
  for (const one of runs) all.keep(run(...one))
  return all
}

const blocksOf = (runs: SignedRuns) =>
  runs.covering()?.map(({ offset, length }) => [offset / blockBytes, length / blockBytes])

describe('signed runs', () => {
  it('cover the file in order, whatever order they came in, and few of them', () => {
    expect(blocksOf(kept([8, 2], [0, 4], [4, 4]))).toEqual([
      [0, 4],
      [4, 4],
      [8, 2],
    ])
    expect(blocksOf(kept([0, 1], [0, 6], [2, 3], [4, 6]))).toEqual([
      [0, 6],
      [4, 6],
    ])
    expect(blocksOf(kept([0, 10], [3, 1]))).toEqual([[0, 10]])
  })

  it('are not there when a part of the file is missing', () => {
    expect(blocksOf(kept())).toBeUndefined()
    expect(blocksOf(kept([0, 4], [5, 5]))).toBeUndefined()
    expect(blocksOf(kept([1, 9]))).toBeUndefined()
    expect(blocksOf(kept([0, 9]))).toBeUndefined()
  })

  it('of an empty file are none', () => {
    expect(new SignedRuns(0, blockBytes).covering()).toEqual([])
  })

  it('are the bytes that came, and bounded', () => {
    const all = new SignedRuns(2 * blockBytes, blockBytes)
    const first = run(0, 2)
    all.keep(first)
    first.payload.fill(9)
    for (let i = 0; i < 1_000; i++) all.keep(run(1, 1))
    expect(all.covering()).toEqual([run(0, 2)])
  })
})
