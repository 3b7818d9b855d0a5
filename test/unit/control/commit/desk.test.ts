/** What a node does with decisions in which it has nothing more to do, and members are away. */
import { expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { authorBallot } from '../../../../src/control/commit/decree.js'
import { CommitDesk, nothingSettled } from '../../../../src/control/commit/desk.js'
import type { CommitFrame, Decree, Verdict } from '../../../../src/control/messages/commit.js'

const members = [0, 1, 2].map((i) => ({ nodeId: `${i}`, address: `10.0.0.${i}:7400` }))
const nothing = nothingSettled()
const idOf = (at: number): string => at.toString(16).padStart(32, '0')

function decreeOf(at: number, name = 'model'): Decree {
  const content = { name, nameIsBase64: false, fileDigest: `f${at}` }
  return { ...content, id: idOf(at), mode: 'quorum', members }
}

/** It hears of the verdict from the author, and carries it out; member 2 never does. */
function decide(desk: CommitDesk, decree: Decree, verdict: Verdict): string[] {
  const { id } = decree
  desk.said(0xffff_ffff, { type: 'decided', decree, verdict, applied: [1] }, 0)
  const writes = [1, 2].flatMap((write) => desk.handle(id, { type: 'stored', write }, 0))
  const wishes = [...writes, ...desk.handle(id, { type: 'applied' }, 0)]
  return wishes.flatMap((wish) => (wish.type === 'forget' ? [wish.id] : []))
}

const commit = (order: number): Verdict => ({ type: 'commit', order })

it('tells who is away of the newest version of a name alone, and answers about all', () => {
  const desk = new CommitDesk('0', nothing, 0)
  expect(decide(desk, decreeOf(1), commit(1))).toEqual([])
  expect(decide(desk, decreeOf(2, 'other'), commit(1))).toEqual([])
  expect(decide(desk, decreeOf(3), { type: 'abort' })).toEqual([])
  expect(decide(desk, decreeOf(4), commit(2))).toEqual([idOf(1)])
  // An older one that it hears of late.
  expect(decide(desk, decreeOf(5), commit(1))).toEqual([idOf(5)])
  expect(desk.records.map(({ decree }) => decree.id)).toEqual([2, 3, 4].map(idOf))
  const ballot: CommitFrame = {
    ...{ type: 'ballot', decree: decreeOf(1) },
    ballot: { round: 1, by: 2 },
  }
  expect(desk.said(2, ballot, 0)).toMatchObject([
    { type: 'say', member: 2, frame: { type: 'decided', verdict: commit(1), applied: [0, 1, 2] } },
  ])
})

it('takes part in new decisions however many there were while a member was away', () => {
  const desk = new CommitDesk('0', nothing, 0)
  const most = limits.commitsUntold
  const dropped: string[] = []
  for (let at = 0; at < most + 3; at++)
    dropped.push(...decide(desk, decreeOf(at, `step${at}`), commit(1)))
  expect(dropped).toEqual([0, 1, 2].map(idOf))
  expect(desk.size).toBe(most)
  // What is in doubt is no part of that.
  const prepared = decreeOf(9_999, 'next')
  expect(desk.join(prepared, 0)).toBe(true)
  expect(desk.prepared(prepared.id, 0).isTaken).toBe(true)
  for (let at = most; at < 2 * most + 1; at++)
    decide(desk, decreeOf(10_000 + at, `step${at}`), commit(2))
  expect(desk.recordOf(prepared.id)).toMatchObject({ prepared: 0, verdict: null })
  expect(desk.size).toBe(most + 1)
})

it('has no vote in what it may have forgotten, and one in what is newer', () => {
  const desk = new CommitDesk('0', nothing, 0)
  const count = limits.commitsKept + limits.commitsUntold + 2
  for (let at = 1; at <= count; at++) decide(desk, decreeOf(2 * at, `step${at}`), commit(1))
  expect(desk.settled.over.size).toBe(limits.commitsKept)
  expect(desk.settled.forgotten).toBe(idOf(4))
  const heard = (at: number): number => {
    const ballot = { round: 1, by: 2 }
    desk.said(2, { type: 'ballot', decree: decreeOf(at, 'old'), ballot }, 0)
    return desk.recordOf(idOf(at)) === undefined ? 0 : 1
  }
  expect([heard(3), heard(4), heard(5)]).toEqual([0, 0, 1])
  // Also in another process.
  const later = new CommitDesk('0', { ...desk.settled, records: desk.records }, 0)
  expect(later.said(2, ballotOf(3), 0)).toEqual([])
  expect(later.recordOf(idOf(3))).toBeUndefined()
})

function ballotOf(at: number): CommitFrame {
  return { type: 'ballot', decree: decreeOf(at, 'old'), ballot: { round: 1, by: 2 } }
}

it('goes on in another place with what it has voted and with what is there', () => {
  const desk = new CommitDesk('0', { ...nothing, orders: new Map([['text model', 7]]) }, 0)
  const [own, there, foreign] = [decreeOf(1), decreeOf(2, 'other'), decreeOf(3)]
  desk.join(own, 0)
  desk.prepared(own.id, 0)
  const blank = { prepared: null, promised: authorBallot, accepted: null, isApplied: false }
  const verdict = commit(3)
  const records = [
    { ...blank, decree: own, you: 0, verdict: null },
    { ...blank, decree: there, you: 0, verdict },
    { ...blank, decree: foreign, you: 1, verdict },
  ]
  const orders = new Map([['text other', 2]])
  const over = new Map([[idOf(9), verdict]])
  const wishes = desk.moved({ ...nothing, records, orders, over, forgotten: idOf(0) }, 0)
  expect(wishes).toEqual([{ type: 'apply', id: there.id, verdict }])
  expect(desk.records.map(({ decree }) => decree.id)).toEqual([own.id, there.id])
  expect(desk.recordOf(own.id)?.prepared).toBe(7)
  expect(desk.orderOf({ name: 'model', nameIsBase64: false })).toBe(0)
  expect(desk.settled).toEqual({ orders, placed: new Map(), over, forgotten: idOf(0) })
})

it('keeps orders of a bounded number of names, and of names of bounded length', () => {
  const full = new Map<string, number>()
  for (let at = 0; at < limits.commitNames; at++) full.set(`text name${at}`, 1)
  const long = new Map<string, number>()
  const control = '\u0001'.repeat(limits.nameBytes - 8)
  // JSON has six characters for each.
  for (let at = 0; 6 * limits.nameBytes * at < limits.commitNamesBytes; at++)
    long.set(`text ${control}${at}`, 1)
  for (const orders of [full, long]) {
    const desk = new CommitDesk('0', { ...nothing, orders }, 0)
    expect(desk.join(decreeOf(1, `new${control}`), 0)).toBe(false)
    expect(decide(desk, decreeOf(2, `new${control}`), commit(1))).toEqual([])
    expect(desk.settled.orders.size).toBe(orders.size)
    const known = [...orders.keys()][0]?.slice('text '.length) ?? ''
    expect(desk.join(decreeOf(3, known), 0)).toBe(true)
  }
})

it('knows what a decision has put in its place, and what was left by one', () => {
  const desk = new CommitDesk('0', nothing, 0)
  const name = { name: 'model', nameIsBase64: false }
  expect(desk.placedAt(name)).toBeUndefined()
  decide(desk, decreeOf(1), commit(1))
  expect(desk.placedAt(name)).toBe('f1')
  // A newer content of no decision is there.
  desk.leave(idOf(2))
  decide(desk, decreeOf(2), commit(2))
  expect([desk.orderOf(name), desk.placedAt(name)]).toEqual([2, 'f1'])
  decide(desk, decreeOf(4), commit(3))
  expect([desk.orderOf(name), desk.placedAt(name)]).toEqual([3, 'f4'])
})
