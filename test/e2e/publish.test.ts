/** Contents that are published by criteria: what the node that holds them first is told. */
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, describe, expect, it } from 'vitest'
import { client, get, type Progress, publish, push, unpublish } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { World } from './cli-world.js'
import { until, useWorld } from './push-support.js'

const where = 'region=eu&&tier=edge'
const canonical = 'region=eu && tier=edge'
const eu = { attributes: { region: 'eu', tier: 'edge', site: 'ams' } }

describe('published contents', () => {
  const world = useWorld('native')
  const size = 3 * MIB + 5

  it('are at the first node for those they are for, and announced until withdrawn', async () => {
    const node = await world.node(eu)
    const other = await world.node({ attributes: { region: 'us' } })
    const { path } = world.file('a.bin', size)
    const via = node.address
    const result = await publish(path, { via, where, as: 'films/a', ttlSeconds: 60 })
    expect(result).toMatchObject({
      ...{ event: 'published', name: 'films/a', node: via, bytes: size, where: canonical },
      ...{ format: 'bytes', isLinear: true, ttlSeconds: 60 },
      tracks: [{ name: 'all', bytes: size, blocks: 3, bitRate: null }],
    })
    expect(readFileSync(join(node.dataDir, 'films/a')).equals(readFileSync(path))).toBe(true)
    // Again, as after a client was cut off: the content is there, and is announced anew.
    const again = await publish(path, { via, where, as: 'films/a' })
    expect(again).toMatchObject({ contentId: result.contentId, digest: result.digest })
    expect(again.announcement).not.toBe(result.announcement)
    // Another content of the name takes the place of the publication before.
    const { path: newer } = world.file('a2.bin', size + 1)
    const second = await publish(newer, { via, where, as: 'films/a' })
    expect(second.contentId).not.toBe(result.contentId)
    const refused = publish(path, { via: other.address, where })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_FR_ONLY' })

    const gone = await unpublish('films/a', { via })
    expect(gone).toMatchObject({ contents: [{ contentId: second.contentId }] })
    const nothing = { code: 'ERR_FR_NOT_HELD' }
    await expect(unpublish('films/a', { via })).rejects.toMatchObject(nothing)
  })

  it('are for those that they were published for last, whoever had them before', async () => {
    const node = await world.node(eu)
    const via = node.address
    const { path } = world.file('b.bin', size)
    await push(path, { to: [via], as: 'b' }).result
    expect(await publish(path, { via, where, as: 'b' })).toMatchObject({ where: canonical })
    const wider = await publish(path, { via, where: 'region=eu', as: 'b' })
    expect(wider).toMatchObject({ where: 'region=eu' })
  })

  it('come to a node that is told to qualify, and go when it is told not to any more', async () => {
    const node = await world.node({ ...eu, name: 'first' })
    const other = await world.node({
      attributes: { region: 'eu', tier: 'core' },
      parent: node.address,
    })
    const { path, content } = world.file('t.bin', 100_000)
    await publish(path, { via: node.address, where, as: 't' })
    await until(() => other.status().directory.announcements === 1)
    const at = join(other.dataDir, 't')
    expect(existsSync(at)).toBe(false)
    const { address } = other
    const applied = await client.changeAttributes(address, { set: { tier: 'edge', gpu: '' } })
    const attributes = { region: 'eu', tier: 'edge', gpu: '' }
    expect(applied).toEqual({ event: 'attributes', node: address, attributes })
    expect(other.status().attributes).toEqual(attributes)
    await until(() => existsSync(at))
    expect(readFileSync(at).equals(content)).toBe(true)
    // Too many: all stay as they were.
    const many = Object.fromEntries(Array.from({ length: 32 }, (_, each) => [`k${each}`, '']))
    const tooMany = client.changeAttributes(address, { set: many })
    await expect(tooMany).rejects.toMatchObject({ code: 'ERR_FR_LIMIT' })
    await client.changeAttributes(address, { unset: ['tier'] })
    await until(() => !existsSync(at))
    expect(other.status().attributes).toEqual({ region: 'eu', gpu: '' })
  })

  it('are to be had by others that the author allows it, who are sent nothing', async () => {
    // The first node is one of those others.
    const studio = { attributes: { team: 'studio' } }
    const node = await world.node(studio)
    const via = node.address
    const { path, content } = world.file('c.bin', 100_000)
    const refused = publish(path, { via, where, as: 'c' })
    await expect(refused).rejects.toMatchObject({ code: 'ERR_FR_ONLY' })
    const allowed = await publish(path, { via, where, allow: 'get team=studio', as: 'c' })
    expect(allowed).toMatchObject({ where: canonical, allow: 'team=studio' })
    const other = await world.node({ ...studio, parent: via })
    const edge = await world.node({ ...eu, parent: via })
    await until(() => existsSync(join(edge.dataDir, 'c')))
    await until(() => other.status().directory.announcements === 1)
    expect(existsSync(join(other.dataDir, 'c'))).toBe(false)
    const output = join(world.dir, 'got')
    const read = async (attributes: Record<string, string>) => {
      await get('c', { from: [edge.address], output, force: true, attributes }).result
      return readFileSync(output).equals(content)
    }
    await expect(read({ team: 'other' })).rejects.toMatchObject({ code: 'ERR_FR_ONLY' })
    expect(await read(studio.attributes)).toBe(true)
    // The same file anew, for everybody.
    const { allow } = await publish(path, { via, where, allow: 'get', as: 'd' })
    expect(allow).toBe('id')
    await get('d', { from: [via], output, force: true }).result
    // The first node alone, by its id: it gives the content, and none of the others has it.
    const id = `id=${node.nodeId}`
    const own = await publish(path, { via, where, allow: `get ${id}`, as: 'e' })
    expect(own.allow).toBe(id)
    await until(() => existsSync(join(edge.dataDir, 'e')))
    const named = get('e', { from: [via], output, force: true, ...studio }).result
    await expect(named).rejects.toMatchObject({ code: 'ERR_FR_ONLY' })
    const wrong = publish(path, { via, where, allow: 'rm', as: 'c' })
    await expect(wrong).rejects.toMatchObject({ code: 'ERR_FR_CRITERIA' })
  })

  it('come from streams as well, and not from one that fails', async () => {
    const node = await world.node(eu)
    const via = node.address
    const content = randomBytes(size)
    // Sent as it comes: most of it is at the node, and nothing announced, before it ends.
    const seen: number[] = []
    const there = () => node.status().transfers[0]?.verifiedBytes ?? 0
    const coming = Readable.from(
      (async function* () {
        yield content.subarray(0, 2 * MIB)
        await until(() => there() >= MIB)
        expect(existsSync(join(node.dataDir, 's'))).toBe(false)
        expect(node.status().directory.announcements).toBe(0)
        yield content.subarray(2 * MIB)
      })(),
    )
    const progress = ({ nodes }: Progress) => void seen.push(nodes.length)
    const result = await publish(coming, { via, where, as: 's', progress })
    expect(result).toMatchObject({ bytes: size, tracks: [{ name: 'all', bytes: size }] })
    expect(seen.every((count) => count === 1)).toBe(true)
    expect(readFileSync(join(node.dataDir, 's')).equals(content)).toBe(true)
    const failing = Readable.from(
      (async function* () {
        yield content
        throw new Error('it ends early')
      })(),
    )
    const early = publish(failing, { via, where, as: 'early' })
    await expect(early).rejects.toMatchObject({ code: 'ERR_FR_SOURCE' })
    await expect(unpublish('early', { via })).rejects.toMatchObject({ code: 'ERR_FR_NOT_HELD' })
    await expect(publish(node.dataDir, { via, where })).rejects.toMatchObject({
      code: 'ERR_FR_SOURCE',
    })
    const criteria = publish('x', { via, where: 'a &&' })
    await expect(criteria).rejects.toMatchObject({ code: 'ERR_FR_CRITERIA' })
  })
})

