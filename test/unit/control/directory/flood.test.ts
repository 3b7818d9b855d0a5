/** Announcements among neighbours, without time between them. */

import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { Flood } from '../../../../src/control/directory/flood.js'
import type { Kept } from '../../../../src/control/directory/history.js'
import fc from '../../../support/property.js'
import { announcementOf, hex, startMs } from './announcements.js'

/** Nodes of which some are neighbours. Links: `a * 1000 + b` at a leads to b. */
class Graph {
  readonly floods: Flood[]
  readonly told: string[][]
  readonly records = new Map<string, Kept>()
  announces = 0
  /** To whom records went that it has announced itself. */
  toInitiator = 0
  nowMs = startMs + 1_000

  constructor(nodes: number) {
    this.floods = Array.from({ length: nodes }, () => new Flood())
    this.told = this.floods.map(() => [])
  }

  join(a: number, b: number): void {
    this.#at(a).joined(a * 1_000 + b, hex(`node ${b}`), this.nowMs)
    this.#at(b).joined(b * 1_000 + a, hex(`node ${a}`), this.nowMs)
    this.settle()
  }

  part(a: number, b: number): void {
    this.#at(a).left(a * 1_000 + b)
    this.#at(b).left(b * 1_000 + a)
    this.settle()
  }

  announce(at: number, name: string, author = hex('author', 64)): void {
    const initiator = { nodeId: hex(`node ${at}`), address: '10.0.0.1:1', site: '' }
    const kept = announcementOf({ name, initiator, author })
    this.records.set(kept.announcement.id, kept)
    this.#at(at).announce(kept, this.nowMs)
    this.settle()
  }

  later(ms: number): void {
    this.nowMs += ms
    for (const flood of this.floods) flood.due(this.nowMs)
    this.settle()
  }

  settle(): void {
    for (let isMoving = true; isMoving; ) {
      isMoving = false
      for (const [node, flood] of this.floods.entries())
        for (const wish of flood.takeWishes()) {
          isMoving = true
          if (wish.type === 'told') this.told[node]?.push(wish.announcement.name)
          if (wish.type !== 'say') continue
          const to = wish.link % 1_000
          const link = to * 1_000 + node
          const { frame } = wish
          if (frame.type === 'mate') throw new Error('never said')
          if (frame.type !== 'spread') {
            this.#at(to).said(link, frame)
            continue
          }
          this.announces += 1
          const kept = this.records.get(frame.id) as Kept
          if (kept.announcement.initiator.nodeId === hex(`node ${to}`)) this.toInitiator += 1
          if (this.#at(to).isWanted(link, frame.id, this.nowMs))
            this.#at(to).took(link, kept, this.nowMs)
        }
    }
  }

  #at(node: number): Flood {
    return this.floods[node] as Flood
  }
}

/** A ring, so that each is reached in two ways. */
function ringOf(nodes: number): Graph {
  const graph = new Graph(nodes)
  for (let i = 0; i < nodes; i++) graph.join(i, (i + 1) % nodes)
  return graph
}

describe('a flood', () => {
  it('reaches everybody once, over each edge at most once a way, and never its initiator', () => {
    const edges = fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 24 })
    fc.assert(
      fc.property(edges, fc.nat(11), (more, at) => {
        const graph = new Graph(12)
        const known = new Set<string>()
        const tree = Array.from({ length: 11 }, (_, i) => [i + 1, i >> 1] as const)
        for (const [a, b] of [...tree, ...more]) {
          const edge = [a, b].sort((x, y) => x - y).join()
          if (a !== b && !known.has(edge)) graph.join(a, b)
          if (a !== b) known.add(edge)
        }
        graph.announce(at, 'x')
        expect(graph.told).toEqual(graph.floods.map(() => ['x']))
        expect(graph.announces).toBeLessThanOrEqual(2 * known.size)
        expect(graph.toInitiator).toBe(0)
      }),
      { numRuns: 30 },
    )
  })

  it('brings who was away what it missed, each record once', () => {
    const graph = ringOf(6)
    graph.announce(0, 'before')
    for (const [a, b] of [
      [1, 2],
      [4, 5],
    ] as const)
      graph.part(a, b)
    const names = Array.from({ length: 3 * limits.wantedAtOnce }, (_, i) => `n${i}`)
    for (const [i, name] of names.entries()) graph.announce(i % 2 === 0 ? 0 : 3, name)
    expect(graph.told[2]?.length).toBeLessThan(names.length)
    const before = graph.announces
    graph.join(1, 2)
    graph.join(4, 5)
    for (const told of graph.told) expect(told.toSorted()).toEqual(['before', ...names].toSorted())
    // Each half lacks half of them, at three nodes.
    expect(graph.announces - before).toBeLessThanOrEqual(2 * 6 * names.length)
    expect(graph.toInitiator).toBe(0)
  })

  it('lets an author announce only so much, and others as before', () => {
    const graph = ringOf(3)
    for (let i = 0; i < limits.authorBurst; i++) graph.announce(0, `n${i}`)
    expect(() => graph.announce(0, 'one more')).toThrow(
      expect.objectContaining({ code: 'ERR_FR_LIMIT' }),
    )
    graph.announce(0, 'other', hex('other', 64))
    expect(graph.told[1]?.length).toBe(limits.authorBurst + 1)
    graph.nowMs += 1_000
    graph.announce(0, 'later')
    expect(graph.told[2]?.at(-1)).toBe('later')
  })

  it('drops what comes too fast, and asks for it later', () => {
    // Two of them have announced much for one author before they meet at the third.
    const graph = new Graph(3)
    const each = limits.authorBurst / 2 + 20
    for (const at of [0, 2]) for (let i = 0; i < each; i++) graph.announce(at, `${at} ${i}`)
    graph.join(0, 1)
    graph.join(1, 2)
    expect(graph.told[1]?.length).toBe(limits.authorBurst)
    expect(graph.floods[1]?.dropped).toBe(40)
    for (let i = 0; i < 3; i++) graph.later(limits.historyAskMs)
    for (const told of graph.told) expect(new Set(told).size).toBe(2 * each)
    for (const told of graph.told) expect(told.length).toBe(2 * each)
  })

  it('refuses what no node would take', () => {
    const flood = new Flood()
    const nowMs = startMs + 1_000
    flood.announce(announcementOf({ kind: 'unpublish', issuedAtMs: startMs + 5 }), nowMs)
    const stale = expect.objectContaining({ code: 'ERR_FR_STALE' })
    expect(() => flood.announce(announcementOf(), nowMs)).toThrow(stale)
    const late = announcementOf({ name: 'b', expiresAtMs: nowMs - 1 })
    expect(() => flood.announce(late, nowMs)).toThrow(stale)
    const early = announcementOf({ name: 'b', issuedAtMs: nowMs + 2 * limits.announcementAheadMs })
    expect(() => flood.announce(early, nowMs)).toThrow(stale)
  })
})
