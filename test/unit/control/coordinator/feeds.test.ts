/** To whom the coordinator opens a data connection, and when. */
import { describe, expect, it } from 'vitest'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import { Bench, block } from './origin-support.js'

const fed = (wishes: readonly OriginWish[]): number[] =>
  wishes.flatMap((wish) => (wish.type === 'feed' ? [wish.member] : []))
/** What is done about the data connection to a node. */
const types = (wishes: readonly OriginWish[], node: number): string[] =>
  wishes.flatMap((wish) => {
    const isData = wish.type === 'feed' || wish.type === 'list' || wish.type === 'sendDigests'
    return isData && wish.member === node ? [wish.type] : []
  })
const chain = (nodes: number): Bench =>
  new Bench(nodes, { shape: 'chain', groupSize: 2, retries: 0 })

describe('a data connection', () => {
  it.each(['group', 'unicast'] as const)('is opened to everybody with the link: %s', (shape) => {
    expect(fed(new Bench(4, { shape }).ready(0, 1, 2, 3))).toEqual([0, 1, 2, 3])
  })

  it('is opened to the first group alone where groups feed groups', () => {
    const bench = chain(6)
    expect(fed(bench.ready(0, 1, 2, 3, 4, 5))).toEqual([0, 1])
    expect(bench.machine.peers.map(({ phase }) => phase)).toEqual(Array(6).fill('running'))
    expect(fed(bench.hashed(0, 4))).toEqual([])
  })

  it('is opened to another node with the first thing that is sent to it, and once', () => {
    const bench = chain(6)
    bench.ready(0, 1, 2, 3, 4, 5)
    const asked = (at: number): string[] =>
      types(bench.from(4, { type: 'need', scratch: false, ranges: [[at * block, block]] }), 4)
    expect([asked(0), asked(1)]).toEqual([['feed', 'list'], ['list']])
    bench.feed({ type: 'fedOut', member: 4 })
    expect(asked(2)).toEqual(['list'])
  })

  it('is opened to whoever begins columns because a head is gone', () => {
    const bench = chain(6)
    bench.ready(0, 1, 2, 3, 4, 5)
    bench.lost(0)
    const lost = [...bench.lost(1), ...bench.hashed(0, 1), ...bench.hashed(1, 1)]
    expect(fed(lost).sort()).toEqual([2, 3])
  })

  it('that cannot be opened is tried again, as one that breaks is', () => {
    const bench = chain(6)
    bench.ready(0, 1, 2, 3, 4, 5)
    bench.from(4, { type: 'needDigests', ranges: [[0, block]] })
    bench.hashed(0, 4)
    const unfed = { type: 'unfed', member: 4, direction: 'out' } as const
    const refused = bench.feed({ ...unfed, code: 'ERR_FR_UNREACHABLE', text: 'refused' })
    const all = [0, 1, 2, 3, 4, 5]
    expect(fed([...refused, ...bench.pass(1_000, all)])).toEqual([4])
    // What it ends with otherwise the node is asked for, and then it is the reason.
    bench.feed({ ...unfed, code: 'ERR_FR_PROTOCOL', text: 'forbidden' })
    bench.pass(2_000, all)
    expect(bench.outcomes.map(({ code }) => code)).toEqual(['ERR_FR_PROTOCOL'])
  })

  it('is opened to a node that compares, before it is ready', () => {
    const bench = chain(6)
    bench.feed({ type: 'linked', member: 5, nodeId: 'id5' })
    expect(fed(bench.from(5, { type: 'claimed' }, { type: 'compares' }))).toEqual([5])
    bench.from(5, { type: 'accept', have: [] })
    expect(bench.machine.peers[5]?.phase).toBe('offered')
    bench.feed({ type: 'fedOut', member: 5 })
    expect(bench.machine.peers[5]?.phase).toBe('ready')
  })
})
