/** Whom nodes hear of, and when. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { OriginFact, OriginWish } from '../../../../src/control/coordinator/events.js'
import { originNumber } from '../../../../src/control/messages/types.js'
import { membersOf, planOf, progressOf } from '../plans.js'
import { Bench, type BenchOptions, block, frames } from './origin-support.js'

const bytes = 3 * block

/** Tells the machine facts at a time. */
function originOf(nodes: number, over: BenchOptions = {}) {
  const bench = new Bench(nodes, { bytes, strategy: 'classic', ...over })
  return (nowMs: number, ...events: OriginFact[]): OriginWish[] => {
    bench.nowMs = nowMs
    return bench.feed(...events)
  }
}

const opened = (node: number): OriginFact => ({ type: 'linked', member: node, nodeId: `id${node}` })
const ready = (node: number): OriginFact[] => [
  { type: 'said', member: node, frame: { type: 'accept', have: [] } },
  { type: 'fedOut', member: node },
]
const stalled = progressOf({ landedBytes: 1, receivedBytes: 1 })
/** What a node is told, without the plan that comes with its offer. */
const plans = (commands: OriginWish[], node: number): unknown[] =>
  frames(commands, node, 'plan').flatMap((frame) => {
    const { phase, members } = frame
    const nodes = members.flatMap(({ number }) => (number === originNumber ? [] : [number]))
    return phase === 'forming' && nodes.length === 1 ? [] : [[phase, ...nodes]]
  })

describe('the origin introduces', () => {
  it('itself with the offer: who the node is, and who coordinates', () => {
    const [plan] = frames(originOf(3)(0, opened(1)), 1, 'plan')
    expect(plan).toMatchObject({ you: 1, phase: 'forming', routes: [], parents: [originNumber] })
    expect(plan).toMatchObject({ members: membersOf(1), coordinator: originNumber })
  })

  it('mates with the plan, and not before', () => {
    const tell = originOf(3)
    const early = tell(0, opened(0), opened(2), opened(1), ...ready(0), ...ready(1))
    for (const node of [0, 1, 2]) expect(plans(early, node)).toEqual([])
    const later = tell(0, ...ready(2))
    expect(plans(later, 0)).toEqual([['running', 0, 1, 2]])
    expect(frames(later, 0, 'plan')).toMatchObject([
      planOf(0, [0, 1, 2], { epoch: 4, reportMs: limits.sameReportMs, standbys: [0, 1, 2] }),
    ])
  })

  it('those who are left, under the numbers that they keep', () => {
    const tell = originOf(3)
    tell(0, opened(0), opened(2))
    const text = 'refused'
    tell(0, { type: 'unlinked', member: 1, code: 'ERR_FR_UNREACHABLE', text })
    expect(plans(tell(0, ...ready(0), ...ready(2)), 2)).toEqual([['running', 0, 2]])
  })

  it('nobody who is not ready: the next plan does', () => {
    const tell = originOf(3)
    tell(0, opened(0), ...ready(0), opened(2), ...ready(2))
    const planned = tell(limits.readyMs, { type: 'due' })
    const later = tell(limits.readyMs, opened(1))
    expect(plans([...planned, ...later], 0)).toEqual([['running', 0, 2]])
    expect(plans(later, 1)).toEqual([])
  })
})

describe('plans', () => {
  it('of all that changes at once are one for each node', () => {
    const tell = originOf(4)
    tell(0, ...[0, 1, 2, 3].map(opened), ...[0, 1, 2, 3].flatMap(ready))
    const silent = limits.silenceMs + 1
    for (let ms = 500; ms < silent; ms += 500)
      for (const node of [0, 1]) tell(ms, { type: 'said', member: node, frame: stalled })
    const lost = tell(silent, { type: 'due' })
    expect(plans(lost, 0)).toEqual([['running', 0, 1]])
    expect(frames(lost, 0, 'detour')).toMatchObject([{ member: 2 }, { member: 3 }])
  })

  it('give each pair of ends what they prove themselves by once', () => {
    const tell = originOf(3, {
      edgeOf: (a, b) => ({ id: `${Math.min(a, b)} ${Math.max(a, b)}`, secret: 's' }),
    })
    const edges = [0, 1, 2]
      .map(opened)
      .concat([0, 1, 2].flatMap(ready))
      .flatMap((event) =>
        frames(tell(0, event), 1, 'plan').map((plan) => plan.edges.map(({ id }) => id)),
      )
    expect(edges).toEqual([[`1 ${originNumber}`], ['0 1', '1 2']])
  })
})
