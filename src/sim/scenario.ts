/** What goes wrong, and when, in one simulated push: all of it from the seed. */
import { Random } from './random.js'

export type Trouble =
  /** The process dies; its connections break. */
  | 'killed'
  /** The machine hangs: nothing is said any more, no connection breaks. */
  | 'hung'
  | 'diskFull'
  | 'refuses'
  | 'unreachable'

export interface NodeScenario {
  readonly trouble: Trouble | null
  /** When it strikes, for those that strike at a time. */
  readonly atMs: number
  readonly connectMs: number
  readonly prepareMs: number
  readonly hashMs: number
  readonly publishMs: number
}

export interface EdgeScenario {
  readonly bytesPerMs: number
  readonly latencyMs: number
  /** The feed breaks at this time while both ends live; null: never. */
  readonly breaksAtMs: number | null
  /** It moves nothing in this span. */
  readonly stallAtMs: number | null
  readonly stallMs: number
  readonly cannotDial: boolean
}

export interface Scenario {
  readonly seed: number
  readonly bytes: number
  readonly blockBytes: number
  readonly nodes: readonly NodeScenario[]
  /** [from][to]; row 0 is the origin, row i + 1 node i. */
  readonly edges: readonly (readonly EdgeScenario[])[]
  /** Chance that a chunk arrives wrong. */
  readonly wrongChance: number
  readonly sourceChangesAtMs: number | null
  readonly cancelAtMs: number | null
  /** How long the origin takes for a hash task, and how far it may hash ahead of its feeds. */
  readonly originHashMs: number
  readonly hashAheadBytes: number
}

const blockBytes = 65_536

export function scenarioOf(seed: number): Scenario {
  const random = new Random(seed)
  const nodeCount = random.pick([1, 2, 3, 4, 5, 8])
  const bytes = random.pick([
    0,
    1,
    blockBytes - 1,
    blockBytes,
    blockBytes * 3 + 7,
    blockBytes * random.integer(10, 200) + random.integer(0, blockBytes - 1),
  ])
  const isTroubled = random.chance(0.8)
  const lifeMs = 50 + (bytes / 1000) * random.between(0.2, 1.2)
  const nodes = Array.from({ length: nodeCount }, (): NodeScenario => {
    const strikes = isTroubled && random.chance(0.3)
    const trouble = random.pick<Trouble>([
      'killed',
      'killed',
      'killed',
      'hung',
      'diskFull',
      'refuses',
      'unreachable',
    ])
    return {
      trouble: strikes ? trouble : null,
      atMs: random.between(0, lifeMs),
      connectMs: random.between(1, 50),
      prepareMs: random.between(1, random.chance(0.1) ? 1500 : 50),
      hashMs: random.between(0.1, 20),
      publishMs: random.between(1, random.chance(0.1) ? 4000 : 100),
    }
  })
  const edge = (): EdgeScenario => ({
    bytesPerMs: random.between(200, 5000),
    latencyMs: random.between(0.1, 40),
    breaksAtMs: isTroubled && random.chance(0.04) ? random.between(0, lifeMs) : null,
    stallAtMs: isTroubled && random.chance(0.05) ? random.between(0, lifeMs) : null,
    stallMs: random.between(100, 6000),
    cannotDial: isTroubled && random.chance(0.03),
  })
  const edges = Array.from({ length: nodeCount + 1 }, () => Array.from({ length: nodeCount }, edge))
  return {
    seed,
    bytes,
    blockBytes,
    nodes,
    edges,
    wrongChance: isTroubled && random.chance(0.3) ? random.between(0, 0.03) : 0,
    sourceChangesAtMs: isTroubled && random.chance(0.04) ? random.between(0, lifeMs) : null,
    originHashMs: random.chance(0.3) ? random.between(50, 800) : random.between(0.5, 10),
    hashAheadBytes: random.pick([1, 20, 1000]) * blockBytes,
    cancelAtMs: isTroubled && random.chance(0.04) ? random.between(0, lifeMs) : null,
  }
}
