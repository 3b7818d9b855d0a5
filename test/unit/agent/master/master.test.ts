/** A master and the links of nodes to it, on real sockets. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { RequiredList } from '../../../../src/agent/master/required-file.js'
import { Peers } from '../../../../src/agent/peers.js'
import { limits } from '../../../../src/base/limits.js'
import { selfOf } from '../../../../src/net/crypto.js'
import { dial } from '../../../../src/net/handshake.js'
import { ControlLink } from '../../../../src/net/link.js'
import { dialler, keyA } from '../../net/handshake-support.js'
import { seededSigner } from '../../protocol/support.js'
import { cleanUp, contentOf, setFor, startMaster, until, WordNode } from './support.js'

afterEach(() => cleanUp())

const all = setFor('all', ['x'], 'name=*')
const whole = (name: string, size?: number) => ({ ...contentOf(name, size), ranges: null })

describe('a master', () => {
  it('has what one node holds copied to all that a set wants, each byte once', async () => {
    const { service } = await startMaster()
    const nodes = ['a', 'b', 'c'].map((name, i) =>
      new WordNode(service.address, i + 1, { name }).start(),
    )
    const [a, b, c] = nodes as [WordNode, WordNode, WordNode]
    await until(() => service.nodes.length === 3)
    service.post({ type: 'sets', sets: [all] })
    await until(() => nodes.every(({ link }) => link.required.length === 1))
    expect(a.link.required).toEqual([{ name: 'x', digest: null, priority: 5 }])
    a.holds(whole('x', 20e6))
    await until(() => [b, c].every(({ held }) => held.get('x')?.ranges === null))
    for (const { orders } of [b, c]) {
      expect(orders.reduce((sum, { range }) => sum + range[1], 0)).toBe(20e6)
      // The host that means all is that of the connection.
      expect(orders[0]?.source.address).toMatch(/^127\.0\.0\.1:700[123]$/)
    }
    expect(a.orders).toEqual([])
  })

  it('has nothing copied to a node that is drained, or from it', async () => {
    const { service } = await startMaster()
    service.post({ type: 'sets', sets: [all] })
    const nodes = ['a', 'b', 'c'].map((name, i) =>
      new WordNode(service.address, i + 1, { name }).start(),
    )
    const [a, b, c] = nodes as [WordNode, WordNode, WordNode]
    await until(() => service.nodes.length === 3)
    service.post({ type: 'drain', node: 'b', isDrained: true })
    a.holds(whole('x', 20e6))
    await until(() => c.held.get('x')?.ranges === null)
    expect(b.orders).toEqual([])
    service.post({ type: 'drain', node: 'b', isDrained: false })
    service.post({ type: 'drain', node: 'a', isDrained: true })
    await until(() => b.held.get('x')?.ranges === null)
    expect(new Set(b.orders.map(({ source }) => source.name))).toEqual(new Set(['c']))
  })

  it('hears of more than a page holds before it decides anything', async () => {
    const names = Array.from({ length: limits.masterPageFiles + 500 }, (_, i) => `f${i}`)
    const { service } = await startMaster()
    const last = names.slice(-20)
    service.post({ type: 'sets', sets: [setFor('all', last, 'name=*')] })
    const start = (name: string, seed: number): WordNode => {
      const node = new WordNode(service.address, seed, { name })
      for (const one of names) node.holds({ ...whole(one), contentId: idOf(one) })
      return node.start()
    }
    const nodes = [start('a', 1), start('b', 2)]
    await until(() => nodes.every(({ link }) => link.required.length === last.length))
    expect(service.master.versions.count).toBe(names.length)
    expect(nodes.flatMap(({ orders }) => orders)).toEqual([])
  })

  it('refuses by name what contradicts, and a second node of the same name', async () => {
    const { service, lines } = await startMaster()
    const a = new WordNode(service.address, 1, { name: 'a' }).start()
    await until(() => service.nodes.length === 1)
    a.holds(whole('x', 10))
    const b = new WordNode(service.address, 2, { name: 'b' }).start()
    await until(() => service.nodes.length === 2)
    b.holds(whole('x', 11))
    await until(() => lines.some(({ event }) => event === 'state-refused'))
    const line = lines.find(({ event }) => event === 'state-refused')
    expect(line?.fields).toMatchObject({ node: 'b', name: 'x' })
    const other = new WordNode(service.address, 3, { name: 'a' }).start()
    await until(() => other.lines.some(({ fields }) => fields.code === 'ERR_FR_EXISTS'))
    expect(service.nodes).toEqual(['a', 'b'])
    // The same node in another process takes its own place.
    await a.link.close()
    const again = new WordNode(service.address, 1, { name: 'a' }).start()
    await until(() => again.link.status.isLinked)
  })

  it('refuses a node that its list of peers gives no right to be one', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'fr-master-peers-'))
    const path = join(directory, 'peers')
    const [reader, member] = [1, 2].map((seed) => selfOf(seededSigner(seed)).nodeId)
    await writeFile(path, `${reader} a get **\n${member} b relay\n`)
    const peers = await Peers.open(path, { log: () => {} })
    const { service } = await startMaster({ peers })
    const a = new WordNode(service.address, 1, { name: 'a' }).start()
    await until(() => a.lines.some(({ fields }) => fields.code === 'ERR_FR_RIGHT'))
    new WordNode(service.address, 2, { name: 'b' }).start()
    await until(() => service.nodes.length === 1)
    expect([service.nodes, a.link.status.isLinked]).toEqual([['b'], false])
    peers.close()
    await rm(directory, { recursive: true })
  })

  it('takes only sites that its topology has', async () => {
    const topology = { sites: [{ name: 'eu' }], links: [], routes: [] }
    const { service } = await startMaster({ topology })
    const lost = new WordNode(service.address, 1, { name: 'a', site: 'moon' }).start()
    await until(() => lost.lines.some(({ fields }) => fields.code === 'ERR_FR_CRITERIA'))
    new WordNode(service.address, 2, { name: 'b', site: 'eu' }).start()
    await until(() => service.nodes.length === 1)
  })

  it('takes a node that says nothing for gone, and one whose link breaks', async () => {
    const { service, lines } = await startMaster({ silenceMs: 300 })
    const a = new WordNode(service.address, 1, { name: 'a' }).start()
    await until(() => lines.some(({ fields }) => fields.code === 'ERR_FR_NODE_SILENT'))
    await until(() => lines.filter(({ event }) => event === 'node-joined').length > 1)
    await a.link.close()
    await until(() => service.nodes.length === 0)
  })

  it('takes a node for gone whose new link breaks before it has said anything', async () => {
    const { service } = await startMaster()
    const facts: string[] = []
    service.onFact(({ type }) => facts.push(type))
    const enlist = async (): Promise<ControlLink> => {
      const how = { keys: [keyA], self: dialler, address: service.address }
      const established = await dial({ ...how, channel: 'master' })
      const link = new ControlLink(established, { onFrame: () => {}, onClose: () => {} })
      link.send({ type: 'enlist', address: '0.0.0.0:1', up: null, down: null })
      return link
    }
    const first = await enlist()
    first.send({ type: 'underway', copies: [] })
    await until(() => service.nodes.length === 1)
    const second = await enlist()
    await until(() => service.nodes.length === 0)
    second.destroy()
    await until(() => facts.includes('left'))
    expect(facts).toEqual(['joined', 'state', 'left'])
  })

  it('hangs up on who breaks the protocol, and answers only what it knows', async () => {
    const { service } = await startMaster()
    const how = { keys: [keyA], self: dialler, address: service.address }
    const refusal = async (channel: 'master' | 'status', frame: object): Promise<string> => {
      const established = await dial({ ...how, channel })
      return new Promise((resolve) => {
        const link = new ControlLink(established, {
          onFrame: (got) => got.type === 'refuse' && resolve(got.code),
          onClose: () => {},
        })
        link.send(frame as never)
      })
    }
    const state = { type: 'holdings', held: [], gone: [], freeBytes: 0 }
    expect(await refusal('master', state)).toBe('ERR_FR_PROTOCOL')
    expect(await refusal('status', { type: 'statusRequest' })).toBe('ERR_FR_UNSUPPORTED')
    await expect(dial({ ...how, channel: 'fetch' })).rejects.toMatchObject({
      code: 'ERR_FR_UNSUPPORTED',
    })
  })
})

describe('a node', () => {
  it('finds its master again, which hears what is under way and copies nothing twice', async () => {
    const { service } = await startMaster()
    const { address } = service
    service.post({ type: 'sets', sets: [all] })
    const a = new WordNode(address, 1, { name: 'a' }).start()
    const b = new WordNode(address, 2, { name: 'b' })
    b.isQuick = false
    b.start()
    a.holds(whole('x', 20e6))
    await until(() => b.orders.length > 0)
    await service.close()
    await until(() => !b.link.status.isLinked)
    const { service: next } = await startMaster({}, address)
    next.post({ type: 'heard', versions: [] })
    next.post({ type: 'sets', sets: [all] })
    await until(() => next.nodes.length === 2)
    b.isQuick = true
    for (const copy of [...b.running.keys()]) b.end(copy)
    await until(() => b.held.get('x')?.ranges === null)
    const ranges = b.orders.map(({ range }) => range).sort(([x], [y]) => x - y)
    expect(ranges.reduce((sum, [, length]) => sum + length, 0)).toBe(20e6)
    expect(new Set(b.orders.map(({ copy }) => copy)).size).toBe(b.orders.length)
  })

  it('keeps what it is to hold on its disk, unless that is damaged', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'fr-required-'))
    try {
      await mkdir(join(dir, '.fastreplica'))
      const { service } = await startMaster()
      service.post({ type: 'sets', sets: [all] })
      const list = new RequiredList(dir)
      const node = new WordNode(service.address, 1, { name: 'a' }, { list }).start()
      await until(() => node.link.required.length === 1)
      await node.link.close()
      expect(await list.load()).toEqual([{ name: 'x', digest: null, priority: 5 }])
      const path = join(dir, '.fastreplica', 'required')
      const text = await readFile(path, 'utf8')
      await writeFile(path, text.replace('"x"', '"y"'))
      expect(await list.load()).toBeNull()
      await rm(path)
      expect(await list.load()).toBeNull()
    } finally {
      await rm(dir, { recursive: true })
    }
  })
})

function idOf(name: string): string {
  return Buffer.from(name).toString('hex').padStart(32, '0')
}
