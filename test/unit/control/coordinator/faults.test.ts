/** What fails again and again: left out, named, tried again. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import { runningPlans, sampledAt } from '../plans.js'
import { block, frames, Bench as OriginBench } from './origin-support.js'

const warnings = (wishes: readonly OriginWish[]) =>
  wishes.flatMap((wish) => (wish.type === 'warn' ? [wish.text] : []))

/** Three nodes that receive, or four. */
class Bench extends OriginBench {
  constructor(strategy: 'classic' | 'adaptive' = 'classic', nodes = 3) {
    super(nodes, { strategy, bytes: 256 * block, retries: 5 })
    this.running()
  }

  relayOf(node: number) {
    return this.machine.peers[node]?.relay
  }

  /** What is held against components. */
  get faults() {
    const all = this.machine.exchange.faults.view()
    return all.map(({ kind, name, to, isFailed }) => [kind, name, to, isFailed])
  }

  /** Time passes and everybody speaks, with what has landed. */
  wait(ms: number): OriginWish[] {
    return this.pass(ms, [...this.machine.peers.keys()], () => this.nowMs)
  }
}

describe('a node that falls silent again and again', () => {
  it('is named once, rests as a relay, and is tried again', () => {
    const bench = new Bench()
    let landed = 0
    const spell = (ms: number, speaking: number[]) => bench.pass(ms, speaking, () => landed++)
    const fall = () => warnings([...spell(limits.awayMs + 500, [0, 1]), ...spell(500, [0, 1, 2])])
    const text = 'n2:1 falls silent again and again: it is given nothing to relay for a while'
    expect([fall(), fall(), fall()]).toEqual([[], [], [text]])
    expect(bench.relayOf(2)).toBe('rests')
    expect(bench.faults).toEqual([['node', 'n2:1', null, true]])
    spell(limits.failedMs, [0, 1, 2])
    expect(bench.relayOf(2)).toBe('relays')
    expect([fall(), fall(), fall()]).toEqual([[], [], []])
    expect(bench.relayOf(2)).toBe('rests')
  })
})

describe('a link that is lost', () => {
  const edgeLost = {
    type: 'edgeLost',
    member: 0,
    incoming: true,
    code: 'ERR_FR_NODE_LOST',
  } as const

  it('is left out of the plans of both ends, named, and tried again', () => {
    const bench = new Bench()
    const lost = bench.from(1, edgeLost)
    const to = [{ member: 2, next: 0 }]
    expect(runningPlans(lost, 0)).toMatchObject([{ routes: [{ route: 1, to }], avoid: [] }])
    expect(runningPlans(lost, 1)).toMatchObject([{ avoid: [0] }])
    expect(runningPlans(lost, 2)).toEqual([])
    expect(frames(lost, 1, 'detour')).toMatchObject([{ member: 0, why: 'broken' }])
    const said = 'the link from n0:1 to n1:1 fails (ERR_FR_NODE_LOST)'
    expect(warnings(lost)).toEqual([`${said}: nothing goes over it for a while`])
    expect(bench.faults).toEqual([['link', 'n0:1', 'n1:1', true]])
    expect(bench.from(1, edgeLost)).toEqual([])

    const back = bench.wait(limits.failedMs)
    const both = [1, 2].map((member) => ({ member, next: 0 }))
    expect(runningPlans(back, 0)).toMatchObject([{ routes: [{ route: 1, to: both }] }])
    expect(runningPlans(back, 1)).toMatchObject([{ avoid: [] }])
    expect(bench.faults).toEqual([['link', 'n0:1', 'n1:1', false]])

    // It is named no second time, and comes back at once where those who lost it say that it is.
    expect(warnings(bench.from(1, edgeLost))).toEqual([])
    const open = bench.from(1, { type: 'edgeBack', member: 0, incoming: true })
    expect(runningPlans(open, 0)).toMatchObject([{ routes: [{ route: 1, to: both }] }])
    expect(bench.faults).toEqual([['link', 'n0:1', 'n1:1', false]])

    // It is left alone for twice as long each time.
    expect(warnings(bench.from(1, edgeLost))).toEqual([])
    expect(runningPlans(bench.wait(4 * limits.failedMs - 100), 1)).toEqual([])
    expect(runningPlans(bench.wait(100), 1)).toMatchObject([{ avoid: [] }])
  })
})

