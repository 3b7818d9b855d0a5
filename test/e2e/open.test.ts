/** Contents of a node that whoever has it in their process opens: to read, and to send on. */
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { digestFile, type OpenContent, push, pushStream } from '../../src/api/index.js'
import { engines } from './engines.js'
import { writtenDown } from './journals.js'
import { until, useCache, useWorld, verifiedBehind, type World } from './push-support.js'

useCache()

const MIB = 1024 * 1024

/** All from there on, as it comes. */
async function readOn(content: OpenContent, from = 0): Promise<Buffer> {
  const parts: Buffer[] = []
  for (let at = from; ; ) {
    const there = await content.waitFor(at)
    if (there === 0) return Buffer.concat(parts)
    const part = await content.read(at, there)
    parts.push(Buffer.from(part))
    at += part.length
  }
}

/** Both ends of a connection. */
async function connection(world: World): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const far = connect((server.address() as { port: number }).port, '127.0.0.1')
  const [near] = (await once(server, 'connection')) as [Socket]
  world.defer(() => {
    for (const socket of [near, far]) socket.destroy()
    server.close()
  })
  return [near, far]
}

describe.each(engines)('with the %s engine a content', (engine) => {
  const world = useWorld(engine)

  it('that is held is read and sent, whatever becomes of its name', async () => {
    const { path, content } = world.file('f.bin', 2 * MIB + 9)
    const node = await world.node()
    await world.pushed(path, node.address)
    const opened = await node.open('f.bin')
    world.defer(() => opened.close())
    const digest = await digestFile(path, { digest: 'xxh64' })
    const { state, size, name, only } = opened
    expect({ state, size, name, only }).toEqual({
      ...{ state: 'held', size: content.length, name: 'f.bin', only: null },
    })
    expect(opened.digest).toBe(digest)
    rmSync(join(node.dataDir, 'f.bin'))
    await expect(node.open('f.bin')).rejects.toMatchObject({ code: 'ERR_FR_NOT_HELD' })
    expect((await readOn(opened, 5)).equals(content.subarray(5))).toBe(true)
    expect(await opened.waitFor(content.length)).toBe(0)
    const [near, far] = await connection(world)
    const chunks: Buffer[] = []
    far.on('data', (chunk: Buffer) => chunks.push(chunk))
    await opened.sendTo(near, { offset: 7, length: content.length - 7 })
    near.end()
    await once(far, 'end')
    expect(Buffer.concat(chunks).equals(content.subarray(7))).toBe(true)
    const beyond = opened.sendTo(near, { offset: 7, length: content.length })
    await expect(beyond).rejects.toThrow(RangeError)
    opened.close()
    await expect(opened.read(0, 1)).rejects.toMatchObject({ code: 'ERR_FR_CLOSED' })
    const names = ['../f.bin', '.fastreplica/key', 'no', ''] as const
    const codes = names.map((wrong) => node.open(wrong).catch((error) => error.code))
    const [above, hidden, absent, empty] = await Promise.all(codes)
    expect([above, absent, empty]).toEqual(['ERR_FR_NAME', 'ERR_FR_NOT_HELD', 'ERR_FR_NAME'])
    expect(['ERR_FR_NAME', 'ERR_FR_NOT_HELD']).toContain(hidden)
    await node.close()
    await expect(node.open('f.bin')).rejects.toMatchObject({ code: 'ERR_FR_CLOSED' })
  })

  it('of a tree is read, and a directory is none', async () => {
    const tree = join(world.dir, 'tree')
    mkdirSync(join(tree, 'below'), { recursive: true })
    writeFileSync(join(tree, 'below', 'f.txt'), 'a file of a tree')
    const node = await world.node()
    await world.pushed(tree, node.address)
    const opened = await node.open('tree/below/f.txt')
    world.defer(() => opened.close())
    expect((await readOn(opened)).toString()).toBe('a file of a tree')
    for (const name of ['tree', 'tree/below'])
      await expect(node.open(name)).rejects.toMatchObject({ code: 'ERR_FR_IS_DIRECTORY' })
    writeFileSync(join(node.dataDir, 'tree/below/f.txt'), 'something else!!')
    const changed = node.open('tree/below/f.txt')
    await expect(changed).rejects.toMatchObject({ code: 'ERR_FR_NOT_HELD' })
  })

  it('that grows is read as it comes, to its end', async () => {
    const node = await world.node()
    const stream = new PassThrough()
    const to = [node.address]
    const pushing = pushStream(stream, { to, as: 'grows', engine, rejoinMs: 0, silenceMs: 6_000 })
    pushing.result.catch(() => {})
    world.defer(() => pushing.cancel())
    stream.write('first ')
    const found: OpenContent[] = []
    const look = () =>
      node.open('grows').then(
        (one) => found.push(one),
        () => 0,
      )
    await until(async () => (await look()) > 0, 'it comes')
    const [opened] = found as [OpenContent]
    world.defer(() => opened.close())
    expect({ state: opened.state, size: opened.size }).toEqual({ state: 'growing', size: null })
    const all = readOn(opened)
    expect(await opened.waitFor(0)).toBeGreaterThan(0)
    const stop = new AbortController()
    const waiting = opened.waitFor(MIB, stop.signal)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    stream.write('second ')
    stream.end('last')
    expect((await all).toString()).toBe('first second last')
    await pushing.result
    expect(opened.size).toBe('first second last'.length)
  })
})

