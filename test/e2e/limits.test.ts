/**
 * Limits of nodes and of pushes, and how they change while bytes flow. Counts are compared with
 * what the time that has passed allows, never with how fast the machine is.
 */
import { closeSync, ftruncateSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { client, copy, get, type Plan, push } from '../../src/api/index.js'
import { GIB, KIB, limits, MIB } from '../../src/base/limits.js'
import { engines } from './engines.js'
import { holdingBack } from './get-support.js'
import { expectCopies, until, useWorld } from './push-support.js'

const burstSeconds = 0.025

const allowed = (rate: number, startMs: number): number =>
  1.03 * rate * ((performance.now() - startMs) / 1000) + burstSeconds * rate

describe.each(engines)('limits with the %s engine', (engine) => {
  const world = useWorld(engine)
  const rate = 4 * MIB

  it('a node keeps to its limit, the plan counts with it, and it can be lifted', async () => {
    const one = await world.node({ limitDownBytesPerSecond: rate, maxFeeds: 9 })
    const two = await world.node()
    const { path, content } = world.file('a.bin', 24 * MIB)
    const startMs = performance.now()
    const to = [one.address, two.address]
    const transfer = push(path, { to, engine, shape: 'group', flows: 3 })
    let plan: Plan | undefined
    transfer.on('plan', (made) => {
      plan = made
    })
    const received = (): number => one.status().counters['receivedBytes'] ?? 0
    // Of two that bring it bytes and one that it sends to, some have more than one connection.
    const hasFlows = (): boolean => (one.status().counters['openFeeds'] ?? 0) > 3
    await until(() => {
      const bytes = received()
      expect(bytes).toBeLessThanOrEqual(allowed(rate, startMs))
      return bytes > MIB && hasFlows()
    }, 'a MiB has come')
    expect(plan?.boundSeconds).toBeCloseTo((24 * MIB) / rate)
    expect(plan?.limiting).toBe(`limit of ${one.address}`)
    const none = { upBytesPerSecond: null, maxFeeds: 9 }
    expect(one.status().limits).toEqual({ ...none, downBytesPerSecond: rate })
    // At this rate the rest would take 5 s more.
    const said = await client.limit(one.address, { downBytesPerSecond: null })
    expect(said).toMatchObject({ event: 'limited', transfer: null, downBytesPerSecond: null })
    expect(one.status().limits).toEqual({ ...none, downBytesPerSecond: null })
    const result = await transfer.result
    expectCopies(content, 'a.bin', [one, two])
    expect(result.boundSeconds).toBeCloseTo((24 * MIB) / rate)
  })

  it('a push keeps to its limit at its origin and at every node', async () => {
    const nodes = await world.nodes(2)
    const { path, content } = world.file('a.bin', 3 * MIB)
    const startMs = performance.now()
    const transfer = push(path, {
      to: nodes.map(({ address }) => address),
      engine,
      shape: 'group',
      limitUpBytesPerSecond: 4 * MIB,
      limitDownBytesPerSecond: 4 * MIB,
      priority: 20,
    })
    let plan: Plan | undefined
    transfer.on('plan', (made) => {
      plan = made
    })
    for await (const { originBytesSent } of transfer) {
      expect(originBytesSent).toBeLessThanOrEqual(allowed(4 * MIB, startMs))
      for (const node of nodes) {
        const { receivedBytes = 0, sentBytes = 0 } = node.status().counters
        expect(receivedBytes).toBeLessThanOrEqual(allowed(4 * MIB, startMs))
        expect(sentBytes).toBeLessThanOrEqual(allowed(4 * MIB, startMs))
      }
    }
    await transfer.result
    expect(plan?.boundSeconds).toBeCloseTo(3 / 4)
    expect(plan?.limiting).toBe('limit of the origin')
    expectCopies(content, 'a.bin', nodes)
  })

  it('no more crosses between two sites than their link has', async () => {
    const nodes = await world.nodes(4)
    const { path, content } = world.file('a.bin', 3 * MIB)
    const startMs = performance.now()
    const transfer = push(path, {
      to: nodes.map(({ address }, i) => ({ address, site: i < 2 ? 'a' : 'b' })),
      engine,
      site: 'a',
      siteLinks: [{ sites: ['a', 'b'], bytesPerSecond: rate }],
    })
    let isOver = false
    const ended = transfer.result.finally(() => {
      isOver = true
    })
    const count = (of: 'receivedBytes' | 'sentBytes'): number =>
      nodes.slice(2).reduce((sum, node) => sum + (node.status().counters[of] ?? 0), 0)
    await until(() => {
      // What came to b and was not sent there.
      const received = count('receivedBytes')
      expect(received - count('sentBytes')).toBeLessThanOrEqual(allowed(rate, startMs))
      return isOver
    }, 'the push has ended')
    const { crossings } = await ended
    expect(crossings).toMatchObject([{ from: 'a', to: 'b' }])
    expect(crossings[0]?.bytes).toBeGreaterThanOrEqual(content.length)
    expectCopies(content, 'a.bin', nodes)
  })

  it('one transfer of a node has a limit of its own, and its id alone names it', async () => {
    const [node] = await world.nodes(1)
    const { path } = world.file('a.bin', 24 * MIB)
    const transfer = push(path, { to: [node.address], engine, limitDownBytesPerSecond: rate })
    const { id } = transfer
    const progress = (): number => node.status().transfers[0]?.receivedBytes ?? 0
    await until(() => progress() > 0, 'some has come')
    await expect(
      client.limit(node.address, { upBytesPerSecond: MIB, transfer: '0'.repeat(32) }),
    ).rejects.toMatchObject({ code: 'ERR_FR_NO_TRANSFER' })
    const said = await client.limit(node.address, { downBytesPerSecond: 1e9, transfer: id })
    expect(said).toMatchObject({ transfer: id, upBytesPerSecond: null, downBytesPerSecond: 1e9 })
    const { nodes } = await transfer.result
    expect(nodes[0]?.status).toBe('complete')
    expect(node.status().limits.downBytesPerSecond).toBeNull()
  })

  it('a node sends on as many data connections as it may, and others do its work', async () => {
    const one = await world.node({ maxFeeds: 1 })
    const two = await world.node()
    const { path, content } = world.file('a.bin', 4 * MIB)
    await push(path, { to: [one.address], engine }).result
    const door = await holdingBack(world, one.address, MIB)
    const fetched = (from: string, output: string) =>
      get('a.bin', { from: [from], output: join(world.dir, output), engine })
    const first = fetched(door.address, 'first')
    await until(door.isHolding, 'a client is sent to')
    const second = fetched(one.address, 'second')
    let reason: string | null | undefined
    for await (const { holders } of second) {
      reason = holders[0]?.reason
      if (reason) break
    }
    expect(reason).toMatch(/ERR_FR_LIMIT: .*--max-feeds/)
    const other = world.file('b.bin', 4 * MIB + 5)
    const to = [one.address, two.address]
    const { nodes } = await push(other.path, { to, engine, shape: 'group' }).result
    expect(nodes).toMatchObject(to.map((node) => ({ node, status: 'complete', attempts: 1 })))
    expectCopies(other.content, 'b.bin', [one, two])
    const closed = world.log.filter(({ event }) => event === 'relay-closed')
    expect(new Set(closed.map(({ fields }) => fields['code']))).toEqual(new Set(['ERR_FR_LIMIT']))
    const wishes = { from: one.address, to: [two.address], retries: 0, silenceMs: 4_000 }
    const copied = await copy('a.bin', wishes).result
    expect(copied.nodes).toMatchObject([{ status: 'failed', code: 'ERR_FR_LIMIT' }])
    door.open()
    await Promise.all([first.result, second.result])
    for (const output of ['first', 'second'])
      expect(readFileSync(join(world.dir, output)).equals(content)).toBe(true)
  })

  it('a node serves files within its limit', async () => {
    const node = await world.node({ limitUpBytesPerSecond: rate })
    const { path, content } = world.file('a.bin', 2 * MIB)
    await push(path, { to: [node.address], engine }).result
    const output = join(world.dir, 'out')
    const startMs = performance.now()
    const getting = get('a.bin', { from: [node.address], output, engine })
    for await (const { verifiedBytes } of getting)
      expect(verifiedBytes).toBeLessThanOrEqual(allowed(rate, startMs))
    await getting.result
    expect(readFileSync(output).equals(content)).toBe(true)
  })
})

describe('limits below one block a second', () => {
  const world = useWorld('native')

  const large = (): string => {
    const path = join(world.dir, 'large.bin')
    const file = openSync(path, 'w')
    ftruncateSync(file, 8 * GIB)
    closeSync(file)
    return path
  }

  it('are refused before a byte is sent', async () => {
    const node = await world.node({ limitDownBytesPerSecond: limits.rateMin })
    const text = /a limit of 64 KiB\/s is less than a block \(128 KiB\) a second/
    const slow = push(large(), { to: [node.address], limitUpBytesPerSecond: 64 * KIB })
    await expect(slow.result).rejects.toMatchObject({
      code: 'ERR_FR_UNSUPPORTED',
      message: expect.stringMatching(text),
    })
    const { nodes } = await push(join(world.dir, 'large.bin'), { to: [node.address] }).result
    expect(nodes[0]).toMatchObject({ status: 'refused', code: 'ERR_FR_UNSUPPORTED' })
    expect(nodes[0]?.reason).toMatch(text)
  })
})
