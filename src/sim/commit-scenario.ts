/** What goes wrong while simulated nodes decide together, from a seed. */
import type { CommitMode } from '../control/messages/commit.js'
import { Random } from './random.js'

export interface CommitPush {
  readonly mode: CommitMode
  readonly atMs: number
  /** Of each node: milliseconds until it has prepared; null: it cannot. */
  readonly preparesMs: readonly (number | null)[]
  /** When the author is killed: then, or behind so many words; null: it lives until it is over. */
  readonly killed: { readonly ms: number } | { readonly words: number } | null
}

/** A process is killed, and started again. */
export interface CommitCrash {
  readonly node: number
  /** At this time, or when it has begun so many writes. */
  readonly at: { readonly ms: number } | { readonly writes: number }
  readonly downMs: number
}

export interface CommitScenario {
  readonly seed: number
  readonly nodes: number
  /** One after the other, or at once: all of one name. */
  readonly pushes: readonly CommitPush[]
  readonly crashes: readonly CommitCrash[]
  /** For this long these hosts hear nobody else; hosts behind the nodes are the authors. */
  readonly cuts: readonly { fromMs: number; toMs: number; hosts: ReadonlySet<number> }[]
  /** A node's clock goes forward by so much. */
  readonly jumps: readonly { node: number; atMs: number; byMs: number }[]
  /** Of words, as long as anything goes wrong. */
  readonly lostPart: number
  readonly twicePart: number
  readonly writeMs: number
  /** Nothing goes wrong any more, and who is down comes back. */
  readonly calmMs: number
}

const calmMs = 60_000

export function commitScenarioOf(seed: number): CommitScenario {
  const random = new Random(seed)
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
    const hosts = Array.from({ length: nodes + count }, (_, host) => host)
    return {
      fromMs,
      toMs: fromMs + random.between(100, 20_000),
      hosts: new Set(hosts.filter(() => random.chance(0.5))),
    }
  })
  const jumps = Array.from({ length: random.integer(0, 2) }, () => {
    const node = random.integer(0, nodes - 1)
    return { node, atMs: random.between(0, 10_000), byMs: random.between(1_000, 3_600_000) }
  })
  const lostPart = random.chance(0.5) ? 0.1 : 0
  const twicePart = random.chance(0.5) ? 0.1 : 0
  const writeMs = random.pick([0.1, 5, 50])
  return { seed, nodes, pushes, crashes, cuts, jumps, lostPart, twicePart, writeMs, calmMs }
}

function killedOf(random: Random, atMs: number, nodes: number): CommitPush['killed'] {
  if (random.chance(0.4)) return null
  if (random.chance(0.5)) return { ms: atMs + random.between(0, 3_000) }
  return { words: random.integer(1, 6 * nodes) }
}
