/** What goes wrong while simulated nodes decide together, from a seed. */
import type { CommitMode } from '../control/messages/commit.js'
import { Random } from './random.js'

export interface CommitPush {
  readonly mode: CommitMode
  readonly atMs: number
  /** Of each node: milliseconds until it has prepared; null: it cannot. */
  readonly preparesMs: readonly (number | null)[]
  /** When the author waits no longer for those that have not prepared. */
  readonly givesMs?: number
  /** The author knows of those that it did not reach, or that refused, that they never prepare. */
  readonly isSure?: boolean
  /**
   * When the author is killed: then, behind so many words, or when it has told so many members what
   * is decided; null: it lives until it is over.
   */
  readonly killed:
    | { readonly ms: number }
    | { readonly words: number }
    | { readonly told: number }
    | null
}

/** A process is killed, and started again, unless it is gone for good. */
export interface CommitCrash {
  readonly node: number
  /** At this time, or when it has begun so many writes. */
  readonly at: { readonly ms: number } | { readonly writes: number }
  /** Null: it never comes back. */
  readonly downMs: number | null
}

/** For this long these hosts and those do not hear each other. */
export interface CommitCut {
  readonly fromMs: number
  readonly toMs: number
  /** Hosts behind the nodes are the authors. */
  readonly hosts: ReadonlySet<number>
  /** Undefined: all others. Else some may hear both, and two sides that ask at once hinder them. */
  readonly from?: ReadonlySet<number>
}

export interface CommitScenario {
  readonly seed: number
  readonly nodes: number
  /** One after the other, or at once: all of one name. */
  readonly pushes: readonly CommitPush[]
  readonly crashes: readonly CommitCrash[]
  readonly cuts: readonly CommitCut[]
  /** A node's clock goes forward by so much. */
  readonly jumps: readonly { node: number; atMs: number; byMs: number }[]
  /** Of words, as long as anything goes wrong. */
  readonly lostPart: number
  readonly twicePart: number
  /** Of words, those that take up to `lateMs`, which others overtake. */
  readonly latePart: number
  readonly writeMs: number
  /** Nothing goes wrong any more, and who is down comes back. */
  readonly calmMs: number
}

const calmMs = 60_000
/** Of so many seeds one has two sides that ask for a decision at once. */
const duelEvery = 4

export function commitScenarioOf(seed: number): CommitScenario {
  const random = new Random(seed)
  if (seed % duelEvery === 0) return duelOf(seed, random)
  const nodes = random.integer(1, random.chance(0.6) ? 4 : 7)
  const count = random.chance(0.5) ? 1 : random.integer(2, 3)
  const pushes = Array.from({ length: count }, (_, i): CommitPush => {
    const atMs = i === 0 ? 0 : random.between(0, 30_000)
    const failing = random.chance(0.15) ? random.integer(0, nodes - 1) : -1
    return {
      mode: random.pick(['all', 'quorum']),
      atMs,
      preparesMs: Array.from({ length: nodes }, (_each, node) =>
        node === failing ? null : random.between(1, random.chance(0.1) ? 20_000 : 1_500),
      ),
      killed: killedOf(random, atMs, nodes),
      ...(random.chance(0.2) && { givesMs: atMs + random.between(500, 10_000) }),
    }
  })
  const crashes = Array.from({ length: random.integer(0, nodes) }, (): CommitCrash => {
    const byWrites = random.chance(0.6)
    return {
      node: random.integer(0, nodes - 1),
      at: byWrites ? { writes: random.integer(1, 6) } : { ms: random.between(0, 8_000) },
      downMs: random.between(1, random.chance(0.5) ? calmMs : 3_000),
    }
  })
  const cuts = Array.from({ length: random.integer(0, 2) }, () => {
    const fromMs = random.between(0, 10_000)
    const toMs = fromMs + random.between(100, random.chance(0.5) ? 20_000 : 50_000)
    const sides = random.chance(0.5) ? 2 : 3
    const hosts = Array.from({ length: nodes + count }, () => random.integer(1, sides))
    const side = (of: number) => new Set(hosts.flatMap((at, host) => (at === of ? [host] : [])))
    return { fromMs, toMs, hosts: side(1), from: side(2) }
  })
  const jumps = Array.from({ length: random.integer(0, 2) }, () => {
    const node = random.integer(0, nodes - 1)
    return { node, atMs: random.between(0, 10_000), byMs: random.between(1_000, 3_600_000) }
  })
  if (nodes > 2 && random.chance(0.1)) {
    const at = { ms: random.between(0, 8_000) }
    crashes.push({ node: random.integer(0, nodes - 1), at, downMs: null })
  }
  const lostPart = random.chance(0.5) ? 0.1 : 0
  const twicePart = random.chance(0.5) ? 0.1 : 0
  const latePart = random.chance(0.3) ? 0.1 : 0
  const writeMs = random.pick([0.1, 5, 50])
  const parts = { lostPart, twicePart, latePart }
  return { seed, nodes, pushes, crashes, cuts, jumps, ...parts, writeMs, calmMs }
}

function killedOf(random: Random, atMs: number, nodes: number): CommitPush['killed'] {
  if (random.chance(0.4)) return null
  if (random.chance(0.5)) return { ms: atMs + random.between(0, 3_000) }
  return { words: random.integer(1, 6 * nodes) }
}

/**
 * The author and some nodes hear nothing of others, which take over, while some hear both sides and
 * may be killed; who has not prepared yet leaves the verdict open to both.
 */
function duelOf(seed: number, random: Random): CommitScenario {
  const nodes = random.integer(3, random.chance(0.7) ? 3 : 5)
  const both = random.integer(1, nodes - 2)
  const order = shuffled(random, nodes)
  const split = random.integer(both + 1, nodes - 1)
  const hosts = new Set([nodes, ...order.slice(both, split)])
  const from = new Set(order.slice(split))
  const fromMs = random.between(5, 2_000)
  const push: CommitPush = {
    mode: random.pick(['all', 'quorum']),
    atMs: 0,
    preparesMs: order.map((_, node) =>
      random.between(1, from.has(node) ? 40_000 : random.chance(0.5) ? 1_500 : 8_000),
    ),
    killed: random.chance(0.2) ? null : { told: random.integer(1, nodes) },
    ...(random.chance(0.5) && { givesMs: random.between(2_000, 8_000) }),
  }
  // Who hears both comes back soon, and others may miss the rest.
  const crashes = order.flatMap((node, at): CommitCrash[] => {
    if (random.chance(0.3)) return []
    const byWrites = random.chance(0.5)
    return [
      {
        node,
        at: byWrites ? { writes: random.integer(2, 4) } : { ms: random.between(500, 8_000) },
        downMs: at < both ? random.between(1, 1_000) : random.between(1, calmMs),
      },
    ]
  })
  return {
    ...{ seed, nodes, pushes: [push], crashes, jumps: [], calmMs },
    cuts: [{ fromMs, toMs: random.between(20_000, calmMs), hosts, from }],
    ...{ lostPart: random.pick([0, 0.1, 0.3]), twicePart: 0, latePart: 0 },
    writeMs: random.pick([0.1, 5, 50]),
  }
}

function shuffled(random: Random, count: number): number[] {
  const places = Array.from({ length: count }, (_, node) => ({ node, at: random.between(0, 1) }))
  return places.sort((a, b) => a.at - b.at).map(({ node }) => node)
}
