/** Pushes of a content that is written meanwhile: at a rate, by and by, or in bursts. */
import type { Step } from './growing.js'
import { Random } from './random.js'
import {
  bestBytesPerMs,
  type EdgeScenario,
  type NodeScenario,
  type ResetKind,
  type Scenario,
  steadyScenario,
  type Trouble,
} from './scenario.js'

/** How a content is written. */
export interface Writing {
  readonly startMs: number
  readonly bytesPerMs: number
  /** Of one append. */
  readonly appendBytes: number
  readonly bytes: number
  /** Nothing comes for so long, each time that so many bytes have come. */
  readonly pause?: { readonly everyBytes: number; readonly forMs: number }
}

/** When how much of it is there; the last step comes a moment after the last byte. */
export function stepsOf({ startMs, bytesPerMs, appendBytes, bytes, pause }: Writing): Step[] {
  const steps: Step[] = []
  let atMs = startMs
  let pausedBytes = 0
  for (let there = 0; there < bytes; ) {
    const more = Math.min(appendBytes, bytes - there)
    atMs += more / bytesPerMs
    there += more
    steps.push({ atMs, bytes: there })
    if (pause === undefined || there - pausedBytes < pause.everyBytes) continue
    pausedBytes = there
    atMs += pause.forMs
  }
  steps.push({ atMs: atMs + 1, bytes })
  return steps
}

/** Nothing goes wrong; `load`: of what the network carries at best. */
export function growingScenario(seed: number, count: number, load = 0.8): Scenario {
  const steady = steadyScenario(seed, count)
  const random = new Random(seed ^ 0x6709)
  const bytesPerMs = load * bestBytesPerMs(steady)
  const bytes = Math.round(800 * bytesPerMs) + random.integer(0, steady.blockBytes)
  const appendBytes = Math.ceil(Math.max(4_096, 2 * bytesPerMs))
  const growing = stepsOf({ startMs: 20, bytesPerMs, appendBytes, bytes })
  return { ...steady, bytes, growing, originHashMs: 0.5 }
}

/** Anything may go wrong, and nodes come later or again; nobody knows how it is written. */
export function growingMix(seed: number): Scenario {
  const random = new Random(seed ^ 0x6706)
  const count = random.pick([1, 2, 3, 4, 6])
  const steady = steadyScenario(seed, count)
  const best = bestBytesPerMs(steady)
  const bytesPerMs = best * random.pick([0.05, 0.3, 0.8, 2])
  const bytes = random.pick([0, 1, 65_536, 65_536 * random.integer(3, 60), 3_000_000])
  const appendBytes = random.pick([1_000, 30_000, 65_536, 400_000])
  const startMs = random.pick([0, 30, 700])
  const slowest = Math.max(bytesPerMs, bytes / 6_000, 1)
  const pauses = { everyBytes: random.integer(1, bytes + 1), forMs: random.between(5, 4_000) }
  const writing = { startMs, bytesPerMs: slowest, appendBytes, bytes }
  const growing = stepsOf({ ...writing, ...(random.chance(0.4) && { pause: pauses }) })
  const endMs = growing.at(-1)?.atMs ?? 0
  const isTroubled = random.chance(0.7)
  const nodes = steady.nodes.map((node, i): NodeScenario => {
    const joinsAtMs = i > 0 && random.chance(0.2) ? random.between(0, endMs) : null
    const common = { ...node, joinsAtMs, hashesLanded: random.chance(0.5) }
    if (!isTroubled || !random.chance(0.3)) return common
    const atMs = (joinsAtMs ?? 0) + random.between(0, endMs)
    const trouble = random.pick<Trouble>(['killed', 'killed', 'killed', 'hung', 'diskFull'])
    const afterMs = random.between(10, 3_000)
    const restart = random.chance(0.6) ? { afterMs, losesDisk: random.chance(0.3) } : undefined
    return { ...common, trouble, atMs, ...(restart && trouble === 'killed' && { restart }) }
  })
  nodes.sort((a, b) => (a.joinsAtMs ?? -1) - (b.joinsAtMs ?? -1))
  const kinds = random.pick<readonly ResetKind[]>([
    ['feed'],
    ['edge'],
    ['link'],
    ['feed', 'edge', 'link'],
  ])
  const isCut = isTroubled && random.chance(0.4)
  const edges = steady.edges.map((row) =>
    row.map((edge, i): EdgeScenario => {
      const stallAtMs = isTroubled && random.chance(0.05) ? random.between(0, endMs) : null
      const breaks = isTroubled && i > 0 && random.chance(0.05)
      const breaksAtMs = breaks ? random.between(0, endMs) : null
      return { ...edge, stallAtMs, stallMs: random.between(100, 3_000), breaksAtMs }
    }),
  )
  const shape = random.pick<Scenario['shape']>(['group', 'group', 'chain', 'unicast'])
  return {
    ...{ ...steady, bytes, growing, nodes, edges, shape },
    ...(shape === 'chain' && { groupSize: 2 }),
    originHashMs: random.pick([0.2, 3, 60]),
    wrongChance: isTroubled && random.chance(0.2) ? random.between(0, 0.03) : 0,
    sourceTouchedAtMs: random.chance(0.1) ? random.between(0, endMs) : null,
    rejoinMs: 10_000,
    retries: 2,
    ...(isCut && { resets: { kinds, everyMs: random.between(100, 900), untilMs: endMs + 2_000 } }),
  }
}

/** The origin ends in the middle, and all that is left is what nodes have. */
export function growingOrphans(seed: number): Scenario {
  const scenario = growingScenario(seed, 3)
  const { growing = [] } = scenario
  return { ...scenario, originDiesAtMs: growing[Math.floor(growing.length / 2)]?.atMs ?? 0 }
}

/** The origin begins again where it was, at nodes that hold so many blocks from before. */
export function growingAgain(seed: number): Scenario {
  const scenario = growingScenario(seed, 3)
  const { growing = [], blockBytes } = scenario
  const random = new Random(seed ^ 0x6a61)
  const most = Math.floor((growing[0]?.bytes ?? 0) / blockBytes)
  const all = Math.max(8, most)
  const nodes = scenario.nodes.map((node) => {
    const holds = [[0, random.integer(0, all) * blockBytes] as const]
    return { ...node, holds: holds.filter(([, length]) => length > 0) }
  })
  const there = { atMs: 0, bytes: all * blockBytes + 7 }
  const later = growing.filter(({ bytes }) => bytes > there.bytes)
  return { ...scenario, nodes, growing: [there, ...later] }
}
