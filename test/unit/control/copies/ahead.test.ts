/**
 * The schedule that is computed ahead, beside the least that any schedule costs: the linear program
 * in which each file is a flow to each site that wants it, and flows of one file share what they
 * use (the relaxation of Wong, Math. Program. 28, 1984), solved by HiGHS.
 */
import highsLoader from 'highs'
import { beforeAll, describe, expect, it } from 'vitest'
import { blockBytesFor } from '../../../../src/base/limits.js'
import { type Ahead, planAhead, type Spread } from '../../../../src/control/copies/ahead.js'
import { type LinkSpec, Network } from '../../../../src/control/copies/network.js'
import { Random } from '../../../../src/sim/random.js'

// The types of the package say that the function is called default; it is the module itself.
const load = highsLoader as unknown as typeof highsLoader.default
let highs: Awaited<ReturnType<typeof load>>
beforeAll(async () => {
  highs = await load()
})

const noLimit = () => ({ up: Number.POSITIVE_INFINITY, down: Number.POSITIVE_INFINITY })

/** Sites at random places; a link costs about its length. */
function drawn(seed: number, count: number, files: number) {
  const from = new Random(seed)
  const places = Array.from({ length: count }, () => [from.next(), from.next()] as const)
  const links: LinkSpec[] = []
  const pairs = new Set<string>()
  const add = (a: number, b: number): void => {
    const key = `${Math.min(a, b)} ${Math.max(a, b)}`
    if (a === b || pairs.has(key)) return
    pairs.add(key)
    const [[ax, ay], [bx, by]] = [places[a], places[b]] as [(typeof places)[0], (typeof places)[0]]
    for (const [one, other] of [
      [a, b],
      [b, a],
    ])
      links.push({
        ...{ name: `${one}-${other}`, from: `s${one}`, to: `s${other}` },
        bytesPerSecond: Math.round(from.between(5e6, 45e6)),
        costPerGb: 0.08 * Math.hypot(ax - bx, ay - by) + from.between(0, 0.02),
      })
  }
  for (let site = 1; site < count; site++) add(from.integer(0, site - 1), site)
  for (let i = 0; i < 1.5 * count; i++) add(from.integer(0, count - 1), from.integer(0, count - 1))
  const sites = places.map((_, i) => ({ name: `s${i}` }))
  const network = new Network({ sites, links, routes: [] })
  const spreads = Array.from({ length: files }, (): Spread => {
    const holders = [...new Set([from.integer(0, count - 1), from.integer(0, count - 1)])]
    const wanting = [...places.keys()].filter((i) => !holders.includes(i) && from.chance(0.8))
    return { bytes: Math.round(from.between(3e8, 13e8)), holders, wanting }
  })
  return { network, spreads }
}

/** The least cost with everything done in this time. */
function leastCost(network: Network, spreads: readonly Spread[], seconds: number): number {
  const rows: string[] = []
  const cost: string[] = []
  const uses = new Map<number, string[]>()
  for (const [f, { bytes, holders, wanting }] of spreads.entries()) {
    const edges = [...holders, ...wanting].flatMap((a) =>
      wanting.filter((b) => b !== a).map((b) => ({ a, b, route: network.siteRoute(a, b) })),
    )
    for (const [e, { route }] of edges.entries()) {
      if (route === undefined) throw new Error('every site can be reached')
      cost.push(`+ ${(route.costPerGb * bytes) / 1e9} y${f}_${e}`)
      for (const id of route.resources)
        uses.set(id, [...(uses.get(id) ?? []), `+ ${bytes / 1e6} y${f}_${e}`])
    }
    for (const [t, target] of wanting.entries()) {
      for (const e of edges.keys()) rows.push(`y${f}_${e} - x${f}_${e}_${t} >= 0`)
      for (const site of wanting) {
        const terms = edges.flatMap(({ a, b }, e) =>
          b === site ? [`+ x${f}_${e}_${t}`] : a === site ? [`- x${f}_${e}_${t}`] : [],
        )
        rows.push(`${terms.join(' ')} = ${site === target ? 1 : 0}`)
      }
    }
  }
  for (const [id, terms] of uses)
    rows.push(`${terms.join(' ')} <= ${(network.resources.capability(id, 0) * seconds) / 1e6}`)
  const named = rows.map((row, i) => ` r${i}: ${row}`).join('\n')
  const solved = highs.solve(`Minimize\n c: ${cost.join(' ')}\nSubject To\n${named}\nEnd`)
  if (solved.Status !== 'Optimal') throw new Error(solved.Status)
  return solved.ObjectiveValue
}

