/** Detours, joins and repairs in words: who says what to whom, first things first. */
import { expect, it } from 'vitest'
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
  const usual = ['offer', 'accept', 'plan', 'seal', 'complete', 'finish'] as const
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

it('blocks arrive wrong: they are named, and whoever passed them on sends them again', () => {
  const usual = ['offer', 'accept', 'plan', 'seal', 'finish'] as const
  expect(transcriptOf({ ...room(2), wrongChance: 0.01 }, ...usual)).toBe(
    lines(`
    node1 -> origin: bad
    node1 -> origin: need, as a repair
    origin -> node0: mend
    node0 -> origin: bad
    node0 -> origin: need, as a repair
    origin -> node1: mend
    node0 -> origin: complete
    node1 -> origin: complete`),
  )
})

function lines(text: string): string {
  return text.trim().replaceAll(/\n +/g, '\n')
}
