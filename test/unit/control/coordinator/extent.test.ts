import { describe, expect, it } from 'vitest'
import { Extent } from '../../../../src/control/coordinator/extent.js'

describe('the extent of a content', () => {
  const extent = new Extent(25, 10)

  it('has what lies before its end', () => {
    expect(extent.whole).toEqual([0, 25])
    expect([extent.has([0, 25]), extent.has([24, 1]), extent.has([25, 0])]).toEqual([
      true,
      true,
      true,
    ])
    expect([extent.has([0, 26]), extent.has([25, 1])]).toEqual([false, false])
  })

  it('is cut into blocks, of which the last one is short', () => {
    const runs = [extent.hasBlocks([0, 20]), extent.hasBlocks([10, 15]), extent.hasBlocks([20, 5])]
    expect(runs).toEqual([true, true, true])
    const parts = [extent.hasBlocks([5, 5]), extent.hasBlocks([0, 15]), extent.hasBlocks([20, 10])]
    expect(parts).toEqual([false, false, false])
  })

  it('is all there where nothing is lacked', () => {
    expect([extent.isAll(24), extent.isAll(25)]).toEqual([false, true])
    expect(new Extent(0, 10).isAll(0)).toBe(true)
  })
})
