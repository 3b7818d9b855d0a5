/** Who feeds whom in a chain of groups, whoever leaves. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { Chain } from '../../../../src/control/plan/chain.js'
import { hasCycle } from '../../../../src/control/plan/check.js'

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

function started(nodes: number, size: number): Chain {
  const chain = new Chain(size)
  chain.start(upTo(nodes))
  return chain
}

/** Whom a byte that this head is dealt reaches, along the tables of all nodes; each once. */
function reached(chain: Chain, head: number): number[] {
  const seen = new Map<number, number>([[head, 1]])
  const pass = (node: number, route: number): void => {
    for (const { member, next } of chain.routes(node).find((row) => row.route === route)?.to ??
      []) {
      seen.set(member, (seen.get(member) ?? 0) + 1)
      if (next !== 0) pass(member, next)
    }
  }
  pass(head, chain.routeOf(head))
  expect([...seen.values()].every((times) => times === 1)).toBe(true)
  return [...seen.keys()].sort((a, b) => a - b)
}

/** Whom a byte that all heads and those whom nobody feeds are sent reaches; each once. */
function reachedPastColumns(chain: Chain): number[] {
  const seen: number[] = []
  const pass = (node: number): void => {
    seen.push(node)
    const row = chain.routes(node).find(({ route }) => route === chain.spreadRoute)
    for (const { member } of row?.to ?? []) pass(member)
  }
  for (const node of [...chain.heads, ...chain.unspread]) pass(node)
  return seen.sort((a, b) => a - b)
}

describe('a chain of groups', () => {
  it('is one group where all fit in: a route for all, and nothing past it', () => {
    const chain = started(4, 8)
    expect(chain.heads).toEqual([0, 1, 2, 3])
    expect(chain.heads.map((head) => chain.routeOf(head))).toEqual([1, 1, 1, 1])
    expect(chain.spreadRoute).toBe(0)
    expect(chain.routes(1)).toEqual([
      { route: 1, to: [0, 2, 3].map((member) => ({ member, next: 0 })) },
    ])
  })

  it('feeds the next group first, then mates', () => {
    const chain = started(8, 4)
    const row = chain.routes(1).find(({ route }) => route === chain.routeOf(1))
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
        fc.array(change),
        (n, k, changes) => {
          const chain = started(n, k)
          let all = upTo(n)
          for (const { kind, at } of changes) {
            const node = all[at % all.length]
            if (kind === 'join' || node === undefined) {
              chain.join(all.length === 0 ? 100 : Math.max(...all) + 100)
              all = [...all, all.length === 0 ? 100 : Math.max(...all) + 100]
            } else if (kind === 'leave') {
              chain.leave(node)
              all = all.filter((other) => other !== node)
            } else if (kind === 'avoid') chain.avoid(node)
            else {
              const [head = -1] = chain.headsAt(node)
              const column = chain.columnOf(head)
              const next = column[column.indexOf(node) + 1]
              if (next !== undefined) chain.cut(node, next)
            }
            for (const head of chain.heads)
              expect(
                [...reached(chain, head), ...chain.skipped(head)].sort((a, b) => a - b),
              ).toEqual([...all].sort((a, b) => a - b))
            if (!chain.isOne)
              expect(reachedPastColumns(chain)).toEqual([...all].sort((a, b) => a - b))
            expect(chain.heads.length > 0).toBe(all.length > 0)
            expect(hasCycle(new Map(all.map((other) => [other, chain.routes(other)])))).toBe(false)
            for (const other of all)
              for (const { to } of chain.routes(other))
                for (const { member } of to) expect(chain.neighbours(other)).toContain(member)
          }
        },
      ),
    )
  })

  it('says whom a node that leaves fed, and what passes it by has another route', () => {
    const chain = started(8, 4)
    const before = chain.routeOf(1)
    const { gaps } = chain.leave(1)
    expect(gaps).toContainEqual({ to: 5, route: before, head: 1 })
    expect(chain.heads).toEqual([0, 2, 3])
    const between = started(12, 4)
    const route = between.routeOf(1)
    expect(between.leave(5).gaps).toContainEqual({ to: 9, route, head: 1 })
    expect(between.routeOf(1)).toBeGreaterThan(route)
    expect(between.columnOf(1)).toEqual([1, 4, 9])
  })

  it('leads no way again to whom a node does not reach, nor to whom all avoid', () => {
    const chain = started(8, 4)
    for (const to of [5, 4, 6]) chain.cut(1, to)
    expect(chain.columnOf(1)).toEqual([1, 7])
    chain.cut(1, 7)
    expect(chain.skipped(1)).toEqual([4, 5, 6, 7])
    const quiet = started(12, 4)
    quiet.avoid(5)
    for (const to of [4, 6, 7]) quiet.cut(2, to)
    expect(quiet.skipped(2)).toEqual([4, 5, 6, 7])
    expect(quiet.columnOf(2)).toEqual([2, 10])
  })

  it('feeds past the columns those whom one node of the group before does not reach', () => {
    const chain = started(8, 4)
    const route = chain.spreadRoute
    expect(chain.cut(2, 6).gaps).toContainEqual({ to: 6, route, head: null })
    for (const from of [0, 1, 3]) chain.cut(from, 6)
    expect(chain.spreadRoute).toBeGreaterThan(route)
    expect(reachedPastColumns(chain)).toEqual(upTo(8))
    expect(chain.unspread).toEqual([])
    for (const from of [4, 5, 7]) chain.cut(from, 6)
    expect(chain.unspread).toEqual([6])
  })

  it('has mirrors in its first group, whom nobody feeds', () => {
    const chain = new Chain(2)
    chain.start([0, 1, 2, 3, 4, 5], new Set([4, 5]))
    expect(chain.groups).toEqual([
      [0, 1, 4, 5],
      [2, 3],
    ])
    expect(chain.heads).toEqual([0, 1, 4, 5])
    chain.join(6, true)
    for (const head of chain.heads) expect(reached(chain, head)).toContain(3)
    const fed = upTo(7).flatMap((node) => chain.routes(node).filter(({ route }) => route > 1))
    expect(fed.some(({ route, to }) => to.some(({ next }) => next === route))).toBe(true)
    for (const [, column] of chain.heads.map((head) => chain.columnOf(head)))
      expect([2, 3]).toContain(column)
  })

  it('names the ways in use in each plan, however many were before', () => {
    const chain = started(9, 3)
    for (let node = 9; node < 9 + 2 * limits.routesPerPlan; node++) {
      chain.join(node)
      chain.leave(node)
    }
    for (const head of chain.heads) expect(reached(chain, head)).toEqual(upTo(9))
    for (const node of upTo(9))
      expect(chain.routes(node).length).toBeLessThanOrEqual(limits.routesPerPlan)
  })

  it('begins its columns anew at the second group when the first is gone', () => {
    const chain = started(6, 2)
    chain.leave(0)
    expect(chain.leave(1).begun).toEqual([2, 3])
    expect(chain.heads).toEqual([2, 3])
  })
})
