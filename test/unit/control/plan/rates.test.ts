/** What columns of a tree carry where some nodes are slower than others. */
import { describe, expect, it } from 'vitest'
import { headRates } from '../../../../src/control/dealing/strategies.js'
import { Chain } from '../../../../src/control/plan/chain.js'
import { columnRates, treeRate } from '../../../../src/control/plan/rates.js'

const groups = [
  { nodes: [0, 1, 2, 3], parent: null },
  { nodes: [4, 5, 6, 7], parent: 0 },
  { nodes: [8, 9, 10, 11], parent: 1 },
]
const links = (slow: number) =>
  new Map(
    Array.from({ length: 12 }, (_, node) => [
      node,
      { uplinkBytesPerSecond: node === slow ? 4 : 40 },
    ]),
  )

describe('rates of columns', () => {
  it('are those of their slowest places: a copy for each mate and one for the next group', () => {
    const rates = columnRates(groups, links(6)).map(({ bytesPerSecond }) => bytesPerSecond)
    expect(rates).toEqual([10, 10, 1, 10])
    expect(treeRate(columnRates(groups, links(6)))).toBe(31)
    // Nobody hangs on the last group.
    expect(treeRate(columnRates(groups, links(10)))).toBeCloseTo(30 + 4 / 3)
  })

  it('are what heads are to forward, as far as the origin and their downlinks allow', () => {
    const chain = new Chain({ shape: 'chain', groupSize: 4 })
    chain.start(Array.from({ length: 12 }, (_, node) => ({ node })))
    const rates = (origin: number, over: object[] = []) => {
      const nodes = [...links(6).values()].map((link, node) => ({ ...link, ...over[node] }))
      return [...headRates({ uplinkBytesPerSecond: origin }, nodes, chain)]
    }
    const free = [10, 10, 1, 10].map((rate, head) => [head, rate])
    expect(rates(40)).toEqual(free)
    expect(rates(15.5)).toEqual(free.map(([head, rate]) => [head, (rate as number) / 2]))
    expect(rates(40, [{ downlinkBytesPerSecond: 3 }])[0]).toEqual([0, 3])
    expect(headRates({}, [], chain).size).toBe(0)
  })
})
