/** What goes wrong, and when, in one simulated push: all of it from the seed. */
import type { Detection } from '../base/detection.js'
import { limits } from '../base/limits.js'
import type { RangePair } from '../base/ranges.js'
import type { DealtShape } from '../control/dealing/dealer.js'
import type { ConfiguredSpeeds } from '../control/dealing/strategies.js'
import { originNumber, type Strategy } from '../control/messages/types.js'
import type { GroupWish, Handover } from '../control/plan/layout.js'
import type { NodeLink } from '../control/plan/plan.js'
import type { Step } from './growing.js'
import type { Outage } from './outages.js'
import { Random } from './random.js'

export type Trouble =
  /** The process dies; its connections break. */
  | 'killed'
  /** The machine hangs: nothing is said any more, no connection breaks. */
  | 'hung'
  | 'diskFull'
  | 'refuses'
  | 'unreachable'

/** Another process takes the place of one that was killed. */
export interface Restart {
  readonly afterMs: number
  /** The machine comes back with an empty disk, and as another node. */
  readonly losesDisk?: boolean
  /** Its blocks have to be read again before they count. */
  readonly rereads?: boolean
}

export interface NodeScenario {
  readonly trouble: Trouble | null
  /** Of one that was killed; it stays away unless given. */
  readonly restart?: Restart
  /** When it strikes, for those that strike at a time. */
  readonly atMs: number
  /** Added to the push at this time; null: named from the start. Those that are added come last. */
  readonly joinsAtMs: number | null
  readonly connectMs: number
  readonly prepareMs: number
  readonly hashMs: number
  readonly publishMs: number
  readonly uplinkBytesPerMs: number
  readonly downlinkBytesPerMs: number
  /** From then on its uplink is this many times as fast; 1: it stays. */
  readonly uplinkFactor: number
  readonly uplinkChangesAtMs: number
  /** Runs of whole blocks that it has from before. */
  readonly holds?: readonly RangePair[]
  /** What it knows of those: see Found (control/receiver/events.ts); `held` unless given. */
  readonly found?: 'held' | 'unread' | 'candidates' | 'elsewhere'
  /** Bytes of other blocks that it has in older content. */
  readonly fills?: readonly RangePair[]
  /** Blocks of those whose bytes are wrong: the older content was written meanwhile. */
  readonly staleFills?: readonly number[]
  /** Blocks of those that it holds whose bytes are not of this content. */
  readonly stale?: readonly number[]
  /** It takes part only to send what it holds to others; these come last. */
  readonly isMirror?: boolean
  /** It passes on what comes to it, and keeps nothing. */
  readonly isGateway?: boolean
  /** It says that it relays, and passes nothing on from this time. */
  readonly deceivesAtMs?: number
  /** Chance that a chunk that it sends is wrong, as from a bad disk. */
  readonly spoils?: number
  /** It changes the digests that it passes on. */
  readonly forges?: boolean
  /** Its engine hashes what lands. */
  readonly hashesLanded?: boolean
}

export interface EdgeScenario {
  readonly latencyMs: number
  /** At most so much comes on top of it, another time for each message; 0 unless given. */
  readonly jitterMs?: number
  /** The feed breaks at this time while both ends live; null: never. */
  readonly breaksAtMs: number | null
  /** It moves nothing in this span. */
  readonly stallAtMs: number | null
  readonly stallMs: number
  /** Nobody gets through; where it breaks, from then on. The origin always does. */
  readonly cannotDial: boolean
}

