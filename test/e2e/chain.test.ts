/** Pushes to several groups over loopback, on both engines; a node between two groups dies. */
import { describe, expect, it } from 'vitest'
import { type LogLine, type Plan, type PushOptions, push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { usualEngines } from './engines.js'
import { expectCopies, useWorld } from './push-support.js'

describe.each(usualEngines)('a chain of groups on the %s engine', (engine) => {
  const world = useWorld(engine)

  it.each([
    [6, 2, 8 * MIB + 7],
    [5, 1, 3 * MIB],
    [7, 3, 24 * MIB],
  ])('%i nodes in groups of %i', async (count, groupSize, bytes) => {
    const nodes = await world.nodes(count)
    const { path, content } = world.file('data.bin', bytes)
    const to = nodes.map((node) => node.address)
    const result = await push(path, { to, engine, groupSize }).result
    expect(result.nodes.map(({ status, reason }) => [status, reason])).toEqual(
      nodes.map(() => ['complete', null]),
    )
    expect(result.shape).toBe('chain')
    expect(result.originBytesSent / bytes).toBeLessThan(groupSize + 0.1)
    expectCopies(content, 'data.bin', nodes)
  })

  it.each<[string, Omit<PushOptions, 'to'>, (string | undefined)[]]>([
    ['a tree of groups', { shape: 'tree', groupSize: 2 }, []],
    ['a binomial tree', { shape: 'binomial' }, []],
    ['every node of the next group', { groupSize: 2, handover: 'every' }, []],
    ['a site of one node that feeds one of four', {}, ['a', 'b', 'b', 'b', 'b', 'c']],
  ])('brings the file to all along %s', async (_, options, sites) => {
    const nodes = await world.nodes(6)
    const { path, content } = world.file('data.bin', 9 * MIB + 3)
    const to = nodes.map(({ address }, i) => ({ address, ...(sites[i] && { site: sites[i] }) }))
    const transfer = push(path, { to, engine, ...options })
    const plans: Plan[] = []
    transfer.on('plan', (plan) => plans.push(plan))
    const result = await transfer.result
    expect(result.nodes.map(({ reason }) => reason)).toEqual(nodes.map(() => null))
    expect(result.shape).toBe(options.shape ?? 'chain')
    if (sites.length > 0) {
      expect(plans[0]?.groups.map((group) => group.length)).toEqual([1, 4, 1])
      expect(plans[0]?.sites).toEqual(['a', 'b', 'c'])
      const crossed = result.crossings.map(({ from, to, bytes }) => {
        return [from, to, Math.round((10 * bytes) / content.length) / 10]
      })
      expect(crossed).toEqual([
        [null, 'a', 1],
        ['a', 'b', 1],
        ['b', 'c', 1],
      ])
    }
    expectCopies(content, 'data.bin', nodes)
  })

  it('feeds a node that is added once a group has the file', async () => {
    const nodes = await world.nodes(5)
    const { path, content } = world.file('data.bin', 24 * MIB)
    const [late, ...first] = nodes.map(({ address }) => address)
    const seen: string[] = []
    const logger = ({ event, fields }: LogLine) => seen.push(`${event} ${fields['node']}`)
    // So slow that the node joins while bytes flow.
    const limits = { limitUpBytesPerSecond: 12 * MIB }
    const transfer = push(path, { to: first, engine, groupSize: 2, logger, ...limits })
    let added: Promise<unknown> | undefined
    transfer.on('plan', () => {
      added ??= transfer.add(late as string)
    })
    const result = await transfer.result
    await added
    expect(result.nodes.map(({ reason }) => reason)).toEqual(nodes.map(() => null))
    expect(result.originBytesSent).toBeLessThan(2.2 * content.length)
    expectCopies(content, 'data.bin', nodes)
    // Those of one group came before it.
    const complete = seen.filter((line) => line.startsWith('node-complete'))
    expect(complete.indexOf(`node-complete ${late}`)).toBeGreaterThanOrEqual(2)
  })

  it('goes on where a node between two groups ends', async () => {
    const nodes = await world.nodes(6)
    const { path, content } = world.file('data.bin', 48 * MIB)
    const to = nodes.map((node) => node.address)
    const transfer = push(path, { to, engine, groupSize: 2, retries: 0 })
    const ends = nodes[3] as (typeof nodes)[number]
    let ended: Promise<void> | undefined
    transfer.on('progress', ({ nodes: states }) => {
      const landed = Math.min(...states.map(({ landedBytes }) => landedBytes))
      if (landed > 0) ended ??= ends.close()
    })
    const result = await transfer.result
    await ended
    const others = result.nodes.filter(({ node }) => node !== ends.address)
    expect(others.map(({ reason }) => reason)).toEqual(others.map(() => null))
    expectCopies(
      content,
      'data.bin',
      nodes.filter((node) => node !== ends),
    )
  })
})
