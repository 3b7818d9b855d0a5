/** Who sends to whom on the page: what nodes say adds up, and everybody has a place. */
import { expect, it } from 'vitest'
import { type Flows, flowsHere, flowsOf, meshNodesMax } from '../../../src/page/flows.js'
import { layoutOf } from '../../../src/page/layout.js'
import type { NodeTransfer, Plan, Progress } from '../../../src/page/told.js'

type Groups = readonly (readonly string[])[]

function told(groups: Groups, parents: readonly (number | null)[], rates: Rates = {}): Flows {
  const nodes = groups.flat().map((node) => ({
    ...{ node, state: 'receiving', landedBytes: 50, isDemoted: false },
    rateBytesPerSecond: rates[node]?.[0] ?? 0,
    rateOutBytesPerSecond: rates[node]?.[1] ?? 0,
    ...(rates[node]?.[2] !== undefined && { state: rates[node]?.[2] }),
  }))
  const plan = { groups, parents, sites: groups.map(() => null) } as unknown as Plan
  const progress = { bytes: 100, faults: [], nodes } as unknown as Progress
  return flowsOf({ plan, progress, originBytesPerSecond: 60 })
}

/** Of a node what comes in, what goes out, and its state where it is not receiving. */
type Rates = Readonly<Record<string, readonly [number, number, string?]>>

const rateOf = ({ nodes, edges }: Flows, from: string, to: string): number | undefined => {
  const index = (name: string) => nodes.findIndex((one) => one.name === name)
  return edges.find((edge) => edge.from === index(from) && edge.to === index(to))?.bytesPerSecond
}

it('shares what a node sends among its mates, and the rest is from the origin', () => {
  const flows = told([['a', 'b', 'c']], [null], { a: [60, 40], b: [60, 40], c: [60, 40] })
  expect(rateOf(flows, 'a', 'b')).toBe(20)
  expect(rateOf(flows, 'origin', 'a')).toBe(20)
  expect(flows.edges).toHaveLength(9)
})

it('gives nothing to who is complete, and nothing of who has failed', () => {
  const rates: Rates = { a: [60, 40], b: [0, 40, 'complete'], c: [70, 70, 'failed'] }
  const flows = told([['a', 'b', 'c']], [null], rates)
  expect([rateOf(flows, 'b', 'a'), rateOf(flows, 'a', 'b')]).toEqual([40, 0])
  expect([rateOf(flows, 'c', 'a'), rateOf(flows, 'origin', 'a')]).toEqual([0, 20])
  expect(flows.nodes.map(({ share }) => share)).toEqual([1, 0.5, 1, 0.5])
})

it('knows who feeds a chain, a tree and other groups', () => {
  const chain = told([['a'], ['b'], ['c']], [null, 0, 1], { a: [9, 9], b: [9, 9], c: [9, 0] })
  expect(chain.edges.map(({ bytesPerSecond }) => bytesPerSecond)).toEqual([9, 9, 9])
  expect(rateOf(chain, 'b', 'c')).toBe(9)
  const rates: Rates = { a: [10, 14], b: [10, 14], c: [8, 4], d: [8, 4] }
  const groups = told(
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
    [null, 0],
    rates,
  )
  expect([rateOf(groups, 'a', 'c'), rateOf(groups, 'a', 'b')]).toEqual([4, 10])
  expect(rateOf(groups, 'b', 'd')).toBe(4)
  // No plan goes round in a circle; it would end all the same.
  expect(told([['a'], ['b']], [1, 0]).edges).toHaveLength(2)
})

it('marks faults, and takes nodes that no group has', () => {
  const fault = { causes: [], failures: 1, isFailed: true, retrySeconds: 1 }
  const node = {
    state: 'receiving',
    landedBytes: 0,
    rateBytesPerSecond: 5,
    rateOutBytesPerSecond: 0,
  }
  const progress = {
    ...{
      bytes: 100,
      nodes: [
        { ...node, node: 'a' },
        { ...node, node: 'later' },
      ],
    },
    faults: [
      { ...fault, kind: 'node', name: 'a', to: null },
      { ...fault, kind: 'link', name: 'origin', to: 'later' },
    ],
  } as unknown as Progress
  const plan = { groups: [['a']], parents: [null], sites: ['x'] } as unknown as Plan
  const flows = flowsOf({ plan, progress, originBytesPerSecond: 0 })
  expect(flows.nodes.map(({ isFaulty }) => isFaulty)).toEqual([false, true, false])
  expect(flows.groups).toMatchObject([{ site: 'x' }, { site: null, nodes: [2] }])
  expect(flows.edges.map(({ isFailed }) => isFailed)).toEqual([false, true])
})

it('draws no million of edges, and places each node within its frame, apart from others', () => {
  const names = (count: number) => Array.from({ length: count }, (_, at) => `n${at}`)
  const many = names(1000)
  const singles = many.map((name) => [name])
  const shapes: Readonly<Record<string, readonly [Groups, readonly (number | null)[]]>> = {
    group: [[many], [null]],
    small: [[names(meshNodesMax)], [null]],
    star: [singles, singles.map(() => null)],
    chain: [singles, singles.map((_, at) => (at === 0 ? null : at - 1))],
    back: [singles, singles.map((_, at) => (at === 999 ? null : at + 1))],
    tree: [singles, singles.map((_, at) => (at === 0 ? null : (at - 1) >> 1))],
    sites: [
      [many.slice(0, 400), many.slice(400, 410), many.slice(410)],
      [null, 0, 0],
    ],
    two: [
      [['a'], ['b']],
      [null, null],
    ],
  }
  for (const [name, [groups, parents]] of Object.entries(shapes)) {
    const flows = told(groups, parents)
    expect(flows.edges.length).toBeLessThanOrEqual(flows.nodes.length + meshNodesMax ** 2)
    const { places, spacing } = layoutOf(flows)
    expect(places).toHaveLength(flows.nodes.length)
    const far = Math.max(...places.map(({ x, y }) => Math.hypot(x, y)))
    expect([name, far <= 1, far > 0.5]).toEqual([name, true, true])
    const apart = new Set(places.map(({ x, y }) => `${x.toFixed(4)} ${y.toFixed(4)}`))
    expect([name, apart.size, spacing > 0]).toEqual([name, places.length, true])
  }
})

it('shows of the transfers of others what passes this node', () => {
  const here = {
    ...{ role: 'receiving', coordinator: 'o:1', bytes: 100, landedBytes: 30 },
    ...{ rateInBytesPerSecond: 10, rateOutBytesPerSecond: 8 },
    relays: [
      { node: 'm:1', isLagging: false },
      { node: 'm:2', isLagging: true },
    ],
  } as unknown as NodeTransfer
  const flows = flowsHere(here, 'me:1')
  expect(flows.nodes.map(({ name }) => name)).toEqual(['o:1', 'me:1', 'm:1', 'm:2'])
  expect(flows.edges.map(({ bytesPerSecond }) => bytesPerSecond)).toEqual([10, 4, 4])
  const origin = flowsHere({ ...here, role: 'origin' }, 'me:1')
  expect(origin.nodes.map(({ name }) => name)).toEqual(['me:1', 'm:1', 'm:2'])
})
