/**
 * A cluster of any shape in which several things go wrong: all of it from a seed.
 *
 * The idea: each fault is drawn by itself and they overlap as they come, because what one machine
 * does well alone may go wrong while another recovers. Files are small and most clusters too, so
 * that many seeds are tried in little time.
 */
import { limits } from '../base/limits.js'
import { RangeSet } from '../base/ranges.js'
import type { DealtShape } from '../control/dealing/dealer.js'
import { originNumber, type Strategy } from '../control/messages/types.js'
import type { Handover } from '../control/plan/layout.js'
import type { Outage } from './outages.js'
import { Random } from './random.js'
import type { EdgeScenario, NodeScenario, ResetKind, Scenario } from './scenario.js'

const usual = [
  'crash',
  'stop',
  'cable',
  'partition',
  'one-way',
  'hung-disk',
  'slow-disk',
  'full-disk',
  'refusal',
  'unreachable',
  'broken-feed',
  'stalled-feed',
  'no-way',
  'resets',
  'bad-blocks',
  'slower',
  'jitter',
  'join',
  'mirror',
  'holdings',
  'origin-death',
  'touched',
] as const
/** What takes a cluster long to get over: a push has one of them at most, and few nodes. */
const rare = ['restart', 'origin-stop', 'split'] as const
/** Nodes have older content: drawn apart, so that the seeds without it stay what they were. */
const versions = ['older'] as const

export const faultKinds = [...usual, ...rare, ...versions] as const
export type FaultKind = (typeof faultKinds)[number]

export interface MixedScenario extends Scenario {
  readonly kinds: readonly FaultKind[]
  /** When the last fault has passed. */
  readonly calmMs: number
}

const blockBytes = 65_536
const page = limits.indexPageBytes
/** Less than usual, because many nodes never come back. */
const rejoinMs = 30_000

type Writable<T> = { -readonly [Name in keyof T]: T[Name] }

/** The scenario while its faults are drawn. */
class Mix {
  readonly random: Random
  readonly nodes: Writable<NodeScenario>[] = []
  readonly edges: Writable<EdgeScenario>[][] = []
  readonly over: Partial<Writable<Scenario>> = {}
  readonly outages: Outage[] = []
  readonly bytes: number
  readonly lifeMs: number
  calmMs = 0
  /** What outages may still take, so that nobody is silent for too long. */
  #outageMs = 9_000
  readonly #typicalBytesPerMs: number

  constructor(random: Random, count: number) {
    this.random = random
    const blocks = random.integer(2, count > 12 ? 10 : 24)
    this.bytes = random.pick([1, blocks, blocks, blocks]) * blockBytes - random.pick([0, 0, 7])
    this.#typicalBytesPerMs = random.between(1_000, 6_000)
    this.lifeMs = 100 + (2 * this.bytes) / this.#typicalBytesPerMs
    for (let i = 0; i < count; i++) this.nodes.push(this.node(null))
  }

  node(joinsAtMs: number | null): Writable<NodeScenario> {
    const { random } = this
    return {
      trouble: null,
      atMs: 0,
      joinsAtMs,
      connectMs: random.between(1, 30),
      prepareMs: random.between(1, 30),
      hashMs: random.between(0.1, 5),
      publishMs: random.between(1, 50),
      uplinkBytesPerMs: this.uplink(),
      downlinkBytesPerMs: this.#typicalBytesPerMs * random.between(2, 10),
      uplinkFactor: 1,
      uplinkChangesAtMs: 0,
      hashesLanded: random.chance(0.5),
    }
  }

  uplink(): number {
    return this.#typicalBytesPerMs * this.random.between(0.3, 3)
  }

  /** Some time in the push. */
  moment(): number {
    return this.random.between(0, this.lifeMs)
  }

  any(): Writable<NodeScenario> {
    return this.random.pick(this.nodes.filter(({ isMirror }) => isMirror !== true))
  }

  edge(): Writable<EdgeScenario> {
    return this.random.pick(this.random.pick(this.edges))
  }

  host(): number {
    return this.random.pick([originNumber, ...this.nodes.keys()])
  }

  /** Some of the hosts: one at least, and not all. */
  some(): number[] {
    const share = this.random.between(0.1, 0.6)
    const hosts = [originNumber, ...this.nodes.keys()].filter(() => this.random.chance(share))
    return hosts.length === 0 || hosts.length > this.nodes.length ? [this.host()] : hosts
  }

