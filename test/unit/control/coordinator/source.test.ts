/** What the origin decides about its own file: when it is sealed, read again, or found changed. */
import { describe, expect, it } from 'vitest'
import { limits, MIB } from '../../../../src/base/limits.js'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { progressOf } from '../plans.js'
import { digestsOf, Bench as OriginBench } from './origin-support.js'

/** As large as a task, so that every block is one. */
const block = 8 * MIB
const bytes = 3 * block

/** One node that takes part; time passes when a test says so. */
class Bench extends OriginBench {
  constructor() {
    super(1, { bytes, blockBytes: block, shape: 'unicast', retries: 0 })
    this.running()
  }

  /** Each block is a task of its own. */
  override hashed(from: number, blocks: number): OriginWish[] {
    return Array.from({ length: blocks }, (_, at) => super.hashed(from + at)).flat()
  }

  rehashed(offset: number, digests: Uint8Array): OriginWish[] {
    const length = (digests.length / 8) * block
    return this.feed({ type: 'hashed', part: 'again', offset, length, digests })
  }

  checked(isDoubtful: boolean): OriginWish[] {
    return this.feed({ type: 'sourceChecked', isDoubtful })
  }
}

const all = digestsOf(0, 1, 2)

describe('the source of a push', () => {
  it('is sealed at once where nothing leaves a doubt', () => {
    const bench = new Bench()
    expect(bench.hashed(0, 3)).toContainEqual({ type: 'checkSource' })
    expect(bench.checked(false)).toEqual([{ type: 'sum', digests: all }])
  })

  it('is read a second time where there is a doubt, and sealed when it is equal', () => {
    const bench = new Bench()
    bench.hashed(0, 3)
    expect(bench.checked(true)).toEqual(
      [0, 1, 2].map((at) => ({ type: 'hash', part: 'again', offset: at * block, length: block })),
    )
    expect(bench.rehashed(0, digestsOf(0))).toEqual([])
    expect(bench.rehashed(2 * block, digestsOf(2))).toEqual([])
    expect(bench.rehashed(block, digestsOf(1))).toEqual([{ type: 'sum', digests: all }])
    // Whatever becomes of the file from here on is nobody's matter.
    expect(bench.checked(true)).toEqual([])
  })

  it('ends the push when the second reading differs', () => {
    const bench = new Bench()
    bench.hashed(0, 3)
    bench.checked(true)
    bench.rehashed(0, digestsOf(0))
    expect(bench.rehashed(2 * block, digestsOf(7)).at(-1)).toEqual({
      type: 'end',
      failure: {
        code: 'ERR_FR_SOURCE_CHANGED',
        text: `the content near byte ${2 * block} changed while it was sent`,
      },
    })
  })

  it('is not judged before all of it has been read', () => {
    const bench = new Bench()
    bench.hashed(0, 1)
    bench.from(0, { type: 'need', scratch: true, ranges: [[0, block]] })
    expect(bench.checked(true)).toEqual([])
    bench.rehashed(0, digestsOf(0))
    expect(bench.hashed(1, 2)).toContainEqual({ type: 'checkSource' })
    expect(bench.checked(false)).toEqual([{ type: 'sum', digests: all }])
  })

  it('is read again at once where a node found blocks bad', () => {
    const bench = new Bench()
    bench.hashed(0, 2)
    const need: Frame = { type: 'need', scratch: true, ranges: [[block, block]] }
    const again = { type: 'hash', part: 'again', offset: block, length: block }
    expect(bench.from(0, need)).toContainEqual(again)
    // One look at a time.
    expect(bench.from(0, need)).not.toContainEqual(again)
    expect(bench.rehashed(block, digestsOf(1))).toEqual([])
    expect(bench.from(0, need)).toContainEqual(again)
    expect(bench.rehashed(block, digestsOf(5)).at(-1)).toMatchObject({
      failure: { code: 'ERR_FR_SOURCE_CHANGED' },
    })
  })

  it('is read again where a node found blocks bad after the second reading', () => {
    const bench = new Bench()
    bench.hashed(0, 3)
    bench.checked(true)
    for (const at of [0, 1, 2]) bench.rehashed(at * block, digestsOf(at))
    const need: Frame = { type: 'need', scratch: true, ranges: [[block, block]] }
    const again = { type: 'hash', part: 'again', offset: block, length: block }
    expect(bench.from(0, need)).toContainEqual(again)
    expect(bench.rehashed(block, digestsOf(5)).at(-1)).toMatchObject({
      failure: { code: 'ERR_FR_SOURCE_CHANGED' },
    })
  })

  it('waits for all of the second reading where a suspect is part of it', () => {
    const bench = new Bench()
    bench.hashed(0, 3)
    bench.checked(true)
    const need: Frame = { type: 'need', scratch: true, ranges: [[block, block]] }
    bench.from(0, need)
    // The suspect, then the same block as part of the whole.
    for (const at of [1, 1, 0]) expect(bench.rehashed(at * block, digestsOf(at))).toEqual([])
    expect(bench.rehashed(2 * block, digestsOf(2))).toEqual([{ type: 'sum', digests: all }])
  })

  it('a node that holds everything is given the time of the second reading', () => {
    const bench = new Bench()
    bench.hashed(0, 3)
    bench.checked(true)
    const progress = progressOf({ landedBytes: bytes, verifiedBytes: bytes })
    const pass = (ms: number): OriginWish[] => {
      const commands: OriginWish[] = []
      for (const endMs = bench.nowMs + ms; bench.nowMs < endMs; ) {
        bench.nowMs += 500
        commands.push(...bench.from(0, progress), ...bench.feed({ type: 'due' }))
      }
      return commands.filter(({ type }) => type === 'announceOutcome')
    }
    expect(pass(limits.publishMs - 1_000)).toEqual([])
    expect(bench.rehashed(0, digestsOf(0))).toEqual([])
    expect(pass(limits.publishMs - 1_000)).toEqual([])
    expect(pass(2_000)).toHaveLength(1)
  })
})
