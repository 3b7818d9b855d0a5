/** Groups whose reports a leader sums, as the coordinator has them. */
import { describe, expect, it } from 'vitest'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import {
  type Frame,
  originNumber,
  type ProgressFrame,
} from '../../../../src/control/messages/types.js'
import { progressOf, runningPlans } from '../plans.js'
import { Bench } from './origin-support.js'

/** Three groups of three. */
function chain(): { bench: Bench; plans: OriginWish[] } {
  const bench = new Bench(9, { shape: 'chain', groupSize: 3 })
  return { bench, plans: bench.ready(...Array(9).keys()) }
}

const reportTo = (plans: readonly OriginWish[], node: number): number | undefined =>
  runningPlans(plans, node).at(-1)?.reportTo

const reports = (atMs: number, ...members: number[]): Frame => ({
  type: 'reports',
  of: members.map((member) => {
    const progress = progressOf({ atMs, landedBytes: atMs, receivedBytes: atMs })
    return { member, progress: progress as Frame & { type: 'progress' }, backlog: null }
  }),
})

/** Time passes; the first group speaks for itself, and these frames come each 100 ms. */
function pass(bench: Bench, ms: number, frames: (atMs: number) => [number, Frame][]): OriginWish[] {
  const wishes: OriginWish[] = []
  for (const endMs = bench.nowMs + ms; bench.nowMs < endMs; ) {
    bench.nowMs += 100
    for (const node of [0, 1, 2])
      wishes.push(...bench.from(node, progressOf({ atMs: bench.nowMs, landedBytes: bench.nowMs })))
    for (const [node, frame] of frames(bench.nowMs)) wishes.push(...bench.from(node, frame))
    wishes.push(...bench.feed({ type: 'due' }))
  }
  return wishes
}

const bothGroups = (atMs: number): [number, Frame][] => [
  [3, reports(atMs, 3, 4, 5)],
  [6, reports(atMs, 6, 7, 8)],
]

