/** Mirrors of a push: who is served by whom, and what the origin sends. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { beforeEach, describe, expect, it } from 'vitest'
import { copy, type LogLine, type NodeOutcome, type Plan, push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import type { Door } from './door.js'
import { usualEngines } from './engines.js'
import { passAll, proxy } from './proxy.js'
import { expectCopies, until, useWorld, type WorldNode } from './push-support.js'

const name = 'a.bin'

describe.each(usualEngines)('on the %s engine', (engine) => {
  const world = useWorld(engine)
  let mirror: WorldNode
  let near: WorldNode
  let far: WorldNode
  let quick: WorldNode
  let path: string
  let content: Buffer

  beforeEach(async () => {
    ;[mirror, near, far, quick] = await world.nodes(4)
    ;({ path, content } = world.file(name, 12 * MIB + 5))
  })

  const at = (...nodes: WorldNode[]): string[] => nodes.map((node) => node.address)
  const hold = (node: WorldNode, as = name) => push(path, { to: at(node), as, engine }).result

  /** An address of a node that nobody reaches before `open`: by then the origin has given it up. */
  async function shut(node: WorldNode): Promise<{ address: string; open: () => void }> {
    const taken = createServer()
    taken.listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    taken.close()
    await once(taken, 'close')
    const open = (): void => {
      const opened = proxy(node.address, passAll, port)
      world.defer(async () => (await opened).close())
    }
    return { address: `127.0.0.1:${port}`, open }
  }

  /**
   * A push whose origin cannot reach `far`, which the mirror can. Another node is held up, until
   * the mirror has served where it `isReady` to serve before.
   */
  async function beyondReach(to: string[], mirrors: string[], isReady: boolean) {
    const { address, open } = await shut(far)
    const door = await world.holding(near.address, 4 * MIB)
    const told: Pick<NodeOutcome, 'node' | 'status' | 'servedBy'>[] = []
    const logger = ({ event, fields }: LogLine): void => {
      if (event === 'node-failed' && fields['node'] === address) open()
    }
    const options = { to: [...to, door.address, address], mirrors, engine, connectMs: 2_500 }
    const transfer = push(path, { ...options, logger })
    transfer.on('node', ({ node, status, servedBy }) => void told.push({ node, status, servedBy }))
    await until(door.isHolding, 'the push is under way')
    if (isReady) await until(() => told.some(({ node }) => node === address), 'the mirror serves')
    door.open()
    return { result: await transfer.result, told, address, door }
  }

  it('whom the origin cannot reach a mirror serves that holds the content already', async () => {
    await hold(mirror, 'other name')
    const { result, told, address, door } = await beyondReach(at(quick), at(mirror), true)
    expect(result.nodes).toMatchObject([
      { node: quick.address, status: 'complete', servedBy: null },
      { node: door.address, status: 'complete', servedBy: null },
      { node: address, status: 'complete', servedBy: mirror.address, digest: result.digest },
    ])
    // The door opened when the mirror had served; the quick node ends whenever it does.
    const outcomes = [
      { node: quick.address, status: 'complete', servedBy: null },
      { node: door.address, status: 'complete', servedBy: null },
      { node: address, status: 'complete', servedBy: mirror.address },
    ]
    expect(told).toHaveLength(3)
    expect(told).toEqual(expect.arrayContaining(outcomes))
    const order = told.map(({ node }) => node)
    expect(order.indexOf(address)).toBeLessThan(order.indexOf(door.address))
    expectCopies(content, name, [near, far])
    expect(mirror.status().held.files).toBe(1)
  })

  it('a node of the push serves as soon as it is complete', async () => {
    const { result, address } = await beyondReach(at(mirror), at(mirror), true)
    expect(result.nodes).toMatchObject([
      { node: mirror.address, status: 'complete', servedBy: null },
      { status: 'complete', servedBy: null },
      { node: address, status: 'complete', servedBy: mirror.address },
    ])
    expectCopies(content, name, [mirror, near, far])
  })

  it('one that lacks the content gets it first, while the push goes on', async () => {
    const { result, address } = await beyondReach([], at(mirror), true)
    expect(result.nodes.at(-1)).toMatchObject({ node: address, servedBy: mirror.address })
    expectCopies(content, name, [mirror, near, far])
  })

  it('the next mirror serves where one is dead, and the result says so', async () => {
    await hold(mirror)
    const { result, address } = await beyondReach(at(quick), ['127.0.0.1:1', ...at(mirror)], true)
    expect(result.nodes.at(-1)).toMatchObject({ node: address, servedBy: mirror.address })
    expect(result.warnings.join()).toContain('the mirror 127.0.0.1:1 has failed')
  })

  it('without a mirror that lives the outcome is that of the push', async () => {
    const options = { to: [...at(near), '127.0.0.1:1'], mirrors: ['127.0.0.1:2'], engine }
    const result = await push(path, { ...options, connectMs: 4_000 }).result
    expect(result.nodes).toMatchObject([
      { status: 'complete' },
      { status: 'failed', code: 'ERR_FR_UNREACHABLE', servedBy: null },
    ])
    expect(result.warnings.join()).toContain('no mirror served')
    expectCopies(content, name, [near])
  })

  it('a mirror brings what the busy origin has not: it is no node of the push', async () => {
    // Buffers on the way take some MiB before the origin is held up.
    const { path, content } = world.file('large', 32 * MIB + 5)
    await push(path, { to: at(mirror), as: 'other name', engine }).result
    const doors = await Promise.all([near, far].map((node) => world.holding(node.address, MIB)))
    const to = [near, far].map(({ address: advertise }, i) => {
      return { address: (doors[i] as Door).address, advertise }
    })
    const transfer = push(path, { to, mirrors: at(mirror), engine })
    let least = 0
    transfer.on('progress', ({ nodes }) => {
      least = Math.min(...nodes.map(({ landedBytes }) => landedBytes))
    })
    await until(() => least > 24 * MIB, 'the mirror has sent most of it')
    for (const door of doors) door.open()
    const result = await transfer.result
    expect(result.nodes).toMatchObject(to.map(({ address: node }) => ({ node, servedBy: null })))
    expect(result.shares.map(({ node }) => node)).toEqual([
      ...to.map(({ address }) => address),
      mirror.address,
    ])
    expect(result.shares.at(-1)?.relayedBytes).toBeGreaterThan(result.originBytesSent)
    expect(result.originBytesSent).toBeLessThan(content.length)
    expectCopies(content, 'large', [near, far])
    expect(mirror.status().held.files).toBe(1)
    await until(() => mirror.status().transfers.length === 0, 'the mirror has stopped')
  })

  it('an origin that is spared sends nothing when a mirror holds the content', async () => {
    await hold(mirror)
    const options = { to: at(near, far), mirrors: at(mirror), spareOrigin: true, engine }
    const transfer = push(path, { ...options, as: 'b.bin' })
    const plans: string[] = []
    transfer.on('plan', ({ transfer: id }) => void plans.push(id))
    const result = await transfer.result
    expect(plans).toEqual([transfer.id])
    expect(result).toMatchObject({
      transfer: transfer.id,
      originBytesSent: 0,
      nodes: [
        { node: near.address, status: 'complete', servedBy: mirror.address },
        { node: far.address, status: 'complete', servedBy: mirror.address },
      ],
    })
    expectCopies(content, 'b.bin', [near, far])
  })

  it('a mirror keeps to what the push may use, and groups nodes as it says', async () => {
    const { path, content } = world.file(name, 3 * MIB)
    await push(path, { to: at(mirror), engine }).result
    const rate = 4 * MIB
    const before = mirror.status().counters['sentBytes'] ?? 0
    const startMs = performance.now()
    const spared = { mirrors: at(mirror), spareOrigin: true, engine }
    const wishes = {
      as: 'b.bin',
      shape: 'chain',
      groupSize: 1,
      limitUpBytesPerSecond: rate,
    } as const
    const transfer = push(path, { to: at(near, far, quick), ...spared, ...wishes })
    let plan: Plan | undefined
    transfer.on('plan', (made) => {
      plan = made
    })
    for await (const { seconds } of transfer) {
      expect(seconds).toBeGreaterThanOrEqual(0)
      const allowed = rate * (1.03 * ((performance.now() - startMs) / 1000) + 0.025)
      const sent = (mirror.status().counters['sentBytes'] ?? 0) - before
      expect(sent).toBeLessThanOrEqual(allowed)
    }
    await transfer.result
    expect(plan?.groups).toEqual(at(near, far, quick).map((address) => [address]))
    expect(plan?.boundSeconds).toBeCloseTo(3 / 4)
    expectCopies(content, 'b.bin', [near, far, quick])
  })

  it('an origin that is spared sends the content once, where no mirror holds it', async () => {
    const options = { to: at(near, far), mirrors: at(mirror), spareOrigin: true, engine }
    const result = await push(path, options).result
    expect(result.originBytesSent).toBeGreaterThanOrEqual(content.length)
    expect(result.originBytesSent).toBeLessThan(1.5 * content.length)
    for (const { servedBy } of result.nodes) expect(servedBy).toBe(mirror.address)
    expectCopies(content, name, [mirror, near, far])
    // It is a holder like any other from now on.
    await copy(name, { from: far.address, to: at(near), as: 'c.bin' }).result
    expectCopies(content, 'c.bin', [near])
  })

  it('a mirror that is a node of a push that spares its origin has its own outcome', async () => {
    const options = { to: at(mirror, near), mirrors: at(mirror), spareOrigin: true, engine }
    const result = await push(path, options).result
    expect(result.nodes).toMatchObject([
      { node: mirror.address, status: 'complete', servedBy: null },
      { node: near.address, status: 'complete', servedBy: mirror.address },
    ])
  })

  it('a node that is added to a push that spares its origin has it from the mirror', async () => {
    await hold(mirror)
    const door = await world.holding(near.address, 4 * MIB)
    const options = { to: [door.address], mirrors: at(mirror), spareOrigin: true, engine }
    const transfer = push(path, { ...options, as: 'b.bin' })
    await until(door.isHolding, 'the mirror sends')
    await transfer.add(far.address)
    await expect(transfer.add(far.address)).rejects.toThrow()
    door.open()
    const result = await transfer.result
    expect(result.originBytesSent).toBe(0)
    expect(result.nodes).toMatchObject(
      [door.address, far.address].map((node) => {
        return { node, status: 'complete', servedBy: mirror.address }
      }),
    )
    expectCopies(content, 'b.bin', [near, far])
  })

  it('a push that is cancelled ends what its mirror does', async () => {
    await hold(mirror)
    const door = await world.holding(near.address, 4 * MIB)
    const options = { to: [door.address], mirrors: at(mirror), spareOrigin: true, engine }
    const transfer = push(path, { ...options, as: 'b.bin' })
    transfer.result.catch(() => {})
    await until(door.isHolding, 'the mirror sends')
    transfer.cancel(new Error('enough'))
    await expect(transfer.result).rejects.toThrow('enough')
    await until(() => mirror.status().transfers.length === 0, 'the mirror has stopped')
  })

  it('sparing the origin needs a mirror', () => {
    const options = { to: ['127.0.0.1:1'], spareOrigin: true }
    expect(() => push(path, options)).toThrow('spareOrigin needs mirrors')
  })
})
