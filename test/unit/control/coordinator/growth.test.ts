/** What the coordinator says and wishes for while a content grows. */
import { describe, expect, it } from 'vitest'
import { KIB, limits } from '../../../../src/base/limits.js'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { progressOf } from '../plans.js'
import { Bench, completeFrame } from './origin-support.js'

const block = 64 * KIB
const one = (value: number): Uint8Array => new Uint8Array(8).fill(value)

const said = (wishes: readonly OriginWish[], type: Frame['type']): Frame[] =>
  wishes.flatMap((wish) => (wish.type === 'say' && wish.frame.type === type ? wish.frame : []))
const of = <T extends OriginWish['type']>(wishes: readonly OriginWish[], type: T) =>
  wishes.filter((wish): wish is OriginWish & { type: T } => wish.type === type)

class GrowingBench extends Bench {
  constructor(nodes = 2) {
    super(nodes, { bytes: 0, blockBytes: 'sections' })
  }

  grew(bytes: number, isFinal = false): OriginWish[] {
    return this.feed({ type: 'grew', bytes, isFinal })
  }

  after(ms: number): OriginWish[] {
    this.nowMs += ms
    return this.feed({ type: 'due' })
  }
}

describe('a content that grows', () => {
  it('is dealt as it comes, and nodes hear ahead how much may come', () => {
    const bench = new GrowingBench()
    const begun = bench.ready(0, 1)
    expect(said(begun, 'grown')).toContainEqual({ type: 'grown', bytes: limits.grownAheadBytes })
    const grown = bench.grew(1_000)
    expect(of(grown, 'list')).toMatchObject([{ offset: 0, length: 1_000 }])
    expect(said(grown, 'grown')).toEqual([])
    const half = limits.grownAheadBytes / 2
    expect(said(bench.grew(half + 1), 'grown')).toHaveLength(2)
  })

  it('has its last bytes hashed after a moment, and whole blocks as those of a file', () => {
    const bench = new GrowingBench()
    bench.ready(0, 1)
    bench.grew(block + 10)
    const idle = bench.after(limits.cutIdleMs)
    expect(of(idle, 'hash')).toMatchObject([{ part: 'file', offset: 0, length: block }])
    bench.feed({ type: 'hashed', part: 'file', offset: 0, length: block, digests: one(1) })
    const cut = { offset: block, length: 10, isFinal: false }
    expect(of(bench.after(limits.cutIdleMs), 'cut')).toMatchObject([cut])
    const made = bench.feed({ type: 'cutMade', ...cut, digests: one(2) })
    expect(of(made, 'sendDigests')).toMatchObject([{ ...cut, digests: one(2) }])
  })

  it('is complete nowhere before it has ended, and sealed as any other then', () => {
    const bench = new GrowingBench()
    bench.ready(0, 1)
    bench.grew(10)
    const end = { offset: 0, length: 10, isFinal: true }
    const ended = bench.grew(10, true)
    expect(of(ended, 'cut')).toMatchObject([end])
    expect(of(ended, 'checkSource')).toEqual([])
    const made = bench.feed({ type: 'cutMade', ...end, digests: one(3) })
    expect(of(made, 'sendDigests').map(({ member }) => member)).toEqual(
      expect.arrayContaining([0, 1]),
    )
    expect(of(made, 'checkSource')).toHaveLength(1)
    const checked = bench.feed({ type: 'sourceChecked', isDoubtful: false })
    expect(of(checked, 'sum')).toMatchObject([{ digests: one(3) }])
    const sealed = bench.feed({ type: 'summed', fileDigest: 'digest' })
    expect(said(sealed, 'seal')).toHaveLength(2)
    bench.from(0, completeFrame(10))
    expect(bench.machine.peers[0]?.phase).toBe('complete')
  })

  it('has a floor of whole blocks, which all hear of, and a lag', () => {
    const bench = new GrowingBench()
    bench.ready(0, 1)
    bench.grew(3 * block)
    bench.nowMs += 7
    bench.from(0, { type: 'reached', bytes: 2 * block + 5 })
    bench.from(1, { type: 'reached', bytes: block + 5 })
    const floors = said(bench.after(limits.floorMs), 'floor')
    expect(floors).toEqual([
      { type: 'floor', bytes: block },
      { type: 'floor', bytes: block },
    ])
    expect(bench.machine.growth?.floorBytes).toBe(block)
    expect(bench.machine.growth?.lag(1)?.behindBytes).toBe(2 * block - 5)
  })

  it('keeps nobody waiting for what is not there, and fails who says that it has it', () => {
    const bench = new GrowingBench()
    bench.ready(0, 1)
    bench.grew(block)
    for (const node of [0, 1]) bench.from(node, { type: 'reached', bytes: block })
    for (let ms = 0; ms < 2 * limits.stallMs; ms += 1_000) {
      bench.after(1_000)
      for (const node of [0, 1]) bench.from(node, progressOf({ landedBytes: block, atMs: ms }))
    }
    expect(bench.machine.peers.map(({ phase }) => phase)).toEqual(['running', 'running'])
    const beyond = bench.from(1, { type: 'reached', bytes: block + 1 })
    expect(said(beyond, 'abort')).toMatchObject([{ code: 'ERR_FR_PROTOCOL' }])
  })
})
