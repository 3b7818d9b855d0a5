/**
 * How near to the bound the rules come, over a grid: rates from 1 Mbit/s to 25 Gbit/s, files of 1
 * to 60 s at the bound, 2 to 64 nodes, uplinks of many kinds. What is allowed is a share of the
 * bound and a time: at the start nobody knows any rate, in the end the last queue has to drain, and
 * both take as long whatever is sent. A rule that only fits one network fails here.
 */
import { describe, expect, it } from 'vitest'
import { Random } from '../../../../src/sim/random.js'
import { adaptiveDealer } from './dealers.js'
import { bestRate, type DealingNet, type DealingResult, DealingRun } from './dealing-run.js'

const mbit = 125
const rates = [1, 10, 50, 200, 1_000, 10_000, 25_000]

type Links = Omit<DealingNet, 'bytes'>
type Kind = (nodes: number, rate: number, seed: number) => Links

const many = (nodes: number, up: number, down: number) =>
  Array.from({ length: nodes }, () => ({ up, down }))

/** `rate`: the bound, in bytes per millisecond. */
const kinds = {
  equal: (nodes, rate) => ({ originUp: rate, nodes: many(nodes, rate, rate) }),
  mixed: (nodes, rate) => ({
    originUp: rate,
    nodes: many(nodes, 0, 2 * rate).map((node, i) => ({
      ...node,
      up: rate * ([2, 1, 0.5, 0.25][Math.floor((i * 4) / nodes)] as number),
    })),
  }),
  /** Over a decade; all together they have 3 % more than is needed. */
  random: (nodes, rate, seed) => {
    const random = new Random(seed)
    const parts = Array.from({ length: nodes }, () => 10 ** random.between(-1, 0))
    const sum = parts.reduce((total, part) => total + part, 0)
    const links = parts.map((part) => ({ up: (part * 1.03 * rate * (nodes - 1)) / sum }))
    return { originUp: rate, nodes: links.map((link) => ({ ...link, down: 3 * rate })) }
  },
  /** The origin has more than relays can take. */
  relays: (nodes, rate) => ({
    originUp: (4 / 1.5) * rate,
    nodes: many(nodes, rate * (1 - 4 / 1.5 / nodes), 2 * rate),
  }),
  slow: (nodes, rate) => ({
    originUp: rate,
    nodes: many(nodes, 1.3 * rate, 1.5 * rate).map((node, i) =>
      i === nodes - 1 ? { ...node, up: rate / 10 } : node,
    ),
  }),
  /** As slow, but of a relay that passes on next to nothing. */
  crawling: (nodes, rate) => ({
    originUp: rate,
    nodes: many(nodes, 1.3 * rate, 1.5 * rate).map((node, i) =>
      i === nodes - 1 ? { ...node, up: rate / 1000 } : node,
    ),
  }),
  /** Receivers are the limit. */
  downlinks: (nodes, rate) => ({ originUp: 3 * rate, nodes: many(nodes, 3 * rate, rate) }),
  /** One processor, or one switch, that every byte of everybody passes. */
  shared: (nodes, rate) => ({
    originUp: 1e12,
    nodes: many(nodes, 1e12, 1e12),
    shared: rate * nodes,
  }),
} satisfies Record<string, Kind>

type KindName = keyof typeof kinds

const weathers = {
  fair: { isFair: true },
  /** Feeds of one sender get unequal shares. */
  uneven: {},
  busy: { lateMs: [5, 40] },
  /** Processes that hardly get a turn. */
  starved: { lateMs: [20, 250] },
} as const satisfies Record<string, Partial<DealingNet>>

interface Cell {
  readonly kind: KindName
  readonly weather: keyof typeof weathers
  readonly nodes: number
  readonly seconds: number
  readonly mbits: number
}

function run({ kind, weather, nodes, seconds, mbits }: Cell, seed = 3): DealingResult {
  const links = kinds[kind](nodes, mbits * mbit, seed)
  const bytes = Math.round(seconds * 1000 * bestRate({ ...links, bytes: 0 }))
  return new DealingRun(
    { ...links, ...weathers[weather], bytes, seed },
    adaptiveDealer(bytes),
  ).run()
}