describe('wrong blocks', () => {
  const dealtTo = (bench: Bench, wishes: readonly OriginWish[]) =>
    wishes.flatMap((wish) =>
      wish.type === 'list' && wish.route !== 0 && bench.nowMs > 0 ? [wish.member] : [],
    )

  /** As many blocks that came from node 0 were found wrong, by these nodes in turn. */
  function spoiled(bench: Bench, count: number, ...nodes: number[]): OriginWish[] {
    return Array.from({ length: count }, (_, at) => {
      const node = nodes[at % nodes.length] as number
      return bench.from(node, { type: 'bad', offset: at * block, length: block })
    }).flat()
  }

  it('that come from one relay make it rest, until it is tried again', () => {
    const bench = new Bench('classic', 4)
    expect(warnings(spoiled(bench, limits.spoiledBlocks - 1, 1, 2, 3))).toEqual([])
    const said = warnings(spoiled(bench, limits.spoiledBlocks, 1, 2, 3))
    expect(said).toEqual([
      'many wrong blocks came through n0:1, the last one between n0:1 and n1:1: ' +
        'it is given nothing to relay for a while',
    ])
    expect(bench.relayOf(0)).toBe('rests')
    bench.wait(limits.failedMs)
    expect(bench.relayOf(0)).toBe('relays')
    expect(dealtTo(bench, bench.feed(sampledAt(bench.nowMs)))).toEqual([])
  })

  it('that come over one of its links are held against that link alone', () => {
    const bench = new Bench('classic', 4)
    const said = spoiled(bench, limits.spoiledBlocks, 2)
    expect(warnings(said)).toEqual([
      'many wrong blocks came from n0:1 to n2:1: nothing goes over it for a while',
    ])
    expect(runningPlans(said, 2)).toMatchObject([{ avoid: [0] }])
    expect(bench.relayOf(0)).toBe('relays')
  })
})

describe('a disk that fails', () => {
  const failed = { type: 'failed', code: 'ERR_FR_NO_SPACE', text: 'full' } as const

  it('again and again is named, and the node not tried again for a while', () => {
    const bench = new Bench()
    const said: OriginWish[] = []
    const waits: number[] = []
    for (let attempt = 0; attempt < 3; attempt++) {
      const peer = bench.machine.peers.at(attempt === 0 ? 2 : -1)
      said.push(...bench.from(peer?.node as number, failed))
      waits.push((peer?.dueMs as number) - bench.nowMs)
      if (attempt === 2) break
      bench.wait(waits.at(-1) as number)
      bench.readyAs(bench.machine.peers.length - 1, 2)
    }
    expect(warnings(said)).toEqual([
      'the disk of n2:1 fails again and again (ERR_FR_NO_SPACE): it is not tried again for a while',
    ])
    expect(waits[1]).toBeLessThan(limits.failedMs)
    expect(waits[2]).toBe(limits.failedMs)
    expect(bench.faults).toEqual([['disk', 'n2:1', null, true]])
  })
})

it('a site fails by the links into it', () => {
  const nodes = [0, 1, 2, 3, 4].map((node) => ({
    address: `n${node}:1`,
    site: node < 3 ? 'here' : 'there',
  }))
  const bench = new OriginBench(5, { nodes }).running()
  const code = 'ERR_FR_NODE_LOST'
  const said = [0, 1, 2].flatMap((member) =>
    warnings(bench.from(3, { type: 'edgeLost', member, incoming: true, code })),
  )
  expect(said).toHaveLength(4)
  expect(said.at(-1)).toBe('links into the site there fail again and again')
})
