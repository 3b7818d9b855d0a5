/** The exchange with the adaptive dealer, whose units know nothing of blocks. */
import { describe, expect, it } from 'vitest'
import { KIB, limits } from '../../../../src/base/limits.js'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { runningPlans, sampledAt } from '../plans.js'
import { block, Bench as OriginBench } from './origin-support.js'

class Bench extends OriginBench {
  /** What the machine wished when the plan was made. */
  readonly planned: OriginWish[]

  constructor(bytes: number) {
    super(3, { bytes, connectMs: limits.connectMs, retries: 0 })
    this.planned = this.ready(0, 1, 2)
  }

  report(node: number, bytes: number, backlogBytes = 0): OriginWish[] {
    const said = { landedBytes: bytes, receivedBytes: bytes, backlogBytes, behind: [] }
    return this.from(node, { type: 'backlog', atMs: this.nowMs, ...said })
  }

  /** The origin looks at its feeds, `ms` later; everyone but the silent has just reported. */
  look(ms: number, silent: readonly number[] = []): OriginWish[] {
    const commands: OriginWish[] = []
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) {
      this.nowMs += 5
      for (const { node } of this.machine.peers)
        if (!silent.includes(node)) commands.push(...this.report(node, 0))
      const feeds = this.machine.peers.map(({ node }) => {
        return { member: node, sentBytes: 0, queuedBytes: block, unackedBytes: 0 }
      })
      commands.push(...this.feed(sampledAt(this.nowMs, feeds)))
    }
    return commands
  }
}

const digestsOf = (commands: OriginWish[]) =>
  commands.flatMap((c) =>
    c.type === 'sendDigests' ? [[c.member, c.offset / block, c.length / block, c.route !== 0]] : [],
  )
const listsOf = (commands: OriginWish[]) =>
  commands.flatMap((c) =>
    c.type === 'list' ? [[c.member, c.offset, c.length, c.route !== 0]] : [],
  )
const framesOf = <T extends Frame['type']>(commands: OriginWish[], type: T) =>
  commands.flatMap((c) =>
    c.type === 'say' && c.frame.type === type
      ? [{ node: c.member, frame: c.frame as Frame & { type: T } }]
      : [],
  )

describe('OriginExchange with adaptive dealing', () => {
  it('has the feeds counted from the start on, after what is listed first', () => {
    const types = new Bench(KIB).planned.map(({ type }) => type)
    expect(types.slice(types.lastIndexOf('list') + 1)).toContain('sample')
  })

  it('has everyone open relay feeds, also who is dealt nothing at first', () => {
    const bench = new Bench(KIB)
    expect(listsOf(bench.planned)).toEqual([[0, 0, KIB, true]])
    for (const node of [0, 1, 2])
      expect(runningPlans(bench.planned, node)).toMatchObject([{ routes: [{ route: 1 }] }])
    // It pays when the one relay is lost.
    const lists = listsOf(
      bench.feed({ type: 'unlinked', member: 0, code: 'ERR_FR_NODE_LOST', text: 'reset' }),
    )
    expect(lists).toEqual([[1, 0, KIB, true]])
  })

  it('gives each run of digests to one relay, in turn', () => {
    const bench = new Bench(32 * block)
    const sent = [0, 1, 2, 3].flatMap((index) => digestsOf(bench.hashed(index)))
    expect(sent.map(([, index, blocks, relay]) => [index, blocks, relay])).toEqual(
      [0, 1, 2, 3].map((index) => [index, 1, true]),
    )
    expect(new Set(sent.slice(0, 3).map(([node]) => node))).toEqual(new Set([0, 1, 2]))
  })

  it('answers a need with the digests of whole blocks, the known ones and those to come', () => {
    const bench = new Bench(32 * block)
    bench.hashed(0)
    const ranges = [[block - 10, 20]] as const
    const now = bench.from(1, { type: 'need', scratch: false, ranges })
    expect(digestsOf(now)).toEqual([[1, 0, 1, false]])
    expect(listsOf(now)).toEqual([[1, block - 10, 20, false]])
    const later = digestsOf(bench.hashed(1, 3)).filter(([, , , relay]) => relay === false)
    expect(later).toEqual([[1, 1, 3, false]])
  })

  it('gives digests alone to who has pulled the bytes from mates', () => {
    const bench = new Bench(32 * block)
    bench.hashed(0)
    const ranges = [[block - 10, 20]] as const
    const now = bench.from(1, { type: 'needDigests', ranges })
    expect(digestsOf(now)).toEqual([[1, 0, 1, false]])
    expect(listsOf(now)).toEqual([])
    const later = digestsOf(bench.hashed(1, 3)).filter(([, , , relay]) => relay === false)
    expect(later).toEqual([[1, 1, 3, false]])
  })

  it('brings digests again also to whom the column that carries them now does not reach', () => {
    const bench = new OriginBench(12, { shape: 'chain', groupSize: 3 }).running()
    expect(digestsOf(bench.hashed(0))).toEqual([[0, 0, 1, true]])
    const code = 'ERR_FR_NODE_LOST'
    bench.from(11, { type: 'edgeLost', member: 10, incoming: true, code })
    const again = digestsOf(bench.lost(6)).filter(([node]) =>
      [0, 1, 2, 11].includes(node as number),
    )
    expect(again).toEqual([
      [1, 0, 1, true],
      [11, 0, 1, false],
    ])
  })

  it('makes good what a lost relay had forwarded: ranges to the byte, digests in blocks', () => {
    const bench = new Bench(32 * block)
    bench.hashed(0)
    bench.look(5)
    const unit = listsOf(bench.planned).find(([node]) => node === 0) as [number, number, number]
    const mine = listsOf(bench.planned).filter(([node]) => node === 0)
    const sentBytes = mine.reduce((sum, [, , length]) => sum + (length as number), 0)
    const counted = { sentBytes, queuedBytes: 0, unackedBytes: 0 }
    bench.feed(sampledAt(bench.nowMs, [{ member: 0, ...counted }]))
    bench.report(0, unit[2])
    const commands = bench.feed({
      type: 'unlinked',
      member: 0,
      code: 'ERR_FR_NODE_LOST',
      text: 'reset',
    })
    const detours = framesOf(commands, 'detour')
    expect(detours.map(({ node, frame }) => [node, frame.member, frame.why, frame.ranges])).toEqual(
      [1, 2].map((node) => [node, 0, 'broken', [[unit[1], unit[2]]]]),
    )
    expect(unit[2] % block).not.toBe(0)
    expect(digestsOf(commands)).toEqual([1, 2].map((node) => [node, 0, 1, false]))
  })

  it('tells everyone who is silent, and who is back', () => {
    const bench = new Bench(1024 * block)
    expect(framesOf(bench.look(200), 'lagging')).toEqual([])
    const gone = framesOf(bench.look(500, [2]), 'lagging')
    expect(gone.map(({ node, frame }) => [node, frame.members])).toEqual(
      [0, 1, 2].map((node) => [node, [2]]),
    )
    const back = framesOf(bench.look(100), 'lagging')
    expect(back.map(({ node, frame }) => [node, frame.members])).toEqual(
      [0, 1, 2].map((node) => [node, []]),
    )
  })
})