describe('a leader', () => {
  it('sums for its group; the first group and leaders report for themselves', () => {
    const { plans } = chain()
    expect([...Array(9).keys()].map((node) => reportTo(plans, node))).toEqual([
      ...[originNumber, originNumber, originNumber],
      ...[originNumber, 3, 3],
      ...[originNumber, 6, 6],
    ])
    const one = new Bench(4)
    const told = one.ready(0, 1, 2, 3)
    expect([0, 1, 2, 3].map((node) => reportTo(told, node))).toEqual(Array(4).fill(originNumber))
  })

  it('keeps its mates alive by their words, and what they say counts as theirs', () => {
    const { bench } = chain()
    pass(bench, 5_000, bothGroups)
    const { peers } = bench.machine
    expect(peers.map(({ presence }) => presence)).toEqual(Array(9).fill('alive'))
    expect(peers.map(({ counts }) => counts.landedBytes)).toEqual(Array(9).fill(bench.nowMs))
  })

  it('that says nothing is replaced, before anybody is suspected', () => {
    const { bench } = chain()
    pass(bench, 1_000, bothGroups)
    const plans: OriginWish[] = []
    // Its mates are linked to it and say nothing elsewhere until they are told.
    for (let i = 0; i < 9 && reportTo(plans, 5) === undefined; i++)
      plans.push(...pass(bench, 100, (atMs) => [[6, reports(atMs, 6, 7, 8)]]))
    expect([3, 4, 5].map((node) => reportTo(plans, node))).toEqual([4, originNumber, 4])
    expect(bench.machine.peers.map(({ presence }) => presence)).toEqual(Array(9).fill('alive'))
    const after = pass(bench, 4_000, (atMs) => [
      [4, reports(atMs, 4, 5)],
      [6, reports(atMs, 6, 7, 8)],
    ])
    // It alone is silent.
    const away = bench.machine.peers.filter(({ presence }) => presence !== 'alive')
    expect(away.map(({ node }) => node)).toEqual([3])
    expect(runningPlans(after, 6).at(-1)?.reportTo ?? originNumber).toBe(originNumber)
  })

  it('that says nothing of a mate leads it no longer, before that is suspected', () => {
    const { bench } = chain()
    const { peers } = bench.machine
    pass(bench, 1_000, bothGroups)
    const plans: OriginWish[] = []
    const cut = (atMs: number): [number, Frame][] => [
      [3, reports(atMs, 3, 4)],
      [6, reports(atMs, 6, 7, 8)],
    ]
    for (let i = 0; i < 9 && reportTo(plans, 5) === undefined; i++)
      plans.push(...pass(bench, 100, cut))
    expect([3, 4, 5].map((node) => reportTo(plans, node))).toEqual([
      ...[undefined, undefined, originNumber],
    ])
    expect(peers.map(({ presence }) => presence)).toEqual(Array(9).fill('alive'))
    // Its own link is whole.
    const own = (atMs: number): [number, Frame] => {
      return [5, progressOf({ atMs, landedBytes: atMs, receivedBytes: atMs })]
    }
    const later = pass(bench, 20_000, (atMs) => [...cut(atMs), own(atMs)])
    expect(peers.map(({ phase }) => phase)).toEqual(Array(9).fill('running'))
    expect(peers.map(({ presence }) => presence)).toEqual(Array(9).fill('alive'))
    expect([3, 4, 5].flatMap((node) => runningPlans(later, node))).toEqual([])
    // Another leader may reach it.
    expect(reportTo(bench.lost(3, 'ERR_FR_AUTH'), 5)).toBe(4)
  })

  it('that has just been named and says nothing hides nobody until it is away', () => {
    const { bench } = chain()
    pass(bench, 1_000, bothGroups)
    bench.lost(3, 'ERR_FR_AUTH')
    const second = (atMs: number): [number, Frame][] => [[6, reports(atMs, 6, 7, 8)]]
    const plans: OriginWish[] = []
    for (let i = 0; i < 19 && reportTo(plans, 5) === undefined; i++)
      plans.push(...pass(bench, 100, second))
    expect(reportTo(plans, 5)).toBe(originNumber)
    expect(bench.machine.peers[5]?.presence).not.toBe('away')
  })

  it('that dies is replaced at once', () => {
    const { bench } = chain()
    pass(bench, 1_000, bothGroups)
    const plans = bench.lost(3, 'ERR_FR_AUTH')
    expect([4, 5].map((node) => reportTo(plans, node))).toEqual([originNumber, 4])
    expect(bench.outcomes.map(({ node }) => node)).toEqual(['n3:1'])
  })

  it('adds nothing of other groups, of those that are out, and nothing that cannot be', () => {
    const { bench } = chain()
    const landed = (node: number) => bench.machine.peers[node]?.counts.landedBytes
    bench.lost(8, 'ERR_FR_AUTH')
    bench.from(6, reports(1, 6, 7, 8, 99, 3))
    expect([6, 7, 3].map((node) => bench.machine.peers[node]?.phase)).toEqual(
      Array(3).fill('running'),
    )
    expect(landed(3)).toBe(0)
    const possible = progressOf({ atMs: 9, landedBytes: 7, receivedBytes: 7 }) as ProgressFrame
    const impossible = progressOf({ atMs: 9, landedBytes: 1, receivedBytes: 0, duplicateBytes: 5 })
    bench.from(6, {
      type: 'reports',
      of: [{ member: 7, progress: impossible as ProgressFrame, backlog: null }],
    })
    expect(bench.machine.peers[7]?.phase).toBe('running')
    // Who never led speaks for itself alone.
    bench.from(4, {
      type: 'reports',
      of: [{ member: 5, progress: possible, backlog: null }],
    })
    expect(landed(5)).toBe(0)
  })

  it('adds nothing where newer words came another way', () => {
    const { bench } = chain()
    const landed = () => bench.machine.peers[4]?.counts.landedBytes
    bench.from(4, progressOf({ atMs: 20, landedBytes: 20, receivedBytes: 20 }))
    bench.from(3, reports(10, 4))
    expect(landed()).toBe(20)
    bench.from(3, reports(30, 4))
    expect(landed()).toBe(30)
  })

  it('that says a time to come for a mate does not make its own words old', () => {
    const { bench } = chain()
    const landed = () => bench.machine.peers[4]?.counts.landedBytes
    const ahead = progressOf({ atMs: 1e12, landedBytes: 1, receivedBytes: 1 }) as ProgressFrame
    bench.from(3, { type: 'reports', of: [{ member: 4, progress: ahead, backlog: null }] })
    bench.from(4, progressOf({ atMs: 20, landedBytes: 20, receivedBytes: 20 }))
    expect(landed()).toBe(20)
    bench.from(3, reports(30, 4))
    expect(landed()).toBe(30)
  })
})