/** Every slice brings its bytes from somebody who has them, and no link is used for longer. */
function isCarriedOut(ahead: Ahead, network: Network, spreads: readonly Spread[]): void {
  const carried = new Map<number, number>()
  for (const [f, { bytes, holders, wanting }] of spreads.entries()) {
    let at = 0
    for (const { offset, length, from } of ahead.slices[f] ?? []) {
      expect(offset).toBe(at)
      at += length
      expect([...from.keys()].sort()).toEqual([...wanting].sort())
      for (const [site, parent] of from) {
        let above = parent
        for (let steps = 0; !holders.includes(above); steps++) {
          expect(steps).toBeLessThan(wanting.length)
          above = from.get(above) as number
        }
        for (const id of network.siteRoute(parent, site)?.resources ?? [])
          carried.set(id, (carried.get(id) ?? 0) + length)
      }
    }
    expect(at).toBe(wanting.length === 0 ? 0 : bytes)
  }
  for (const [id, bytes] of carried)
    expect(bytes / network.resources.capability(id, 0)).toBeLessThan(ahead.seconds * (1 + 1e-9))
}

describe('planAhead', () => {
  const topologies: readonly (readonly [sites: number, files: number, slack: number])[] = [
    ...[[6, 4, 1.05] as const, [9, 4, 1.25] as const, [12, 2, 1.5] as const],
    ...[[20, 1, 1.25] as const, [30, 1, 2] as const],
  ]

  it('costs little more than any schedule of that time must', () => {
    const ratios = topologies.map(([sites, files, slack], i) => {
      const { network, spreads } = drawn(i + 1, sites, files)
      const ahead = planAhead(spreads, network, { slack, nowMs: 0, ratesOf: noLimit })
      isCarriedOut(ahead, network, spreads)
      return ahead.cost / leastCost(network, spreads, ahead.seconds)
    })
    ratios.sort((a, b) => a - b)
    expect(ratios[0]).toBeGreaterThan(1 - 1e-6)
    expect(ratios[2]).toBeLessThan(1.15)
    expect(ratios[4]).toBeLessThan(1.3)
  }, 60_000)

  it('goes past what has failed, and says where there is no way', () => {
    const sites = ['a', 'b', 'c'].map((name) => ({ name }))
    const rate = { bytesPerSecond: 1e7 }
    const links = [
      { name: 'ab', from: 'a', to: 'b', ...rate, costPerGb: 0.01 },
      { name: 'ac', from: 'a', to: 'c', ...rate, costPerGb: 0.1 },
      { name: 'cb', from: 'c', to: 'b', ...rate, costPerGb: 0.1 },
    ]
    const network = new Network({ sites, links, routes: [] })
    const spread: Spread = { bytes: 1e9, holders: [0], wanting: [1, 2] }
    const of = (failed: readonly string[]) =>
      planAhead([spread], network, {
        ...{ slack: 1, nowMs: 0, ratesOf: noLimit },
        isFailed: (id) => failed.includes(network.resources.spec(id).name),
      }).slices[0]
    expect(of([])).toEqual([
      {
        offset: 0,
        length: 1e9,
        from: new Map([
          [1, 0],
          [2, 0],
        ]),
      },
    ])
    expect(of(['ab'])).toEqual([
      {
        offset: 0,
        length: 1e9,
        from: new Map([
          [1, 2],
          [2, 0],
        ]),
      },
    ])
    expect(of(['ac'])).toEqual([])
  })

  it('keeps to who may have it from whom', () => {
    const sites = ['a', 'b', 'c'].map((name) => ({ name }))
    const rate = { bytesPerSecond: 1e7, costPerGb: 0.01 }
    const links = [
      { name: 'ab', from: 'a', to: 'b', ...rate },
      { name: 'bc', from: 'b', to: 'c', ...rate },
    ]
    const network = new Network({ sites, links, routes: [] })
    const mayCopy = (from: number) => from === 0
    const spread: Spread = { bytes: 1e8, holders: [0], wanting: [1, 2], mayCopy }
    const ahead = planAhead([spread], network, { slack: 2, nowMs: 0, ratesOf: noLimit })
    expect(ahead.slices[0]?.[0]?.from).toEqual(
      new Map([
        [1, 0],
        [2, 0],
      ]),
    )
  })
})

it('divides a file where blocks begin, so that none is in two slices', () => {
  const { network } = drawn(3, 6, 0)
  let cuts = 0
  for (const bytes of [24e6 + 5, 1e9 + 1, 3e12 + 7]) {
    const spread = { bytes, holders: [0], wanting: [1, 2, 3, 4, 5] }
    const options = { slack: 1, nowMs: 0, ratesOf: noLimit }
    const [slices = []] = planAhead([spread], network, options).slices
    const ends = slices.slice(0, -1).map(({ offset, length }) => offset + length)
    expect(ends.filter((end) => end % blockBytesFor(bytes) !== 0)).toEqual([])
    cuts += ends.length
    const { offset = 0, length = 0 } = slices.at(-1) ?? {}
    expect(offset + length).toBe(bytes)
  }
  expect(cuts).toBeGreaterThan(0)
})
