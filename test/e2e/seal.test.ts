/** Sealed data connections: who decides, and that nothing of a file can be read on its ways. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { freePort } from '../../bench/programs.mjs'
import { copy, get, type NodeOptions, type PushOptions, push } from '../../src/api/index.js'
import { MIB } from '../../src/base/limits.js'
import { usualEngines } from './engines.js'
import { proxy } from './proxy.js'
import { expectCopies, useWorld } from './push-support.js'

const size = 3 * MIB + 11

describe.each(usualEngines)('%s engine: what is sent', (engine) => {
  const world = useWorld(engine)
  /** A node that everybody dials through a wire that is listened to. */
  async function node(options: Partial<NodeOptions> = {}) {
    const listen = `127.0.0.1:${await freePort()}`
    const one: Buffer[] = []
    const through = await proxy(
      listen,
      (from, to) => {
        from.on('data', (chunk: Buffer) => one.push(chunk))
        from.pipe(to)
      },
      0,
      (to, from) => {
        to.on('data', (chunk: Buffer) => one.push(chunk))
        to.pipe(from)
      },
    )
    world.defer(through.close)
    const { dataDir } = await world.node({ listen, advertise: through.address, ...options })
    return { address: through.address, dataDir, wire: () => Buffer.concat(one) }
  }
  type Node = Awaited<ReturnType<typeof node>>

  /** How many of the pages of the file somebody on the wire of the node has read. */
  function readOn({ wire }: Node, content: Buffer): number {
    const seen = wire()
    let pages = 0
    for (let at = 0; at + 64 <= content.length; at += 64 * 1024)
      if (seen.includes(content.subarray(at, at + 32))) pages++
    return pages
  }

  async function pushed(nodes: readonly Node[], options: Partial<PushOptions>) {
    const { path, content } = world.file('data.bin', size)
    const to = nodes.map(({ address }) => address)
    const result = await push(path, { to, engine, shape: 'group', ...options }).result
    expect(result.nodes.map(({ status }) => status)).toEqual(nodes.map(() => 'complete'))
    expectCopies(content, 'data.bin', nodes)
    return content
  }

  it('can be read where nobody wants otherwise', async () => {
    const nodes = [await node(), await node()]
    const content = await pushed(nodes, {})
    for (const one of nodes) expect(readOn(one, content)).toBeGreaterThan(0)
  })

  it('cannot be read where the push wants it, from the origin and between nodes', async () => {
    const nodes = [await node(), await node(), await node()]
    const content = await pushed(nodes, { seal: true })
    for (const one of nodes) expect(readOn(one, content)).toBe(0)
  })

  it('cannot be read between sites whose link is to be sealed, and can within one', async () => {
    const nodes = [await node(), await node()]
    const { path, content } = world.file('data.bin', size)
    const to = nodes.map(({ address }, at) => ({ address, site: at === 0 ? 'a' : 'b' }))
    const siteLinks = [{ sites: ['a', 'b'], bytesPerSecond: 1e9, seal: true }] as const
    const result = await push(path, { to, site: 'a', siteLinks, engine }).result
    expect(result.nodes.map(({ status }) => status)).toEqual(['complete', 'complete'])
    expectCopies(content, 'data.bin', nodes)
    const [near, far] = nodes.map((one) => readOn(one, content))
    expect(near).toBeGreaterThan(0)
    expect(far).toBe(0)
  })

  it('cannot be read on any connection of a node that wants it', async () => {
    const nodes = [await node(), await node({ seal: true }), await node({ requireSeal: true })]
    const content = await pushed(nodes, {})
    expect(nodes.map((one) => readOn(one, content) > 0)).toEqual([true, false, false])
  })

  it('cannot be read on its way from a holder, where either side wants it', async () => {
    const [open, sealed] = [await node(), await node({ seal: true })]
    const content = await pushed([open, sealed], { seal: true })
    for (const [from, seal, isRead] of [
      [open, true, false],
      [sealed, false, false],
      [open, false, true],
    ] as const) {
      const output = join(world.dir, `got-${from === open}-${seal}`)
      await get('data.bin', { from: [from.address], output, engine, seal }).result
      expect(readFileSync(output).equals(content)).toBe(true)
      expect(readOn(from, content) > 0).toBe(isRead)
    }
  })

  it('cannot be read of a copy that is to be sealed', async () => {
    const [from, to] = [await node(), await node()]
    const content = await pushed([from], { seal: true })
    await copy('data.bin', { from: from.address, to: [to.address], seal: true }).result
    expectCopies(content, 'data.bin', [to])
    expect(readOn(to, content)).toBe(0)
  })
})

describe('the two engines', () => {
  const [native, portable] = [useWorld('native'), useWorld('portable')]

  it('open what the other one seals', async () => {
    const nodes = [await native.node(), await portable.node()]
    const to = nodes.map(({ address }) => address)
    for (const engine of ['native', 'portable'] as const) {
      const { path, content } = native.file(`${engine}.bin`, size)
      const result = await push(path, { to, engine, seal: true, shape: 'group' }).result
      expectCopies(content, `${engine}.bin`, nodes)
      expect(result.nodes.map(({ status }) => status)).toEqual(['complete', 'complete'])
    }
  })
})
