/** Contents that only some may hold: who is sent them, on every way, and who is not. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { freePort } from '../../bench/programs.mjs'
import {
  type CopyOptions,
  client,
  copy,
  get,
  type NodeOptions,
  type PushOptions,
  push,
} from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { usualEngines } from './engines.js'
import { proxy } from './proxy.js'
import { expectCopies, until, useWorld } from './push-support.js'
import { treeLines } from './tree-files.js'

const size = 2 * MIB + 11
const eu = { attributes: { site: 'eu' } }
const us = { attributes: { site: 'us' } }
const only = 'site=eu && name!=old-*'

describe.each(usualEngines)('%s engine: what is only for some', (engine) => {
  const world = useWorld(engine)

  /** A node that everybody dials through a wire that is listened to. */
  async function node(options: Partial<NodeOptions> = {}) {
    const listen = `127.0.0.1:${await freePort()}`
    const heard: Buffer[] = []
    const through = await proxy(
      listen,
      (from, to) => {
        from.on('data', (chunk: Buffer) => heard.push(chunk))
        from.pipe(to)
      },
      0,
      (to, from) => {
        to.on('data', (chunk: Buffer) => heard.push(chunk))
        to.pipe(from)
      },
    )
    world.defer(through.close)
    const started = await world.node({ listen, advertise: through.address, ...options })
    const { dataDir } = started
    return { ...started, started, dataDir, address: through.address, heard }
  }
  type Node = Awaited<ReturnType<typeof node>>

  /** Whether any page of the content was on the wire of the node. */
  function isOnWire({ heard }: Node, content: Buffer): boolean {
    const seen = Buffer.concat(heard)
    for (let at = 0; at + 64 <= content.length; at += 4 * 1024)
      if (seen.includes(content.subarray(at, at + 32))) return true
    return false
  }

  const refused = { status: 'refused', code: 'ERR_FR_ONLY', retryable: false }

  it('goes to those who qualify, and not a byte of it to another', async () => {
    const nodes = [await node(eu), await node(us), await node({ ...eu, name: 'old-1' })]
    const [in_, out, old] = nodes as [Node, Node, Node]
    const { path, content } = world.file('a.bin', size)
    const to = nodes.map(({ address }) => address)
    const result = await push(path, { to, engine, only, shape: 'group' }).result
    expect(result.nodes).toMatchObject([{ status: 'complete' }, refused, refused])
    expect(result.nodes[1]?.reason).toContain(`only for: site=eu && !name=old-*`)
    expectCopies(content, 'a.bin', [in_])
    expect(isOnWire(in_, content)).toBe(true)
    for (const one of [out, old]) {
      expect(isOnWire(one, content)).toBe(false)
      expect(existsSync(join(one.dataDir, 'a.bin'))).toBe(false)
    }
  })

  it('is copied and served to nobody else, whoever asks, also after a restart', async () => {
    const dataDir = world.dataDir()
    const first = await world.node({ ...eu, dataDir })
    const { path, content } = world.file('b.bin', size)
    await push(path, { to: [first.address], engine, only }).result
    await first.close()
    const holder = await world.node({ ...eu, dataDir })
    const [in_, out] = [await node(eu), await node(us)]
    const copied = async (more: Partial<CopyOptions> = {}) => {
      const to = [in_.address, out.address]
      return (await copy('b.bin', { from: holder.address, to, rejoinMs: 0, ...more }).result).nodes
    }
    expect(await copied()).toMatchObject([{ status: 'complete' }, refused])
    expectCopies(content, 'b.bin', [in_])
    // What was copied has its criteria, too.
    const onwards = copy('b.bin', { from: in_.address, to: [out.address], as: 'c.bin' }).result
    expect((await onwards).nodes).toMatchObject([refused])
    const output = join(world.dir, 'got')
    for (const from of [holder.address, in_.address])
      await expect(get('b.bin', { from: [from], output, engine }).result).rejects.toMatchObject({
        code: 'ERR_FR_ONLY',
      })
    expect(existsSync(output)).toBe(false)
    expect(isOnWire(out, content)).toBe(false)
  })

  it('is brought by mirrors to nobody else', async () => {
    const [mirror, in_, out] = [await node(eu), await node(eu), await node(us)]
    const { path, content } = world.file('m.bin', size)
    await push(path, { to: [mirror.address], engine, only }).result
    const to = [in_.address, out.address]
    const options = { to, engine, only, mirrors: [mirror.address], rejoinMs: 0 }
    const { nodes } = await push(path, { ...options, spareOrigin: true }).result
    expect(nodes).toMatchObject([
      { status: 'complete' },
      { ...refused, status: expect.any(String) },
    ])
    expectCopies(content, 'm.bin', [in_])
    expect(isOnWire(out, content)).toBe(false)
  })

  it('is followed by nobody else while it is written, nor had once it is final', async () => {
    const [in_, out] = [await node(eu), await node(us)]
    const { path, content } = world.file('log', size)
    const to = [in_.address, out.address]
    const transfer = push(path, { to, engine, only, follow: true, rejoinMs: 0 })
    const isThere = () => in_.started.status().transfers.some((one) => one.verifiedBytes === size)
    await until(isThere, 'it is there')
    const output = join(world.dir, 'read')
    const read = () => get('log', { from: [in_.address], output, engine })
    const follow = () => get('log', { from: [in_.address], output, engine, follow: true })
    await expect(follow().result).rejects.toMatchObject({ code: 'ERR_FR_ONLY' })
    transfer.finish()
    expect((await transfer.result).nodes).toMatchObject([{ status: 'complete' }, refused])
    await expect(read().result).rejects.toMatchObject({ code: 'ERR_FR_ONLY' })
    expectCopies(content, 'log', [in_])
    expect(isOnWire(out, content)).toBe(false)
  })

  it('becomes part of no content that others may have', async () => {
    const holder = await node(eu)
    const { path, content } = world.file('d.bin', size)
    await push(path, { to: [holder.address], engine, only }).result
    holder.heard.length = 0
    // Whoever says only what its digest is has to bring the bytes.
    const again = await push(path, { to: [holder.address], engine, as: 'e.bin' }).result
    expect(again.nodes).toMatchObject([{ status: 'complete' }])
    expect(again.originBytesSent).toBeGreaterThanOrEqual(size)
    expect(isOnWire(holder, content)).toBe(true)
    const output = join(world.dir, 'open')
    await get('e.bin', { from: [holder.address], output, engine }).result
    expect(readFileSync(output).equals(content)).toBe(true)
    // The other way round nothing has to be sent, and the new name is for those alone.
    const narrow = await push(path, { to: [holder.address], engine, only, as: 'e.bin' }).result
    expect(narrow.nodes).toMatchObject([{ status: 'complete' }])
    expect(narrow.originBytesSent).toBe(0)
    const more = join(world.dir, 'narrow')
    await expect(
      get('e.bin', { from: [holder.address], output: more, engine }).result,
    ).rejects.toMatchObject({ code: 'ERR_FR_ONLY' })
  })

  /** A tree of small files and one with a record of its own; and all of their bytes. */
  function tree(name: string): { readonly path: string; readonly content: Buffer } {
    const path = join(world.dir, name)
    mkdirSync(join(path, 'in'), { recursive: true })
    const large = randomBytes(5 * MIB)
    const small = ['one', 'two', 'in/three'].map((file) => ({
      file,
      bytes: randomBytes(32 * 1024),
    }))
    for (const { file, bytes } of small) writeFileSync(join(path, file), bytes)
    writeFileSync(join(path, 'large'), large)
    return { path, content: Buffer.concat([large, ...small.map(({ bytes }) => bytes)]) }
  }

  it('may be a tree, copied and served to nobody else, nor any part of it', async () => {
    const dataDir = world.dataDir()
    const first = await node({ ...eu, dataDir })
    const [in_, out] = [await node(eu), await node(us)]
    const { path, content } = tree('t')
    const options = { engine, only, atomic: true, keep: 2 }
    const both = { ...options, to: [first.address, out.address] }
    expect((await push(path, both).result).nodes).toMatchObject([{ status: 'complete' }, refused])
    // Another version of it, under a record of its own.
    writeFileSync(join(path, 'one'), randomBytes(32 * 1024))
    await push(path, { ...options, to: [first.address] }).result
    const lines = (of: string): string[] => treeLines(realpathSync(join(of, 't')))
    expect(lines(dataDir)).toEqual(treeLines(path))
    // One that changes file by file, whose files might be adopted.
    await push(path, { engine, only, to: [first.address], as: 'p' }).result
    await first.started.close()
    const holder = await world.node({ ...eu, dataDir, adopt: true })
    await until(() => world.log.some(({ event }) => event === 'adopted'))
    const to = [in_.address, out.address]
    const copied = await copy('t', { from: holder.address, to, rejoinMs: 0 }).result
    expect(copied.nodes).toMatchObject([{ status: 'complete' }, refused])
    expect(lines(in_.dataDir)).toEqual(treeLines(path))
    let old = ''
    for await (const { isPresent, digest } of client.versions(holder.address, { glob: 't' }))
      if (!isPresent) old = digest.replace('tree:', '').slice(0, 12)
    const places = [
      't',
      't/in',
      't/one',
      't/in/three',
      't/large',
      `t@${old}`,
      `t@${old}/one`,
      'p/one',
    ]
    for (const from of [holder.address, in_.address])
      for (const name of places.slice(0, from === holder.address ? 8 : 3))
        await expect(
          get(name, { from: [from], output: join(world.dir, 'got'), engine }).result,
          name,
        ).rejects.toMatchObject({ code: 'ERR_FR_ONLY' })
    await client.rollback(holder.address, 't', { version: old })
    await expect(
      get('t/one', { from: [holder.address], output: join(world.dir, 'got'), engine }).result,
    ).rejects.toMatchObject({ code: 'ERR_FR_ONLY' })
    expect(isOnWire(in_, content)).toBe(true)
    expect(isOnWire(out, content)).toBe(false)
  })

  it('is no tree that others may have then, nor part of one', async () => {
    const holder = await node(eu)
    const { path } = tree('t')
    const pushed = async (to: string, more: Partial<PushOptions> = {}, from = path) =>
      (await push(from, { to: [holder.address], engine, as: to, ...more }).result).nodes[0]
    expect(await pushed('a/t', { only })).toMatchObject({ status: 'complete' })
    for (const [name, more] of [
      ['a/t', { only: 'site=*' }],
      ['a', {}],
      ['a/t/in', { dryRun: true }],
    ] as const) {
      const refusal = await pushed(name, more)
      expect(refusal, name).toMatchObject({ status: 'refused', code: 'ERR_FR_ONLY' })
      expect(refusal?.reason).toContain('only for: site=eu')
    }
    expect(await pushed('a/t', { only })).toMatchObject({ status: 'complete' })
    // A file that only some may have is no part of a tree around it.
    const secret = world.file('secret', 3 * MIB)
    expect(await pushed('b/one', { only }, secret.path)).toMatchObject({ status: 'complete' })
    writeFileSync(join(path, 'one'), secret.content)
    holder.heard.length = 0
    expect(await pushed('b')).toMatchObject({ status: 'complete' })
    expect(isOnWire(holder, secret.content)).toBe(true)
    // Once it is gone there may be another one.
    await client.remove(holder.address, 'a/t')
    expect(await pushed('a/t')).toMatchObject({ status: 'complete' })
  })

  it('has criteria that are checked first', () => {
    const { path } = world.file('f.bin', 10)
    expect(() => push(path, { to: ['h:1'], engine, only: 'site=' })).toThrow('character 6')
  })
})
