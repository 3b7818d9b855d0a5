/** Pushes whose origin dies. */
import { Random } from '../../src/sim/random.js'
import { type Scenario, steadyScenario } from '../../src/sim/scenario.js'

/** A steady push of a small file, with so many of its nodes. */
function groupOf(count: number, seed: number): Scenario {
  const steady = steadyScenario(seed)
  const of = <T>(all: readonly T[]): T[] =>
    Array.from({ length: count }, (_, i) => all[i % all.length] as T)
  const edges = steady.edges.slice(0, count + 1)
  const rows = Array.from({ length: count + 1 }, (_, i) => of(edges[i % edges.length] ?? []))
  return { ...steady, bytes: 40 * steady.blockBytes + 7, nodes: of(steady.nodes), edges: rows }
}

/** Groups of 3 to 12, of which some hold parts or all from before; some die with the origin. */
export function orphansOf(seed: number): Scenario {
  const random = new Random(seed ^ 0x7a4e)
  const base = groupOf(random.integer(3, 12), seed)
  const blocks = Math.floor(base.bytes / base.blockBytes)
  const originDiesAtMs = random.between(20, 300)
  const nodes = base.nodes.map((node) => {
    const first = random.integer(0, blocks - 1)
    const held = random.chance(0.3) ? random.integer(1, blocks - first) : 0
    const all: [number, number][] = [[0, base.bytes]]
    const part: [number, number][] = [[first * base.blockBytes, held * base.blockBytes]]
    const holds = random.chance(0.08) ? all : held > 0 ? part : []
    const dies = random.chance(0.1)
    const trouble = dies ? ('killed' as const) : null
    const atMs = originDiesAtMs + random.between(-20, 800)
    const uplinkBytesPerMs = node.uplinkBytesPerMs * random.between(0.5, 2)
    const downlinkBytesPerMs = node.downlinkBytesPerMs * random.pick([0.2, 1, 3])
    return { ...node, trouble, atMs, holds, uplinkBytesPerMs, downlinkBytesPerMs }
  })
  return { ...base, seed, nodes, originDiesAtMs }
}
