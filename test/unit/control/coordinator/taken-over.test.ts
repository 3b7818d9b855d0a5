/** A member that has taken over: what it says to whom, alone with its clock. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { RangePair } from '../../../../src/base/ranges.js'
import {
  type SuccessorFact,
  SuccessorMachine,
  type SuccessorWish,
} from '../../../../src/control/coordinator/successor.js'
import type { Frame, PlanFrame, RosterEntry } from '../../../../src/control/messages/types.js'
import { progressOf } from '../plans.js'
import { completeFrame } from './origin-support.js'

const block = 100
const bytes = 4 * block
const all: RangePair[] = [[0, bytes]]

const entryOf = (number: number, state: RosterEntry['state'] = 'running'): RosterEntry => ({
  number,
  nodeId: `id${number}`,
  address: `n${number}:1`,
  state,
})

/** Member 1 has taken over from the origin of these; a test plays all members. */
class Bench {
  nowMs = 0
  readonly dialled: SuccessorWish[]
  readonly machine: SuccessorMachine

  constructor(roster: readonly RosterEntry[] = [0, 1, 2].map((number) => entryOf(number))) {
    this.machine = new SuccessorMachine(
      {
        ...{ transfer: 't', term: { counter: 2, member: 1 }, roster, bytes, blockBytes: block },
        ...{ silenceMs: limits.silenceMs, strategy: 'adaptive', shape: 'group' },
        edgeOf: (member, other) => ({ id: `${member}-${other}`, secret: 'secret' }),
      },
      0,
    )
    this.dialled = this.machine.start()
  }

  feed(...facts: SuccessorFact[]): SuccessorWish[] {
    return facts.flatMap((fact) => this.machine.handle(fact, this.nowMs))
  }

  said(member: number, frame: Frame): SuccessorWish[] {
    return this.feed({ type: 'said', member, frame })
  }

  linked(...members: number[]): SuccessorWish[] {
    return members.flatMap((member) => this.feed({ type: 'linked', member, nodeId: `id${member}` }))
  }

  holds(member: number, have: RangePair[], fileDigest: string | null = null): SuccessorWish[] {
    return this.said(member, { type: 'holds', have, fileDigest })
  }

  /** All are there, and hold this: its own node is asked and answers last. */
  joined(...haves: RangePair[][]): SuccessorWish[] {
    const members = [...haves.keys()].filter((member) => member !== 1)
    this.linked(...members)
    const wishes = [...members, 1].flatMap((member) => {
      if (member === 1) this.linked(1)
      return this.holds(member, haves[member] as RangePair[])
    })
    return wishes
  }

  tick(): SuccessorWish[] {
    this.nowMs = this.machine.deadlineMs() as number
    return this.feed({ type: 'due' })
  }

  /** Time passes in which nothing comes but heartbeats of these. */
  pass(ms: number, ...beating: number[]): SuccessorWish[] {
    const wishes: SuccessorWish[] = []
    for (const endMs = this.nowMs + ms; ; ) {
      const dueMs = this.machine.deadlineMs()
      if (dueMs === null || dueMs > endMs) {
        this.nowMs = endMs
        return wishes
      }
      for (const member of beating) wishes.push(...this.said(member, { type: 'beat' }))
      wishes.push(...this.tick())
    }
  }
}

type Said = readonly [member: number, frame: Frame]

const sent = (wishes: readonly SuccessorWish[], type: Frame['type']): Said[] =>
  wishes.flatMap((wish): Said[] =>
    wish.type === 'say' && wish.frame.type === type ? [[wish.member, wish.frame]] : [],
  )
const toldTo = (wishes: readonly SuccessorWish[], type: Frame['type']): number[] =>
  sent(wishes, type).map(([member]) => member)
const endOf = (wishes: readonly SuccessorWish[]) => wishes.find(({ type }) => type === 'end')
const noted = (wishes: readonly SuccessorWish[]) =>
  wishes.flatMap((wish) => (wish.type === 'note' ? [wish.event] : []))

