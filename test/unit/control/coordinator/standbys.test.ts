/** Who may take over, and what they are told. */
import { describe, expect, it } from 'vitest'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import { type Frame, originNumber } from '../../../../src/control/messages/types.js'
import { NodeMachine } from '../../../../src/control/receiver/machine.js'
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
    const { roster } = bench.machine.exchange.plans.standbys
    expect(roster?.entries.map(({ number, state }) => [number, state])).toEqual(
      [0, 1, 2, 3, 4].map((number) => [number, 'running']),
    )
  })

  it('hear whose connections are sealed, as the plans say it to both ends', () => {
    const edgeOf = (): { id: string; secret: string } => ({ id: '1'.repeat(32), secret: '2' })
    for (const isSealed of [false, true]) {
      const bench = new Bench(3, { edgeOf, isSealed })
      const linked = { type: 'linked', rttMs: 0 } as const
      const said = [0, 1, 2].flatMap((member) => [
        ...bench.feed(
          { ...linked, member, nodeId: `id${member}`, ...(member === 1 && { sealed: true }) },
          { type: 'said', member, frame: { type: 'accept', have: [] } },
        ),
        ...bench.feed({ type: 'fedOut', member }),
      ])
      const sealed = new Map<string, boolean[]>()
      for (const wish of said) {
        if (wish.type !== 'say' || wish.frame.type !== 'plan') continue
        for (const { member, sealed: is = false } of wish.frame.edges) {
          const key = [wish.member, member].sort((a, b) => a - b).join()
          sealed.set(key, [...(sealed.get(key) ?? []), is])
        }
      }
      expect(sealed.get('0,2')).toEqual([isSealed, isSealed])
      expect([sealed.get('0,1'), sealed.get('1,2')]).toEqual([
        [true, true],
        [true, true],
      ])
      const { roster } = bench.machine.exchange.plans.standbys
      const told = roster?.entries.map((entry) => entry.sealed === true)
      expect(told).toEqual([isSealed, true, isSealed])
    }
  })

  it('stay what they are; who leaves is replaced, and who comes hears all', () => {
    const { bench } = running(5)
    const lost = bench.lost(1)
    expect(runningPlans(lost, 0)).toMatchObject([{ standbys: [0, 2, 3] }])
    expect(told(lost, 'roster')).toEqual([0, 2, 3])
    expect(bench.machine.exchange.plans.standbys.roster?.entries[1]).toMatchObject({ state: 'out' })
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

  it('that is none refuses a roster', () => {
    const failure = { code: 'ERR_FR_PROTOCOL' }
    expect(hearing([0], roster(1)).commands.at(-1)).toMatchObject({ type: 'end', failure })
  })
})
