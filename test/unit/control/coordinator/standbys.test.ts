/** Who may take over, and what they are told. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { type RangePair, RangeSet } from '../../../../src/base/ranges.js'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import {
  type Frame,
  originNumber,
  type PlanFrame,
  type RosterFrame,
} from '../../../../src/control/messages/types.js'
import { NodeMachine } from '../../../../src/control/receiver/machine.js'
import { Neighbourhood } from '../../../../src/control/receiver/neighbourhood.js'
import { originId, planOf, runningPlans } from '../plans.js'
import { Bench, block } from './origin-support.js'

const told = (commands: readonly OriginWish[], type: Frame['type']) =>
  commands.flatMap((c) => (c.type === 'say' && c.frame.type === type ? [c.member] : []))

function running(nodes: number): { bench: Bench; commands: OriginWish[] } {
  const bench = new Bench(nodes)
  return { bench, commands: bench.ready(...Array(nodes).keys()) }
}

describe('standbys', () => {
  it('are the first three that take part; all others hear their numbers and no more', () => {
    const { bench, commands } = running(5)
    for (const node of [0, 4])
      expect(runningPlans(commands, node)).toMatchObject([{ standbys: [0, 1, 2] }])
    expect(told(commands, 'roster')).toEqual([0, 1, 2])
    const { roster } = bench.machine.standbys
    expect(roster?.entries.map(({ number, state }) => [number, state])).toEqual(
      [0, 1, 2, 3, 4].map((number) => [number, 'running']),
    )
  })

  it('stay what they are; who leaves is replaced, and who comes hears all', () => {
    const { bench } = running(5)
    const lost = bench.lost(1)
    expect(runningPlans(lost, 0)).toMatchObject([{ standbys: [0, 2, 3] }])
    expect(told(lost, 'roster')).toEqual([0, 2, 3])
    expect(bench.machine.standbys.roster?.entries[1]).toMatchObject({ state: 'out' })
  })

  it('hear of the deal at most every so often, in few ranges', () => {
    const { bench, commands } = running(2)
    expect(told(commands, 'deal')).toEqual([0, 1])
    const first = bench.machine.standbys.deal
    expect(first?.shares.flatMap(({ ranges }) => ranges)[0]?.[0]).toBe(0)
    bench.lost(1)
    // What it had is dealt again, and somebody new hears nothing of it too soon.
    expect(told(bench.until('sample'), 'deal')).toEqual([])
    expect(bench.machine.standbys.deal).toBe(first)
    for (bench.nowMs = limits.dealMs; bench.machine.standbys.deal === first; ) bench.until('sample')
    expect(bench.machine.standbys.deal?.epoch).toBeGreaterThan(first?.epoch ?? 0)
  })
})

describe('a node', () => {
  const config = { bytes: block, blockBytes: block, digestBytes: 2, originId, silenceMs: 15_000 }
  const { term } = planOf(1, [1])
  const roster = (epoch: number): Frame => ({ type: 'roster', term, epoch, entries: [] })
  const hearing = (standbys: number[], ...frames: Frame[]) => {
    const machine = new NodeMachine(config, 0)
    machine.handle({ type: 'prepared' }, 0)
    const all = [planOf(1, [0, 1], { standbys }), ...frames]
    return {
      machine,
      commands: all.flatMap((frame) =>
        machine.handle({ type: 'said', member: originNumber, frame }, 0),
      ),
    }
  }

  it('that is a standby keeps the newest', () => {
    const { machine, commands } = hearing([1], roster(4), roster(3), roster(5))
    expect(machine.neighbours.replica.roster).toEqual(roster(5))
    expect(told(commands as OriginWish[], 'stale')).toHaveLength(1)
  })

  it.each<Frame>([roster(1), { type: 'deal', term, epoch: 1, shares: [] }])(
    'that is none refuses a %o',
    (frame) => {
      expect(hearing([0], frame).commands.at(-1)).toMatchObject({
        type: 'end',
        failure: { code: 'ERR_FR_PROTOCOL' },
      })
    },
  )
})

it('a coordinator that is built from a roster has the next term and the same numbers', () => {
  const { bench } = running(4)
  bench.lost(3, 'ERR_FR_AUTH')
  const roster = bench.machine.standbys.roster as RosterFrame
  const next = new Bench(0, { nodeId: 'id1', succeeds: { member: 1, roster } })
  expect(next.dialled).toEqual([
    { type: 'connect', member: 0 },
    { type: 'connect', member: 2 },
  ])
  const have: RangePair[] = [[block, 3 * block]]
  const commands = [0, 2].flatMap((node) =>
    next.feed(
      { type: 'linked', member: node, nodeId: `id${node}` },
      { type: 'said', member: node, frame: { type: 'accept', have } },
      { type: 'fedOut', member: node },
    ),
  )
  const [plan] = runningPlans(commands, 2)
  expect(plan).toMatchObject({ term: { counter: 2, member: 1 }, coordinator: 1, parents: [1] })
  // The members of the old term follow it, and miss the coordinator that is gone.
  const neighbours = new Neighbourhood()
  neighbours.take(planOf(2, [0, 1, 2], { epoch: 99 }), originId)
  expect(neighbours.take(plan as PlanFrame, 'id1')).toMatchObject({ gone: [originNumber] })
  const listed = commands.flatMap((c): RangePair[] =>
    c.type === 'list' ? [[c.offset, c.length]] : [],
  )
  expect(RangeSet.of(listed)).toEqual(RangeSet.of([[0, block]]))
})
