/** Whoever takes over asks its own node last. */
import { expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import {
  type SuccessorFact,
  SuccessorMachine,
} from '../../../../src/control/coordinator/successor.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { memberOf } from '../plans.js'

const own = 0
const holds: Frame = { type: 'holds', have: [[0, 100]], fileDigest: 'digest' }
const busy: Frame = { type: 'refuse', code: 'ERR_FR_BUSY', text: 'the origin is there' }
const linked = (member: number): SuccessorFact => {
  return { type: 'linked', member, rttMs: 0, nodeId: `id${member}`, incarnation: 1 }
}
const said = (member: number, frame: Frame): SuccessorFact => ({ type: 'said', member, frame })
const connectOf = (member: number) => ({ type: 'connect', member })
const succeed = (member: number) => ({ type: 'say', member, frame: { type: 'succeed' } })

function successor(mates: readonly number[], sealed: readonly number[] = []): SuccessorMachine {
  return new SuccessorMachine(
    {
      ...{ transfer: 'a'.repeat(32), bytes: 100, blockBytes: 100, silenceMs: limits.silenceMs },
      ...{ strategy: 'adaptive', shape: 'group', term: { counter: 2, member: own } },
      roster: [own, ...mates].map((number) => ({
        ...{ ...memberOf(number), state: 'running' },
        ...(sealed.includes(number) && { sealed: true }),
      })),
      edgeOf: () => ({ id: 'b'.repeat(32), secret: 'c'.repeat(64) }),
    },
    0,
  )
}

it('once the others follow', () => {
  const machine = successor([1, 2])
  expect(machine.start()).toEqual([connectOf(1), connectOf(2)])
  expect(machine.handle(linked(1), 1)).toMatchObject([succeed(1)])
  expect(machine.handle(said(1, holds), 2)).toEqual([])
  expect(machine.handle(linked(2), 3)).toMatchObject([succeed(2)])
  expect(machine.handle(said(2, holds), 4)).toEqual([connectOf(own)])
  expect(machine.handle(linked(own), 5)).toMatchObject([succeed(own)])
  const plans = machine.handle(said(own, holds), 6).filter(({ type }) => type === 'say')
  expect(new Set(plans.map((wish) => 'member' in wish && wish.member))).toEqual(new Set([0, 1, 2]))
})

it('has the connections sealed of those whose connections were', () => {
  const machine = successor([1, 2], [2])
  machine.start()
  const facts = [
    linked(1),
    said(1, holds),
    linked(2),
    said(2, holds),
    linked(own),
    said(own, holds),
  ]
  const plans = facts.flatMap((fact, at) => machine.handle(fact, at + 1))
  const sealed = plans.flatMap((wish) => {
    if (wish.type !== 'say' || wish.frame.type !== 'plan') return []
    const { frame, member } = wish
    return frame.edges.map((edge) => [member, edge.member, edge.sealed === true])
  })
  expect(sealed.length).toBeGreaterThan(3)
  for (const [one, other, is] of sealed) expect(is).toBe(one === 2 || other === 2)
})

it('once the others have had their time, or where there are none', () => {
  const machine = successor([1])
  machine.start()
  expect(machine.deadlineMs()).toBe(limits.readyMs)
  expect(machine.handle({ type: 'due' }, limits.readyMs)).toEqual([connectOf(own)])
  // The own node takes long to answer: there is nothing to do meanwhile but to wait.
  for (let nowMs: number = limits.readyMs; nowMs < 10_000; ) {
    const dueMs = machine.deadlineMs() as number
    expect(dueMs).toBeGreaterThan(nowMs)
    expect(machine.handle({ type: 'due' }, dueMs)).toEqual([])
    nowMs = dueMs
  }
  expect(successor([]).start()).toEqual([connectOf(own)])
})

it('and is not done before those that answer late are complete, too', () => {
  const machine = successor([1, 2])
  const complete: Frame = {
    ...{ type: 'complete', bytes: 100, repairedBytes: 0, fileDigest: 'digest', warnings: [] },
  }
  machine.start()
  machine.handle(linked(1), 1)
  machine.handle(said(1, holds), 2)
  machine.handle({ type: 'due' }, limits.readyMs)
  machine.handle(linked(own), limits.readyMs + 1)
  for (const member of [own, 1]) {
    machine.handle(said(member, holds), limits.readyMs + 2)
    machine.handle(said(member, complete), limits.readyMs + 3)
  }
  machine.handle(linked(2), limits.readyMs + 4)
  machine.handle({ type: 'due' }, limits.readyMs + 2 * limits.askMs)
  expect(machine.isEnded).toBe(false)
  const none: Frame = { type: 'holds', have: [], fileDigest: null }
  const wishes = machine.handle(said(2, none), limits.readyMs + 2 * limits.askMs + 1)
  expect(wishes).toContainEqual(
    expect.objectContaining({ member: 2, frame: expect.objectContaining({ type: 'detour' }) }),
  )
  machine.handle(said(2, complete), limits.readyMs + 2 * limits.askMs + 2)
  expect(machine.isEnded).toBe(true)
})

it('and not at all where the origin is there for another: nothing has happened then', () => {
  const machine = successor([1, 2])
  machine.start()
  machine.handle(linked(1), 1)
  const wishes = machine.handle(said(1, busy), 2)
  expect(wishes.at(-1)).toMatchObject({ type: 'end', failure: { code: 'ERR_FR_BUSY' } })
  expect(wishes).not.toContainEqual(connectOf(own))
  expect(machine.isEnded).toBe(true)
})
