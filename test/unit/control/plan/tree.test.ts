/** Which nodes are too slow for the groups of a push, and how long that takes. */
import { describe, expect, it } from 'vitest'
import { Chain } from '../../../../src/control/plan/chain.js'
import { forecastTree } from '../../../../src/control/plan/forecast.js'
import type { Placed, TreeWish } from '../../../../src/control/plan/layout.js'
import { planTree } from '../../../../src/control/plan/tree.js'

const usual = 100_000_000
const bytes = 100_000_000
const origin = { uplinkBytesPerSecond: usual }
const wish: TreeWish = { shape: 'chain', groupSize: 4, load: { bytes, origin } }

function nodesOf(count: number, slow: readonly number[], over: Partial<Placed>): Placed[] {
  return Array.from({ length: count }, (_, node) => ({
    node,
    ...{ uplinkBytesPerSecond: usual, downlinkBytesPerSecond: usual },
    ...(slow.includes(node) && over),
  }))
}

const downTenth = { downlinkBytesPerSecond: usual / 10 }
const huge: Partial<TreeWish> = { load: { bytes: 100 * bytes, origin } }
const unknown = (count: number): Placed[] =>
  Array.from({ length: count }, (_, i) => ({ node: i + 2 }))

const namesOf = (nodes: readonly Placed[], over: Partial<TreeWish> = {}): number[] =>
  planTree(nodes, { ...wish, ...over }).slow.map(({ node }) => node)

describe('nodes that are too slow for the tree', () => {
  const slow = [3, 9]
  const tenth = { uplinkBytesPerSecond: usual / 10 }

  it('are beside it, fed by groups of their own', () => {
    const nodes = nodesOf(24, slow, tenth)
    const { groups, slow: beside } = planTree(nodes, wish)
    expect(groups.flatMap((group) => group.nodes)).toHaveLength(22)
    const rates = { bytesPerSecond: usual / 10, chainBytesPerSecond: usual }
    expect(beside).toEqual(slow.map((node) => ({ node, ...rates })))
    const chain = new Chain(wish)
    chain.start(nodes)
    expect(slow.map((node) => [chain.isSecondary(node), chain.mates(node)])).toEqual([
      [true, []],
      [true, []],
    ])
    const above = slow.map((node) => chain.above(node))
    for (const [i, node] of slow.entries()) {
      expect(above[i]?.length).toBeGreaterThan(2)
      for (const holder of above[i] ?? []) expect(chain.below(holder)).toEqual([node])
    }
    expect(above[0]).not.toEqual(above[1])
  })

  it.each<[string, number[]]>([
    ['one group', namesOf(nodesOf(24, slow, tenth), { groupSize: 32 })],
    ['no load that is known', namesOf(nodesOf(24, slow, tenth), { load: undefined })],
    ['half the rate', namesOf(nodesOf(24, slow, { uplinkBytesPerSecond: usual / 2 }))],
    ['no rate of the others', namesOf([...nodesOf(2, [0, 1], tenth), ...unknown(22)])],
    ['a downlink that takes longer in any case', namesOf(nodesOf(24, slow, downTenth))],
    ['so much to send that the others lose little', namesOf(nodesOf(24, slow, tenth), huge)],
    ['a site of its own', namesOf(nodesOf(24, slow, { ...tenth, site: 'far' }))],
  ])('are none with %s', (_, names) => expect(names).toEqual([]))

  it('are counted in the forecast, which is never later for them', () => {
    const links = (over: Partial<Placed>) =>
      nodesOf(24, slow, over).map(({ node, ...link }) => ({ ...link, address: `h${node}:1` }))
    const even = forecastTree(bytes, origin, links({}), wish).predictedSeconds as number
    const { predictedSeconds } = forecastTree(bytes, origin, links(tenth), wish)
    expect(even).toBeCloseTo(1, 1)
    expect(predictedSeconds).toBeGreaterThan(even + 0.95)
    // What a column of a tenth of the rate was dealt ahead takes 0.15 s x 9, and the rest its time.
    expect(predictedSeconds).toBeLessThan(1.3 + 1.35)
  })
})
