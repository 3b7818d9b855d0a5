/** A node is told to send a mate blocks again that were bad there. */
import { expect, it } from 'vitest'
import { announced, Bench, digests, frame, plan } from './node-support.js'

const mend = frame({ type: 'mend', member: 2, ranges: [[0, 200]] })
const landed = (offset: number) =>
  ({ type: 'landed', scratch: false, offset, length: 100 }) as const

it('does so once each block is verified here, and not before', () => {
  const bench = new Bench()
  bench.machine.start()
  bench.feed({ type: 'prepared' }, frame(plan), announced)
  const mended = (wishes: readonly { readonly type: string }[]) =>
    wishes.filter(({ type }) => type === 'mend')
  expect(mended(bench.feed(mend))).toEqual([])
  const right = { ...landed(100), digests: digests(2) }
  expect(mended(bench.feed(right))).toEqual([{ type: 'mend', member: 2, ranges: [[100, 100]] }])
  // Wrong here, too: it is repaired first.
  const scratch = { type: 'landed', scratch: true, offset: 0, length: 100 } as const
  expect(mended(bench.feed({ ...landed(0), digests: digests(9) }))).toEqual([])
  expect(mended(bench.feed({ ...scratch, digests: digests(1) }))).toEqual([])
  bench.feed({ type: 'copied', offset: 0, length: 100 })
  const hashed = {
    type: 'hashed',
    part: 'file',
    offset: 0,
    length: 100,
    digests: digests(1),
  } as const
  expect(mended(bench.feed(hashed))).toEqual([{ type: 'mend', member: 2, ranges: [[0, 100]] }])
  expect(mended(bench.feed(hashed))).toEqual([])
})