/** Cells that take longer than a share of the bound and so many milliseconds. */
function tooSlow(cells: readonly Cell[], share: number, ms: number): string[] {
  return cells.flatMap((cell) => {
    const boundMs = cell.seconds * 1000
    const result = run(cell)
    if (result.ms <= boundMs * share + ms) return []
    return [`${Object.values(cell).join(' ')}: ${result.ratio.toFixed(3)}`]
  })
}

function cells(over: { readonly [Key in keyof Cell]: readonly Cell[Key][] }): Cell[] {
  const list: Cell[] = []
  for (const kind of over.kind)
    for (const weather of over.weather)
      for (const nodes of over.nodes)
        for (const seconds of over.seconds)
          for (const mbits of over.mbits) list.push({ kind, weather, nodes, seconds, mbits })
  return list
}

/** Each of these rates in another weather, in turns. */
function mixedWeather(over: Omit<Cell, 'weather' | 'mbits'>, mbits: readonly number[]): Cell[] {
  const weather = ['fair', 'uneven', 'busy'] as const
  return mbits.map((each, i) => ({ ...over, weather: weather[i % 3] as 'fair', mbits: each }))
}

describe('adaptive dealing comes near to the bound', () => {
  it.each([
    ['equal', 1.015, 150],
    ['mixed', 1.015, 200],
    ['random', 1.015, 250],
    ['slow', 1.015, 150],
    ['crawling', 1.015, 250],
    ['relays', 1.02, 350],
    ['downlinks', 1.01, 100],
    ['shared', 1.01, 100],
  ] as const)('%s links at any rate from 10 Mbit/s', (kind, share, ms) => {
    const over = { kind, nodes: 8, seconds: 5 }
    expect(tooSlow(mixedWeather(over, rates.slice(1)), share, ms)).toEqual([])
  })

  // A page is a quarter of a second of such a relay.
  it('at 1 Mbit/s', () => {
    const over = { nodes: [8], weather: ['uneven', 'busy'], mbits: [1], seconds: [5] } as const
    const kind = ['equal', 'mixed', 'random', 'slow', 'downlinks', 'shared'] as const
    expect(tooSlow(cells({ ...over, kind }), 1.15, 0)).toEqual([])
    expect(tooSlow(cells({ ...over, kind: ['relays'] }), 1.35, 0)).toEqual([])
  })

  it.each([
    [2, ['equal', 'slow']],
    [4, ['equal', 'mixed', 'random', 'slow', 'relays']],
    [16, ['mixed', 'random', 'relays']],
  ] as const)('with %i nodes', (nodes, names) => {
    for (const kind of names)
      for (const seconds of [1, 3])
        expect(
          tooSlow(mixedWeather({ kind, nodes, seconds }, [10, 200, 10_000]), 1.02, 450),
        ).toEqual([])
  })

  it('with 64 nodes', () => {
    const over = { nodes: [64], weather: ['uneven'], mbits: [200], seconds: [2] } as const
    expect(tooSlow(cells({ ...over, kind: ['mixed', 'relays'] }), 1.05, 300)).toEqual([])
  })

  it('in a minute', () => {
    const over = { nodes: [4], weather: ['busy'], mbits: [200, 10_000], seconds: [60] } as const
    const kind = ['equal', 'mixed', 'relays'] as const
    expect(tooSlow(cells({ ...over, kind }), 1.012, 0)).toEqual([])
    const slow = { ...over, mbits: [1], kind: ['random', 'relays'] } as const
    expect(tooSlow(cells(slow), 1.06, 0)).toEqual([])
  })

  it('where processes hardly get a turn', () => {
    const over = { nodes: [8], weather: ['starved'], mbits: [10, 1_000], seconds: [5] } as const
    const kind = ['equal', 'mixed', 'random', 'slow', 'downlinks', 'shared'] as const
    expect(tooSlow(cells({ ...over, kind }), 1.25, 0)).toEqual([])
    expect(tooSlow(cells({ ...over, kind: ['relays'] }), 1.4, 0)).toEqual([])
  })

  it.each([
    ['equal', 1.05],
    ['mixed', 1.05],
    // What it costs to find out that more copies bring nobody anything.
    ['downlinks', 1.6],
    ['shared', 1.6],
  ] as const)('and the origin sends little more than one copy: %s', (kind, most) => {
    const over = { kind, nodes: 8, seconds: 5 }
    const copies = mixedWeather(over, [10, 200, 10_000]).map((cell) => run(cell).copies)
    expect(Math.max(...copies)).toBeLessThan(most)
  })
})
