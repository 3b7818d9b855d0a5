/** Whole pushes over loopback, on both engines. */
import { chmodSync, statSync, utimesSync } from 'node:fs'
import { blake3 } from 'hash-wasm'
import { describe, expect, it } from 'vitest'
import { digestFile, fetchStatus, type Progress, push } from '../../src/api/index.js'
import { blockBytesFor, MIB } from '../../src/base/limits.js'
import { type EngineKind, expectCopies, keepsNothing, until, useWorld } from './push-support.js'

const block = blockBytesFor(0)

for (const engine of ['portable', 'native'] as EngineKind[]) {
  describe(`push on the ${engine} engine`, () => {
    const world = useWorld(engine)

    const cases: [nodes: number, bytes: number][] = [
      [1, 0],
      [4, 0],
      [1, 1],
      [3, 2],
      [4, block - 1],
      [2, block],
      [8, block + 1],
      [8, 3 * block],
      [3, 5 * MIB + 13],
      [1, 5 * MIB],
      [5, 7 * MIB],
    ]
    const plans = [
      { strategy: 'classic', shape: 'group' },
      { strategy: 'adaptive', shape: 'group' },
      { strategy: 'adaptive', shape: 'unicast' },
    ] as const
    const rows = plans.flatMap((plan) => cases.map((each) => [...each, plan] as const))
    it.each(rows)('%i nodes get %i bytes, %o', async (count, bytes, plan) => {
      const nodes = await world.nodes(count)
      const { path, content } = world.file('data.bin', bytes)
      const to = nodes.map((node) => node.address)
      const result = await push(path, { to, engine, ...plan }).result
      expect(result.nodes.map((node) => [node.status, node.reason])).toEqual(
        nodes.map(() => ['complete', null]),
      )
      expect(result).toMatchObject({ bytes, ...plan })
      expect(result.digest).toBe(await digestFile(path))
      const copies = bytes === 0 ? 1 : result.originBytesSent / bytes
      if (plan.shape === 'unicast') expect(copies).toBe(bytes === 0 ? 1 : count)
      else if (plan.strategy === 'classic') expect(copies).toBe(1)
      else expect(copies).toBeGreaterThanOrEqual(1)
      for (const node of nodes) {
        expectCopies(content, 'data.bin', [node])
        await keepsNothing(node.dataDir)
      }
    })

    it('sends tiny files and single copies itself, and lets nodes relay the rest', async () => {
      const nodes = await world.nodes(3)
      const to = nodes.map((node) => node.address)
      const shapeOf = async (bytes: number, targets: string[]) => {
        const { path } = world.file(`of-${bytes}`, bytes)
        return (await push(path, { to: targets, engine }).result).shape
      }
      expect(await shapeOf(1024, to)).toBe('unicast')
      expect(await shapeOf(MIB, to)).toBe('unicast')
      expect(await shapeOf(3 * MIB, to)).toBe('group')
      expect(await shapeOf(3 * MIB, to.slice(1, 2))).toBe('unicast')
    })

    it('uses SHA-256 when asked to', async () => {
      const nodes = await world.nodes(2)
      const { path } = world.file('data.bin', 3 * MIB + 5)
      const result = await push(path, {
        to: nodes.map((node) => node.address),
        engine,
        digest: 'sha256',
      }).result
      expect(result.nodes.map((node) => node.status)).toEqual(['complete', 'complete'])
      expect(result.digest).toMatch(/^sha256-blocks\/65536:[0-9a-f]{64}$/)
      expect(result.digest).toBe(await digestFile(path, { digest: 'sha256' }))
    })

    it('keeps mode and time, strips setuid, takes any name', async () => {
      const [node] = await world.nodes(1)
      const { path } = world.file('data.bin', 100)
      chmodSync(path, 0o4751)
      utimesSync(path, 1_600_000_000, 1_600_000_001)
      const name = Buffer.from([0x61, 0x20, 0x0a, 0xff, 0xfe])
      const result = await push(path, { to: [node.address], engine, as: name }).result
      expect(result.nodes[0]?.reason).toBeNull()
      const found = statSync(Buffer.concat([Buffer.from(`${node.dataDir}/`), name]))
      expect(found.mode & 0o7777).toBe(0o751)
      expect(found.mtimeMs).toBe(1_600_000_001_000)
    })

    it('works with a key, and not with another one', async () => {
      const key = 'k'.repeat(40)
      const good = await world.node({ key: `${key}\n` })
      const other = await world.node({ key: 'x'.repeat(40) })
      const rotated = await world.node({ key: 'y'.repeat(40), previousKey: key })
      const { path, content } = world.file('data.bin', 2 * MIB + 5)
      const to = [good.address, other.address]
      const result = await push(path, { to, engine, key }).result
      expect(result.nodes.map((node) => node.status)).toEqual(['complete', 'failed'])
      expect(result.nodes[1]?.reason).toMatch(/^ERR_FR_AUTH/)
      // As b3sum prints it.
      expect(result.digest).toBe(`blake3:${await blake3(content)}`)
      const again = await push(path, { to: [rotated.address], engine, key }).result
      expect(again.nodes[0]?.reason).toBeNull()
    })

    it('tells what happens: plan, progress, nodes, status', async () => {
      const nodes = await world.nodes(3)
      const { path } = world.file('data.bin', 48 * MIB)
      const to = nodes.map((node) => ({
        address: node.address,
        uplinkBytesPerSecond: 1e9,
        downlinkBytesPerSecond: 5e8,
      }))
      const transfer = push(path, { to, engine, uplinkBytesPerSecond: 1e9 })
      const events: string[] = []
      transfer.on('plan', (plan) => {
        events.push('plan')
        expect(plan.shares.map((share) => share.bytes)).toEqual([16 * MIB, 16 * MIB, 16 * MIB])
        expect(plan.boundSeconds).toBeCloseTo((48 * MIB) / 5e8)
        expect(plan.limiting).toBe(`downlink of ${nodes[0].address}`)
      })
      transfer.on('node', (outcome) => events.push(outcome.status))
      transfer.on('result', () => events.push('result'))
      const seen: Progress[] = []
      for await (const progress of transfer) seen.push(progress)
      const result = await transfer.result
      expect(events).toEqual(['plan', 'complete', 'complete', 'complete', 'result'])
      expect(result.efficiency).toBeGreaterThan(0)
      for (const progress of seen) expect(progress.nodes.length).toBe(3)
      const [node] = nodes
      const counter = (name: string) => node.status().counters[name]
      await until(() => counter('transfersComplete') === 1, 'the node ends a moment later')
      await until(() => counter('openFeeds') === 0, 'the feeds close')
      const status = await fetchStatus(node.address)
      expect(status.nodeId).toBe(node.nodeId)
      expect(status.engine).toBe(engine)
      expect(status.counters).toMatchObject({ transfersComplete: 1, openFeeds: 0 })
    })

    it('a dry run contacts nobody', async () => {
      const { path } = world.file('data.bin', MIB)
      const transfer = push(path, { to: ['127.0.0.1:1', '127.0.0.1:2'], engine, dryRun: true })
      const plans: unknown[] = []
      transfer.on('plan', ({ shape, shares }) => plans.push(shape, ...shares))
      const result = await transfer.result
      expect([result.nodes.length, result.originBytesSent]).toEqual([0, 0])
      // When the sender sends everything itself, no node relays.
      expect(plans).toEqual([
        'unicast',
        { node: '127.0.0.1:1', bytes: 0 },
        { node: '127.0.0.1:2', bytes: 0 },
      ])
    })
  })
}
