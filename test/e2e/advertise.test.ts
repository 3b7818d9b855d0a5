/** Nodes that mates dial at another address than the origin does, or cannot dial at all. */
import { cpSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { freePort } from '../../bench/programs.mjs'
import { type PushResult, push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { originNumber } from '../../src/control/messages/types.js'
import { callerOf } from './door.js'
import { proxy } from './proxy.js'
import { expectCopies, useWorld } from './push-support.js'

const world = useWorld('native')

/** Where nobody listens, whatever else runs on this machine: an ordinary port may be taken. */
const nowhere = '127.0.0.1:1'

/** A forwarded port that lets only the origin through. */
async function forOrigin(address: string): Promise<string> {
  const passed = await proxy(address, (from, to) => {
    let start = Buffer.alloc(0)
    let isJudged = false
    from.on('data', (chunk: Buffer) => {
      if (!isJudged) {
        start = Buffer.concat([start, chunk])
        const caller = callerOf(start)
        isJudged = caller !== null
        if ((caller?.from ?? originNumber) !== originNumber) return void from.resetAndDestroy()
      }
      if (!to.write(chunk)) from.pause()
    })
    to.on('drain', () => from.resume())
  })
  world.defer(passed.close)
  return passed.address
}

const size = 24 * MIB

function ownSend(result: PushResult): number {
  return result.originBytesSent / result.bytes
}

describe('a push to nodes that others dial elsewhere', () => {
  it('uses what the nodes advertise', async () => {
    const to: string[] = []
    for (let i = 0; i < 3; i++) {
      const listen = `127.0.0.1:${await freePort()}`
      await world.node({ listen, advertise: listen })
      to.push(await forOrigin(listen))
    }
    const { path } = world.file('data.bin', size)
    const result = await push(path, { to, shape: 'group', logger: world.logger }).result
    expect(result.nodes.map((node) => node.status)).toEqual(['complete', 'complete', 'complete'])
    expect(result.warnings).toEqual([])
    expect(world.log.map((line) => line.event)).not.toContain('edge-lost')
    expect(ownSend(result)).toBeLessThan(2)
  })

  it('uses what the caller says rather than what the nodes advertise', async () => {
    const nodes = await Promise.all([0, 1, 2].map(() => world.node({ advertise: nowhere })))
    const to = await Promise.all(
      nodes.map(async ({ address }) => ({
        address: await forOrigin(address),
        advertise: address,
      })),
    )
    const { path } = world.file('data.bin', size)
    const result = await push(path, { to, shape: 'group', logger: world.logger }).result
    expect(result.warnings).toEqual([])
    expect(world.log.map((line) => line.event)).not.toContain('edge-lost')
    expect(ownSend(result)).toBeLessThan(2)
  })

  it('warns once when no two reach each other', async () => {
    const nodes = await world.nodes(4)
    const to = nodes.map(({ address }) => ({ address, advertise: nowhere }))
    const { path, content } = world.file('data.bin', size)
    const result = await push(path, { to, shape: 'group', logger: world.logger }).result
    expectCopies(content, 'data.bin', nodes)
    expect(result.warnings).toEqual([
      expect.stringMatching(/^no two of the 4 nodes reach each other: everything came from/),
    ])
    const said = world.log.filter((line) => line.event === 'nodes-unreachable')
    expect(said).toMatchObject([{ level: 'warn', fields: { text: result.warnings[0] } }])
  })

  it('names the one that nobody reaches', async () => {
    const nodes = await world.nodes(3)
    const to = [...nodes.map(({ address }) => address)] as (string | object)[]
    to[1] = { address: to[1], advertise: nowhere }
    const { path } = world.file('data.bin', size)
    const options = { to: to as string[], shape: 'group', logger: world.logger } as const
    const result = await push(path, options).result
    expect(result.warnings).toEqual([
      expect.stringContaining(`1 of 3 nodes cannot be reached by the others (${nodes[1].address})`),
    ])
  })

  it.each(['127.0.0.1:0', '0.0.0.0:7400', '[::]:7400', 'no where', '-s:1'])(
    'refuses %s, which nobody can dial',
    async (advertise) => {
      await expect(world.node({ advertise })).rejects.toThrow(/^advertise must be/)
      expect(() => push('f', { to: [{ address: '127.0.0.1:1', advertise }] })).toThrow(TypeError)
    },
  )
})

describe('machines made from one image', () => {
  it('are two nodes', async () => {
    const first = await world.node()
    await first.close()
    const dataDir = world.dataDir()
    cpSync(first.dataDir, dataDir, { recursive: true })
    const nodes = await Promise.all([
      world.node({ dataDir: first.dataDir }),
      world.node({ dataDir }),
    ])
    expect(nodes[0].nodeId).toBe(first.nodeId)
    expect(nodes[1].nodeId).not.toBe(first.nodeId)
    expect(world.log.filter((line) => line.event === 'new-identity')).toHaveLength(1)
    const { path } = world.file('data.bin', MIB)
    const result = await push(path, { to: nodes.map((node) => node.address) }).result
    expect(result.nodes.map((node) => node.status)).toEqual(['complete', 'complete'])
  })
})
