/** Pushes in which something goes wrong: every node that can complete does; others say why. */
import { appendFileSync, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  errorTable,
  FrError,
  type FrErrorCode,
  type FrNode,
  type LogLine,
  push,
  startNode,
} from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { usualEngines } from './engines.js'
import {
  expectCopies,
  keepsNothing,
  partials,
  until,
  useWorld,
  verifiedBehind,
} from './push-support.js'

for (const engine of usualEngines) {
  describe(`faults on the ${engine} engine`, () => {
    const world = useWorld(engine)

    it('a node killed in the middle: survivors complete', async () => {
      const nodes = await world.nodes(3)
      const victim = await world.childNode()
      const { path, content } = world.file('data.bin', 32 * MIB)
      const door = await world.holding(victim.address, 4 * MIB)
      const to = [nodes[0].address, door.address, nodes[1].address, nodes[2].address]
      const transfer = push(path, { to, engine, retries: 0, silenceMs: 6_000 })
      // It has received and relayed, and was sent bytes that nobody has from it.
      await until(door.isHolding, 'the node is in the middle', 60_000)
      victim.child.kill('SIGKILL')
      const result = await transfer.result
      expect(result.nodes.map((node) => node.status)).toEqual([
        'complete',
        'failed',
        'complete',
        'complete',
      ])
      expect(result.nodes[1]?.reason).toMatch(/^ERR_FR_NODE_(LOST|SILENT)/)
      expect(result.originBytesSent).toBeGreaterThan(content.length)
      expectCopies(content, 'data.bin', nodes)
      expect(existsSync(join(victim.dataDir, 'data.bin'))).toBe(false)
    })

    it('a node that stops answering fails by name, the others complete', async () => {
      const nodes = await world.nodes(2)
      const victim = await world.childNode()
      const { path, content } = world.file('data.bin', 24 * MIB)
      const door = await world.holding(victim.address, 4 * MIB)
      const to = [...nodes.map((node) => node.address), door.address]
      const transfer = push(path, { to, engine, silenceMs: 4_000, retries: 0 })
      await until(door.isHolding, 'the node is in the middle', 60_000)
      victim.child.kill('SIGSTOP')
      const result = await transfer.result
      expect(result.nodes.map((node) => node.status)).toEqual(['complete', 'complete', 'failed'])
      expect(result.nodes[2]?.reason).toMatch(/^ERR_FR_NODE_SILENT/)
      expectCopies(content, 'data.bin', nodes)
    })

    it('a node that stops, is dealt around and goes on completes like the others', async () => {
      const nodes = await world.nodes(2)
      const stopped = await world.childNode()
      const { path, content } = world.file('data.bin', 24 * MIB)
      const door = await world.holding(stopped.address, 4 * MIB)
      const to = [...nodes.map((node) => node.address), door.address]
      const seen: string[] = []
      const logger = ({ event, fields }: LogLine) => seen.push(`${event} ${fields['node']}`)
      const transfer = push(path, { to, engine, logger, silenceMs: 3_600_000 })
      await until(door.isHolding, 'the node is in the middle', 60_000)
      stopped.child.kill('SIGSTOP')
      await until(() => seen.includes(`away ${door.address}`), 'it is away', 60_000)
      for (const { address } of nodes)
        await until(() => seen.includes(`node-complete ${address}`), 'others complete', 60_000)
      stopped.child.kill('SIGCONT')
      door.open()
      const result = await transfer.result
      expect(result.nodes.map((node) => node.reason)).toEqual([null, null, null])
      expect(seen).toContain(`back ${door.address}`)
      expectCopies(content, 'data.bin', [...nodes, stopped])
    })

    it('a bit that flips on the way is repaired', async () => {
      const nodes = await world.nodes(3)
      let [passed, flips] = [0, 0]
      const door = await world.spoiler(nodes[2].address, 'payload', (bytes) => {
        passed += bytes
        return passed > 700_001 && flips++ === 0
      })
      const { path, content } = world.file('data.bin', 12 * MIB)
      const to = [nodes[0].address, nodes[1].address, door]
      const result = await push(path, { to, engine }).result
      expect(flips).toBeGreaterThan(0)
      expect(result.nodes.map((node) => node.reason)).toEqual([null, null, null])
      expect(
        result.nodes.reduce((sum, node) => sum + node.repairedBytes, 0),
      ).toBeGreaterThanOrEqual(65_536)
      expectCopies(content, 'data.bin', nodes)
      await keepsNothing(nodes[2].dataDir)
    })

    it('refusals and unreachable nodes do not stop the rest', async () => {
      const good = await world.nodes(2)
      const full = await world.node({ minFreeBytes: 2 ** 52 })
      const { path, content } = world.file('data.bin', 2 * MIB)
      const port = good[0].address.split(':')[1]
      const to = [
        good[0].address,
        full.address,
        '127.0.0.1:1',
        `localhost:${port}`,
        good[1].address,
      ]
      const result = await push(path, { to, engine, connectMs: 4_000 }).result
      const status = result.nodes.map((node) => node.status)
      // Which of a node's two names comes first depends on the network.
      expect([status[0], status[3]].sort()).toEqual(['complete', 'refused'])
      expect([status[1], status[2], status[4]]).toEqual(['refused', 'failed', 'complete'])
      expect(result.nodes[1]?.reason).toMatch(/^ERR_FR_NO_SPACE/)
      expect(result.nodes[2]?.reason).toMatch(/^ERR_FR_UNREACHABLE/)
      expect(result.nodes.map(({ code, retryable }) => [code, retryable])).toEqual(
        result.nodes.map(({ reason }) => {
          const code = reason === null ? null : (reason.split(':')[0] as FrErrorCode)
          return [code, code !== null && errorTable[code].retryable]
        }),
      )
      const twin = result.nodes.find((node, i) => (i === 0 || i === 3) && node.status === 'refused')
      expect(twin?.reason).toMatch(/^ERR_FR_SAME_NODE/)
      expectCopies(content, 'data.bin', good)
    })

    it.each([
      ['../escape', 'it has a component that is . or ..'],
      ['/etc/passwd', 'it is absolute'],
      ['.fastreplica/x', '.fastreplica is reserved'],
    ])('the name %s is refused before any node is contacted', (as, why) => {
      const { path } = world.file('data.bin', 1000)
      const pushed = () => push(path, { to: ['127.0.0.1:1'], engine, as })
      const message = `${JSON.stringify(as)} cannot be stored: ${why}`
      expect(pushed).toThrow(expect.objectContaining({ code: 'ERR_FR_NAME', message }))
    })

    it('the name of a directory is refused', async () => {
      const [as, code] = ['taken', 'ERR_FR_IS_DIRECTORY']
      const node = await world.node()
      const { path } = world.file('data.bin', 1000)
      await push(path, { to: [node.address], engine, as: 'taken/inside' }).result
      const result = await push(path, { to: [node.address], engine, as }).result
      expect(result.nodes[0]?.status).toBe('refused')
      expect(result.nodes[0]?.reason).toMatch(new RegExp(`^${code}`))
      await keepsNothing(node.dataDir)
    })

    it('a node that has published takes the name again, though the push goes on', async () => {
      const [done, held] = await world.nodes(2)
      const door = await world.holding(held.address, MIB)
      const first = world.file('first.bin', 8 * MIB)
      const next = world.file('next.bin', 3 * MIB + 1)
      const to = [done.address, door.address]
      const transfer = push(first.path, { to, engine, as: 'same', shape: 'unicast' })
      const published = new Promise((resolve) => {
        transfer.on('node', resolve)
      })
      expect(await published).toMatchObject({ node: done.address, status: 'complete' })
      const again = await push(next.path, { to: [done.address], engine, as: 'same' }).result
      expect(again.nodes[0]?.reason).toBeNull()
      door.open()
      const result = await transfer.result
      expect(result.nodes.map((node) => node.reason)).toEqual([null, null])
      expectCopies(next.content, 'same', [done])
      expectCopies(first.content, 'same', [held])
    })

    it('a source that changes fails the push, and nothing is published', async () => {
      const nodes = await world.nodes(2)
      const { path } = world.file('data.bin', 24 * MIB)
      const transfer = push(path, { to: nodes.map((node) => node.address), engine })
      transfer.on('plan', () => appendFileSync(path, 'more'))
      await expect(transfer.result).rejects.toMatchObject({ code: 'ERR_FR_SOURCE_CHANGED' })
      await until(
        () => nodes.every((node) => node.status().transfers.length === 0),
        'the transfers end',
      )
      for (const node of nodes) expect(readdirSync(node.dataDir)).toEqual(['.fastreplica'])
      for (const node of nodes) await keepsNothing(node.dataDir)
    })

    it('cancelling leaves nothing behind and gives the reason back', async () => {
      const nodes = await world.nodes(2)
      const { path } = world.file('data.bin', 16 * MIB)
      const reason = new Error('changed my mind')
      const abort = new AbortController()
      const transfer = push(path, {
        to: nodes.map((node) => node.address),
        engine,
        signal: abort.signal,
      })
      transfer.on('plan', () => abort.abort(reason))
      await expect(transfer.result).rejects.toBe(reason)
      await until(
        () => nodes.every((node) => node.status().transfers.length === 0),
        'the transfers end',
      )
      for (const node of nodes) expect(readdirSync(node.dataDir)).toEqual(['.fastreplica'])
      for (const node of nodes) await keepsNothing(node.dataDir)
      for (const node of nodes)
        await until(() => node.status().counters['openFiles'] === 0, 'the files close')
    })

    it('closing a node in the middle fails it and keeps what it has', async () => {
      const nodes = await world.nodes(3)
      const { path } = world.file('data.bin', 24 * MIB)
      const [first, closing, last] = nodes as [FrNode, (typeof nodes)[0], FrNode]
      const door = await world.holding(closing.address, 4 * MIB)
      const to = [first.address, door.address, last.address]
      const transfer = push(path, { to, engine, retries: 0 })
      await verifiedBehind(door, closing, 1)
      await closing.close()
      expect(partials(closing.dataDir)).toEqual([
        expect.stringMatching(/^[0-9a-f]{32}\.data\.bin$/),
      ])
      const result = await transfer.result
      expect(result.nodes.map((node) => node.status)).toEqual(['complete', 'failed', 'complete'])
      expect(result.nodes[1]?.reason).toMatch(/^ERR_FR_(NODE_CLOSED|NODE_LOST)/)
    })

    it('misuse is a TypeError, what is not offered is refused by name', async () => {
      const to = ['127.0.0.1:7400']
      expect(() => push('', { to })).toThrow(/path/)
      expect(() => push('x', { to: [] })).toThrow(/to must name/)
      expect(() => push('x', { to: ['non sense'] })).toThrow(/to\[0\]/)
      expect(() => push('x', { to: [...to, ...to] })).toThrow(/twice/)
      expect(() => push('x', { to, connectMs: -1 })).toThrow(/connectMs/)
      expect(() => push('x', { to, shape: 'unicast', groupSize: 2 })).toThrow(/groupSize/)
      expect(() => push('x', { to, shape: 'group', handover: 'every' })).toThrow(/handover/)
      expect(() => push('x', { to, site: '' })).toThrow(/site must be/)
      const siteLinks = [{ sites: ['a', 'a'], bytesPerSecond: 1 }] as const
      expect(() => push('x', { to, siteLinks })).toThrow(/one site twice/)
      expect(() =>
        push('x', { to: [...to, '127.0.0.1:7401'], shape: 'group', groupSize: 1 }),
      ).toThrow(FrError)
      expect(() => push('x', { to, key: 'short' })).toThrow(
        expect.objectContaining({ code: 'ERR_FR_KEY' }),
      )
      await expect(push(join(world.dir, 'none'), { to, engine }).result).rejects.toMatchObject({
        code: 'ERR_FR_SOURCE',
      })
      await expect(
        push(world.dir, { to, engine, as: 'd', allowAdd: true }).result,
      ).rejects.toMatchObject({ code: 'ERR_FR_UNSUPPORTED' })
      await expect(
        startNode({ listen: '0.0.0.0:0', dataDir: world.dataDir(), engine }),
      ).rejects.toMatchObject({
        code: 'ERR_FR_OPEN',
      })
      const node = await world.node()
      await expect(
        startNode({ listen: node.address, dataDir: world.dataDir(), engine }),
      ).rejects.toMatchObject({
        code: 'ERR_FR_LISTEN',
      })
      await expect(
        startNode({ listen: '127.0.0.1:0', dataDir: node.dataDir, engine }),
      ).rejects.toMatchObject({
        code: 'ERR_FR_DATA_DIR_LOCKED',
      })
    })
  })
}
