/**
 * Bytes from mates: a node that lacks bytes because a feed broke or a node died gets them from any
 * holder, and a complete node still serves. A request that is not allowed gets an error code and
 * disturbs nothing.
 */
import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { type FrNode, fetchStatus, push } from '../../src/api/index.js'
import { KIB, limits, MIB } from '../../src/base/limits.js'
import type { RangePair } from '../../src/base/ranges.js'
import { type Frame, originNumber } from '../../src/control/messages/types.js'
import { parseTrace } from '../support/trace.js'
import { usualEngines } from './engines.js'
import { digestsOf, fileDigestOf, Hostile, type HostileLink, keyText } from './hostile.js'
import { expectCopies, gate, until, useWorld } from './push-support.js'

const block = 64 * KIB
/** `adaptive` would soon deal the held bytes again, for others to relay. */
const strategy = 'classic'

describe.each(usualEngines)('pulls on the %s engine', (engine) => {
  const world = useWorld(engine)

  /** Sum of this field over log lines of this kind. */
  function sum(event: string, field: string): number {
    const lines = world.log.filter((line) => line.event === event)
    return lines.reduce((total, line) => total + Number(line.fields[field]), 0)
  }

  /** Pulls in a trace, by process and mate. */
  function pullsIn(path: string): { counts: Map<string, number>; firsts: string[] } {
    const counts = new Map<string, number>()
    const firsts: string[] = []
    const { events } = parseTrace(readFileSync(path, 'utf8'))
    for (const { name, pid, args } of events) {
      const [, verb, mate] = /^(pulled|pulls) (from mate \d+)$/.exec(name) ?? []
      if (verb === 'pulls') firsts.push(`${pid} ${mate}`)
      if (verb === 'pulled') counts.set(`${pid} ${mate}`, Number(args?.['bytes']))
    }
    return { counts, firsts }
  }

  it('a feed between two living nodes is cut: the receiver has the rest from mates', async () => {
    const [a, b, c] = await world.nodes(3)
    const { path, content } = world.file('data.bin', 24 * MIB)
    const door = await gate(world, c.address, 0, 4 * MIB)
    const to = [a.address, b.address, door.address] as string[]
    const trace = join(world.dir, 'trace.json')
    const transfer = push(path, { to, engine, strategy, trace })
    const complete = new Set<string>()
    transfer.on('node', (outcome) => {
      complete.add(outcome.node)
      // Together the others now hold the whole file.
      if (complete.size === 2) door.cut()
    })
    const result = await transfer.result
    expect(door.isHolding()).toBe(true)
    expect(result.nodes.map((node) => node.reason)).toEqual([null, null, null])
    expectCopies(content, 'data.bin', [c])
    expect(sum('published', 'pulledBytes')).toBeGreaterThan(block)
    // Each node ends a moment after the origin.
    await until(
      () => sum('served', 'bytes') >= sum('published', 'pulledBytes'),
      'the holders say what they served',
    )
    const { counts, firsts } = pullsIn(trace)
    expect([...counts.values()].reduce((a, b) => a + b, 0)).toBe(sum('published', 'pulledBytes'))
    expect(firsts.sort()).toEqual([...counts.keys()].sort())
    // The receiver pulled from mates of the plan.
    expect([...counts.keys()].filter((key) => /^4 from mate [01]$/.test(key))).not.toEqual([])
  })

  it('a node is killed that owes a mate bytes: mates have them', async () => {
    const victim = await world.childNode()
    const [a, b, c] = await world.nodes(3)
    const { path, content } = world.file('data.bin', 24 * MIB)
    const door = await gate(world, c.address, 0, 2 * MIB)
    const to = [victim.address, a.address, b.address, door.address] as string[]
    const transfer = push(path, { to, engine, strategy })
    const complete = new Set<string>()
    transfer.on('node', (outcome) => {
      complete.add(outcome.node)
      if (!to.slice(0, 3).every((node) => complete.has(node))) return
      victim.child.kill('SIGKILL')
      door.cut()
    })
    const result = await transfer.result
    // It was complete; its later death affects nobody.
    expect(result.nodes.map((node) => node.status)).toEqual(new Array(4).fill('complete'))
    expectCopies(content, 'data.bin', [c])
    await until(() => sum('served', 'bytes') > 0, 'the holders say what they served')
    expect(sum('published', 'pulledBytes')).toBeGreaterThan(block)
  })

  it('a node that is complete lets go of a mate that has fallen silent', async () => {
    const silent = await world.childNode()
    const [a, c] = await world.nodes(2)
    const { path, content } = world.file('data.bin', 24 * MIB)
    // It lives but receives nothing more, neither from the origin nor from mates.
    const door = await world.holding(c.address, 4 * MIB)
    const to = [a.address, silent.address, door.address] as string[]
    const transfer = push(path, { to, engine, silenceMs: 4_000 })
    const complete = new Set<string>()
    transfer.on('node', (outcome) => void complete.add(outcome.node))
    await until(() => complete.size === 2, 'two are complete', 60_000)
    const relaysTo = () => a?.status().transfers[0]?.relays.map((relay) => relay.node) ?? []
    expect(relaysTo()).toContain(silent.address)
    silent.child.kill('SIGSTOP')
    await until(() => !relaysTo().includes(silent.address), 'its feed is closed', 60_000)
    // The push goes on: only that feed was closed.
    expect(relaysTo()).toEqual([door.address])
    door.open()
    const result = await transfer.result
    expect(result.nodes.map((node) => node.status)).toEqual(new Array(3).fill('complete'))
    expectCopies(content, 'data.bin', [c])
  })

  describe('of a mate written by hand', () => {
    const content = Buffer.alloc(5 * block + 100)
    for (let i = 0; i < content.length; i++) content[i] = (i * 2_654_435_761) >>> 24
    const range = ([offset, length]: RangePair) => content.subarray(offset, offset + length)
    let node: FrNode & { dataDir: string }
    let origin: Hostile
    let mate: Hostile

    beforeEach(async () => {
      node = await world.node({ key: keyText })
      origin = new Hostile(node.address)
      mate = new Hostile(node.address, origin.transfer)
      world.defer(() => {
        origin.dispose()
        mate.dispose()
      })
    })

    /** A transfer in which the node holds everything, and the hostile mate is number 1 of two. */
    async function holding(address: string): Promise<HostileLink> {
      const link = await origin.accepted({ name: 'held.bin', bytes: content.length })
      const mates = [{ number: 1, nodeId: mate.nodeId, address }]
      link.say(origin.plan(mates))
      const feed = await origin.data()
      for (let offset = 0; offset < content.length; offset += block) {
        const part = content.subarray(offset, offset + block)
        const place = { offset, length: part.length }
        feed.record({ offset, length: part.length }, part)
        feed.digests(place, origin.signed(place, digestsOf(part).block))
      }
      await until(
        () => node.status().transfers[0]?.verifiedBytes === content.length,
        'the node holds the file',
      )
      return link
    }

    const pull = (request: number, ...ranges: RangePair[]): Frame => {
      return { type: 'pull', request, ranges }
    }

    const refusals = () =>
      world.log.filter((line) => line.event === 'pull-refused').map((line) => line.fields)

    it('two ranges come out of a node, before and after it has published', async () => {
      const inbox = await mate.listen()
      const link = await holding(inbox.address)
      const asker = await mate.pull(1)
      const ranges: RangePair[] = [
        [100, 50],
        [2 * block, block],
      ]
      asker.say(pull(7, ...ranges))
      expect(await asker.next('holding')).toEqual({
        type: 'holding',
        request: 7,
        ranges,
        backlogBytes: 0,
      })
      await inbox.received(block + 50)
      for (const wanted of ranges) expect(inbox.payload(wanted).equals(range(wanted))).toBe(true)

      const fileDigest = fileDigestOf(content)
      link.say({ type: 'seal', stream: 0, fileDigest })
      expect((await link.next('complete')).fileDigest).toBe(fileDigest)
      const end: RangePair = [content.length - 10, 10]
      asker.say(pull(8, end))
      expect(await asker.next('holding')).toMatchObject({ request: 8 })
      await inbox.received(block + 60)
      expect(inbox.payload(end).equals(range(end))).toBe(true)
      expect(inbox.connections).toBe(1)
      const status = await fetchStatus(node.address, { key: keyText })
      expect(status.transfers[0]).toMatchObject({ servedBytes: block + 60, pulledBytes: 0 })
      link.say({ type: 'finish' })
      await asker.closed()
      await until(() => sum('served', 'bytes') === block + 60, 'the node says what it served')
    })

    it.each<[string, Frame & { type: 'pull' }, RegExp]>([
      ['beyond the end', { type: 'pull', request: 1, ranges: [[block, content.length]] }, /beyond/],
      ['nothing', { type: 'pull', request: 1, ranges: [] }, /nothing/],
    ])('%s is refused by name, closes the link, and is logged once', async (_, frame, text) => {
      const inbox = await mate.listen()
      const link = await holding(inbox.address)
      const asker = await mate.pull(1)
      asker.say(...new Array<Frame>(100).fill(frame), pull(2, [0, 10]))
      expect(await asker.next('pullRefused')).toMatchObject({
        request: 1,
        code: 'ERR_FR_PROTOCOL',
        text: expect.stringMatching(text),
      })
      await asker.closed()
      expect(asker.heard).toEqual([])
      // It may try again.
      const better = await mate.pull(1)
      better.say(pull(3, [0, 10]))
      expect(await better.next('holding')).toMatchObject({ request: 3 })
      await inbox.received(10)
      expect(refusals()).toMatchObject([{ from: 1, code: 'ERR_FR_PROTOCOL' }])
      expect(link.isClosed).toBe(false)
    })

    const many = Array.from({ length: 1_000 }, (_, i) => [i * 2, 1])
    it.each<[string, object]>([
      [
        'overlapping ranges',
        {
          request: 1,
          ranges: [
            [0, 10],
            [5, 10],
          ],
        },
      ],
      ['more ranges than a frame may hold', { request: 1, ranges: new Array(5).fill(many).flat() }],
      ['ranges that are none', { request: 1, ranges: 'all' }],
      ['a negative offset', { request: 1, ranges: [[-1, 10]] }],
    ])('%s close the pull link, and nothing else', async (_, body) => {
      const link = await holding('127.0.0.1:1')
      const asker = await mate.pull(1)
      asker.sayBody(40, body)
      await asker.closed()
      await until(
        () =>
          world.log.some(
            (line) => line.event === 'pull-refused' && line.fields['code'] === 'ERR_FR_PROTOCOL',
          ),
        'the log says why',
      )
      await link.next('progress')
      expect(link.isClosed).toBe(false)
      // It may try again.
      const better = await mate.pull(1)
      better.say(pull(1, [0, 10]))
      // Nobody listens at the mate's address in the plan.
      expect(await better.next('pullRefused')).toMatchObject({ code: 'ERR_FR_UNREACHABLE' })
    })

    it('frames of other links close it', async () => {
      const link = await holding('127.0.0.1:1')
      const asker = await mate.pull(1)
      asker.say({ type: 'need', scratch: false, ranges: [[0, 10]] })
      await asker.closed()
      await link.next('progress')
      expect(link.isClosed).toBe(false)
    })

    it('requests that are not served yet are bounded', async () => {
      // Accepts connections and sends nothing; the node waits and still keeps its own promises.
      const sockets = new Set<Socket>()
      const silent = createServer((socket) => {
        sockets.add(socket)
        socket.on('error', () => {})
      })
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
      world.defer(() => {
        for (const socket of sockets) socket.destroy()
        silent.close()
      })
      const { port } = silent.address() as { port: number }
      const link = await holding(`127.0.0.1:${port}`)
      const asker = await mate.pull(1)
      const most = 2 * limits.pullRequests
      for (let request = 0; request < most + 100; request++) asker.say(pull(request, [request, 1]))
      for (let request = most; request < most + 100; request++) {
        const refused = await asker.next('pullRefused')
        expect(refused).toMatchObject({ request, code: 'ERR_FR_LIMIT' })
      }
      expect(asker.heard).toEqual([])
      expect(refusals()).toMatchObject([{ from: 1, code: 'ERR_FR_LIMIT' }])
      await link.next('progress')
    })

    it('a second link takes the place of the first', async () => {
      const inbox = await mate.listen()
      await holding(inbox.address)
      const first = await mate.pull(1)
      const second = await mate.pull(1)
      await first.closed()
      second.say(pull(1, [0, 10]))
      await second.next('holding')
    })

    it('nobody but a mate of the plan may ask, and of no other transfer', async () => {
      await holding('127.0.0.1:1')
      const refusal = { code: 'ERR_FR_PROTOCOL', message: expect.stringMatching(/not expected/) }
      await expect(mate.pull(0)).rejects.toMatchObject(refusal)
      // Nor a request meant for another attempt of this node.
      await expect(mate.pull(1, 3)).rejects.toMatchObject(refusal)
      await expect(mate.data(1, origin.transfer, 3)).rejects.toMatchObject(refusal)
      // A number above all known ones may belong to a node that has just joined, so it waits first.
      await expect(mate.pull(5)).rejects.toMatchObject({ code: 'ERR_FR_TIMEOUT' })
      await expect(mate.pull(originNumber)).rejects.toMatchObject({ code: 'ERR_FR_PROTOCOL' })
      await expect(origin.pull(1)).rejects.toMatchObject(refusal)
      const stranger = new Hostile(node.address)
      world.defer(() => stranger.dispose())
      await expect(stranger.pull(1)).rejects.toMatchObject({ code: 'ERR_FR_TIMEOUT' })
    })
  })
})
