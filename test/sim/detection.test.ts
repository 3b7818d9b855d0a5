/** Who notices that a node hangs, and how soon: the coordinator, a mate, whoever it feeds. */
import { describe, expect, it } from 'vitest'
import { Cluster } from '../../src/sim/cluster.js'
import { originIndex } from '../../src/sim/network.js'
import { type NodeScenario, type Scenario, steadyScenario } from '../../src/sim/scenario.js'

const hangsMs = 500
/** So long that nobody is given up by the coordinator alone in the time of the push. */
const slowly = { suspectMs: 1_000, failMs: 4_000 }

/** Nodes alike, and a file for five seconds; one node hangs. */
function hanging(count: number, hung: number, over: Partial<Scenario>): Scenario {
  const steady = steadyScenario(1, count)
  const links = { uplinkBytesPerMs: 400, downlinkBytesPerMs: 1_600 }
  const nodes = steady.nodes.map((node, i): NodeScenario => {
    const trouble = i === hung ? ({ trouble: 'hung', atMs: hangsMs } as const) : {}
    return { ...node, ...links, ...trouble }
  })
  const bytes = 5_000 * 400
  return { ...steady, originUplinkBytesPerMs: 400, ...over, bytes, nodes }
}

interface Seen {
  readonly atMs: number
  readonly from: number
  readonly member: number
}

/** When members said that they miss one, and the coordinator that it is away. */
function watch(scenario: Scenario) {
  const [missed, away]: [Seen[], Seen[]] = [[], []]
  const cluster: Cluster = new Cluster(scenario, (from, _, frame) => {
    const atMs = cluster.timeline.nowMs
    if (frame.type === 'missed') missed.push({ atMs, from, member: frame.member })
    if (frame.type === 'detour' && frame.why === 'away')
      away.push({ atMs, from, member: frame.member })
  })
  const { outcomes, logged } = cluster.run()
  const statuses = outcomes.map(({ status }) => status)
  return { missed, away, logged, statuses }
}

describe('a node that hangs', () => {
  it('is noticed by the coordinator by itself, where no mate is there to miss it', () => {
    const quick = { suspectMs: 1_000, failMs: 2_000 }
    const { missed, logged, statuses } = watch(
      hanging(2, 1, { shape: 'unicast', detection: quick }),
    )
    expect([missed, logged.includes('away'), statuses]).toEqual([[], true, ['complete', 'failed']])
  })

  it('is noticed by its mates, and dealt around before the coordinator would do so alone', () => {
    const { missed, away, statuses } = watch(hanging(4, 2, { detection: slowly }))
    expect(new Set(missed.map(({ member }) => member))).toEqual(new Set([2]))
    expect(new Set(away.map(({ member }) => member))).toEqual(new Set([2]))
    expect(away[0]?.from).toBe(originIndex)
    expect(away[0]?.atMs).toBeGreaterThanOrEqual(missed[0]?.atMs ?? Number.POSITIVE_INFINITY)
    expect(away[0]?.atMs).toBeLessThan(hangsMs + slowly.failMs)
    expect(statuses).toEqual(['complete', 'complete', 'failed', 'complete'])
  })

  it('is noticed by the node of the next group to which it hands over', () => {
    const chain = { shape: 'chain', groupSize: 1, sites: 0, detection: slowly } as const
    const { missed, away, statuses } = watch(hanging(3, 0, chain))
    // In groups of one nobody has mates: only the child is left to miss it.
    expect(missed.map(({ from, member }) => [from, member])).toContainEqual([1, 0])
    expect(away.map(({ member }) => member)).toContain(0)
    expect(away[0]?.atMs).toBeLessThan(hangsMs + slowly.failMs)
    expect(statuses).toEqual(['failed', 'complete', 'complete'])
  })
})

it('a node that is slow is not taken for one that hangs', () => {
  const steady = hanging(4, 9, {})
  const nodes = steady.nodes.map((node, i) => (i === 3 ? { ...node, uplinkBytesPerMs: 20 } : node))
  const { away, statuses } = watch({ ...steady, nodes })
  expect(away).toEqual([])
  expect(statuses).toEqual(Array.from({ length: 4 }, () => 'complete'))
})
