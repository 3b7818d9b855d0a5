/** Pushes through nodes that pass on what comes to them and keep nothing. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { client, copy, get, push, startNode } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { usualEngines } from './engines.js'
import { expectCopies, until, useWorld, type WorldNode } from './push-support.js'

const name = 'a.bin'
const refused = { code: 'ERR_FR_RELAY_ONLY', retryable: false }

describe.each(usualEngines)('on the %s engine', (engine) => {
  const world = useWorld(engine)
  let nodes: readonly WorldNode[]
  let path: string
  let content: Buffer

  beforeEach(async () => {
    nodes = await world.nodes(3)
    ;({ path, content } = world.file(name, 12 * MIB + 5))
  })

  const gateway = (): Promise<WorldNode> => world.node({ relayOnly: true })
  const at = (...some: readonly { readonly address: string }[]) => some.map((it) => it.address)
  const allComplete = nodes3('complete')

  function nodes3(status: string) {
    return [{ status }, { status }, { status }]
  }

  it('a gateway brings every node a part, and keeps nothing', async () => {
    const relay = await gateway()
    const result = await push(path, { to: at(...nodes), relays: at(relay), engine }).result
    expect(result.nodes).toMatchObject(allComplete)
    expect(result.nodes.map(({ node }) => node)).toEqual(at(...nodes))
    expect(result.warnings).toEqual([])
    expectCopies(content, name, nodes)
    const [share] = result.relays
    expect(share).toMatchObject({ node: relay.address, status: 'served', reason: null })
    expect(share?.relayedBytes).toBeGreaterThan(0)
    await until(() => relay.status().transfers.length === 0, 'it has nothing to do any more')
    const { relayOnly, dataDir, held, problems, counters } = relay.status()
    expect({ relayOnly, dataDir, problems }).toEqual({ relayOnly: true, dataDir: '', problems: [] })
    expect(held.files).toBe(0)
    if (engine === 'native') expect(counters['payloadBytesInJavaScript']).toBe(0)
    expect(readdirSync(join(relay.dataDir))).toEqual([])
  })

  it('a gateway passes on coded content as it comes', async ({ skip }) => {
    skip(engine !== 'native', 'nothing is decoded there')
    const relay = await gateway()
    content.fill('bytes that say little, again and again', 0, 3 * MIB)
    writeFileSync(path, content)
    const to = at(...nodes)
    const result = await push(path, { to, relays: at(relay), engine, compress: 'zstd' }).result
    expect(result.nodes).toMatchObject(allComplete)
    expect([result.coding, result.warnings]).toEqual(['zstd', []])
    expect(result.relays).toMatchObject([{ status: 'served', reason: null }])
    expect(result.relays[0]?.relayedBytes).toBeLessThan(content.length)
    expectCopies(content, name, nodes)
  })

  it('what a gateway that is killed half way has not passed on goes another way', async () => {
    const relay = await world.childNode({}, () => {}, { relayOnly: true })
    const [near, ...others] = nodes as [WorldNode, ...WorldNode[]]
    const door = await world.holding(near.address, MIB)
    const to = [door.address, ...at(...others)]
    const transfer = push(path, { to, relays: [relay.address], engine, retries: 0 })
    await until(door.isHolding, 'the push is under way')
    relay.kill('SIGKILL')
    await until(
      () => world.log.some(({ event }) => event === 'relay-closed' || event === 'published'),
      'the nodes see it',
    ).catch(() => {})
    door.open()
    const result = await transfer.result
    expect(result.nodes).toMatchObject(allComplete)
    expect(result.relays).toMatchObject([{ status: 'failed' }])
    expectCopies(content, name, nodes)
  })

  it('a receiver that takes nothing holds up the gateway, and nobody else', async () => {
    const relay = await gateway()
    const [slow, ...quick] = nodes as [WorldNode, ...WorldNode[]]
    const door = await world.holding(slow.address, 256 * 1024)
    const to = [door.address, ...at(...quick)]
    const done = new Set<string>()
    const transfer = push(path, { to, relays: at(relay), engine })
    transfer.on('node', ({ node }) => void done.add(node))
    await until(() => quick.every(({ address }) => done.has(address)), 'the others are complete')
    expect(done.size).toBe(2)
    door.open()
    const result = await transfer.result
    expect(result.nodes).toMatchObject(allComplete)
    expectCopies(content, name, nodes)
  })

  it('a bit that flips on its way through a gateway is found and repaired', async () => {
    const relay = await gateway()
    let flips = 0
    const spoilt = await world.spoiler(relay.address, 'payload', () => flips++ === 0)
    let bad = 0
    const result = await push(path, {
      to: at(...nodes),
      relays: [spoilt],
      engine,
      // On a busy machine nobody is taken for slow: what the gateway brought would come otherwise.
      ...{ suspectAfterMs: 20_000, failAfterMs: 30_000, silenceMs: 60_000, demoteBelow: 0 },
      logger: ({ event }) => {
        if (event === 'bad-block') bad++
      },
    }).result
    expect(result.nodes).toMatchObject(allComplete)
    expect(flips).toBeGreaterThan(0)
    // A node that the gateway was too slow for has that part from somewhere else.
    expect(result.nodes.some(({ repairedBytes }) => repairedBytes > 0)).toBe(true)
    expect(bad).toBeGreaterThan(0)
    expect(bad).toBeLessThanOrEqual(3)
    expectCopies(content, name, nodes)
  })

  it('whoever wants files of a gateway is refused', async () => {
    const { address } = await gateway()
    const { nodes: outcomes } = await push(path, { to: [address], engine, retries: 0 }).result
    expect(outcomes).toMatchObject([{ status: 'refused', ...refused }])
    const output = join(world.dir, 'out')
    await expect(get(name, { from: [address], output, engine }).result).rejects.toMatchObject({
      message: expect.stringContaining('--relay-only'),
    })
    const copied = copy(name, { from: address, to: at(...nodes) })
    await expect(copied.result).rejects.toMatchObject(refused)
    const list = async () => {
      for await (const _ of client.list(address));
    }
    await expect(list()).rejects.toMatchObject(refused)
    expect(() => push(path, { to: [address], relays: [address] })).toThrow(TypeError)
  })

  it('a relay that is not there costs a warning, and shapes without relays say so', async () => {
    const gone = await gateway()
    await gone.close()
    const to = at(...nodes)
    const options = { to, relays: at(gone), engine }
    const result = await push(path, options).result
    expect(result.nodes).toMatchObject(allComplete)
    expect(['unused', 'failed']).toContain(result.relays[0]?.status)
    const direct = await push(path, { ...options, shape: 'unicast', as: 'b.bin' }).result
    expect(direct.nodes).toMatchObject(allComplete)
    expect(direct.warnings).toEqual(['no relay has a part in this push: its shape is unicast'])
  })
})

it('a gateway takes no data directory', async () => {
  const options = { listen: '127.0.0.1:0', relayOnly: true, dataDir: '/tmp' }
  await expect(startNode(options)).rejects.toThrow('dataDir and relayOnly exclude')
})
