/** A node that holds everything is told to pass parts of it on. */
import { describe, expect, it } from 'vitest'
import { announced, Bench, bytes, digests, frame, plan, sent } from './node-support.js'

const passOn = frame({ type: 'passOn', ranges: [[100, 100]], route: 1 })
const held = [{ offset: 0, length: bytes, digests: digests(1, 2, 3) }]

it('what it holds goes to all mates, and counts as received', () => {
  const bench = new Bench()
  bench.machine.start()
  bench.feed({ type: 'prepared', held }, frame({ ...plan, reportMs: 25 }))
  expect(bench.feed(passOn)).toEqual([{ type: 'assign', ranges: [[100, 100]], route: 1 }])
  bench.nowMs = bench.machine.deadlineMs() as number
  const frames = sent(bench.handle({ type: 'due' }))
  expect(frames.find(({ type }) => type === 'backlog')).toMatchObject({ receivedBytes: 100 })
})

describe.each([
  ['before it has accepted', []],
  ['before the plan', [{ type: 'prepared', held } as const]],
  ['of what it lacks', [{ type: 'prepared' } as const, frame(plan), announced]],
])('%s', (_, facts) => {
  it('is a violation', () => {
    const bench = new Bench()
    bench.machine.start()
    bench.feed(...facts)
    expect(sent(bench.feed(passOn)).at(-1)).toMatchObject({ code: 'ERR_FR_PROTOCOL' })
  })
})