export interface Scenario {
  readonly seed: number
  readonly strategy: Strategy
  readonly shape: DealtShape
  /** The node to which all is dealt; each node has a part unless given. */
  readonly dealtTo?: number
  /** Of a chain. */
  readonly groupSize?: number
  readonly handover?: Handover
  /** Sites that nodes stand in, by turns; 3 unless given, and 0: it is not known where. */
  readonly sites?: number
  readonly originUplinkBytesPerMs: number
  readonly chunkBytes: number
  /** What a new data connection may have under way at first, as TCP's; absent: all. */
  readonly firstBytes?: number
  /** Bytes are passed on while they arrive; otherwise a chunk is, once it has landed. */
  readonly cutsThrough?: boolean
  /** All edges are alike and no path is ever held up, which is simulated with fewer events. */
  readonly isEven?: boolean
  /**
   * For figures of large pushes, not for finding faults: frames are written and not read again, and
   * nobody looks for what must never happen.
   */
  readonly isUnchecked?: boolean
  /** What the planner is told of the links; nothing unless given. */
  readonly speeds?: ConfiguredSpeeds
  /** How nodes are grouped; by `groupSize` and `handover` unless given. */
  readonly wish?: GroupWish
  /** How the origin is told of the nodes; `linkOf` unless given. */
  readonly links?: readonly NodeLink[]
  /** When a run counts as hung, in virtual time and in things that happened. */
  readonly maxVirtualMs?: number
  readonly maxSteps?: number
  readonly bytes: number
  readonly blockBytes: number
  /** It is written meanwhile, until all of `bytes` are there: nothing comes after the last step. */
  readonly growing?: readonly Step[]
  readonly nodes: readonly NodeScenario[]
  /** [from][to]; row 0 is the origin, row i + 1 node i. */
  readonly edges: readonly (readonly EdgeScenario[])[]
  /** Chance that a chunk arrives wrong. */
  readonly wrongChance: number
  readonly sourceChangesAtMs: number | null
  /** Its times move and its content does not. */
  readonly sourceTouchedAtMs: number | null
  readonly cancelAtMs: number | null
  /** The process of the origin dies, and with it its connections. */
  readonly originDiesAtMs?: number
  /** How long the origin takes for a hash task, and how far it may hash ahead of its feeds. */
  readonly originHashMs: number
  readonly hashAheadBytes: number
  /** When silence counts; as usual unless given. */
  readonly detection?: Detection
  /** How long a node is dialled; limits.connectMs unless given. */
  readonly connectMs?: number
  /** Further attempts that a node gets, and how long one that was lost is waited for; none. */
  readonly retries?: number
  readonly rejoinMs?: number
  /** limits.relayClaimBytes unless given. */
  readonly relayClaimBytes?: number
  /** Connections outlive them. */
  readonly outages: readonly Outage[]
  /** Connections that break while both ends live; none unless given. */
  readonly resets?: Resets
}

/** Which connections break: the origin's data connections, those between nodes, control links. */
export type ResetKind = 'feed' | 'edge' | 'link'

/** One of these connections breaks every so often. */
export interface Resets {
  readonly kinds: readonly ResetKind[]
  /** Only the one from one node to another; any unless given. */
  readonly edge?: readonly [from: number, to: number]
  readonly everyMs: number
  /** No more after this time; they do not end unless given. */
  readonly untilMs?: number
}

const blockBytes = 65_536

/** How the origin is told of a node. */
export function linkOf(node: number, { sites = 3 }: Pick<Scenario, 'sites'>) {
  const address = `node${node}:1`
  return sites === 0 ? { address } : { address, site: `site${node % sites}` }
}

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
  // Uplinks that differ by a factor of ten; now and then a receiver that cannot keep up.
  const typicalBytesPerMs = random.between(1000, 6000)
  const uplink = () => typicalBytesPerMs * random.between(0.3, 3)
  const lifeMs = 50 + (bytes / typicalBytesPerMs) * random.between(0.2, 3)
  const node = (joinsAtMs: number | null): NodeScenario => {
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
      atMs: (joinsAtMs ?? 0) + random.between(0, lifeMs),
      joinsAtMs,
      connectMs: random.between(1, 50),
      prepareMs: random.between(1, random.chance(0.1) ? 1500 : 50),
      hashMs: random.between(0.1, 20),
      publishMs: random.between(1, random.chance(0.1) ? 4000 : 100),
      uplinkBytesPerMs: uplink(),
      downlinkBytesPerMs: typicalBytesPerMs * (random.chance(0.1) ? 0.15 : random.between(2, 10)),
      uplinkFactor: random.chance(0.2) ? random.pick([0.2, 0.5, 3]) : 1,
      uplinkChangesAtMs: random.between(0, lifeMs),
    }
  }
  const nodes = Array.from({ length: nodeCount }, () => node(null))
  // Drawn apart, so that the seeds without them stay what they were.
  const joins = new Random(seed ^ 0x1019)
  const added = joins.chance(0.3) ? joins.integer(1, 3) : 0
  const joinMs = Array.from({ length: added }, () => joins.between(0, lifeMs * 1.2))
  nodes.push(...joinMs.sort((a, b) => a - b).map(node))
  const hashing = new Random(seed ^ 0x4a54)
  const engines = nodes.map((one) => ({ ...one, hashesLanded: hashing.chance(0.5) }))
  const touches = new Random(seed ^ 0x70c4)
  const sourceTouchedAtMs = touches.chance(0.1) ? touches.between(0, lifeMs) : null
  const edge = (): EdgeScenario => ({
    latencyMs: random.between(0.1, 40),
    breaksAtMs: isTroubled && random.chance(0.04) ? random.between(0, lifeMs) : null,
    stallAtMs: isTroubled && random.chance(0.05) ? random.between(0, lifeMs) : null,
    stallMs: random.between(100, 6000),
    cannotDial: isTroubled && random.chance(0.03),
  })
  const edges = Array.from({ length: nodes.length + 1 }, () =>
    Array.from({ length: nodes.length }, edge),
  )
  return {
    seed,
    strategy: random.pick<Strategy>(['classic', 'adaptive', 'adaptive']),
    shape: random.chance(0.1) ? 'unicast' : 'group',
    originUplinkBytesPerMs: uplink(),
    chunkBytes: blockBytes / 4,
    bytes,
    blockBytes,
    nodes: engines,
    edges,
    wrongChance: isTroubled && random.chance(0.3) ? random.between(0, 0.03) : 0,
    sourceTouchedAtMs,
    sourceChangesAtMs: isTroubled && random.chance(0.04) ? random.between(0, lifeMs) : null,
    originHashMs: random.chance(0.3) ? random.between(50, 800) : random.between(0.5, 10),
    hashAheadBytes: random.pick([1, 20, 1000]) * blockBytes,
    cancelAtMs: isTroubled && random.chance(0.04) ? random.between(0, lifeMs) : null,
    outages: [],
  }
}

