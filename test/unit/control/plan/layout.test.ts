/** Which nodes form a group, and which group feeds which. */

import { describe, expect, it } from 'vitest'
import {
  layOut,
  type Placed,
  type SiteLink,
  type TreeWish,
} from '../../../../src/control/plan/layout.js'
import fc from '../../../support/property.js'

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
const nodesOf = (count: number, of: (node: number) => Partial<Placed> = () => ({})): Placed[] =>
  upTo(count).map((node) => ({ node, ...of(node) }))
const sizes = (nodes: readonly Placed[], wish: TreeWish): number[] =>
  layOut(nodes, wish).map((group) => group.nodes.length)
const parents = (nodes: readonly Placed[], wish: TreeWish) =>
  layOut(nodes, wish).map(({ parent }) => parent)

describe('a layout', () => {
  it('is one group up to 32 nodes, and groups of 16 for more', () => {
    expect(sizes(nodesOf(32), { shape: 'chain' })).toEqual([32])
    expect(sizes(nodesOf(33), { shape: 'chain' })).toEqual([11, 11, 11])
    expect(sizes(nodesOf(100), { shape: 'group' })).toEqual([100])
    expect(sizes(nodesOf(10), { shape: 'chain', groupSize: 4 })).toEqual([3, 4, 3])
    expect(layOut([], { shape: 'chain' })).toEqual([])
  })

  it('is a chain, a tree of two, or a binomial tree of nodes', () => {
    expect(parents(nodesOf(8), { shape: 'chain', groupSize: 2 })).toEqual([null, 0, 1, 2])
    expect(parents(nodesOf(14), { shape: 'tree', groupSize: 2 })).toEqual([null, 0, 0, 1, 1, 2, 2])
    expect(parents(nodesOf(8), { shape: 'binomial' })).toEqual([null, 0, 0, 1, 0, 1, 2, 3])
    expect(sizes(nodesOf(8), { shape: 'binomial' })).toEqual(upTo(8).map(() => 1))
  })

  it('has the fastest together in a column, the slowest in the last group', () => {
    const uplinks = [10, 80, 20, 70, 30, 60, 40, 50]
    const nodes = nodesOf(8, (node) => ({ uplinkBytesPerSecond: uplinks[node] as number }))
    const groups = layOut(nodes, { shape: 'chain', groupSize: 2 }).map((group) =>
      group.nodes.map((node) => uplinks[node]),
    )
    expect(groups).toEqual([
      [80, 40],
      [70, 30],
      [60, 20],
      [50, 10],
    ])
    const unknown = nodesOf(4, (node) => (node === 0 ? {} : { uplinkBytesPerSecond: node }))
    expect(layOut(unknown, { shape: 'chain', groupSize: 2 })[0]?.nodes).toEqual([0, 1])
  })

  it('leads through as few gateways as it can', () => {
    const sites = ['one', 'one', 'two', 'two', undefined, undefined, 'three']
    const nodes = nodesOf(7, (node) => {
      const site = sites[node]
      return site === undefined ? {} : { site, via: `gateway ${site}` }
    })
    // Those before the gateways feed each site behind one.
    const tree = layOut(nodes, { shape: 'chain', site: 'origin' })
    expect(tree.map(({ nodes }) => nodes)).toEqual([[4, 5], [0, 1], [2, 3], [6]])
    expect(tree.map(({ parent }) => parent)).toEqual([null, 0, 0, 0])
    // Where there are none, one site feeds the next.
    const behind = nodes.filter(({ site }) => site !== undefined)
    expect(parents(behind, { shape: 'chain' })).toEqual([null, 0, 1])
    // A link that is wider counts more.
    const siteLinks: SiteLink[] = [
      { sites: ['one', 'two'], bytesPerSecond: 2 },
      { sites: ['origin', 'one'], bytesPerSecond: 1 },
      { sites: ['origin', 'two'], bytesPerSecond: 1 },
    ]
    const told = layOut(behind.slice(0, 4), { shape: 'chain', site: 'origin', siteLinks })
    expect(told.map(({ parent }) => parent)).toEqual([null, 0])
  })

  it('makes groups as small as their weakest node can feed, and has those at the end', () => {
    const weak = nodesOf(20, (node) => (node === 3 ? { maxFeeds: 4 } : {}))
    const groups = layOut(weak, { shape: 'chain' })
    expect(groups.map((group) => group.nodes.length)).toEqual([16, 4])
    expect(groups[1]?.nodes).toContain(3)
    // What a node sends to the groups that its own feeds is counted, too.
    const six = nodesOf(30, () => ({ maxFeeds: 6 }))
    const largest = (wish: TreeWish): number => Math.max(...sizes(six, wish))
    expect(largest({ shape: 'chain' })).toBe(6)
    expect(largest({ shape: 'tree' })).toBe(5)
    expect(largest({ shape: 'chain', handover: 'every' })).toBe(3)
    expect(largest({ shape: 'tree', handover: 'every' })).toBe(2)
    const all = nodesOf(12, (node) => ({ maxFeeds: node < 6 ? 3 : 0 }))
    expect(sizes(all, { shape: 'chain' })).toEqual([3, 3, 1, 1, 1, 1, 1, 1])
    expect(
      sizes(
        nodesOf(6, () => ({ maxFeeds: 40 })),
        { shape: 'chain', groupSize: 3 },
      ),
    ).toEqual([3, 3])
  })

  it('feeds each site once, its own first, by the widest links there are', () => {
    const nodes = nodesOf(12, (node) => ({ site: 'abc'[node % 3] as string }))
    const siteOf = ({ nodes: [node] }: { readonly nodes: readonly number[] }) =>
      'abc'[(node as number) % 3]
    const order = (wish: Partial<TreeWish>): [string | undefined, number | null][] =>
      layOut(nodes, { shape: 'chain', ...wish }).map((group) => [siteOf(group), group.parent])
    expect(order({})).toEqual([
      ['a', null],
      ['b', 0],
      ['c', 1],
    ])
    expect(order({ site: 'c' }).map(([site]) => site)).toEqual(['c', 'a', 'b'])
    const link = (one: string, other: string, bytesPerSecond: number): SiteLink => ({
      sites: [one, other],
      bytesPerSecond,
    })
    const siteLinks = [link('a', 'b', 10), link('c', 'b', 50), link('a', 'c', 40)]
    expect(order({ siteLinks, site: 'a' })).toEqual([
      ['a', null],
      ['c', 0],
      ['b', 1],
    ])
    const star = [link('a', 'b', 50), link('c', 'b', 10), link('a', 'c', 40)]
    expect(order({ siteLinks: star, site: 'a' })).toEqual([
      ['a', null],
      ['b', 0],
      ['c', 0],
    ])
    const told = [link('a', 'b', 50), link('a', 'c', 40)]
    expect(order({ siteLinks: told, site: 'a' })).toEqual([
      ['a', null],
      ['b', 0],
      ['c', 0],
    ])
    // The coordinator is alone in its site: it feeds the one that it reaches best.
    const far = [link('x', 'b', 50), link('x', 'a', 10), link('x', 'c', 10)]
    expect(order({ siteLinks: far, site: 'x' })[0]).toEqual(['b', null])
  })

  it('feeds the next site by a group that is about as large as the largest of its site', () => {
    const nodes = nodesOf(11, (node) => ({
      site: node < 7 ? 'a' : 'b',
      ...(node === 6 && { maxFeeds: 1 }),
    }))
    const groups = layOut(nodes, { shape: 'chain', groupSize: 3, site: 'a' })
    expect(groups.map((group) => [group.nodes.length, group.parent])).toEqual([
      ...[[3, null] as const, [3, 0] as const, [1, 1] as const],
      ...[[2, 1] as const, [2, 3] as const],
    ])
  })

  it('has no group feed more than its nodes can carry while another can', () => {
    const few = (...weak: number[]) =>
      nodesOf(8, (node) => (weak.includes(node) ? { maxFeeds: 1 } : {}))
    // The first would feed three: the others feed what is one too many for it.
    expect(parents(few(0), { shape: 'binomial' })).toEqual([null, 0, 1, 1, 1, 1, 2, 3])
    // Two groups feed two other sites, and the second of them can feed only one.
    const sites = nodesOf(12, (node) => ({
      site: 'abc'[Math.floor(node / 4)] as string,
      ...([2, 3].includes(node) && { maxFeeds: 2 }),
    }))
    const siteLinks = ['b', 'c'].map((to) => ({ sites: ['a', to] as const, bytesPerSecond: 9 }))
    const wish = { shape: 'chain', groupSize: 2, site: 'a', siteLinks } as const
    expect(parents(sites, wish)).toEqual([null, 0, 1, 2, 0, 4])
  })

  it('names every node once, in groups that are fed by one before them, and spans no sites', () => {
    const node = fc.record({
      site: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
      maxFeeds: fc.option(fc.nat(40), { nil: undefined }),
      uplinkBytesPerSecond: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    })
    fc.assert(
      fc.property(
        fc.array(node, { maxLength: 80 }),
        fc.constantFrom('chain', 'tree', 'binomial'),
        fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
        (made, shape, groupSize) => {
          const nodes = made.map((one, i) => ({ ...one, node: i }) as Placed)
          const groups = layOut(nodes, { shape, groupSize })
          expect(groups.flatMap((group) => group.nodes).sort((a, b) => a - b)).toEqual(
            upTo(nodes.length),
          )
          for (const [i, group] of groups.entries()) {
            if (i === 0) expect(group.parent).toBe(null)
            else expect(group.parent).toBeLessThan(i)
            const members = group.nodes.map((at) => nodes[at] as Placed)
            expect(new Set(members.map(({ site }) => site)).size).toBe(1)
            for (const { maxFeeds = 99 } of members)
              expect(members.length).toBeLessThanOrEqual(Math.max(1, maxFeeds))
            if (groupSize !== undefined) expect(members.length).toBeLessThanOrEqual(groupSize)
          }
        },
      ),
    )
  })
})