describe('whoever takes over', () => {
  it('dials those that took part, itself among them, and says its term', () => {
    const states = ['running', 'complete', 'coming', 'out'] as const
    const bench = new Bench(states.map((state, number) => entryOf(number, state)))
    expect(bench.dialled).toEqual([{ type: 'connect', member: 0 }])
    const term = { counter: 2, member: 1 }
    const frame = { type: 'succeed', transfer: 't', term }
    expect(bench.linked(0)).toEqual([{ type: 'say', member: 0, frame }])
    expect(bench.holds(0, all)).toEqual([{ type: 'connect', member: 1 }])
    expect(bench.linked(1)).toEqual([{ type: 'say', member: 1, frame }])
  })

  it('waits for the answers of all, but not for long', () => {
    const bench = new Bench()
    expect(toldTo(bench.joined(all, [], []), 'plan')).toEqual([0, 1, 2])
    const hasty = new Bench()
    hasty.linked(0)
    expect(hasty.holds(0, all)).toEqual([])
    expect(hasty.machine.deadlineMs()).toBe(limits.readyMs)
    expect(hasty.tick()).toEqual([{ type: 'connect', member: 1 }])
    hasty.linked(1)
    const wishes = hasty.holds(1, [])
    expect(toldTo(wishes, 'plan')).toEqual([0, 1])
    // Who has not answered yet is named: it would be gone for good.
    const [, plan] = sent(wishes, 'plan')[0] as Said
    expect(plan).toMatchObject({ members: [0, 1, 2].map((number) => ({ number })) })
    expect(noted(wishes)).toEqual(['took-over'])
  })

  it('names itself the coordinator, others as standbys, and each edge once', () => {
    const bench = new Bench()
    const wishes = bench.joined(all, [], [])
    const plans = sent(wishes, 'plan')
    for (const [you, plan] of plans) {
      expect(plan).toMatchObject({
        ...{ term: { counter: 2, member: 1 }, you, coordinator: 1, reportTo: 1, standbys: [0, 2] },
        ...{ phase: 'running', parents: [], routes: [] },
      })
      const { edges } = plan as Frame & { type: 'plan' }
      const ends = edges.map(({ member, id }) => [member, id]).sort()
      expect(ends).toEqual(
        [0, 1, 2].flatMap((other) => (other === you ? [] : [[other, `${you}-${other}`]])),
      )
    }
    const epochs = plans.map(([, plan]) => (plan as Frame & { type: 'plan' }).epoch)
    expect(new Set(epochs).size).toBe(3)
    // Standbys hear who takes part.
    expect(toldTo(wishes, 'roster')).toEqual([0, 2])
    const later = bench.feed({ type: 'unlinked', member: 2, code: 'ERR_FR_NODE_LOST', text: '' })
    for (const [, plan] of sent(later, 'plan'))
      expect(plan).toMatchObject({ edges: [], members: [{ number: 0 }, { number: 1 }] })
    expect(sent(later, 'roster').at(-1)?.[1]).toMatchObject({
      entries: [{ state: 'running' }, { state: 'running' }, { state: 'out' }],
    })
  })

  it('has each ask for what another holds, once', () => {
    const bench = new Bench()
    const wishes = bench.joined([[0, 200]], [[200, 100]], [[0, 200]])
    const detours = sent(wishes, 'detour').map(([member, frame]) => {
      const { member: from, ranges, why } = frame as Frame & { type: 'detour' }
      return [member, from, ranges, why]
    })
    expect(detours).toEqual([
      [0, 1, [[200, 100]], 'held'],
      // Of two that hold the same, the one behind it.
      [1, 2, [[0, 200]], 'held'],
      [2, 1, [[200, 100]], 'held'],
    ])
    expect(sent(bench.holds(0, [[0, 300]]), 'detour')).toEqual([])
    // What is new somewhere, others ask for.
    expect(sent(bench.holds(1, [[0, 400]]), 'detour')).toMatchObject([
      [0, { member: 1, ranges: [[300, 100]] }],
      [2, { member: 1, ranges: [[300, 100]] }],
    ])
  })

  it('has what came wrong sent again by who holds it, each time by another one first', () => {
    const bench = new Bench()
    bench.joined([[0, 300]], [], all)
    const needs = (ranges: RangePair[]): Said[] =>
      sent(bench.said(1, { type: 'need', scratch: true, ranges }), 'mend')
    const mend = (from: number, ranges: RangePair[]): Said => [
      from,
      { type: 'mend', member: 1, ranges },
    ]
    expect(needs([[200, 200]])).toEqual([mend(2, [[200, 200]])])
    expect(needs([[200, 200]])).toEqual([mend(0, [[200, 100]]), mend(2, [[300, 100]])])
    // Past the end of the file is nothing; what only it lacks is asked of mates.
    expect(needs([[300, 200]])).toEqual([])
    expect(sent(bench.said(1, { type: 'need', scratch: false, ranges: all }), 'mend')).toEqual([])
  })

  it('has it sent once somebody holds it', () => {
    const bench = new Bench()
    bench.joined([], [], [])
    expect(sent(bench.said(1, { type: 'need', scratch: true, ranges: all }), 'mend')).toEqual([])
    expect(sent(bench.holds(0, [[100, 100]]), 'mend')).toEqual([
      [0, { type: 'mend', member: 1, ranges: [[100, 100]] }],
    ])
  })

  it.each([
    ['some have heard', 'digest'],
    ['nobody has heard', null],
  ])('tells the seal that %s to those who have not', (_, seal) => {
    const bench = new Bench()
    bench.linked(0, 2)
    bench.holds(0, [])
    bench.holds(2, [], seal)
    bench.linked(1)
    const frame = { type: 'seal', stream: 0, fileDigest: seal }
    const others = seal === null ? [0, 1, 2] : [0, 1]
    expect(sent(bench.holds(1, []), 'seal')).toEqual(others.map((member) => [member, frame]))
    expect(sent(bench.holds(2, all), 'seal')).toEqual([])
  })

  it('ends once everybody is complete', () => {
    const bench = new Bench()
    bench.joined(all, all, all)
    expect(endOf([0, 1].flatMap((member) => bench.said(member, completeFrame(bytes))))).toBe(
      undefined,
    )
    const wishes = bench.said(2, completeFrame(bytes))
    expect(toldTo(wishes, 'finish')).toEqual([0, 1, 2])
    expect(wishes.filter(({ type }) => type === 'hangUp')).toHaveLength(3)
    expect(endOf(wishes)).toEqual({ type: 'end', failure: null })
    expect([bench.machine.isEnded, bench.machine.deadlineMs()]).toEqual([true, null])
    expect(bench.said(0, { type: 'beat' })).toEqual([])
  })

  it('says every second that it is there', () => {
    const bench = new Bench()
    bench.joined(all, [], [])
    expect(toldTo(bench.pass(limits.beatMs - 1), 'beat')).toEqual([])
    expect(toldTo(bench.pass(1), 'beat')).toEqual([0, 1, 2])
    expect(toldTo(bench.pass(2 * limits.beatMs), 'beat')).toEqual([0, 1, 2, 0, 1, 2])
  })

  it('adds nobody', () => {
    const bench = new Bench()
    bench.joined(all, [], [])
    const node = { address: 'n9:1' }
    expect(sent(bench.said(0, { type: 'join', request: 7, node }), 'joined')).toMatchObject([
      [0, { request: 7, code: 'ERR_FR_ORIGIN_LOST' }],
    ])
  })
})