  /** How long the next outage takes. */
  spanMs(): number {
    const ms = Math.min(this.random.pick([200, 1_000, 2_500, 5_000, 8_000]), this.#outageMs)
    this.#outageMs -= ms
    return ms
  }

  outage(outage: Outage): void {
    if (outage.forMs <= 0) return
    this.outages.push(outage)
    this.calm(outage.atMs + outage.forMs)
  }

  /** Who is lost is waited for, and tried again, as in a push whose caller wishes nothing else. */
  waits(): void {
    this.over.retries = limits.retries
    this.over.rejoinMs = rejoinMs
  }

  calm(atMs: number): void {
    this.calmMs = Math.max(this.calmMs, atMs)
  }
}

function strike(mix: Mix, trouble: NodeScenario['trouble']): void {
  const node = mix.any()
  // Named troubles are one a node.
  if (node.trouble !== null) return
  node.trouble = trouble
  node.atMs = (node.joinsAtMs ?? 0) + mix.moment()
  mix.calm(node.atMs)
}

function cut(mix: Mix, hosts: readonly number[], over: Partial<Outage>): void {
  const [atMs, forMs] = [mix.moment(), mix.spanMs()]
  for (const host of hosts) mix.outage({ host, kind: 'cable', atMs, forMs, ...over })
}

const draws: Record<FaultKind, (mix: Mix) => void> = {
  crash: (mix) => strike(mix, 'killed'),
  stop: (mix) => cut(mix, mix.random.chance(0.7) ? [mix.host()] : mix.some(), { kind: 'stop' }),
  cable: (mix) => cut(mix, [mix.host()], {}),
  partition: (mix) => {
    const side = mix.some()
    const all = [originNumber, ...mix.nodes.keys()]
    cut(mix, side, { among: all.filter((host) => !side.includes(host)) })
  },
  'one-way': (mix) => {
    const way = mix.random.pick(['in', 'out'] as const)
    const others = mix.random.chance(0.5) ? { among: [mix.host()] } : {}
    cut(mix, [mix.host()], { way, ...others })
  },
  'hung-disk': (mix) => cut(mix, [mix.random.integer(0, mix.nodes.length - 1)], { kind: 'disk' }),
  'slow-disk': (mix) => {
    const node = mix.any()
    node.hashMs *= 20
    node.publishMs *= 20
    // An offer has to be answered in time.
    node.prepareMs = Math.min(20 * node.prepareMs, limits.acceptMs / 2)
  },
  'full-disk': (mix) => strike(mix, 'diskFull'),
  refusal: (mix) => strike(mix, 'refuses'),
  unreachable: (mix) => strike(mix, 'unreachable'),
  'broken-feed': (mix) => {
    mix.edge().breaksAtMs = mix.moment()
  },
  'stalled-feed': (mix) => {
    const edge = mix.edge()
    edge.stallAtMs = mix.moment()
    edge.stallMs = mix.random.between(100, 6_000)
    mix.calm(edge.stallAtMs + edge.stallMs)
  },
  'no-way': (mix) => {
    const edge = mix.edge()
    edge.cannotDial = true
    if (mix.random.chance(0.5)) edge.breaksAtMs = mix.moment()
  },
  resets: (mix) => {
    const kinds = mix.random.pick<ResetKind[]>([
      ['feed'],
      ['edge'],
      ['link'],
      ['feed', 'edge', 'link'],
    ])
    const untilMs = mix.lifeMs
    mix.over.resets = { kinds, everyMs: mix.random.between(30, 400), untilMs }
    // A link that cannot come back before bytes flow is given up, and its node tried again.
    if (kinds.includes('link')) mix.over.retries = limits.retries
    mix.calm(untilMs)
  },
  'bad-blocks': (mix) => {
    mix.over.wrongChance = mix.random.between(0.001, 0.03)
  },
  slower: (mix) => {
    const node = mix.any()
    node.uplinkFactor = mix.random.pick([0.1, 0.3, 3])
    node.uplinkChangesAtMs = mix.moment()
  },
  jitter: (mix) => {
    const jitterMs = mix.random.between(1, 150)
    const share = mix.random.between(0.1, 1)
    for (const row of mix.edges)
      for (const edge of row) if (mix.random.chance(share)) edge.jitterMs = jitterMs
  },
  // Those that join are drawn with the nodes, and mirrors stand behind them.
  join: () => {},
  mirror: () => {},
  holdings: (mix) => {
    const blocks = Math.ceil(mix.bytes / blockBytes)
    for (const node of mix.nodes) {
      if (node.isMirror || mix.random.chance(0.5)) continue
      const first = mix.random.integer(0, blocks - 1)
      const count = mix.random.integer(1, blocks - first)
      const start = first * blockBytes
      node.holds = [[start, Math.min(count * blockBytes, mix.bytes - start)]]
      node.found = mix.random.pick(['held', 'unread', 'candidates', 'elsewhere'] as const)
      node.stale = node.found !== 'held' && mix.random.chance(0.3) ? [first] : []
    }
  },
  older: (mix) => {
    const { random, bytes } = mix
    const blocks = Math.ceil(bytes / blockBytes)
    for (const node of mix.nodes) {
      if (node.isMirror || random.chance(0.4)) continue
      const fills = RangeSet.of([[0, Math.min(bytes, random.integer(1, blocks) * blockBytes)]])
      // Some blocks it has whole, of the others all but a page.
      for (let at = 0; at < bytes; at += blockBytes)
        if (random.chance(0.6))
          fills.remove(at + random.integer(0, blockBytes / page - 1) * page, page)
      node.fills = fills.toArray()
      node.staleFills = random.chance(0.2) ? [random.integer(0, blocks - 1)] : []
    }
  },
  'origin-death': (mix) => {
    mix.over.originDiesAtMs = mix.moment()
    mix.calm(mix.over.originDiesAtMs)
  },
  touched: (mix) => {
    mix.over.sourceTouchedAtMs = mix.moment()
  },
  restart: (mix) => {
    mix.waits()
    const node = mix.any()
    if (node.trouble !== null) return
    node.trouble = 'killed'
    node.atMs = (node.joinsAtMs ?? 0) + mix.moment()
    node.restart = {
      afterMs: mix.random.pick([1, 50, 500, 3_000]),
      losesDisk: mix.random.chance(0.4),
      rereads: mix.random.chance(0.5),
    }
    mix.calm(node.atMs + node.restart.afterMs)
  },
  // Longer than its nodes wait for it: one of them takes over.
  'origin-stop': (mix) => {
    mix.waits()
    const forMs = mix.random.between(18_000, 32_000)
    mix.outage({ host: originNumber, kind: 'stop', atMs: mix.moment(), forMs })
  },
  split: (mix) => {
    mix.waits()
    const [atMs, forMs, side] = [mix.moment(), mix.random.between(16_000, 30_000), mix.some()]
    const among = [originNumber, ...mix.nodes.keys()].filter((host) => !side.includes(host))
    for (const host of side) mix.outage({ host, kind: 'cable', atMs, forMs, among })
  },
}

function sizeOf(random: Random): number {
  const size = random.next()
  if (size < 0.97) return random.pick([1, 2, 2, 3, 3, 4, 4, 5, 6, 8])
  if (size < 0.997) return random.integer(9, 24)
  return random.integer(25, 200)
}

/** Groups and sites as they come; in a large group all would speak to all. */
function topologyOf(random: Random, count: number): Partial<Scenario> {
  const groups: DealtShape[] = count > 12 ? [] : ['group', 'group', 'unicast']
  const shape = random.pick<DealtShape>([...groups, 'chain', 'tree', 'binomial'])
  const handover = random.pick<Handover>(['corresponding', 'corresponding', 'every'])
  const sites = random.pick([0, 0, 2, 3])
  if (shape === 'unicast' || shape === 'group') return { shape, sites }
  return { shape, sites, handover, groupSize: random.integer(1, 8) }
}

export function mixedScenario(seed: number): MixedScenario {
  const random = new Random(seed ^ 0x313c)
  const mix = new Mix(random, sizeOf(random))
  const kinds: FaultKind[] = Array.from({ length: random.integer(0, 5) }, () => random.pick(usual))
  // Drawn apart, so that the seeds without them stay what they were.
  const apart = new Random(seed ^ 0x7e57)
  const isSmall = mix.nodes.length <= 12
  const late = isSmall && apart.chance(0.07) ? [apart.pick(rare)] : []
  const older = new Random(seed ^ 0x0de1).chance(0.1) ? versions : []
  const many = (kind: FaultKind): number => kinds.filter((one) => one === kind).length
  const joinMs = Array.from({ length: many('join') }, () => mix.moment()).sort((a, b) => a - b)
  for (const atMs of joinMs) mix.nodes.push(mix.node(atMs))
  // Numbers are places: who joins would have that of a mirror.
  const mirrors = joinMs.length > 0 ? 0 : many('mirror')
  for (let i = 0; i < mirrors; i++)
    mix.nodes.push({ ...mix.node(null), isMirror: true, holds: [[0, mix.bytes]] })
  const far = random.pick([1, 1, 40])
  const edge = (): EdgeScenario => ({
    latencyMs: random.between(0.1, 2) * far,
    ...{ breaksAtMs: null, stallAtMs: null, stallMs: 0, cannotDial: false },
  })
  for (let from = 0; from <= mix.nodes.length; from++) mix.edges.push(mix.nodes.map(edge))
  for (const kind of [...kinds, ...late, ...older]) draws[kind](mix)
  return {
    ...{ seed, blockBytes, bytes: mix.bytes, calmMs: mix.calmMs },
    kinds: [...kinds, ...late, ...older],
    strategy: random.pick<Strategy>(['classic', 'adaptive', 'adaptive']),
    shape: 'group',
    ...topologyOf(random, mix.nodes.length),
    originUplinkBytesPerMs: mix.uplink(),
    chunkBytes: blockBytes / random.pick([1, 1, 1, 4]),
    nodes: mix.nodes,
    edges: mix.edges,
    ...{ wrongChance: 0, sourceChangesAtMs: null, sourceTouchedAtMs: null, cancelAtMs: null },
    connectMs: limits.reachMs,
    originHashMs: random.pick([1, 1, 100]),
    hashAheadBytes: random.pick([1, 20, 1000]) * blockBytes,
    outages: mix.outages,
    ...mix.over,
  }
}
