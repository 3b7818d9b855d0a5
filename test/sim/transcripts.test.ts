/** Detours, joins and repairs in words: who says what to whom, first things first. */
import { describe, expect, it } from 'vitest'
import { originIndex } from '../../src/sim/network.js'
import { type EdgeScenario, type Scenario, steadyScenario } from '../../src/sim/scenario.js'
import { transcriptOf } from '../../src/sim/transcript.js'

/** Some nodes that are alike and near each other, and a file for half a second. */
function room(count: number): Scenario & { nodes: Scenario['nodes'][number][] } {
  const steady = steadyScenario(1)
  const [like] = steady.nodes as [Scenario['nodes'][number]]
  const edge = { ...(steady.edges[0]?.[0] as EdgeScenario), latencyMs: 0.2 }
  const speeds = { uplinkBytesPerMs: 16_000, downlinkBytesPerMs: 64_000 }
  const nodes = Array.from({ length: count }, (_, i) => {
    return { ...like, ...speeds, connectMs: 1 + i / 10, prepareMs: 1 }
  })
  const edges = Array.from({ length: count + 1 }, () => nodes.map(() => edge))
  return { ...steady, bytes: 4 * 1_048_576, originUplinkBytesPerMs: 8_000, nodes, edges }
}

it('nothing goes wrong', () => {
  expect(transcriptOf(room(2))).toBe(
    lines(`
    origin -> node0: offer
    origin -> node0: plan, forming, of node0
    origin -> node1: offer
    origin -> node1: plan, forming, of node1
    node0 -> origin: accept
    node1 -> origin: accept
    origin -> node0: plan, running, of node0 node1
    origin -> node1: plan, running, of node0 node1
    origin -> node0: seal
    origin -> node1: seal
    node0 -> origin: complete
    node1 -> origin: complete
    origin -> node0: finish
    origin -> node1: finish`),
  )
})

it('a node dies: the others are told, and those who are complete as well', () => {
  const { nodes, ...rest } = room(3)
  const dying = nodes.map((node, i) =>
    i === 2 ? { ...node, trouble: 'killed' as const, atMs: 200 } : node,
  )
  const text = transcriptOf({ ...rest, nodes: dying }, 'offer', 'accept')
  expect(text).toBe(
    lines(`
    origin -> node0: plan, forming, of node0
    origin -> node1: plan, forming, of node1
    origin -> node2: plan, forming, of node2
    origin -> node0: plan, running, of node0 node1 node2
    origin -> node1: plan, running, of node0 node1 node2
    origin -> node2: plan, running, of node0 node1 node2
    origin -> node0: seal
    origin -> node1: seal
    origin -> node2: seal
    origin -> node0: plan, running, of node0 node1
    origin -> node1: plan, running, of node0 node1
    origin -> node0: detour, node2 is broken
    origin -> node1: detour, node2 is broken
    node1 -> origin: complete
    node0 -> origin: complete
    origin -> node0: finish
    origin -> node1: finish`),
  )
})

it('a connection between two that live breaks: it is opened again, and nobody hears of it', () => {
  const { edges, ...rest } = room(3)
  const broken = edges.map((row, from) =>
    row.map((edge, to) => (from === 1 && to === 1 ? { ...edge, breaksAtMs: 200 } : edge)),
  )
  expect(transcriptOf({ ...rest, edges: broken }, ...usual)).toBe('')
})

