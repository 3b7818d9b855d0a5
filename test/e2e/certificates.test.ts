/** Nodes and clients with certificates in place of a key. */
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  client,
  copy,
  createMaster,
  fetchStatus,
  get,
  push,
  type TlsOptions,
} from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { initCa, issue, revoke } from '../../src/net/ca.js'
import { usualEngines } from './engines.js'
import { expectCopies, until, useWorld } from './push-support.js'

describe.each(usualEngines)('%s engine: certificates', (engine) => {
  const world = useWorld(engine)

  /** An authority of its own, and what it has issued to these names. */
  async function authority(name: string, ...names: string[]) {
    const dir = join(world.dir, name)
    await initCa(dir)
    for (const one of names) await issue(dir, one)
    return {
      dir,
      of: (one: string, more: Partial<TlsOptions> = {}): TlsOptions => ({
        ca: `${dir}/ca.crt`,
        cert: `${dir}/${one}.crt`,
        key: `${dir}/${one}.key`,
        ...more,
      }),
    }
  }
  const codeOf = async (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => null,
      (error) => error.code,
    )
  /** As a renewal does. */
  function write(path: string, from: string): void {
    writeFileSync(`${path}.new`, readFileSync(from))
    renameSync(`${path}.new`, path)
  }

  it('carry a push, a fetch and questions among those that one authority vouches for', async () => {
    const { of } = await authority('ca', 'a', 'b', 'c', 'alice')
    const nodes = await Promise.all(['a', 'b', 'c'].map((name) => world.node({ tls: of(name) })))
    const tls = of('alice')
    const { path, content } = world.file('data.bin', 24 * MIB)
    const to = nodes.map(({ address }) => address)
    const done = await push(path, { to, tls, engine, shape: 'group' }).result
    expect(done.nodes.map(({ status, reason }) => [status, reason])).toEqual(
      nodes.map(() => ['complete', null]),
    )
    expectCopies(content, 'data.bin', nodes)
    const [node] = to as [string]
    const output = join(world.dir, 'got')
    await get('data.bin', { from: to, output, tls, engine }).result
    expect(readFileSync(output).equals(content)).toBe(true)
    const status = await fetchStatus(node, { tls })
    expect((status.audit ?? []).map(({ name }) => name)).toContain('alice')
    const more = { to: [to[1] as string], as: 'more.bin', tls }
    const copied = copy('data.bin', { ...more, from: node })
    expect((await copied.result).nodes[0]?.status).toBe('complete')
  })

  it('refuse who has none, another one, or only a key, by name', async () => {
    const ours = await authority('ca', 'a', 'late', 'gone', 'alice')
    const theirs = await authority('other', 'mallory')
    await issue(ours.dir, 'past', { days: -0.01 })
    await revoke(ours.dir, 'gone')
    const crl = `${ours.dir}/ca.crl`
    const node = await world.node({ tls: ours.of('a', { crl }) })
    const { path } = world.file('data.bin', 100_000)
    const pushed = async (proof: object) => {
      const [found] = (await push(path, { to: [node.address], engine, ...proof }).result).nodes
      return `${found?.reason}`
    }
    expect(await pushed({ tls: ours.of('alice') })).toBe('null')
    const mallory = { ...theirs.of('mallory'), ca: ours.of('a').ca }
    expect(await pushed({ tls: mallory })).toContain('is of no authority that is trusted here')
    expect(await pushed({ tls: ours.of('past') })).toContain('dialling side has expired')
    expect(await pushed({ tls: ours.of('gone') })).toContain('dialling side is revoked')
    const key = 'k'.repeat(43)
    expect(await pushed({ key })).toContain('the accepting side has a certificate')
    expect(await codeOf(fetchStatus(node.address, { key }))).toBe('ERR_FR_AUTH')
    expect(await codeOf(fetchStatus(node.address))).toBe('ERR_FR_AUTH')
    const keyed = await world.node({ key })
    const asked = fetchStatus(keyed.address, { tls: ours.of('alice') })
    await expect(asked).rejects.toThrow('the dialling side has a certificate')
    await until(() => (node.status().counters['authFailures'] ?? 0) >= 5, 'strangers are counted')
  })

  it('end the push of a client that is revoked in its middle, by name', async () => {
    const { dir, of } = await authority('ca', 'a', 'alice')
    const crl = join(world.dir, 'crl')
    copyFileSync(`${dir}/ca.crl`, crl)
    const slow = { limitDownBytesPerSecond: 2 * MIB }
    const node = await world.node({ tls: of('a', { crl }), ...slow })
    const { path } = world.file('big.bin', 40 * MIB)
    const how = { to: [node.address], engine, rejoinMs: 0, retries: 0, tls: of('alice') }
    const transfer = push(path, how)
    await until(() => (node.status().transfers[0]?.landedBytes ?? 0) > 0, 'bytes land')
    await revoke(dir, 'alice')
    write(crl, `${dir}/ca.crl`)
    const [failed] = (await transfer.result).nodes
    expect(failed).toMatchObject({ status: 'failed', code: 'ERR_FR_AUTH' })
    expect(failed?.reason).toContain('the certificate of alice, which sends this, is revoked')
    await until(() => node.status().transfers.length === 0, 'the node is free')
    expect(world.log.map(({ event }) => event)).toContain('certificate-revoked')
  })

  it('are listed by their names, with rights, and lose what is open with their line', async () => {
    const { of } = await authority('ca', 'a', 'b', 'alice', 'bob')
    const authorize = join(world.dir, 'peers')
    const lines = 'cert:a relay\ncert:b relay\n'
    writeFileSync(authorize, `${lines}cert:alice push data.bin\n`, { mode: 0o644 })
    const nodes = await Promise.all(
      ['a', 'b'].map((name) =>
        world.node({ tls: of(name), authorize, limitDownBytesPerSecond: 8 * MIB }),
      ),
    )
    const to = nodes.map(({ address }) => address)
    const { path, content } = world.file('data.bin', 4 * MIB)
    const how = { to, engine, shape: 'group', rejoinMs: 0, retries: 0 } as const
    const pushed = await push(path, { ...how, tls: of('alice') }).result
    expect(pushed.nodes.map(({ status }) => status)).toEqual(['complete', 'complete'])
    expectCopies(content, 'data.bin', nodes)
    const [bobs] = (await push(path, { ...how, tls: of('bob') }).result).nodes
    expect(bobs).toMatchObject({ code: 'ERR_FR_AUTH', retryable: false })
    expect(bobs?.reason).toContain('(bob) is not among the authorized peers')
    const asked = fetchStatus(to[0] as string, { tls: of('alice') })
    await expect(asked).rejects.toThrow("the right 'status' is missing")
    const { path: big } = world.file('big.bin', 40 * MIB)
    const transfer = push(big, { ...how, as: 'data.bin', tls: of('alice') })
    await until(
      () => nodes.every((node) => (node.status().transfers[0]?.landedBytes ?? 0) > 0),
      'bytes land',
    )
    writeFileSync(`${authorize}.new`, lines, { mode: 0o644 })
    renameSync(`${authorize}.new`, authorize)
    for (const { status, reason } of (await transfer.result).nodes) {
      expect(status).toBe('failed')
      expect(reason).toContain('is not among the authorized peers any more')
    }
  })

  it('are listed at a master, too, which refuses all others', async () => {
    const { of } = await authority('ca', 'm', 'alice', 'bob')
    const authorize = join(world.dir, 'peers')
    const dataDir = world.dataDir()
    const options = { listen: '127.0.0.1:0', dataDir, authorize, logger: world.logger }
    writeFileSync(authorize, 'cert:alice status\n', { mode: 0o644 })
    expect(await codeOf(createMaster({ ...options, key: 'k'.repeat(43) }))).toBe('ERR_FR_PEERS')
    const master = await createMaster({ ...options, tls: of('m') })
    world.defer(() => master.close())
    const asked = async (name: string): Promise<void> => {
      for await (const _ of client.sets(master.address, { tls: of(name) })) throw new Error('a set')
    }
    expect(await codeOf(asked('alice'))).toBeNull()
    expect(await codeOf(asked('bob'))).toBe('ERR_FR_AUTH')
    writeFileSync(`${authorize}.new`, 'cert:bob status\n', { mode: 0o644 })
    renameSync(`${authorize}.new`, authorize)
    await master.reload()
    expect(await codeOf(asked('bob'))).toBeNull()
    expect(await codeOf(asked('alice'))).toBe('ERR_FR_AUTH')
  })

  it('take nothing more of a node that is revoked in the middle of a push', async () => {
    const { dir, of } = await authority('ca', 'a', 'b', 'c', 'alice')
    const crl = join(world.dir, 'crl')
    copyFileSync(`${dir}/ca.crl`, crl)
    // The one that is revoked is far from having it all then.
    const slow = { limitDownBytesPerSecond: 1.25 * MIB }
    const nodes = await Promise.all(
      ['a', 'b', 'c'].map((name) => world.node({ tls: of(name), ...(name === 'c' && slow) })),
    )
    const { path, content } = world.file('big.bin', 12 * MIB)
    const to = nodes.map(({ address }) => address)
    const how = { to, engine, shape: 'group', rejoinMs: 0, retries: 0 } as const
    const transfer = push(path, { ...how, tls: of('alice', { crl }) })
    await until(
      () => nodes.every((one) => (one.status().transfers[0]?.landedBytes ?? 0) > 0),
      'bytes land',
    )
    await revoke(dir, 'c')
    write(crl, `${dir}/ca.crl`)
    const result = await transfer.result
    expect(result.nodes.map(({ status }) => status)).toEqual(['complete', 'complete', 'failed'])
    expect(result.nodes[2]).toMatchObject({ code: 'ERR_FR_AUTH', retryable: false })
    expect(result.nodes[2]?.reason).toContain('the certificate of the accepting side is revoked')
    expectCopies(content, 'big.bin', nodes.slice(0, 2))
  })

  it('that are renewed are used from then on, and the node goes on running', async () => {
    const { dir, of } = await authority('ca', 'alice')
    await issue(dir, 'a', { days: 0.00005 })
    const node = await world.node({ tls: of('a') })
    const asked = () => fetchStatus(node.address, { tls: of('alice') })
    await until(async () => (await codeOf(asked())) === 'ERR_FR_AUTH', 'it has expired')
    await issue(dir, 'a', { isRenewal: true })
    expect((await asked()).nodeId).toBe(node.nodeId)
    expect(world.log.map(({ event }) => event)).toContain('certificates-read')
  })
})
