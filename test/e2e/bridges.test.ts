/** Pushes to nodes behind a gateway (`via`): every connection to them goes through it. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Bridges } from '../../src/agent/bridges.js'
import { type PushTarget, push } from '../../src/api/index.js'
import { FrError } from '../../src/base/errors.js'
import { limits, MIB } from '../../src/base/limits.js'
import type { Frame } from '../../src/control/messages/types.js'
import { selfOf } from '../../src/net/crypto.js'
import { linkOver } from '../../src/net/dial.js'
import { Gateways } from '../../src/net/gateways.js'
import { accept, dial } from '../../src/net/handshake.js'
import { openKey } from '../../src/net/keys.js'
import type { ControlLink } from '../../src/net/link.js'
import { Resolver } from '../../src/net/resolver.js'
import type { DataEngine } from '../../src/ports.js'
import { seededSigner } from '../unit/protocol/support.js'
import { usualEngines } from './engines.js'
import { expectCopies, until, useWorld, type WorldNode } from './push-support.js'

const name = 'a.bin'
const transfer = '55'.repeat(16)

describe.each(usualEngines)('on the %s engine', (engine) => {
  const world = useWorld(engine)

  const behind = (via: string, nodes: readonly WorldNode[]) =>
    nodes.map(({ address }) => ({ address, via }))

  it('a push goes through the gateway, which reads nothing of it', async () => {
    const gateway = await world.node({ relayOnly: true })
    const nodes = await world.nodes(3)
    const { path, content } = world.file(name, 6 * MIB + 5)
    const to = behind(gateway.address, nodes)
    const result = await push(path, { to, engine, shape: 'group' }).result
    expect(result.nodes.map(({ status }) => status)).toEqual(['complete', 'complete', 'complete'])
    expectCopies(content, name, nodes)
    const { counters } = gateway.status()
    // The origin's copy, digests and links; mates have the rest from each other.
    expect(counters['bridgedBytes']).toBeGreaterThan(content.length)
    expect(counters['bridgedBytes']).toBeLessThan(2 * content.length)
    if (engine === 'native') expect(counters['payloadBytesInJavaScript']).toBe(0)
    await until(() => gateway.status().counters['openBridges'] === 0, 'all bridges are over')
  })

  it('nodes behind two of them and nodes before them feed each other in groups', async () => {
    const gateways = [
      await world.node({ relayOnly: true }),
      await world.node({ relayOnly: true }),
    ] as const
    const nodes = await world.nodes(5)
    const [one, two] = gateways
    const [near, ...others] = nodes
    const behindOne = behind(one.address, others.slice(0, 2))
    const behindTwo = behind(two.address, others.slice(2))
    const bridged = () => gateways.map((node) => node.status().counters['bridgedBytes'] as number)
    const pushed = async (to: (PushTarget | string)[], shape: 'chain' | 'group', as: string) => {
      // Each time another one: nothing of it is at a node under another name.
      const { path, content } = world.file(as, 4 * MIB)
      const before = bridged()
      const strategy = shape === 'group' ? 'classic' : 'adaptive'
      const transfer = push(path, { to, engine, shape, strategy, as })
      let plan: object | undefined
      transfer.on('plan', ({ sites, parents }) => {
        plan = { sites, parents }
      })
      const result = await transfer.result
      expect(result.nodes.map(({ code, reason }) => [code, reason])).toEqual(
        to.map(() => [null, null]),
      )
      expect(result.warnings).toEqual([])
      const copies = bridged().map((bytes, i) => (bytes - (before[i] as number)) / content.length)
      return {
        plan,
        content,
        copies,
        crossings: result.crossings.map(({ from, to }) => [from, to]),
      }
    }
    // What is behind a gateway is a site: each byte goes through it once, and out of it never.
    const tree = await pushed([near.address, ...behindOne, ...behindTwo], 'chain', name)
    expectCopies(tree.content, name, nodes)
    expect(tree.plan).toEqual({
      sites: [null, one.address, two.address],
      parents: [null, 0, 0],
    })
    for (const { address } of gateways) expect(tree.crossings).toContainEqual([null, address])
    // Where nobody stands before them, one feeds the other through both.
    const chain = await pushed([...behindOne, ...behindTwo], 'chain', 'b.bin')
    expect(chain.plan).toEqual({ sites: [one.address, two.address], parents: [null, 0] })
    expect(chain.crossings).toContainEqual([one.address, two.address])
    // To those behind it, and from them.
    expect(chain.copies[0]).toBeGreaterThan(1.9)
    expect(chain.copies[1]).toBeGreaterThan(0.9)
    // In one group each has from each what that was sent; as it is fixed, every one is sent some.
    const group = await pushed([near.address, ...behindOne, ...behindTwo], 'group', 'c.bin')
    expect(group.crossings.length).toBeGreaterThan(2)
    expectCopies(group.content, 'c.bin', nodes)
  })

  it.each(['killed', 'closed'])('a gateway that is %s is named', async (how) => {
    const isKilled = how === 'killed'
    const [dying, closing] = isKilled
      ? [await world.childNode({}, () => {}, { relayOnly: true }), undefined]
      : [undefined, await world.node({ relayOnly: true })]
    const gateway = (dying ?? closing) as { readonly address: string }
    const [node] = await world.nodes(1)
    const door = await world.holding(node.address, MIB)
    const { path } = world.file(name, 12 * MIB)
    const to = [{ address: door.address, via: gateway.address }]
    const { result } = push(path, { to, engine, retries: 0 })
    await until(door.isHolding, 'the push is under way')
    dying?.kill('SIGKILL')
    await closing?.close()
    door.open()
    const { nodes } = await result
    const code = 'ERR_FR_GATEWAY'
    const reason = expect.stringContaining(gateway.address)
    expect(nodes).toMatchObject([{ status: 'failed', code, reason, retryable: true }])
  })

  it('says who is not there: the gateway, or the node behind it', async () => {
    const gateway = await world.node({ relayOnly: true })
    const [node, gone] = await world.nodes(2)
    await gone.close()
    const { path } = world.file(name, 1000)
    const options = { engine, connectMs: 2_500, retries: 0 }
    const reasonOf = async (address: string, via: string) => {
      const { nodes } = await push(path, { to: [{ address, via }], ...options }).result
      return nodes.map(({ code, reason }) => `${code} ${reason}`).join()
    }
    const atNode = await reasonOf(gone.address, gateway.address)
    expect(atNode).toMatch(/^ERR_FR_UNREACHABLE .*the gateway .* cannot connect to/)
    expect(await reasonOf(node.address, gone.address)).toMatch(/^ERR_FR_GATEWAY .*cannot connect/)
    expect(await reasonOf(gone.address, node.address)).toMatch(/^ERR_FR_BRIDGE .*no gateway/)
  })
})

describe('a gateway is no open door', () => {
  const world = useWorld('native')

  /** What a gateway says to these frames of a peer that holds the key. */
  async function answers(via: string, frames: readonly Frame[], seed = 0x71): Promise<Frame[]> {
    const self = { ...selfOf(seededSigner(seed)), incarnation: 1 }
    const established = await dial({ keys: [openKey], self, address: via, channel: 'bridge' })
    const said: Frame[] = []
    const link = linkOver(established, { onFrame: (frame) => said.push(frame), onClose: () => {} })
    world.defer(() => link.destroy())
    for (const frame of frames) link.send(frame)
    await until(() => said.length > 0, 'an answer')
    return said
  }

  const reach = (target: string): Frame => ({ type: 'reach', transfer, targets: [target] })
  const wish = (target: string, of = transfer): Frame => ({
    ...{ type: 'bridge', request: 7, transfer: of, target },
  })

  /** What comes back on a connection that shows this ticket, and the connection. */
  async function shown(via: string, ticket: Buffer): Promise<{ answer: Buffer; socket: Socket }> {
    const [host = '', port] = via.split(':')
    const socket = connect(Number(port), host)
    world.defer(() => socket.destroy())
    socket.write(Buffer.concat([Buffer.from([0xfb, 1, 0, 0]), ticket]))
    const [answer] = await once(socket, 'data')
    return { answer, socket }
  }

  it('takes no ticket that it has not given, and none twice', async () => {
    const { address: via } = await world.node({ relayOnly: true })
    const [node] = await world.nodes(1)
    const forged = await shown(via, randomBytes(32))
    expect(forged.answer.toString()).toContain('ERR_FR_BRIDGE')
    await once(forged.socket, 'close')
    const [given] = await answers(via, [reach(node.address), wish(node.address)])
    if (given?.type !== 'bridged') throw new Error('no ticket')
    const ticket = Buffer.from(given.ticket, 'hex')
    expect((await shown(via, ticket)).answer.subarray(0, 2)).toEqual(Buffer.from([0xfa, 1]))
    expect((await shown(via, ticket)).answer.toString()).toContain('ERR_FR_BRIDGE')
  })

  it('connects only to nodes that the origin has named, as long as it is there', async () => {
    const { address: via } = await world.node({ relayOnly: true })
    const [named, other] = await world.nodes(2)
    const refused = { type: 'bridged', request: 7, code: 'ERR_FR_BRIDGE', ticket: '' }
    // It waits for an origin that has not said it yet.
    const unnamed = answers(via, [wish(named.address, '56'.repeat(16))])
    const late = answers(via, [wish(named.address)])
    const beside = answers(via, [reach(named.address), wish(other.address)])
    expect(await late).toMatchObject([{ code: null }])
    expect([await unnamed, await beside]).toMatchObject([[refused], [refused]])
    // A member asks for what the origin has named, and names nothing itself.
    expect(await answers(via, [wish(named.address)], 0x72)).toMatchObject([{ code: null }])
    const intruding = await answers(via, [reach(other.address), wish(other.address)], 0x73)
    expect(intruding).toMatchObject([{ type: 'refuse', code: 'ERR_FR_BRIDGE' }])
  })

  it('connects to nothing that does not hold the key', async () => {
    const { address: via } = await world.node({ relayOnly: true })
    const heard: Buffer[] = []
    const server = createServer((socket) => {
      socket.on('error', () => {}).on('data', (bytes: Buffer) => heard.push(bytes))
      socket.end('hello, I am a mail server\r\n')
    }).listen(0, '127.0.0.1')
    world.defer(() => server.close())
    await once(server, 'listening')
    const target = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const [refused] = await answers(via, [reach(target), wish(target)])
    expect(refused).toMatchObject({ type: 'bridged', code: 'ERR_FR_PROTOCOL', ticket: '' })
  })
})