describe('with the native engine a content', () => {
  const world = useWorld('native')

  it('that arrives is read as far as it is verified, then on to its end', async () => {
    const { engine } = world
    const { path, content } = world.file('f.bin', 48 * MIB)
    const whole = await world.node()
    const node = await world.node()
    const door = await world.holding(node.address, 24 * MIB)
    // The digest is known from the push before.
    await push(path, { to: [whole.address], engine }).result
    const transfer = push(path, { to: [door.address], engine, shape: 'unicast' })
    await writtenDown(node.dataDir, door, 8 * MIB, content.length)
    transfer.cancel()
    await transfer.result.catch(() => {})
    const found: OpenContent[] = []
    const look = () =>
      node.open('f.bin').then(
        (one) => found.push(one),
        () => 0,
      )
    await until(async () => (await look()) > 0, 'it is kept')
    const [opened] = found as [OpenContent]
    world.defer(() => opened.close())
    expect({ state: opened.state, size: opened.size }).toEqual({
      ...{ state: 'arriving', size: content.length },
    })
    const first = await opened.waitFor(0)
    expect(first).toBeLessThan(content.length)
    const part = Buffer.from(await opened.read(0, MIB))
    expect(part.equals(content.subarray(0, part.length))).toBe(true)
    await world.pushed(path, node.address)
    expect((await readOn(opened)).equals(content)).toBe(true)
  })

  it('that a push brings is read before it has its name, until the push fails', async () => {
    const begin = async (name: string) => {
      const node = await world.node()
      const { path, content } = world.file(name, 24 * MIB)
      const door = await world.holding(node.address, 6 * MIB)
      const transfer = push(path, { to: [door.address], engine: world.engine, shape: 'unicast' })
      transfer.result.catch(() => {})
      await verifiedBehind(door, node, MIB)
      const opened = await node.open(name)
      world.defer(() => opened.close())
      return { node, door, transfer, opened, content }
    }
    const failing = await begin('failing.bin')
    const { state, size } = failing.opened
    expect({ state, size }).toEqual({ state: 'arriving', size: 24 * MIB })
    // Blocks are verified in any order.
    const hasBegun = (): boolean => {
      if (failing.opened.available(0) > 0) return true
      failing.door.sip()
      return false
    }
    await until(hasBegun, 'its beginning is verified', 20_000, 25)
    const part = Buffer.from(await failing.opened.read(0, MIB))
    expect(part.equals(failing.content.subarray(0, part.length))).toBe(true)
    const waiting = readOn(failing.opened)
    waiting.catch(() => {})
    failing.transfer.cancel()
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_FR_NOT_HELD' })
    expect(failing.opened.available(0)).toBe(0)
    const { node, door, transfer, opened, content } = await begin('f.bin')
    const whole = readOn(opened)
    door.open()
    expect((await whole).equals(content)).toBe(true)
    await transfer.result
    expect((await node.open('f.bin')).state).toBe('held')
  })
})