it('a node joins: all hear of it, and nobody waits for it until it is level', () => {
  const { nodes, ...rest } = room(3)
  const joining = nodes.map((node, i) => (i === 2 ? { ...node, joinsAtMs: 200 } : node))
  expect(transcriptOf({ ...rest, nodes: joining }, 'accept', 'finish')).toBe(
    lines(`
    origin -> node0: offer
    origin -> node0: plan, forming, of node0
    origin -> node1: offer
    origin -> node1: plan, forming, of node1
    origin -> node0: plan, running, of node0 node1
    origin -> node1: plan, running, of node0 node1
    origin -> node0: seal
    origin -> node1: seal
    origin -> node2: offer
    origin -> node2: plan, forming, of node2
    origin -> node0: plan, running, of node0 node1 node2
    origin -> node1: plan, running, of node0 node1 node2
    origin -> node2: plan, running, of node0 node1 node2
    origin -> node0: lagging node2
    origin -> node1: lagging node2
    origin -> node2: lagging node2
    origin -> node2: seal
    origin -> node0: lagging nobody
    origin -> node1: lagging nobody
    origin -> node2: lagging nobody
    node0 -> origin: complete
    node1 -> origin: complete
    node2 -> origin: complete`),
  )
})

it('blocks arrive wrong: they are named, and the mate that passed them on mends them', () => {
  const usual = ['offer', 'accept', 'plan', 'seal', 'finish'] as const
  expect(transcriptOf({ ...room(2), wrongChance: 0.01 }, ...usual)).toBe(
    lines(`
    node1 -> origin: bad
    node1 -> origin: need, as a repair
    origin -> node0: mend node1
    node0 -> origin: bad
    node0 -> origin: need, as a repair
    origin -> node1: mend node0
    node0 -> origin: complete
    node1 -> origin: complete`),
  )
})

/** What is said when all goes well. */
const usual = ['offer', 'accept', 'plan', 'seal', 'complete', 'finish'] as const

it('a node is killed and comes back with its disk: it takes part again with what it has', () => {
  const { nodes, ...rest } = room(3)
  const restart = { afterMs: 100 }
  const killed = nodes.map((node, i) =>
    i === 2 ? { ...node, trouble: 'killed' as const, atMs: 250, restart } : node,
  )
  const waits = { retries: 2, rejoinMs: 10_000 }
  const text = transcriptOf({ ...rest, ...waits, nodes: killed }, 'lagging')
  expect(text.slice(text.indexOf('origin -> node0: plan, running, of node0 node1\n'))).toBe(
    lines(`
    origin -> node0: plan, running, of node0 node1
    origin -> node1: plan, running, of node0 node1
    origin -> node0: detour, node2 is broken
    origin -> node1: detour, node2 is broken
    node0 -> origin: complete
    node1 -> origin: complete
    origin -> node2: plan, forming, of node2 (now 3)
    node2 -> origin: accept, with blocks
    origin -> node0: plan, running, of node0 node1 node2 (now 3)
    origin -> node1: plan, running, of node0 node1 node2 (now 3)
    origin -> node2: plan, running, of node0 node1 node2 (now 3)
    node2 -> origin: complete
    origin -> node0: finish
    origin -> node1: finish
    origin -> node2: finish`),
  )
})

/** A file for longer than a silence counts, of which one node hangs; later it is called off. */
function hanging(count: number, hung: number): Scenario {
  const { nodes, ...rest } = room(count)
  const speeds = { uplinkBytesPerMs: 400, downlinkBytesPerMs: 1_600 }
  const slow = nodes.map((node, i) => {
    return { ...node, ...speeds, ...(i === hung && { trouble: 'hung' as const, atMs: 100 }) }
  })
  return { ...rest, originUplinkBytesPerMs: 400, cancelAtMs: 3_000, nodes: slow }
}

it('a node hangs: its mates miss it, and are told to have what it had elsewhere', () => {
  expect(transcriptOf(hanging(3, 2), ...usual, 'abort')).toBe(
    lines(`
    origin -> node0: lagging node2
    origin -> node1: lagging node2
    node1 -> origin: missed node2
    origin -> node0: detour, node2 is away
    origin -> node1: detour, node2 is away
    node0 -> origin: missed node2`),
  )
})

