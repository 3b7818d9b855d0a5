/** Work that is tried until it succeeds, or nobody wants it any more. */
import { expect, it } from 'vitest'
import { untilDone } from '../../../src/agent/until-done.js'

it('is tried again after each failure', async () => {
  const failures: unknown[] = []
  const attempts: number[] = []
  const work = async (attempt: number): Promise<void> => {
    attempts.push(attempt)
    if (attempt < 1) throw new Error('not yet')
  }
  const { signal } = new AbortController()
  expect(await untilDone(work, { signal, failed: (error) => failures.push(error) })).toBe(true)
  expect([attempts, failures.length]).toEqual([[0, 1], 1])
})

it('ends without success where it is called off, and does not tell of that', async () => {
  const over = new AbortController()
  const failed = (error: unknown): never => {
    throw error
  }
  const work = async (): Promise<void> => {
    over.abort()
    throw new Error('too late')
  }
  expect(await untilDone(work, { signal: over.signal, failed })).toBe(false)
})
