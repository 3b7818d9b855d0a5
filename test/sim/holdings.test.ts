/** Nodes that hold parts of the file at the start: only what nobody holds is dealt. */
import { describe, expect, it } from 'vitest'
import { type RangePair, RangeSet } from '../../src/base/ranges.js'
import { OriginFillers } from '../../src/control/coordinator/fillers.js'
import { replace } from '../../src/sim/planted.js'
import { Random } from '../../src/sim/random.js'
import { runScenario } from '../../src/sim/run-seed.js'
import { type Scenario, scenarioOf, steadyScenario } from '../../src/sim/scenario.js'

/** A run of whole blocks, by the number of the first and of how many there are. */
function blocks({ bytes, blockBytes }: Scenario, first: number, count: number): RangePair[] {
  const start = Math.min(bytes, first * blockBytes)
  const end = Math.min(bytes, (first + count) * blockBytes)
  return end > start ? [[start, end - start]] : []
}

describe.each(['adaptive', 'classic'] as const)('%s dealing', (strategy) => {
  const steady: Scenario = { ...steadyScenario(3), strategy, bytes: 64 * 65_536 + 5 }
  const holding = (...holds: (readonly [first: number, count: number])[]): Scenario => ({
    ...steady,
    nodes: steady.nodes.map((node, i) => {
      const run = holds[i]
      return run === undefined ? node : { ...node, holds: blocks(steady, ...run) }
    }),
  })
  const run = (scenario: Scenario) => {
    const { outcomes, originBytes, pulledBytes } = runScenario(scenario)
    expect(outcomes.map(({ reason }) => reason)).toEqual(scenario.nodes.map(() => null))
    return { originBytes, pulledBytes }
  }
  const [others, block] = [steady.nodes.length - 1, steady.blockBytes]

  it('leaves out what one node holds: the others have it from there', () => {
    const { originBytes, pulledBytes } = run(holding([0, 32]))
    expect(pulledBytes).toBe(32 * block * others)
    // What nobody holds, and at the end some of that from the origin instead of a late relay.
    expect(originBytes).toBeLessThan((steady.bytes - 32 * block) * steady.nodes.length)
  })

  it('sends nothing where all hold everything', () => {
    const all = steady.nodes.map(() => [0, 65] as const)
    expect(run(holding(...all))).toEqual({ originBytes: 0, pulledBytes: 0 })
  })

  it('sends nothing where each holds a part, and all of them the whole', () => {
    const count = Math.ceil(65 / steady.nodes.length)
    const parts = steady.nodes.map((_, i) => [i * count, count] as const)
    const { originBytes, pulledBytes } = run(holding(...parts))
    expect(originBytes).toBe(0)
    expect(pulledBytes).toBe(steady.bytes * others)
  })
})

describe('in a chain', () => {
  const steady: Scenario = {
    ...steadyScenario(3, 6),
    shape: 'chain',
    groupSize: 3,
    sites: 0,
    bytes: 64 * 65_536,
  }
  /** Where these have the first half. */
  const run = (holders: readonly number[]): number => {
    const nodes = steady.nodes.map((node, i) =>
      holders.includes(i) ? { ...node, holds: blocks(steady, 0, 32) } : node,
    )
    const { outcomes, originBytes } = runScenario({ ...steady, nodes })
    expect(outcomes.map(({ reason }) => reason)).toEqual(nodes.map(() => null))
    return originBytes
  }

  it('what each group has somewhere is left out', () => {
    // Whichever three of them are a group.
    expect(run([0, 1, 3, 4, 5])).toBeLessThan(steady.bytes)
  })

  it('what one of them has nowhere goes through all', () => {
    expect(run([2])).toBeGreaterThanOrEqual(steady.bytes)
  })
})

