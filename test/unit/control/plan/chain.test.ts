/** Who feeds whom in a chain of groups, whoever leaves. */

import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { Chain } from '../../../../src/control/plan/chain.js'
import { hasCycle } from '../../../../src/control/plan/check.js'
import { columnsFor, placeIn } from '../../../../src/control/plan/columns.js'
import type { Handover, Placed, TreeShape } from '../../../../src/control/plan/layout.js'
import fc from '../../../support/property.js'

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

const places = (nodes: readonly number[]): Placed[] => nodes.map((node) => ({ node }))

function started(
  nodes: number,
  groupSize: number,
  shape: TreeShape = 'chain',
  handover?: Handover,
): Chain {
  const chain = new Chain({ shape, groupSize, handover })
  chain.start(places(upTo(nodes)))
  return chain
}

const columnFrom = (chain: Chain, head: number): number => chain.columnsFrom(head)[0] as number

const columnsOf = (chain: Chain): number[] =>
  chain.heads.flatMap((head) => [...chain.columnsFrom(head)])

/** Whom a byte that this column carries reaches, along the tables of all nodes; each once. */
function reached(chain: Chain, column: number): number[] {
  const head = chain.headOf(column) as number
  const seen = new Map<number, number>([[head, 1]])
  const pass = (node: number, route: number): void => {
    for (const { member, next } of chain.routes(node).find((row) => row.route === route)?.to ??
      []) {
      seen.set(member, (seen.get(member) ?? 0) + 1)
      if (next !== 0) pass(member, next)
    }
  }
  pass(head, chain.routeOf(column))
  expect([...seen.values()].every((times) => times === 1)).toBe(true)
  return [...seen.keys()].sort((a, b) => a - b)
}

/** Whom a byte that all heads are sent, and one of them carries on, reaches; each once. */
function reachedPast(chain: Chain, past: number): number[] {
  const head = chain.headOf(past) as number
  return [...new Set(chain.heads.filter((one) => one !== head)), ...reached(chain, past)]
}