describe('more than a plan has room for', () => {
  const count = 150
  const roster = Array.from({ length: count }, (_, number) => entryOf(number))
  const planned = (wishes: readonly SuccessorWish[]) =>
    new Map(sent(wishes, 'plan').map(([you, plan]) => [you, plan as PlanFrame]))

  it('meet some of the others each, and are met by those', () => {
    const plans = planned(new Bench(roster).joined(...roster.map(() => [])))
    expect(plans.size).toBe(count)
    const metBy = (you: number): number[] =>
      (plans.get(you) as PlanFrame).edges.map(({ member }) => member)
    for (const [you, { members }] of plans) {
      expect(members.length).toBeLessThanOrEqual(limits.nodesPerGroup)
      for (const other of metBy(you)) expect(metBy(other)).toContain(you)
    }
  })

  it('have what one of them holds, from one to the next, though a whole group is gone', () => {
    const bench = new Bench(roster)
    const gone = (member: number): boolean => member >= 40 && member < 104
    const haves = new Map<number, RangePair[]>()
    let asked = bench.joined(...roster.map(({ number }) => (number === 0 ? all : [])))
    haves.set(0, all)
    for (const { number: member } of roster)
      if (gone(member))
        asked.push(...bench.feed({ type: 'unlinked', member, code: 'ERR_FR_NODE_LOST', text: '' }))
    // Each has what it is told to ask for once the one that it asks has it.
    for (let round = 0; asked.length > 0 && round < count; round++) {
      const next: SuccessorWish[] = []
      for (const [member, frame] of sent(asked, 'detour')) {
        const { member: from } = frame as Frame & { type: 'detour' }
        if (gone(member) || haves.has(member) || !haves.has(from)) continue
        haves.set(member, all)
        next.push(...bench.holds(member, all))
      }
      asked = next
    }
    expect(haves.size).toBe(count - 64)
  })
})

