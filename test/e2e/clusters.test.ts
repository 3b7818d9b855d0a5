/** A node that is several processes over one directory. */
import { hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { client, generateKey, push, startNode } from '../../src/api/index.js'
import { openDoor } from '../../src/doors/index.js'
import { usualEngines } from './engines.js'
import { until, useCache, useWorld } from './push-support.js'

useCache()
const MIB = 1024 * 1024

const digestOf = (bytes: Buffer): string => hash('sha256', bytes, 'hex')

async function heldAt(address: string): Promise<string[]> {
  const found: string[] = []
  for await (const { name, state } of client.list(address)) found.push(`${name} ${state}`)
  return found
}

describe.each(usualEngines)('a serving process, with the %s engine,', (engine) => {
  const world = useWorld(engine)
  const usual = { engine, rejoinMs: 0, retries: 0 } as const

  it('serves at once what the others publish, replace and remove', async () => {
    const dataDir = `shared:${world.dataDir()}`
    const early = await world.node({ dataDir, roles: ['serve'], name: 'early' })
    expect(await heldAt(early.address)).toEqual([])
    const [a, b] = [
      await world.node({ dataDir, roles: ['distribute'], name: 'a' }),
      await world.node({ dataDir, name: 'b' }),
    ]
    const door = await openDoor({ node: early }, { listen: '127.0.0.1:0' })
    world.defer(() => door.close())
    const got = async (name: string): Promise<readonly [number, string]> => {
      const answer = await fetch(`http://${door.address}/files/${name}`)
      return [answer.status, digestOf(Buffer.from(await answer.arrayBuffer()))]
    }
    expect((await got('one'))[0]).toBe(404)
    const first = world.file('first', MIB + 3)
    await push(first.path, { ...usual, to: [a.address], as: 'one' }).result
    expect(await got('one')).toEqual([200, digestOf(first.content)])
    const second = world.file('second', 5_000)
    await push(second.path, { ...usual, to: [b.address], as: 'one' }).result
    await push(second.path, { ...usual, to: [a.address], as: 'dir/two' }).result
    expect(await got('one')).toEqual([200, digestOf(second.content)])
    const late = await world.node({ dataDir, roles: ['serve'], name: 'late' })
    for (const { address } of [early, late]) {
      expect((await heldAt(address)).sort()).toEqual(['dir/two held', 'one held'])
      expect((await world.fetched('dir/two', address)).equals(second.content)).toBe(true)
    }
    expect(new Set([early, late, a, b].map(({ nodeId }) => nodeId)).size).toBe(4)
    await client.remove(b.address, 'one')
    expect(await got('one')).toEqual([200, digestOf(first.content)])
    await client.remove(a.address, 'one')
    expect((await got('one'))[0]).toBe(404)
    // Who is gone leaves what it has.
    await a.close()
    expect(await got('dir/two')).toEqual([200, digestOf(second.content)])
    expect(early.status()).toMatchObject({ readOnly: true, problems: [] })
  })

  it('takes nothing', async () => {
    const dataDir = `shared:${world.dataDir()}`
    const { address } = await world.node({ dataDir, roles: ['serve'] })
    const { path } = world.file('one', 1_000)
    const refused = { code: 'ERR_FR_READ_ONLY' }
    const { nodes } = await push(path, { ...usual, to: [address] }).result
    expect(nodes).toMatchObject([{ status: 'refused', ...refused }])
    await expect(client.remove(address, 'one')).rejects.toMatchObject(refused)
  })
})

describe('a controller', () => {
  const world = useWorld('native')

  const acts = (): boolean => world.log.some(({ event }) => event === 'controller-acting')

  it('hands over, also what was under way where one is killed, and is replaced', async () => {
    const dataDir = `shared:${world.dataDir()}`
    const controller = { dataDir, roles: ['control'] as const, name: 'control' }
    const first = await world.childNode({}, undefined, { ...controller, name: 'first' })
    const { path, content } = world.file('large', 6 * MIB)
    let address = ''
    const door = await world.holding(() => address, 2 * MIB)
    const distribute = { dataDir, roles: ['distribute'] as const }
    const held = { ...distribute, name: 'held', advertise: door.address }
    const killed = await world.childNode({}, undefined, held)
    address = killed.address
    const { result } = push(path, { to: [first.address], silenceMs: 6_000 })
    await until(door.isHolding, 'a part of it is at the first')
    const other = await world.node({ ...distribute, name: 'other' })
    killed.kill('SIGKILL')
    const { nodes } = await result
    expect(nodes).toMatchObject([{ node: first.address, status: 'complete' }])
    expect((await world.fetched('large', other.address)).equals(content)).toBe(true)
    expect((await world.fetched('large', first.address)).equals(content)).toBe(true)

    const second = await world.node({ ...controller, name: 'second' })
    const pushed = async (as: string, to: string): Promise<void> => {
      const done = await push(path, { to: [to], as, silenceMs: 6_000 }).result
      expect(done.nodes).toMatchObject([{ node: to, status: 'complete', code: null }])
    }
    // It names the one that acts, which names the other.
    await pushed('a', second.address)
    expect(acts()).toBe(false)
    first.kill('SIGKILL')
    await pushed('b', second.address)
    expect(acts()).toBe(true)
    expect(await heldAt(second.address)).toEqual(['a held', 'b held', 'large held'])
    // It asks who has it.
    await client.remove(second.address, 'a')
    for (const { address } of [second, other])
      expect((await heldAt(address)).sort()).toEqual(['b held', 'large held'])
    const absent = { code: 'ERR_FR_NOT_HELD' }
    await expect(client.remove(second.address, 'a')).rejects.toMatchObject(absent)
    await other.close()
    const away = { code: 'ERR_FR_UNREACHABLE', retryable: true }
    await expect(client.remove(second.address, 'b')).rejects.toMatchObject(away)
  })
})

describe('roles', () => {
  const world = useWorld('native')

  it('are those of a directory that several use', async () => {
    const start = (more: object) => startNode({ listen: '127.0.0.1:0', ...more } as never)
    const dataDir = world.dataDir()
    const shared = `shared:${dataDir}`
    await expect(start({ dataDir, roles: ['serve'] })).rejects.toThrow(
      'roles need a dataDir shared',
    )
    for (const roles of [[], ['none'], 'serve', ['control', 'distribute']])
      await expect(start({ dataDir: shared, roles })).rejects.toThrow('roles')
    const anywhere = { listen: '0.0.0.0:0', key: generateKey(), dataDir: shared }
    await expect(start({ ...anywhere, roles: ['distribute'] })).rejects.toThrow('advertise must')
  })
})
