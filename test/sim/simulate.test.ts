/** `simulate`: both models of a push, against each other and against what is known of them. */
import { describe, expect, it } from 'vitest'
import { simulate } from '../../src/api/simulate.js'
import type { SimulateOptions } from '../../src/api/simulate-types.js'

const gigabit = 125_000_000
const usual: SimulateOptions = { nodes: 24, bytes: 25_000_000, uplinkBytesPerSecond: gigabit }
const chain = { ...usual, shape: 'chain', groupSize: 8 } as const

describe('a simulated push', () => {
  it.each<[string, Partial<SimulateOptions>]>([
    ['one group', { shape: 'group' }],
    ['a chain', { shape: 'chain', groupSize: 8 }],
    ['a tree', { shape: 'tree', groupSize: 6 }],
    ['every node fed by the origin', { shape: 'unicast', nodes: 6 }],
    ['slow receivers', { shape: 'group', nodes: 8, downlinkBytesPerSecond: gigabit / 2 }],
    ['a slow origin', { ...chain, originUplinkBytesPerSecond: gigabit / 4 }],
    [
      'one uplink of a tenth',
      {
        bytes: 100_000_000,
        nodes: Array.from({ length: 8 }, (_, i) =>
          i === 3
            ? { address: `h${i}:1`, uplinkBytesPerSecond: gigabit / 10 }
            : { address: `h${i}:1` },
        ),
      },
    ],
    ['long ways', { ...chain, latencyMs: 8 }],
    [
      'three sites behind links of half a machine',
      {
        ...{ shape: 'chain', site: 'a' },
        nodes: Array.from({ length: 12 }, (_, i) => ({
          address: `h${i}:1`,
          site: 'abc'[i % 3] as string,
        })),
        siteLinks: ['ab', 'ac', 'bc'].map((two) => ({
          sites: [two[0], two[1]] as [string, string],
          bytesPerSecond: gigabit / 2,
        })),
      },
    ],
  ])('takes as long in sessions as in a fluid: %s', async (_, over) => {
    const [sessions, fluid] = await Promise.all(
      (['sessions', 'fluid'] as const).map((model) => simulate({ ...usual, ...over, model })),
    )
    if (sessions === undefined || fluid === undefined) throw new Error('two answers')
    for (const answer of [sessions, fluid]) {
      expect(answer.failed).toBe(0)
      expect(answer.seconds).toBeGreaterThan(answer.boundSeconds ?? 0)
      expect(answer.originBytesSent).toBeGreaterThanOrEqual(answer.bytes)
    }
    expect(Math.abs(sessions.seconds / fluid.seconds - 1)).toBeLessThan(0.03)
  })

  it('has slow nodes beside the tree, which the others do not wait for', async () => {
    const slow = [5, 17]
    const nodes = Array.from({ length: 24 }, (_, i) => ({
      address: `h${i}:1`,
      ...(slow.includes(i) && { uplinkBytesPerSecond: gigabit / 10 }),
    }))
    const push = { ...chain, nodes, groupSize: 4, bytes: 100_000_000 }
    const [sessions, fluid] = await Promise.all(
      (['sessions', 'fluid'] as const).map((model) => simulate({ ...push, model })),
    )
    if (sessions === undefined || fluid === undefined) throw new Error('two answers')
    const boundOfOthers = push.bytes / gigabit
    for (const { failed, groups, completeSeconds, predictedSeconds, seconds } of [
      sessions,
      fluid,
    ]) {
      expect(failed).toBe(0)
      expect(groups.flat().filter((node) => slow.includes(node - 1))).toEqual([])
      for (const [i, each] of completeSeconds.entries())
        if (!slow.includes(i)) expect((each ?? 9) / boundOfOthers).toBeLessThan(1.25)
      // Their own time comes after that of the tree.
      expect(predictedSeconds).toBeGreaterThan(2 * boundOfOthers)
      expect(seconds / (predictedSeconds ?? 0)).toBeLessThan(1.15)
    }
    expect(Math.abs(sessions.seconds / fluid.seconds - 1)).toBeLessThan(0.03)
  })

  it.each(['sessions', 'fluid'] as const)('is the same for the same seed: %s', async (model) => {
    const [one, again, other] = [
      await simulate({ ...chain, model, seed: 7 }),
      await simulate({ ...chain, model, seed: 7 }),
      await simulate({ ...chain, model, seed: 8 }),
    ]
    expect(again).toEqual(one)
    expect(other.completeSeconds).not.toEqual(one.completeSeconds)
  })

  it('goes on past a node that dies', async () => {
    const { model, complete, failed, failures, completeSeconds } = await simulate({
      ...chain,
      kill: [{ node: 11, atSeconds: 0.1 }],
    })
    expect([model, complete, failed]).toEqual(['sessions', 23, 1])
    expect(failures).toEqual([{ code: 'ERR_FR_NODE_LOST', nodes: 1 }])
    expect(completeSeconds[10]).toBeNull()
  })

  it('finds what the links are, where it is not told', async () => {
    const known = await simulate({ ...chain, bytes: 125_000_000, model: 'fluid' })
    const found = await simulate({
      ...chain,
      bytes: 125_000_000,
      model: 'fluid',
      speedsKnown: false,
    })
    expect(found.seconds / known.seconds).toBeLessThan(1.15)
  })

  it('counts what nodes say', async () => {
    const [sessions, fluid] = [
      await simulate({ ...chain, model: 'sessions' }),
      await simulate({ ...chain, model: 'fluid' }),
    ]
    // A fluid makes no offers and no plans.
    expect(fluid.messagesPerNode).toBeGreaterThan(1)
    expect(sessions.messagesPerNode).toBeGreaterThan(fluid.messagesPerNode)
    expect(sessions.originMessageBytes).toBeGreaterThan(sessions.messageBytesPerNode)
  })

  it('ends with the reason of its signal', async () => {
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(simulate({ ...chain, signal })).rejects.toThrow('enough')
  })

  it.each<[object, string]>([
    [{ nodes: 0 }, 'nodes must be a whole number from 1'],
    [{ nodes: [] }, 'nodes must name 1 to'],
    [{ bytes: 0 }, 'bytes must be a whole number from 1'],
    [{ uplinkBytesPerSecond: 0 }, 'uplinkBytesPerSecond must be a rate above zero'],
    [{ uplinkBytesPerSecond: 1e18 }, 'uplinkBytesPerSecond must be a rate above zero and at most'],
    [{ uplinkBytesPerSecond: 1, bytes: 1e12 }, 'more than two weeks'],
    [{ latencyMs: -1 }, 'latencyMs must be from 0'],
    [{ shape: 'star' }, 'shape must be'],
    [{ kill: [{ node: 25, atSeconds: 1 }] }, 'kill[0].node must be a whole number from 1 to 24'],
    [{ model: 'fluid', kill: [{ node: 1, atSeconds: 1 }] }, 'kill needs the model sessions'],
    [{ model: 'sessions', nodes: 100_000 }, 'the model sessions takes at most'],
    [{ shape: 'group', nodes: 65 }, 'one group of 65 nodes'],
  ])('refuses %o', async (over, text) => {
    await expect(simulate({ ...usual, ...over } as SimulateOptions)).rejects.toThrow(text)
  })
})