/**
 * Nothing goes wrong: machines in one room, with uplinks that differ by a factor of four, and a
 * file for about two seconds at the bound. Shows how close the dealing comes to it.
 */
export function steadyScenario(seed: number, count?: number): Scenario {
  const random = new Random(seed)
  const drawn = random.pick([2, 3, 4, 6, 8])
  const nodeCount = count ?? drawn
  const uplink = () => random.between(8_000, 32_000)
  const nodes = Array.from(
    { length: nodeCount },
    (): NodeScenario => ({
      trouble: null,
      atMs: 0,
      joinsAtMs: null,
      connectMs: random.between(0.2, 2),
      prepareMs: random.between(0.2, 2),
      hashMs: random.between(0.1, 1),
      publishMs: random.between(0.1, 1),
      uplinkBytesPerMs: uplink(),
      downlinkBytesPerMs: random.between(16_000, 128_000),
      uplinkFactor: 1,
      uplinkChangesAtMs: 0,
    }),
  )
  const edge = (): EdgeScenario => ({
    latencyMs: random.between(0.05, 0.5),
    breaksAtMs: null,
    stallAtMs: null,
    stallMs: 0,
    cannotDial: false,
  })
  const plain = {
    seed,
    strategy: 'adaptive' as const,
    shape: 'group' as const,
    originUplinkBytesPerMs: uplink() * random.pick([1, 3]),
    chunkBytes: blockBytes / 4,
    blockBytes,
    nodes,
    edges: Array.from({ length: nodeCount + 1 }, () => Array.from({ length: nodeCount }, edge)),
    wrongChance: 0,
    sourceChangesAtMs: null,
    sourceTouchedAtMs: null,
    originHashMs: 1,
    hashAheadBytes: 1000 * blockBytes,
    cancelAtMs: null,
    outages: [],
  }
  return { ...plain, bytes: Math.round(2000 * bestBytesPerMs({ ...plain, bytes: 0 })) }
}

/** A steady push to eight nodes in which connections break all the time. */
export function resetScenario(seed: number, kinds: readonly ResetKind[]): Scenario {
  const steady = steadyScenario(seed, 8)
  const strategy = seed % 4 === 0 ? 'classic' : 'adaptive'
  return { ...steady, strategy, resets: { kinds, everyMs: 250 } }
}

/** A steady push in which one thing, or everything, is cut off or stands still for some seconds. */
export function outageScenario(seed: number): Scenario {
  const steady = steadyScenario(seed)
  const random = new Random(seed ^ 0x0074)
  const nodes = [...steady.nodes.keys()]
  const hosts = random.pick([
    [originNumber],
    [random.pick(nodes)],
    [random.pick(nodes)],
    nodes,
    [originNumber, ...nodes],
  ])
  const isOneNode = hosts.length === 1 && hosts[0] !== originNumber
  const kind = isOneNode
    ? random.pick<Outage['kind']>(['cable', 'stop', 'disk'])
    : random.pick<Outage['kind']>(['cable', 'stop'])
  const atMs = random.between(100, 1_800)
  // Where all had no turn, as on one busy machine, nobody was silent, however long it was.
  const isNobodysSilence = kind === 'stop' && hosts.length > nodes.length
  const forMs = isNobodysSilence ? 2 * limits.silenceMs : random.pick([1_000, 2_000, 4_000, 8_000])
  const outages = hosts.map((host): Outage => ({ host, kind, atMs, forMs }))
  const strategy = random.chance(0.2) ? 'classic' : 'adaptive'
  return { ...steady, strategy, outages }
}

/** The rate that no scheme beats: min(u0, min d, (u0 + U) / n) (control/plan/plan.ts). */
export function bestBytesPerMs({ originUplinkBytesPerMs: origin, nodes }: Scenario): number {
  const uplinks = nodes.reduce((sum, node) => sum + node.uplinkBytesPerMs, origin)
  const downlinks = nodes.map((node) => node.downlinkBytesPerMs)
  return Math.min(origin, ...downlinks, uplinks / nodes.length)
}