it('what a node lacks is all that it is sent where nobody relays', () => {
  const steady = steadyScenario(3)
  const scenario: Scenario = { ...steady, shape: 'unicast', bytes: 16 * 65_536 }
  const nodes = scenario.nodes.map((node) => ({ ...node, holds: blocks(scenario, 0, 12) }))
  const { originBytes, pulledBytes } = runScenario({ ...scenario, nodes })
  expect([originBytes, pulledBytes]).toEqual([4 * 65_536 * nodes.length, 0])
})

describe('blocks that may be of this content', () => {
  const steady: Scenario = { ...steadyScenario(3), bytes: 64 * 65_536 + 5 }
  const run = (
    found: 'unread' | 'candidates' | 'elsewhere',
    stale: readonly number[],
    count = 65,
  ) => {
    const holds = blocks(steady, 0, count)
    const nodes = steady.nodes.map((node) => ({ ...node, holds, found, stale }))
    const { outcomes, originBytes, pulledBytes, logged } = runScenario({ ...steady, nodes })
    expect(outcomes.map(({ reason }) => reason)).toEqual(steady.nodes.map(() => null))
    return { originBytes, pulledBytes, logged, held: outcomes.map(({ heldBytes }) => heldBytes) }
  }
  const all = steady.nodes.length

  it.each(['candidates', 'elsewhere'] as const)('(%s) are sent only where they differ', (found) => {
    const { originBytes, pulledBytes, held, logged } = run(found, [])
    expect([originBytes, pulledBytes]).toEqual([0, 0])
    expect(new Set(held)).toEqual(new Set([steady.bytes]))
    expect(logged).not.toContain('bad-block')
  })

  it('are sent where they are not: a little, or everything', () => {
    const few = run('candidates', [3, 64])
    expect(new Set(few.held)).toEqual(new Set([steady.bytes - 65_536 - 5]))
    expect(few.originBytes).toBeGreaterThanOrEqual(65_536 + 5)
    expect(few.originBytes).toBeLessThanOrEqual(all * (65_536 + 5))
    expect(few.logged).not.toContain('bad-block')
    const none = run(
      'candidates',
      Array.from({ length: 65 }, (_, block) => block),
    )
    expect(new Set(none.held)).toEqual(new Set([0]))
    expect(none.originBytes).toBeGreaterThanOrEqual(steady.bytes)
    expect(none.logged).not.toContain('bad-block')
  })

  it('that were verified once are read, and repaired where the disk has lost them', () => {
    expect(run('unread', []).originBytes).toBe(0)
    const { originBytes, held, logged } = run('unread', [3, 64])
    expect(new Set(held)).toEqual(new Set([steady.bytes]))
    expect(originBytes).toBe(all * (65_536 + 5))
    expect(logged).toContain('bad-block')
  })
})

