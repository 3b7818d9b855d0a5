/** Lists of authorized peers: who is served, and what becomes of those who leave the list. */
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../../bench/programs.mjs'
import { client, copy, fetchStatus, get, identity, push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { usualEngines } from './engines.js'
import { proxy } from './proxy.js'
import { expectCopies, until, useWorld } from './push-support.js'

const before = process.env['XDG_CONFIG_HOME']
afterEach(() => {
  if (before === undefined) delete process.env['XDG_CONFIG_HOME']
  else process.env['XDG_CONFIG_HOME'] = before
})

describe.each(usualEngines)('%s engine: a node with a list of peers', (engine) => {
  const world = useWorld(engine)
  /** From here on clients of this process are somebody; the fingerprint. */
  const be = (name: string): Promise<string> => {
    const home = join(world.dir, `home-${name}`)
    mkdirSync(home, { recursive: true })
    process.env['XDG_CONFIG_HOME'] = home
    return identity()
  }
  let alice: string
  beforeEach(async () => {
    alice = await be('alice')
  })

  let lists = 0
  function list(text: string): string {
    const path = join(world.dir, `peers-${lists++}`)
    write(path, text)
    return path
  }
  /** As an editor does. */
  function write(path: string, text: string): void {
    writeFileSync(`${path}.new`, text)
    chmodSync(`${path}.new`, 0o644)
    renameSync(`${path}.new`, path)
  }
  const codeOf = async (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => null,
      (error) => error.code,
    )
  const logged = (event: string) => world.log.filter((line) => line.event === event)

  it('serves those on it and nobody else, whatever they ask', async () => {
    const node = await world.node({ authorize: list(`${alice} alice\n`) })
    const { path, content } = world.file('a.bin', 100_000)
    const done = await push(path, { to: [node.address], engine }).result
    expect(done.nodes[0]?.status).toBe('complete')
    expectCopies(content, 'a.bin', [node])
    const bob = await be('bob')
    const { nodes } = await push(path, { to: [node.address], as: 'b.bin', engine }).result
    expect(nodes[0]).toMatchObject({ code: 'ERR_FR_AUTH', retryable: false })
    expect(nodes[0]?.reason).toContain(`${bob} is not among the authorized peers`)
    const output = join(world.dir, 'got')
    const from = [node.address]
    expect(await codeOf(fetchStatus(node.address))).toBe('ERR_FR_AUTH')
    expect(await codeOf(get('a.bin', { from, output, engine }).result)).toBe('ERR_FR_AUTH')
    expect(await codeOf(client.remove(node.address, 'a.bin'))).toBe('ERR_FR_AUTH')
    expect(await codeOf(client.limit(node.address, { upBytesPerSecond: 1e6 }))).toBe('ERR_FR_AUTH')
    expect(node.status().counters.authFailures).toBeGreaterThan(0)
  })

  it('reads a list that changes, or when told to, and keeps one that is right', async () => {
    const authorize = list(`${alice} alice\n`)
    const node = await world.node({ authorize })
    const bob = await be('bob')
    expect(await codeOf(fetchStatus(node.address))).toBe('ERR_FR_AUTH')
    write(authorize, `${alice} alice\n${bob} bob\n`)
    await until(async () => (await codeOf(fetchStatus(node.address))) === null, 'bob is served')
    write(authorize, `${alice} alice\n${bob} bob\nnobody\n`)
    await until(() => logged('peers-refused').length > 0, 'the log says so')
    expect(logged('peers-refused')[0]?.fields['text']).toContain('line 3: the fingerprint')
    expect(await codeOf(fetchStatus(node.address))).toBeNull()
    expect(await codeOf(node.reload())).toBe('ERR_FR_PEERS')
    write(authorize, `${alice} alice\n`)
    await node.reload()
    expect(await codeOf(fetchStatus(node.address))).toBe('ERR_FR_AUTH')
    rmSync(authorize)
    expect(await codeOf(node.reload())).toBe('ERR_FR_PEERS')
    await be('alice')
    expect(await codeOf(fetchStatus(node.address))).toBeNull()
  })

  it('does not start with a list that others may change, or that is wrong', async () => {
    const open = list(`${alice} alice\n`)
    chmodSync(open, 0o666)
    expect(await codeOf(world.node({ authorize: open }))).toBe('ERR_FR_PEERS')
    expect(await codeOf(world.node({ authorize: list(`${alice}\n`) }))).toBe('ERR_FR_PEERS')
    expect(await codeOf(world.node({ authorize: world.dir }))).toBe('ERR_FR_PEERS')
  })

  it('ends the push of a client that leaves the list, in its middle and by name', async () => {
    const authorize = list(`${alice} alice\n`)
    const slow = { limitDownBytesPerSecond: 2 * MIB }
    const node = await world.node({ authorize, ...slow })
    const { path } = world.file('big.bin', 40 * MIB)
    const transfer = push(path, { to: [node.address], engine, rejoinMs: 0, retries: 0 })
    await until(() => (node.status().transfers[0]?.landedBytes ?? 0) > 0, 'bytes land')
    write(authorize, '# nobody\n')
    const result = await transfer.result
    expect(result.nodes[0]).toMatchObject({ status: 'failed', code: 'ERR_FR_AUTH' })
    expect(result.nodes[0]?.reason).toContain('not among the authorized peers any more')
    await until(() => node.status().transfers.length === 0, 'the node is free')
  })

  it('ends what it sends itself to a node that leaves the list, by name', async () => {
    const slow = await world.node({ limitDownBytesPerSecond: 2 * MIB })
    const both = `${alice} alice\n${slow.nodeId} slow\n`
    const authorize = list(both)
    const node = await world.node({ authorize })
    const { path } = world.file('big.bin', 20 * MIB)
    await push(path, { to: [node.address], engine }).result
    const options = { from: node.address, to: [slow.address], rejoinMs: 0, retries: 0 }
    const copied = copy('big.bin', options)
    await until(() => (slow.status().transfers[0]?.landedBytes ?? 0) > 0, 'bytes land')
    write(authorize, `${alice} alice\n`)
    const [failed] = (await copied.result).nodes
    expect(failed).toMatchObject({ status: 'failed', code: 'ERR_FR_AUTH', retryable: false })
    expect(failed?.reason).toContain(`${slow.nodeId} is not among the authorized peers`)
  })

  it('closes all that is open to a mate that leaves the list, and the push goes on', async () => {
    const lists = [0, 1, 2].map(() => list(`${alice} alice\n`))
    const open = new Set<Socket>()
    /** A node of which mates hear an address that is watched. */
    const node = async (authorize: string) => {
      const listen = `127.0.0.1:${await freePort()}`
      const through = await proxy(listen, (from, to) => {
        open.add(from)
        from.once('close', () => open.delete(from))
        from.pipe(to)
      })
      world.defer(through.close)
      const slow = { limitDownBytesPerSecond: 3 * MIB }
      return world.node({ listen, advertise: through.address, authorize, ...slow })
    }
    const nodes = await Promise.all(lists.map(node))
    const all = [alice, ...nodes.map(({ nodeId }) => nodeId)].map((id, at) => `${id} n${at}`)
    for (const path of lists) write(path, all.join('\n'))
    await Promise.all(nodes.map((one) => one.reload()))
    const { path, content } = world.file('big.bin', 24 * MIB)
    const to = nodes.map(({ address }) => address)
    const transfer = push(path, { to, engine, shape: 'group' })
    await until(() => open.size >= 6, 'mates have connections to each other')
    await until(
      () => nodes.every((one) => (one.status().transfers[0]?.landedBytes ?? 0) > 2 * MIB),
      'bytes land',
    )
    // Nobody knows anybody but the origin any more.
    for (const path of lists) write(path, `${alice} alice\n`)
    await until(() => open.size === 0, 'what mates had open is closed')
    expect(nodes.some((one) => one.status().transfers.length > 0)).toBe(true)
    const result = await transfer.result
    expect(result.nodes.map(({ status }) => status)).toEqual(nodes.map(() => 'complete'))
    expectCopies(content, 'big.bin', nodes)
    await until(() => open.size === 0, 'all is closed')
  })
})
