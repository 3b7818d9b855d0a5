import { describe, expect, it } from 'vitest'
import { GIB, KIB, limits, MIB } from '../../../../src/base/limits.js'
import { Cuts } from '../../../../src/control/coordinator/cuts.js'

const block = 64 * KIB
const open = (bytes: number) => ({ bytes, isFinal: false })
const over = (bytes: number) => ({ bytes, isFinal: true })

describe('cuts', () => {
  it('follow a short append after a moment, one at a time', () => {
    const cuts = new Cuts()
    expect(cuts.advance(open(0), true, 0)).toEqual({})
    expect(cuts.dueMs).toBe(Number.POSITIVE_INFINITY)
    expect(cuts.advance(open(100), true, 10)).toEqual({})
    expect(cuts.dueMs).toBe(10 + limits.cutIdleMs)
    const cut = { offset: 0, length: 100, isFinal: false }
    expect(cuts.advance(open(100), true, cuts.dueMs)).toEqual({ cut })
    expect(cuts.advance(open(150), true, 20)).toEqual({})
    cuts.done(31)
    // It took 20 ms: as many times as long until the next.
    expect(cuts.advance(open(150), true, 32)).toEqual({})
    expect(cuts.dueMs).toBe(31 + limits.cutShare * 20)
    const next = { offset: 0, length: 150, isFinal: false }
    expect(cuts.advance(open(150), true, cuts.dueMs)).toEqual({ cut: next })
    cuts.done(cuts.dueMs)
    expect(cuts.advance(open(150), true, 10_000)).toEqual({})
  })

  it('are of whole blocks first, in full runs while more comes', () => {
    const cuts = new Cuts()
    expect(cuts.advance(open(20 * MIB), true, 0)).toEqual({ hashTo: 16 * MIB })
    expect(cuts.advance(open(20 * MIB), false, 5)).toEqual({})
    expect(cuts.advance(open(25 * MIB), false, 6)).toEqual({ hashTo: 24 * MIB })
    const bytes = 25 * MIB + 7
    expect(cuts.advance(open(bytes), true, 7)).toEqual({})
    expect(cuts.advance(open(bytes), true, 8)).toEqual({ hashTo: 25 * MIB })
    expect(cuts.advance(open(bytes), true, 9)).toEqual({})
    const cut = { offset: 25 * MIB, length: 7, isFinal: false }
    expect(cuts.advance(open(bytes), true, 10)).toEqual({ cut })
  })

  it('end at the border of a section', () => {
    const cuts = new Cuts()
    const border = 4 * GIB
    expect(cuts.advance(open(border + MIB), true, 0)).toEqual({ hashTo: border })
    expect(cuts.advance(open(border + MIB), true, 1)).toEqual({})
    expect(cuts.advance(open(border + MIB + 5), true, 2)).toEqual({ hashTo: border + MIB })
  })

  it('end with the last block, also where that was signed', () => {
    const cuts = new Cuts()
    expect(cuts.advance(over(2 * block), true, 0)).toEqual({ hashTo: 2 * block })
    expect(cuts.advance(over(2 * block), false, 1)).toEqual({})
    const cut = { offset: block, length: block, isFinal: true }
    expect(cuts.advance(over(2 * block), true, 2)).toEqual({ cut })
    cuts.done(3)
    expect(cuts.advance(over(2 * block), true, 100)).toEqual({})
    const short = new Cuts().advance(over(9), true, 0)
    expect(short).toEqual({ cut: { offset: 0, length: 9, isFinal: true } })
    const none = new Cuts().advance(over(0), true, 0)
    expect(none).toEqual({ cut: { offset: 0, length: 0, isFinal: true } })
  })
})