describe('a member that is connected through a gateway', () => {
  const world = useWorld('native')

  /** As a member with this signer has them. */
  function gatewaysOf(isOrigin: boolean, seed: number): Gateways {
    const over = new AbortController()
    const self = { ...selfOf(seededSigner(seed)), incarnation: 1 }
    const dialler = { keys: [openKey], self, connectMs: 10_000, resolver: new Resolver() }
    const gateways = new Gateways(dialler, { transfer, isOrigin }, over.signal)
    world.defer(() => {
      over.abort()
      gateways.end()
    })
    return gateways
  }

  it('hears that the node is gone, and not that the gateway is', async () => {
    const { address: via } = await world.node({ relayOnly: true })
    const [node] = await world.nodes(1)
    const gateways = gatewaysOf(true, 0x71)
    const socket = await gateways.connect({ via }, node.address)
    world.defer(() => socket.destroy())
    await node.close()
    const again = gateways.connect({ via }, node.address)
    await expect(again).rejects.toMatchObject({ code: 'ERR_FR_UNREACHABLE' })
  })

  it('is connected by the word of an origin that has no link to the gateway any more', async () => {
    const { address: via } = await world.node({ relayOnly: true })
    const [node] = await world.nodes(1)
    gatewaysOf(true, 0x71).reach({ via }, [node.address])
    const socket = await gatewaysOf(false, 0x72).connect({ via }, node.address)
    world.defer(() => socket.destroy())
    expect(socket.writable).toBe(true)
  })

  it('has another link after one that the gateway has refused', async () => {
    const answers: ((link: ControlLink) => void)[] = [
      (link) => {
        link.send({ type: 'refuse', code: 'ERR_FR_LIMIT', text: 'full' })
        setTimeout(() => link.destroy(), 50)
      },
      (link) =>
        setTimeout(() => {
          const ticket = { request: 1, code: 'ERR_FR_BUSY', text: 'no', ticket: '' } as const
          link.send({ type: 'bridged', ...ticket })
        }, 150),
    ]
    const self = { ...selfOf(seededSigner(0x74)), incarnation: 1 }
    const server = createServer(async (socket) => {
      const admitted = await accept(socket, { keys: [openKey], self })
      if (admitted.channel !== 'bridge') throw new Error('no bridge link')
      const answer = answers.shift()
      const link: ControlLink = linkOver(await admitted.go(), {
        onFrame: ({ type }) => type === 'bridge' && answer?.(link),
        onClose: () => {},
      })
      world.defer(() => link.destroy())
    }).listen(0, '127.0.0.1')
    world.defer(() => server.close())
    await once(server, 'listening')
    const via = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const gateways = gatewaysOf(false, 0x72)
    const refused = gateways.connect({ via }, '127.0.0.1:9')
    await expect(refused).rejects.toMatchObject({ code: 'ERR_FR_LIMIT' })
    const next = gateways.connect({ via }, '127.0.0.1:9')
    await expect(next).rejects.toMatchObject({ code: 'ERR_FR_BUSY' })
  })
  it.each([
    ['too many bridges are refused', limits.bridgesPerNode, 'ERR_FR_LIMIT'],
    ['one that the engine does not take is closed', 0, undefined],
  ])('%s', async (_, openBridges, code) => {
    const engine = {
      counters: () => ({ openBridges }),
      tuneControl: () => {},
      bridge: () => {
        throw new FrError('ERR_FR_INBOX_FULL')
      },
    }
    const self = { ...selfOf(seededSigner(0x74)), incarnation: 1 }
    const dialler = () => ({ keys: [openKey], self, connectMs: 10_000, resolver: new Resolver() })
    const bridges = new Bridges({
      engine: engine as unknown as DataEngine,
      dialler,
      log: world.logger,
    })
    world.defer(() => bridges.destroyAll())
    const server = createServer(async (socket) => {
      const admitted = await accept(socket, { keys: [openKey], self, isGateway: true })
      if (admitted.channel === 'bridge') bridges.serve(await admitted.go())
      else if (admitted.channel === 'crossing') await bridges.cross(admitted).catch(() => {})
    }).listen(0, '127.0.0.1')
    world.defer(() => server.close())
    await once(server, 'listening')
    const via = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const [node] = await world.nodes(1)
    const connected = gatewaysOf(true, 0x71).connect({ via }, node.address)
    if (code !== undefined) return expect(connected).rejects.toMatchObject({ code })
    const socket = await connected
    world.defer(() => socket.destroy())
    await once(socket.resume(), 'close')
  })
})