describe('a chain of groups', () => {
  it('is one group where all fit in: a route for all, and nothing past it', () => {
    const chain = started(4, 8)
    expect(chain.heads).toEqual([0, 1, 2, 3])
    expect(columnsOf(chain).map((column) => chain.routeOf(column))).toEqual([1, 1, 1, 1])
    expect(chain.pastsFrom(0)).toEqual([])
    expect(chain.routes(1)).toEqual([
      { route: 1, to: [0, 2, 3].map((member) => ({ member, next: 0 })) },
    ])
  })

  it('feeds the next group first, then mates', () => {
    const chain = started(8, 4)
    const row = chain.routes(1).find(({ route }) => route === chain.routeFrom(1))
    expect(row?.to.map(({ member }) => member)).toEqual([5, 0, 2, 3])
    expect(row?.to.map(({ next }) => next !== 0)).toEqual([true, false, false, false])
    expect(chain.neighbours(5).sort()).toEqual([1, 4, 6, 7])
  })

  it('brings what each head is dealt to everybody once, whoever leaves or joins', () => {
    const change = fc.oneof(
      fc.record({ kind: fc.constantFrom('leave', 'avoid'), at: fc.nat() }),
      fc.record({ kind: fc.constant('cut'), at: fc.nat() }),
      fc.record({ kind: fc.constant('join'), at: fc.nat() }),
    )
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 24 }),
        fc.integer({ min: 1, max: 6 }),
        fc.constantFrom('chain', 'tree', 'binomial'),
        fc.constantFrom<Handover>('corresponding', 'every'),
        fc.array(change),
        (n, k, shape, handover, changes) => {
          const chain = started(n, k, shape, handover)
          let all = upTo(n)
          const cuts: [from: number, to: number][] = []
          // What does not come through the coordinator brings (coordinator/beyond.ts).
          const brought = (column: number, nodes: readonly number[]): number[] => {
            const lost = cuts.filter(([from, to]) => chain.endsOf(column, from).includes(to))
            const unreached = lost.map(([, to]) => to).filter((to) => !nodes.includes(to))
            const all = [...nodes, ...chain.skipped(column), ...new Set(unreached)]
            return all.sort((a, b) => a - b)
          }
          for (const { kind, at } of changes) {
            const node = all[at % all.length]
            if (kind === 'join' || node === undefined) {
              chain.join({ node: all.length === 0 ? 100 : Math.max(...all) + 100 })
              all = [...all, all.length === 0 ? 100 : Math.max(...all) + 100]
            } else if (kind === 'leave') {
              chain.leave(node)
              all = all.filter((other) => other !== node)
            } else if (kind === 'avoid') chain.avoid(node)
            else {
              const [row] = chain.routes(node)
              const next = row?.to.find((target) => target.next !== 0)
              if (next === undefined) continue
              chain.cut(node, next.member)
              cuts.push([node, next.member])
            }
            const fed = all.filter((other) => !chain.isSecondary(other)).sort((a, b) => a - b)
            for (const column of columnsOf(chain))
              expect(brought(column, reached(chain, column))).toEqual(fed)
            for (const past of chain.isOne
              ? []
              : chain.heads.flatMap((one) => chain.pastsFrom(one)))
              expect(brought(past, reachedPast(chain, past))).toEqual(fed)
            for (const later of all.filter((other) => chain.isSecondary(other))) {
              expect(chain.routes(later)).toEqual([])
              expect(chain.above(later).length).toBeGreaterThan(0)
              for (const other of chain.above(later))
                expect(chain.neighbours(other)).toContain(later)
            }
            expect(chain.heads.length > 0).toBe(all.length > 0)
            expect(hasCycle(new Map(all.map((other) => [other, chain.routes(other)])))).toBe(false)
            for (const other of all)
              for (const { to } of chain.routes(other))
                for (const { member } of to) expect(chain.neighbours(other)).toContain(member)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('has as many columns as its largest group, also where the first is one node', () => {
    const chain = new Chain({ shape: 'chain' })
    const sites = ['a', 'b', 'b', 'b', 'b', 'c', 'c']
    chain.start(sites.map((site, node) => ({ node, site })))
    expect(chain.groups).toEqual([[0], [1, 2, 3, 4], [5, 6]])
    expect(chain.heads).toEqual([0])
    const columns = columnsOf(chain)
    expect(columns.map((column) => chain.entriesOf(column))).toEqual([
      [0, 1, 5],
      [0, 2, 5],
      [0, 3, 6],
      [0, 4, 6],
    ])
    for (const column of columns) expect(reached(chain, column)).toEqual(upTo(7))
    // The head of them all is gone: each goes on with a head of its own.
    chain.leave(0)
    expect(chain.heads).toEqual([1, 2, 3, 4])
    chain.leave(2)
    expect(columnsOf(chain).length).toBe(4)
    for (const column of columnsOf(chain)) expect(reached(chain, column)).toEqual([1, 3, 4, 5, 6])
  })

  it.each([
    [[4, 4], 4],
    [[6, 5, 5], 10],
    [[14, 13, 13], 26],
    [[16, 16, 15], 30],
    [[1, 4, 2], 4],
  ])('has columns that groups of %j can share evenly: %i', (sizes, count) => {
    const columns = columnsFor(sizes)
    expect(columns).toHaveLength(count)
    expect(columns.reduce((sum, { from, to }) => sum + to - from, 0)).toBeCloseTo(1)
    for (const size of sizes) {
      const carried = Array.from({ length: size }, () => 0)
      for (const span of columns) {
        const place = placeIn(span, size)
        carried[place] = (carried[place] as number) + span.to - span.from
      }
      for (const part of carried) expect(part * size).toBeLessThan(1.01)
    }
  })

  it('hands a column over to every node of the next group, which sends it to no mate', () => {
    const chain = started(9, 3, 'chain', 'every')
    const row = (node: number) =>
      chain.routes(node).find(({ route }) => route === chain.routeFrom(1))
    expect(row(1)?.to.map(({ member }) => member)).toEqual([4, 0, 2, 3, 5])
    expect(row(4)?.to.map(({ member }) => member)).toEqual([7, 6, 8])
    expect(row(7)).toBeUndefined()
    expect(chain.matesFedBy(4)).toEqual([])
    const route = chain.routeFrom(1)
    const gaps = chain.leave(4).filter(({ column }) => column === columnFrom(chain, 1))
    const missing = { column: columnFrom(chain, 1), head: 1 }
    expect(gaps).toEqual([
      { to: 7, route, ...missing },
      { to: 6, route: 0, ...missing },
      { to: 8, route: 0, ...missing },
    ])
    for (const column of columnsOf(chain))
      expect(reached(chain, column)).toEqual([0, 1, 2, 3, 5, 6, 7, 8])
  })

  it('goes on feeding the mates of a node that is gone what is on its way to them', () => {
    const chain = started(6, 3, 'chain', 'every')
    const before = chain.routeFrom(1)
    const column = columnFrom(chain, 1)
    const [, entry] = chain.entriesOf(column)
    chain.leave(entry as number)
    const rest = [3, 4, 5].filter((node) => node !== entry)
    const members = (route: number) =>
      chain.routes(1).flatMap((row) => (row.route === route ? row.to.map((to) => to.member) : []))
    expect(members(before).sort()).toEqual([0, 2, ...rest])
    expect(members(chain.routeFrom(1)).sort()).toEqual([0, 2, ...rest])
    chain.leave(rest[0] as number)
    expect(members(before).sort()).toEqual([0, 2, rest[1]])
  })

  it('fills gaps along ways on which nobody is gone', () => {
    const chain = started(8, 2)
    const [, , third, last] = chain.entriesOf(columnFrom(chain, 0)) as [
      number,
      number,
      number,
      number,
    ]
    chain.leave(last)
    const gaps = chain.leave(0).filter(({ to }) => to === third)
    expect(gaps.length).toBeGreaterThan(0)
    for (const gap of gaps) {
      const row = chain.routes(third).find(({ route }) => route === chain.routeFor(gap))
      expect(row?.to.map(({ member }) => member)).toEqual([13 - last, 9 - third])
    }
  })

  it('has a node that joins beside a group of its site, to be fed by it later', () => {
    const chain = new Chain({ shape: 'chain', groupSize: 2 })
    chain.start([0, 1, 2, 3].map((node) => ({ node, site: node < 2 ? 'a' : 'b' })))
    const routes = [0, 1, 2, 3].map((node) => chain.routes(node))
    for (const node of [4, 5]) chain.join({ node, site: 'a' })
    chain.join({ node: 6, site: 'b' })
    expect([4, 5, 6, 0].map((node) => chain.isSecondary(node))).toEqual([true, true, true, false])
    expect(chain.groups).toEqual([
      [0, 1],
      [2, 3],
    ])
    expect([chain.above(4), chain.mates(4), chain.below(1)]).toEqual([[0, 1], [5], [4, 5]])
    expect(chain.above(6)).toEqual([2, 3])
    expect([0, 1, 2, 3].map((node) => chain.routes(node))).toEqual(routes)
    for (let node = 100; node < 400; node++) chain.join({ node, site: 'a' })
    for (const node of [0, 1, 4, 100, 399])
      expect(chain.neighbours(node).length).toBeLessThan(limits.membersPerPlan / 2)
    for (let node = 100; node < 400; node++) chain.leave(node)
    // Its group is gone: the one that fed that takes its place, and at last itself.
    for (const node of [2, 3]) chain.leave(node)
    expect(chain.above(6)).toEqual([0, 1])
    for (const node of [0, 1]) chain.leave(node)
    expect(chain.isSecondary(4)).toBe(false)
    expect(chain.heads).toEqual([4, 5])
    expect(chain.above(6)).toEqual([4, 5])
  })

  it('says whom a node that leaves fed, and what passes it by has another route', () => {
    const chain = started(8, 4)
    const before = chain.routeFrom(1)
    const column = columnFrom(chain, 1)
    const gaps = chain.leave(1)
    expect(gaps).toContainEqual({ to: 5, route: before, column, head: 1 })
    expect(chain.heads).toEqual([0, 2, 3])
    const between = started(12, 4)
    const route = between.routeFrom(1)
    const onColumn = columnFrom(between, 1)
    expect(between.leave(5)).toContainEqual({ to: 9, route, column: onColumn, head: 1 })
    expect(between.routeFrom(1)).toBeGreaterThan(route)
    expect(between.entriesOf(columnFrom(between, 1))).toEqual([1, 4, 9])
  })

  it('leads no way again to whom a node does not reach, nor to whom all avoid', () => {
    const chain = started(8, 4)
    for (const to of [5, 4, 6]) chain.cut(1, to)
    expect(chain.entriesOf(columnFrom(chain, 1))).toEqual([1, 7])
    chain.cut(1, 7)
    expect(chain.skipped(columnFrom(chain, 1))).toEqual([4, 5, 6, 7])
    const quiet = started(12, 4)
    quiet.avoid(5)
    for (const to of [4, 6, 7]) quiet.cut(2, to)
    expect(quiet.skipped(columnFrom(quiet, 2))).toEqual([4, 5, 6, 7])
    expect(quiet.entriesOf(columnFrom(quiet, 2))).toEqual([2, 10])
  })

  it('carries on what all heads are sent, into the next group and not to mates', () => {
    const chain = started(8, 4)
    const [past = -1] = chain.pastsFrom(2)
    const row = (node: number) => {
      return chain.routes(node).find(({ route }) => route === chain.routeOf(past))
    }
    expect(row(2)?.to.map(({ member }) => member)).toEqual([6])
    expect(row(6)?.to.map(({ member }) => member)).toEqual([4, 5, 7])
    const route = chain.routeOf(past)
    const gaps = chain.cut(2, 6)
    const [, entry = -1] = chain.entriesOf(past)
    expect(entry).not.toBe(6)
    // Who takes its place knows who has what was lost, and passes that on along the new way.
    expect(chain.routeOf(past)).toBeGreaterThan(route)
    const gap = { to: entry, route: chain.routeOf(past), column: past, head: 2 }
    expect(gaps).toContainEqual(gap)
    expect(reachedPast(chain, past).sort()).toEqual(upTo(8))
    expect(chain.columnsOver(2)).not.toContain(past)
  })

  it('has mirrors in its first group, whom nobody feeds', () => {
    const chain = new Chain({ shape: 'chain', groupSize: 2 })
    chain.start(places(upTo(6)), new Set([4, 5]))
    expect(chain.groups).toEqual([
      [0, 1, 4, 5],
      [2, 3],
    ])
    expect(chain.heads).toEqual([0, 1, 4, 5])
    chain.join({ node: 6 }, 'mirror')
    for (const column of columnsOf(chain)) expect(reached(chain, column)).toContain(3)
    const fed = upTo(7).flatMap((node) => chain.routes(node).filter(({ route }) => route > 1))
    expect(fed.some(({ route, to }) => to.some(({ next }) => next === route))).toBe(true)
    for (const [, entry] of columnsOf(chain).map((column) => chain.entriesOf(column)))
      expect([2, 3]).toContain(entry)
  })

  it('names the ways in use in each plan, however many were before', () => {
    const chain = started(9, 3)
    for (let node = 9; node < 9 + 2 * limits.routesPerPlan; node++) {
      chain.join({ node })
      chain.leave(node)
    }
    for (const column of columnsOf(chain)) expect(reached(chain, column)).toEqual(upTo(9))
    for (const node of upTo(9))
      expect(chain.routes(node).length).toBeLessThanOrEqual(limits.routesPerPlan)
  })

  it('begins its columns anew at the second group when the first is gone', () => {
    const chain = started(6, 2)
    chain.leave(0)
    chain.leave(1)
    expect(chain.heads.sort()).toEqual([2, 3])
    for (const column of columnsOf(chain)) expect(reached(chain, column)).toEqual([2, 3, 4, 5])
  })
})