describe('what nobody holds', () => {
  const text = `the origin is gone: nobody holds 100 bytes of the file: 300-399`

  it('is named to all in the same words, who keep what they have', () => {
    const bench = new Bench()
    bench.joined([[0, 300]], [[0, 300]], [[0, 300]])
    const wishes = bench.pass(limits.askMs, 0, 1, 2)
    const frame = { type: 'abort', code: 'ERR_FR_ORIGIN_LOST', text }
    expect(sent(wishes, 'abort')).toEqual([0, 1, 2].map((member) => [member, frame]))
    expect(endOf(wishes)).toMatchObject({ failure: { code: 'ERR_FR_ORIGIN_LOST', text } })
    expect(noted(wishes)).toContain('incomplete')
  })

  it('is not named before what somebody holds has been asked for again and again', () => {
    const bench = new Bench()
    bench.joined([[0, 300]], [[0, 200]], [[0, 300]])
    for (let round = 0; round < limits.repairTries; round++)
      expect(sent(bench.pass(limits.askMs, 0, 1, 2), 'detour')).toMatchObject([
        [1, { member: 2, ranges: [[200, 100]] }],
      ])
    expect(toldTo(bench.pass(limits.askMs, 0, 1, 2), 'abort')).toEqual([0, 1, 2])
  })

  it('waits while anything moves', () => {
    const bench = new Bench()
    bench.joined([[0, 300]], [], [])
    for (let i = 1; i <= 10; i++) {
      expect(endOf(bench.pass(limits.askMs - 1, 0, 1, 2))).toBeUndefined()
      bench.said(1, progressOf({ receivedBytes: 10 * i }))
    }
    // A report that says nothing new is none.
    bench.pass(limits.askMs - 1, 0, 1, 2)
    bench.said(1, progressOf({ receivedBytes: 100 }))
    expect(sent(bench.pass(1, 0, 1, 2), 'detour')).not.toEqual([])
  })

  it('keeps nobody from its end who has all', () => {
    const bench = new Bench([entryOf(0), entryOf(1)])
    bench.joined(all, [])
    bench.said(0, completeFrame(bytes))
    const wishes = bench.pass((limits.repairTries + 1) * limits.askMs, 0, 1)
    expect(toldTo(wishes, 'finish')).toEqual([0])
    expect(sent(wishes, 'abort')).toMatchObject([
      [1, { text: 'the origin is gone: some could not be brought to those who lack them' }],
    ])
  })
})