describe('blocks that older content has in part', () => {
  const steady: Scenario = { ...steadyScenario(3), bytes: 64 * 65_536 + 5 }
  const block = steady.blockBytes
  /** Of blocks from `first` to `end`, all but the page at `page`. */
  const but = (page: number, first = 0, end = 65): RangePair[] => {
    const kept = RangeSet.of(blocks(steady, first, end - first))
    for (let at = first; at < end; at++) kept.remove(at * block + page * 4096, 4096)
    return kept.toArray()
  }
  const run = (fills: readonly (readonly RangePair[])[], over: Partial<Scenario> = {}) => {
    const nodes = steady.nodes.map((node, i) => ({ ...node, fills: fills[i] ?? [] }))
    const { outcomes, originBytes, logged } = runScenario({ ...steady, ...over, nodes })
    expect(outcomes.map(({ reason }) => reason)).toEqual(steady.nodes.map(() => null))
    return { originBytes, logged, filled: outcomes.map(({ filledBytes }) => filledBytes) }
  }
  const all = steady.nodes.length

  it('come as far as they are lacking', () => {
    const { originBytes, filled } = run(steady.nodes.map(() => but(3)))
    expect(new Set(filled)).toEqual(new Set([steady.bytes - 64 * 4096]))
    expect(originBytes).toBeGreaterThanOrEqual(64 * 4096)
    // Some of it from the origin instead of a late relay.
    expect(originBytes).toBeLessThanOrEqual(all * 64 * 4096)
  })

  it('of different versions, or of none, come from those that have them', () => {
    const none = steady.nodes.length - 1
    const fills = steady.nodes.map((_, i) => (i === none ? [] : but(i, 0, 48)))
    const { originBytes } = run(fills)
    // What some lack of 48 blocks, and 16 blocks that nobody has; not the 48 for the one without.
    expect(originBytes).toBeLessThanOrEqual(all * (48 * none * 4096 + 17 * block))
    expect(originBytes).toBeLessThan(48 * block + 17 * block)
  })

  it('that were filled wrongly come again', () => {
    const nodes = steady.nodes.map((node) => ({ ...node, fills: but(3), staleFills: [2, 7] }))
    const { outcomes, logged } = runScenario({ ...steady, nodes })
    expect(outcomes.map(({ reason }) => reason)).toEqual(steady.nodes.map(() => null))
    expect(logged).toContain('bad-block')
  })

  describe('and whoever has them leaves', () => {
    /** After so long; the others have nothing. */
    const leaving = (atMs: number): void => {
      const leaver = { fills: but(3), trouble: 'killed', atMs } as const
      const nodes = steady.nodes.map((node, i) => (i === 0 ? { ...node, ...leaver } : node))
      const { outcomes } = runScenario({ ...steady, nodes })
      const others = outcomes.slice(1).map(({ reason }) => reason)
      expect(others).toEqual(steady.nodes.slice(1).map(() => null))
    }
    const moments = [5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 150]

    it('come from elsewhere, and nobody has to ask twice', () => {
      for (const atMs of moments) leaving(atMs)
    })

    it('are missed where nobody is told', () => {
      const undo = replace(OriginFillers, 'left', () => () => {})
      try {
        expect(() => moments.map(leaving)).toThrow('had to ask again although nothing kept quiet')
      } finally {
        undo()
      }
    })
  })

  it('are left to the origin where nobody relays', () => {
    const { originBytes } = run(
      steady.nodes.map((_, i) => but(i)),
      { shape: 'unicast' },
    )
    // The last block is shorter than its first page.
    expect(originBytes).toBe(all * 64 * 4096 + 5)
  })
})

it('ends well whatever nodes hold, and whatever goes wrong', { timeout: 300_000 }, () => {
  for (let seed = 1; seed <= 60; seed++) {
    const scenario = scenarioOf(seed)
    const random = new Random(seed ^ 0x401d)
    const all = Math.ceil(scenario.bytes / scenario.blockBytes)
    const nodes = scenario.nodes.map((node) => {
      const first = random.integer(0, all)
      if (!random.chance(0.6)) return node
      const page = random.integer(0, 15) * 4096
      const filled = RangeSet.of(random.chance(0.5) ? blocks(scenario, 0, first) : [])
      for (let at = 0; at < first; at++) filled.remove(at * scenario.blockBytes + page, 4096)
      const fills = filled.toArray()
      const staleFills = random.chance(0.2) ? [0, first - 1] : []
      const holds = blocks(scenario, first, random.integer(1, all + 1))
      const found = random.pick(['held', 'unread', 'candidates', 'elsewhere'] as const)
      const ours = holds.flatMap(([offset, length]) =>
        Array.from(
          { length: Math.ceil(length / scenario.blockBytes) },
          (_, i) => offset / scenario.blockBytes + i,
        ),
      )
      const share = random.pick([0, 0.1, 1])
      const stale = found === 'held' ? [] : ours.filter(() => random.chance(share))
      return { ...node, holds, found, stale, fills, staleFills }
    })
    try {
      runScenario({ ...scenario, nodes })
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
    }
  }
})
