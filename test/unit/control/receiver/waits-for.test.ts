/** What a node says that it waits for. */
import { expect, it } from 'vitest'
import { originNumber } from '../../../../src/control/messages/types.js'
import { sampledAt } from '../plans.js'
import {
  announced,
  Bench,
  block,
  bytes,
  digests,
  frame,
  hashed,
  landed,
  seal,
} from './node-support.js'

const unfed = (member: number) => {
  const broke = { code: 'ERR_FR_NODE_LOST', text: 'reset' } as const
  return { type: 'unfed', member, direction: 'in', ...broke } as const
}

it('follows the transfer: the disk, the plan, data, digests, the seal, the disk again', () => {
  const bench = new Bench()
  bench.machine.start()
  const seen = [bench.machine.waitsFor]
  const after = (...facts: Parameters<Bench['feed']>) => {
    bench.feed(...facts)
    seen.push(bench.machine.waitsFor)
  }
  after({ type: 'prepared' })
  bench.receiving()
  seen.push(bench.machine.waitsFor)
  after(landed(0, bytes))
  after(announced, hashed(0, 2 * block, digests(1, 2)), hashed(2 * block, 50, digests(3)))
  after(frame(seal))
  const { machine } = new Bench()
  expect(machine.waitsFor).toBe('the disk')
  expect(seen).toEqual([
    'the disk',
    'the plan',
    'data',
    'digests',
    'the seal of the origin',
    'the disk',
  ])
})

it('names whose bytes, connection or word it is', () => {
  const bench = new Bench().receiving()
  const held = { type: 'detour', member: 0, why: 'held', ranges: [[0, bytes]], route: 0 } as const
  bench.feed(frame(held))
  bench.feed({ type: 'linked', member: 0, nodeId: 'id0', incarnation: 1, rttMs: 1 })
  expect(bench.machine.waitsFor).toBe('blocks from n0:1')
  const incoming = [{ member: 2, isParent: false, receivedBytes: 10 }]
  bench.feed({ type: 'sampled', sample: { ...sampledAt(bench.nowMs).sample, incoming } })
  bench.pass(2_500)
  expect(bench.machine.waitsFor).toBe('a sign of life of n2:1')
  bench.feed({ type: 'fedIn', member: 2 }, unfed(2))
  expect(bench.machine.waitsFor).toBe('the connection of n2:1')
  bench.feed({ type: 'fedIn', member: originNumber }, unfed(originNumber))
  expect(bench.machine.waitsFor).toBe('the connection of the origin')
})
