/** Mirrors of a push: when they are asked, who takes part, and that nobody waits for them. */
import { expect, it } from 'vitest'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import { Bench, bytes, completeFrame } from './origin-support.js'

const mirrors = [{ address: 'm:1' }]
const known = [{ offset: 0, length: bytes, digests: new Uint8Array(32) }]
const dialled = (wishes: readonly OriginWish[]) =>
  wishes.flatMap((wish) => (wish.type === 'connect' ? [wish.member] : []))
const toldOf = (wishes: readonly OriginWish[], member: number) =>
  wishes.flatMap((wish) => (wish.type === 'say' && wish.member === member ? [wish.frame] : []))
const linked = (member: number, nodeId = `id${member}`) =>
  ({ type: 'linked', member, nodeId, incarnation: 1 }) as const

function ready(bench: Bench, member: number, have: readonly [number, number][] = []) {
  return [
    ...bench.feed(linked(member), { type: 'fedOut', member }),
    ...bench.feed({ type: 'said', member, frame: { type: 'claimed' } }),
    ...bench.feed({ type: 'said', member, frame: { type: 'accept', have } }),
  ]
}

it('are dialled with the nodes where the content is known, else once it is', () => {
  expect(dialled(new Bench(2, { mirrors, known }).dialled)).toEqual([0, 1, 2])
  const bench = new Bench(2, { mirrors })
  expect(dialled(bench.dialled)).toEqual([0, 1])
  expect(dialled(bench.feed({ type: 'summed', fileDigest: 'digest' }))).toEqual([2])
})

it('are dealt parts, which they are told to pass on, and sent nothing', () => {
  const bench = new Bench(2, { mirrors, known, bytes: 64 * bytes })
  const wishes = [0, 1].flatMap((node) => ready(bench, node))
  wishes.push(...ready(bench, 2, [[0, 64 * bytes]]))
  expect(wishes.some((wish) => wish.type === 'list' && wish.member === 2)).toBe(false)
  expect(toldOf(wishes, 2).map(({ type }) => type)).toContain('passOn')
  const plans = toldOf(wishes, 0).flatMap((frame) => (frame.type === 'plan' ? [frame] : []))
  expect(plans.at(-1)?.members.map(({ number }) => number)).toContain(2)
  expect(plans.at(-1)?.routes.flatMap(({ to }) => to.map(({ member }) => member))).toEqual([1])
})

it('that lack a part of the content take no part', () => {
  const bench = new Bench(1, { mirrors, known })
  const frames = toldOf(ready(bench, 1, [[0, bytes / 2]]), 1)
  expect(frames.at(-1)).toMatchObject({ type: 'abort', code: 'ERR_FR_NOT_HELD' })
})

it('that are a node of the push under another address leave that to the node', () => {
  const bench = new Bench(1, { mirrors, known })
  bench.feed(linked(1, 'same'), linked(0, 'same'))
  expect(bench.machine.peers.map(({ phase }) => phase)).toEqual(['offered', 'offered'])
  const other = new Bench(1, { mirrors, known })
  other.feed(linked(0, 'same'), linked(1, 'same'))
  expect(other.machine.peers.map(({ phase }) => phase)).toEqual(['offered', 'out'])
})

it('are not waited for, and named nowhere', () => {
  const bench = new Bench(1, { mirrors, known })
  const wishes = [...ready(bench, 0), ...bench.feed({ type: 'summed', fileDigest: 'digest' })]
  wishes.push(...bench.feed({ type: 'said', member: 0, frame: completeFrame(bytes) }))
  expect(wishes.at(-1)).toEqual({ type: 'end', failure: null })
  const announced = wishes.flatMap((wish) =>
    wish.type === 'announceOutcome'
      ? [wish.member]
      : wish.type === 'announcePlan'
        ? wish.plan.nodes
        : [],
  )
  expect(announced).toEqual([0, 0])
})
