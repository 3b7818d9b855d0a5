/** A push of a file that nodes hold already: what moves, and what the sender reads. */
import { readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { granuleMs } from '../../src/store/held/identity.js'
import { usualEngines } from './engines.js'
import { expectCopies, until, useWorld } from './push-support.js'

const bytes = 9 * MIB + 5

describe.each(usualEngines)('a file that a %s node holds', (engine) => {
  const world = useWorld(engine)
  const before = process.env['XDG_CACHE_HOME']
  beforeEach(() => {
    process.env['XDG_CACHE_HOME'] = join(world.dir, 'cache')
  })
  afterEach(() => {
    if (before === undefined) delete process.env['XDG_CACHE_HOME']
    else process.env['XDG_CACHE_HOME'] = before
  })

  /** Its time stamps are old enough to be trusted. */
  const settled = (path: string): Promise<void> =>
    until(() => Date.now() - statSync(path).ctimeMs > granuleMs + 50, 'the file is old')

  it('is not moved again, under this name or another one, with another time or mode', async () => {
    const [a, b] = await world.nodes(2)
    const { path, content } = world.file('data.bin', bytes)
    await settled(path)
    const to = [a.address, b.address]
    await push(path, { to, engine }).result
    const again = await push(path, { to, engine }).result
    expect(again.nodes.map((node) => node.heldBytes)).toEqual([bytes, bytes])
    expect(again.originBytesSent).toBe(0)
    const renamed = await push(path, { to, engine, as: 'dir/other' }).result
    expect(renamed.nodes.map(({ reason, heldBytes }) => [reason, heldBytes])).toEqual([
      [null, bytes],
      [null, bytes],
    ])
    expect(renamed.originBytesSent).toBe(0)
    expectCopies(content, 'dir/other', [a, b])
    utimesSync(path, 1_500_000_000, 1_500_000_000)
    await settled(path)
    await push(path, { to, engine }).result
    const touched = await push(path, { to, engine }).result
    expect(touched.originBytesSent).toBe(0)
    expectCopies(content, 'data.bin', [a, b])
    expect(statSync(join(a.dataDir, 'data.bin')).mtimeMs).toBe(1_500_000_000_000)
  })

  it('and was changed, removed or replaced there behind its back is moved', async () => {
    const nodes = await world.nodes(3)
    const { path, content } = world.file('data.bin', bytes)
    await settled(path)
    const to = nodes.map(({ address }) => address)
    await push(path, { to, engine }).result
    const [changed, gone, whole] = nodes
    const wrong = Buffer.from(content)
    wrong[5] = (wrong[5] ?? 0) ^ 1
    writeFileSync(join(changed.dataDir, 'data.bin'), wrong)
    rmSync(join(gone.dataDir, 'data.bin'))
    const result = await push(path, { to, engine }).result
    expect(result.nodes.map(({ reason }) => reason)).toEqual([null, null, null])
    expect(result.nodes.map(({ heldBytes }) => heldBytes)).toEqual([0, 0, bytes])
    expectCopies(content, 'data.bin', [changed, gone, whole])
  })

  it('is moved where the digests of its record are damaged', async () => {
    const node = await world.node()
    const to = [node.address]
    const { path, content } = world.file('data.bin', bytes)
    await settled(path)
    await push(path, { to, engine, digest: 'sha256' }).result
    const digests = join(node.dataDir, '.fastreplica/digests')
    const names = readdirSync(digests)
    expect(names).toHaveLength(1)
    for (const name of names) truncateSync(join(digests, name), 100)
    const { nodes } = await push(path, { to, engine, digest: 'sha256' }).result
    expect(nodes[0]).toMatchObject({ reason: null, heldBytes: 0 })
    expectCopies(content, 'data.bin', [node])
    const again = await push(path, { to, engine, digest: 'sha256' }).result
    expect(again.nodes[0]).toMatchObject({ reason: null, heldBytes: bytes })
  })

  it('is moved as far as the source has changed, and read when the caller says so', async () => {
    const node = await world.node()
    const to = [node.address]
    const { path, content } = world.file('data.bin', bytes)
    await settled(path)
    await push(path, { to, engine }).result
    const read = await push(path, { to, engine, verify: true }).result
    expect(read.nodes[0]?.reason).toBeNull()
    expectCopies(content, 'data.bin', [node])
    const edited = Buffer.from(content)
    edited[bytes - 1] = (edited[bytes - 1] ?? 0) ^ 1
    writeFileSync(path, edited)
    const result = await push(path, { to, engine }).result
    expect(result.nodes[0]).toMatchObject({ reason: null, heldBytes: bytes - 5 })
    expect(result.originBytesSent).toBe(5)
    expectCopies(edited, 'data.bin', [node])
    // Longer, with other blocks in between: its old end is no whole block any more.
    const longer = Buffer.concat([edited, edited.subarray(0, MIB)])
    longer.fill(7, 3 * MIB, 4 * MIB)
    writeFileSync(path, longer)
    const next = await push(path, { to, engine }).result
    expect(next.nodes[0]).toMatchObject({ reason: null, heldBytes: 8 * MIB })
    expectCopies(longer, 'data.bin', [node])
  })
})