it('the only node that feeds another hangs: that one misses it', () => {
  const chain = { shape: 'chain', groupSize: 1, sites: 0 } as const
  expect(transcriptOf({ ...hanging(2, 0), ...chain }, ...usual, 'abort')).toBe(
    lines(`
    node1 -> origin: missed node0
    origin -> node1: detour, node0 is away
    node1 -> origin: need`),
  )
})

describe('the origin', () => {
  it('dies: those that are left have the rest of each other, and end it among themselves', () => {
    const { nodes, ...rest } = room(3)
    const all = [[0, rest.bytes]] as const
    const holding = nodes.map((node, i) => (i === 2 ? { ...node, holds: all } : node))
    const text = transcriptOf({ ...rest, originDiesAtMs: 100, nodes: holding }, 'offer')
    expect(text.slice(text.indexOf('node0 -> node1: succeed'))).toBe(
      lines(`
      node0 -> node1: succeed, node0 has term 2
      node0 -> node2: succeed, node0 has term 2
      node1 -> node0: holds, with blocks
      node1 -> node0: complete
      node2 -> node0: holds, with blocks
      node2 -> node0: complete
      node0 -> node0: succeed, node0 has term 2
      node0 -> node0: holds, with blocks
      node0 -> node0: complete
      node0 -> node0: plan, running, by node0, of node0 node1 node2
      node0 -> node1: plan, running, by node0, of node0 node1 node2
      node0 -> node2: plan, running, by node0, of node0 node1 node2
      node0 -> node0: finish
      node0 -> node1: finish
      node0 -> node2: finish`),
    )
  })

  it('dies with blocks that nobody else has: all say so in the same words', () => {
    const text = transcriptOf({ ...room(2), originDiesAtMs: 200 }, 'offer')
    expect(text.slice(text.indexOf('node0 -> node1: succeed'))).toBe(
      lines(`
      node0 -> node1: succeed, node0 has term 2
      node1 -> node0: holds, with blocks
      node0 -> node0: succeed, node0 has term 2
      node0 -> node0: holds, with blocks
      node0 -> node0: plan, running, by node0, of node0 node1
      node0 -> node1: plan, running, by node0, of node0 node1
      node0 -> node1: pull
      node1 -> node0: holding
      node0 -> node0: need
      node1 -> node0: pull
      node0 -> node1: holding
      node1 -> node0: need
      node0 -> node0: abort ERR_FR_ORIGIN_LOST
      node0 -> node1: abort ERR_FR_ORIGIN_LOST`),
    )
  })

  it('stands still while a node takes over, and comes back: it brings what is left', () => {
    const stop = { host: originIndex, kind: 'stop', atMs: 200, forMs: 25_000 } as const
    const waits = { retries: 2, rejoinMs: 10_000, outages: [stop] }
    const text = transcriptOf({ ...room(2), ...waits }, 'lagging', 'pull', 'holding', 'need')
    expect(text.slice(text.indexOf('node0 -> node0: abort'))).toBe(
      lines(`
      node0 -> node0: abort ERR_FR_ORIGIN_LOST
      node0 -> node1: abort ERR_FR_ORIGIN_LOST
      node1 -> origin: stale, node0 has term 2
      node0 -> origin: stale, node0 has term 2
      origin -> node1: abort ERR_FR_STALE
      origin -> node0: plan, running, of node0
      origin -> node0: detour, node1 is broken
      origin -> node0: abort ERR_FR_STALE
      origin -> node1: plan, forming, of node1 (now 2)
      node1 -> origin: accept, with blocks
      origin -> node1: plan, running, of node1 (now 2)
      origin -> node0: plan, forming, of node0 (now 3)
      node0 -> origin: accept, with blocks
      origin -> node1: plan, running, of node1 (now 2) node0 (now 3)
      origin -> node0: plan, running, of node1 (now 2) node0 (now 3)
      node1 -> origin: complete
      node0 -> origin: complete
      origin -> node1: finish
      origin -> node0: finish`),
    )
  })
})

function lines(text: string): string {
  return text.trim().replaceAll(/\n +/g, '\n')
}
