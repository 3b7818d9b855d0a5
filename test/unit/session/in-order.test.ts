/** Pieces that are worked on at the same time and taken in their order. */
import { expect, it } from 'vitest'
import { inOrder, piecesOfFile } from '../../../src/session/in-order.js'

async function collected<T>(all: AsyncIterable<T>): Promise<T[]> {
  const taken: T[] = []
  for await (const one of all) taken.push(one)
  return taken
}

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await Promise.resolve()
}

it('a file is in pieces, of which the last may be short', () => {
  expect([...piecesOfFile(25, 10)]).toEqual([
    { offset: 0, length: 10 },
    { offset: 10, length: 10 },
    { offset: 20, length: 5 },
  ])
  expect([...piecesOfFile(0, 10)]).toEqual([])
})

it('what is done first waits for what comes before it, and no more begins than may', async () => {
  let most = 0
  let now = 0
  const work = async (piece: number): Promise<number> => {
    most = Math.max(most, ++now)
    await turns(10 - piece)
    now--
    return piece * 10
  }
  expect(await collected(inOrder([1, 2, 3, 4, 5], 2, work))).toEqual([10, 20, 30, 40, 50])
  expect(most).toBe(2)
})

it('ends with what failed once nothing is worked on, a later piece first or not', async () => {
  let open = 0
  const work = async (piece: number): Promise<number> => {
    open++
    await turns(piece === 1 ? 50 : 1)
    open--
    if (piece === 2) throw new Error('piece 2')
    return piece
  }
  const taken: number[] = []
  const run = async (): Promise<void> => {
    for await (const one of inOrder([1, 2, 3, 4], 3, work)) taken.push(one)
  }
  await expect(run()).rejects.toThrow('piece 2')
  expect([taken, open]).toEqual([[1], 0])
})

it('stops for a signal while pieces are left, and only then', async () => {
  const stop = new AbortController()
  const begun: number[] = []
  const work = async (piece: number): Promise<number> => {
    begun.push(piece)
    return piece
  }
  const run = async (stopAt: number): Promise<void> => {
    for await (const one of inOrder([1, 2, 3], 1, work, stop.signal))
      if (one === stopAt) stop.abort(new Error('enough'))
  }
  await run(3)
  expect(begun).toEqual([1, 2, 3])
  await expect(run(1)).rejects.toThrow('enough')
  expect(begun).toEqual([1, 2, 3])
})