const commands = new World()

describe('a client that is killed', () => {
  const world = useWorld('native')

  it.each(['file', 'stream'])(
    'has announced nothing, and goes on where it was (%s)',
    async (of) => {
      const size = 6 * MIB
      const key = commands.env['FR_KEY'] as string
      const node = await world.node({ ...eu, key, limitDownBytesPerSecond: 1e6 })
      const received = () => node.status().counters.receivedBytes ?? 0
      const { path, content } = world.file('k.bin', size)
      const to = ['--as', 'k', '--where', where, '--via', node.address, '--json']
      const env = { XDG_CACHE_HOME: join(world.dir, 'cache') }
      const start = (brought = content) => {
        if (of === 'file') return commands.fr(['publish', path, ...to])
        const running = commands.fr(['publish', '-', ...to], {
          env,
          stdio: ['pipe', 'pipe', 'pipe'],
        })
        // Whoever is killed takes no more.
        running.child.stdin?.on('error', () => {}).end(brought)
        return running
      }
      const first = start()
      await until(() => (node.status().transfers[0]?.verifiedBytes ?? 0) >= MIB)
      first.child.kill('SIGKILL')
      await first.ended
      expect(node.status().directory.announcements).toBe(0)
      expect(existsSync(join(node.dataDir, 'k'))).toBe(false)
      await client.limit(node.address, { key, downBytesPerSecond: null })
      const before = received()
      expect(before).toBeGreaterThanOrEqual(MIB)
      const second = start()
      expect(await second.ended).toBe(0)
      expect(JSON.parse(second.stdout)).toMatchObject({ event: 'published', bytes: size })
      expect(received() - before).toBeLessThan(size - MIB / 2)
      expect(node.status().directory.announcements).toBe(1)
      expect(readFileSync(join(node.dataDir, 'k')).equals(content)).toBe(true)
    },
  )
})
afterAll(() => commands.close())

it('the commands publish and withdraw, and say what they did', async () => {
  const world = commands
  const node = await world.node('a', ['--attr', 'region=eu', '--attr', 'tier=edge'])
  const path = 'film.bin'
  world.file(path, MIB)
  const to = ['--where', where, '--via', node.address]
  const shown = await world.run(['publish', path, ...to, '--ttl', '1h'])
  expect(shown).toMatchObject({ status: 0 })
  expect(shown.stdout).toContain(`published film.bin (1.0 MiB) at ${node.address} for ${canonical}`)
  const json = await world.run(['publish', path, ...to, '--json'])
  expect(JSON.parse(json.stdout)).toMatchObject({ event: 'published', bytes: MIB })
  const gone = await world.run(['unpublish', 'film.bin', '--via', node.address])
  expect(gone.stdout).toBe('unpublished film.bin: 1 content\n')
  expect((await world.run(['unpublish', 'film.bin', '--via', node.address])).status).toBe(1)
  expect((await world.run(['publish', path, '--via', node.address])).status).toBe(2)
  const changed = await world.run([
    'attr',
    'gpu',
    'x=a b',
    '--unset',
    'tier',
    '--via',
    node.address,
  ])
  expect(changed.stdout).toBe(`${node.address}: region=eu gpu x=a b\n`)
  const fewer = await world.run(['attr', '--unset', 'x', '--via', node.address])
  expect(fewer.stdout).toBe(`${node.address}: region=eu gpu\n`)
})