describe('a member', () => {
  const leaves: readonly [string, (bench: Bench) => SuccessorWish[]][] = [
    [
      'that is lost',
      (bench) => bench.feed({ type: 'unlinked', member: 2, code: 'ERR_FR_NODE_LOST', text: '' }),
    ],
    [
      'that fails',
      (bench) => bench.said(2, { type: 'failed', code: 'ERR_FR_NO_SPACE', text: 'full' }),
    ],
    [
      'that follows somebody else',
      (bench) => bench.said(2, { type: 'stale', term: { counter: 3, member: 0 }, epoch: 0 }),
    ],
    ['that holds parts of blocks', (bench) => bench.holds(2, [[0, 50]])],
    [
      'that is silent',
      (bench) => {
        const wishes: SuccessorWish[] = []
        for (let receivedBytes = 1; bench.nowMs <= limits.silenceMs; receivedBytes++) {
          wishes.push(...bench.pass(limits.beatMs, 0, 1))
          bench.said(1, progressOf({ receivedBytes }))
        }
        return wishes
      },
    ],
  ]
  it.each(leaves)('%s is gone, and what it was to bring others bring', (_, leave) => {
    const bench = new Bench()
    bench.joined([[0, 300]], [], [[0, 300]])
    const wishes = leave(bench)
    expect(wishes).toContainEqual({ type: 'hangUp', member: 2 })
    expect(noted(wishes)).toContain('left')
    expect(sent(wishes, 'plan').at(-1)?.[1]).toMatchObject({
      members: [{ number: 0 }, { number: 1 }],
    })
    expect(sent(wishes, 'detour').at(-1)).toMatchObject([1, { member: 0, ranges: [[0, 300]] }])
  })

  it('at whose address another node answers is not asked', () => {
    const bench = new Bench()
    const wishes = bench.feed({ type: 'linked', member: 0, nodeId: 'other' })
    expect(toldTo(wishes, 'succeed')).toEqual([])
    expect(wishes).toContainEqual({ type: 'hangUp', member: 0 })
  })

  it('that refuses is not waited for', () => {
    const bench = new Bench()
    bench.linked(0, 2)
    bench.holds(0, all)
    const refusal = { type: 'refuse', code: 'ERR_FR_NO_TRANSFER', text: 'no plan' } as const
    expect(bench.said(2, refusal)).toContainEqual({ type: 'connect', member: 1 })
    bench.linked(1)
    expect(toldTo(bench.holds(1, []), 'plan')).toEqual([0, 1])
  })

  it.each([
    ['follows a higher term', { type: 'stale', term: { counter: 2, member: 2 }, epoch: 0 }],
    ['has ended', { type: 'failed', code: 'ERR_FR_IO', text: 'disk' }],
  ] as const)('that took over ends it where its own node %s', (_, frame) => {
    const bench = new Bench()
    bench.joined(all, [], [])
    const wishes = bench.said(1, frame as Frame)
    expect(endOf(wishes)).toMatchObject({ failure: { code: expect.stringMatching('ERR_FR_') } })
    expect(bench.machine.isEnded).toBe(true)
  })

  it('who is the last one to leave ends it', () => {
    const bench = new Bench([entryOf(0), entryOf(1)])
    const gone = { type: 'unlinked', code: 'ERR_FR_UNREACHABLE', text: '' } as const
    expect(bench.feed({ ...gone, member: 0 })).toContainEqual({ type: 'connect', member: 1 })
    expect(endOf(bench.feed({ ...gone, member: 1 }))).toMatchObject({
      failure: { code: 'ERR_FR_UNREACHABLE' },
    })
  })

  it('that closes ends it by name', () => {
    const bench = new Bench()
    bench.joined(all, [], [])
    expect(endOf(bench.feed({ type: 'stopped', text: 'the node is closing' }))).toEqual({
      type: 'end',
      failure: { code: 'ERR_FR_NODE_CLOSED', text: 'the node is closing' },
    })
  })
})
