/**
 * Peers that hold the key and break the protocol: the node closes each with an error code,
 * publishes nothing of theirs, and goes on serving. For strangers see tls-attacks and
 * ticket-attacks.test.ts; for what a single link or feed refuses see link.test.ts and
 * conformance-wire.test.ts.
 */
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type FrNode, push } from '../../src/api/index.js'
import type { FrErrorCode } from '../../src/base/errors.js'
import { KIB, limits, MIB } from '../../src/base/limits.js'
import { awakeMs, unwatch, watch } from '../../src/base/time/awake.js'
import { type Frame, originNumber } from '../../src/control/messages/types.js'
import { usualEngines } from './engines.js'
import {
  digestsOf,
  Hostile,
  type HostileFeed,
  type HostileLink,
  hostileEdge,
  keyText,
} from './hostile.js'
import { expectCopies, partials, until, World } from './push-support.js'

const block = 64 * KIB
const mateId = 'ab'.repeat(16)

describe.each(usualEngines)('abuse of a node on the %s engine', (engine) => {
  let world: World
  let node: FrNode & { dataDir: string }
  let hostile: Hostile

  beforeEach(async () => {
    world = new World(engine)
    node = await world.node({ key: keyText })
    hostile = peer()
  })

  /** After every test: nothing is left, and the next push succeeds. */
  afterEach(async () => {
    try {
      hostile.leave()
      await until(() => node.status().transfers.length === 0, 'the transfers end')
      hostile.dispose()
      await until(() => node.status().counters['openFeeds'] === 0, 'the feeds close')
      await until(() => node.status().counters['openFiles'] === 0, 'the files close')
      const { path, content } = world.file('honest.bin', 300_000)
      const result = await push(path, { to: [node.address], engine, key: keyText }).result
      expect(result.nodes.map((outcome) => outcome.reason)).toEqual([null])
      expectCopies(content, 'honest.bin', [node])
    } finally {
      await world.dispose()
    }
  })

  function peer(transfer?: string): Hostile {
    const made = new Hostile(node.address, transfer)
    world.defer(() => made.dispose())
    return made
  }

  /** Waits until the log says that the node closed a connection or failed a transfer this way. */
  async function logged(code: FrErrorCode, text: RegExp): Promise<void> {
    await until(
      () =>
        world.log.some(
          (line) => line.fields['code'] === code && text.test(String(line.fields['text'])),
        ),
      `${code} ${text} in ${JSON.stringify(world.log)}`,
    )
  }

  async function refused(link: HostileLink, code: FrErrorCode, text: RegExp): Promise<void> {
    expect(await link.next('refuse')).toMatchObject({ code, text: expect.stringMatching(text) })
    await link.closed()
  }

  async function failed(link: HostileLink, code: FrErrorCode, text: RegExp): Promise<void> {
    expect(await link.next('failed')).toMatchObject({ code, text: expect.stringMatching(text) })
    await link.closed()
  }

  const small = { name: 'evil.bin', bytes: 4 * block }

  it('one that offers nothing leaves no timer behind when its node closes', async () => {
    const timers = () =>
      process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
    const other = await world.node({ key: keyText })
    // The test runner has short-lived timers of its own.
    await until(() => timers() === 0, 'nobody waits for anything')
    const mute = new Hostile(other.address)
    world.defer(() => mute.dispose())
    await mute.control()
    await until(() => timers() > 0, 'the node waits for the offer')
    await other.close()
    await until(() => timers() === 0, 'nobody waits any more', limits.acceptMs / 2)
  })

  describe('offers', () => {
    it('larger than any disk are refused before anything is made', async () => {
      const link = await hostile.control()
      link.say(...hostile.offer({ name: 'huge', bytes: Number.MAX_SAFE_INTEGER }))
      await refused(link, 'ERR_FR_LIMIT', /blocks/)
      expect(partials(node.dataDir)).toEqual([])
    })

    it('larger than this disk are refused', async () => {
      const link = await hostile.control()
      link.say(...hostile.offer({ name: 'large', bytes: 2 ** 45 }))
      await refused(link, 'ERR_FR_NO_SPACE', /free/)
      expect(partials(node.dataDir)).toEqual([])
    })

    const absurd: [string, object][] = [
      ['a million and one streams', { streams: 1_000_001 }],
      ['4,097 pages', { streams: 1_000_000, manifestPages: 4_097 }],
      ['no page', { manifestPages: 0 }],
      ['more bytes than a number holds', { bytes: 2 ** 53 }],
      ['a negative size', { bytes: -1 }],
    ]
    it.each(absurd)('of %s close the link', async (_, fields) => {
      const link = await hostile.control()
      const [{ type: _type, ...offer }] = hostile.offer(small)
      link.sayBody(1, { ...offer, ...fields })
      await link.closed()
      await logged('ERR_FR_PROTOCOL', /frame offer/)
    })

    it('of many files are refused, not begun', async () => {
      const link = await hostile.control()
      const [offer] = hostile.offer(small)
      link.say({ ...offer, streams: 1_000_000, manifestPages: 4_096 })
      await refused(link, 'ERR_FR_UNSUPPORTED', /1000000 files/)
    })

    it.each(['a/../../evil', '/evil', '.fastreplica/node-key', 'a\0b', 'out/evil', '.', 'a//b'])(
      'of the name %j do not leave the directory',
      async (name) => {
        const outside = join(world.dir, 'outside')
        mkdirSync(outside)
        symlinkSync(outside, join(node.dataDir, 'out'))
        const link = await hostile.control()
        link.say(...hostile.offer({ name, bytes: 10 }))
        await refused(link, 'ERR_FR_NAME', /./)
        expect(readdirSync(outside)).toEqual([])
        expect(existsSync(join(world.dir, 'evil'))).toBe(false)
      },
    )

    it('of an id that is running are refused, and the first goes on', async () => {
      const link = await hostile.accepted(small)
      const twin = await peer(hostile.transfer).control()
      twin.say(...hostile.offer({ ...small, name: 'other.bin' }))
      await refused(twin, 'ERR_FR_BUSY', /running/)
      link.say(hostile.plan([]))
      await link.next('progress')
    })

    it('of an id that was used before begin from nothing', async () => {
      const content = Buffer.alloc(1_000, 'x')
      const digests = digestsOf(content)
      const link = await hostile.accepted({ name: 'first.bin', bytes: content.length })
      link.say(hostile.plan([]))
      const feed = await hostile.data()
      const place = { offset: 0, length: content.length }
      feed.record({ length: content.length }, content)
      feed.digests(place, hostile.signed(place, digests.block))
      link.say({ type: 'seal', stream: 0, fileDigest: digests.file })
      expect((await link.next('complete')).fileDigest).toBe(digests.file)
      link.say({ type: 'finish' })
      await link.closed()
      // The link closes first; then files and space are given back.
      await until(() => node.status().transfers.length === 0, 'the transfer ends')

      const again = peer(hostile.transfer)
      const second = await again.accepted({ name: 'second.bin', bytes: content.length })
      second.say(again.plan([]))
      expect((await second.next('progress')).landedBytes).toBe(0)
      second.say({ type: 'abort', code: 'ERR_FR_ABORTED', text: 'enough' })
      await second.closed()
      expectCopies(content, 'first.bin', [node])
      expect(existsSync(join(node.dataDir, 'second.bin'))).toBe(false)
    })
  })

  describe('a control link', () => {
    it.each<[string, Frame]>([
      ['plan', { ...new Hostile('127.0.0.1:1').plan([]) }],
      ['seal', { type: 'seal', stream: 0, fileDigest: `xxh64-blocks/65536:${'0'.repeat(16)}` }],
      ['finish', { type: 'finish' }],
      ['accept', { type: 'accept', have: [] }],
    ])("that says '%s' before an offer is refused", async (type, frame) => {
      const link = await hostile.control()
      link.say(frame)
      await refused(link, 'ERR_FR_PROTOCOL', new RegExp(`'${type}' came before an offer`))
    })

    it('that offers twice before its manifest is refused', async () => {
      const link = await hostile.control()
      const [offer] = hostile.offer(small)
      link.say(offer, offer)
      await refused(link, 'ERR_FR_PROTOCOL', /'offer' came before the manifest/)
    })

    it.each<[string, RegExp, (link: Hostile) => Frame[]]>([
      ['a second offer', /unexpected frame 'offer'/, (peer) => [peer.offer(small)[0]]],
      [
        'a seal before the plan',
        /seal before the plan/,
        () => [{ type: 'seal', stream: 0, fileDigest: `xxh64-blocks/65536:${'0'.repeat(16)}` }],
      ],
      ['a finish before completion', /finish before/, () => [{ type: 'finish' }]],
      ["a node's frame", /unexpected frame 'accept'/, () => [{ type: 'accept', have: [] }]],
      [
        'another number for it',
        /another number/,
        (peer) => [{ ...peer.plan([{ number: 1, nodeId: mateId, address: 'a:1' }]), you: 1 }],
      ],
      [
        'a plan without coordinator',
        /no other member/,
        (peer) => [{ ...peer.plan([]), coordinator: 7 }],
      ],
    ])('that brings %s in a transfer fails it', async (_, text, frames) => {
      const link = await hostile.accepted(small)
      link.say(...frames(hostile))
      await failed(link, 'ERR_FR_PROTOCOL', text)
      expect(existsSync(join(node.dataDir, small.name))).toBe(false)
    })

    it('that brings a stale plan is told so, and the transfer goes on', async () => {
      const link = await hostile.accepted(small)
      const plan = hostile.plan([])
      link.say(plan, plan, { ...plan, term: { ...plan.term, counter: 1 }, epoch: plan.epoch + 9 })
      const { term, epoch } = plan
      for (let i = 0; i < 2; i++) expect(await link.next('stale')).toMatchObject({ term, epoch })
      await link.next('progress')
      expect(link.isClosed).toBe(false)
    })

    it('that is no longer read is closed with ERR_FR_PEER_STALLED', async () => {
      const ranges = Array.from({ length: 4_096 }, (_, i) => [i * 2 * block, block] as const)
      const link = await hostile.accepted({ name: 'stall.bin', bytes: 4_096 * 2 * block })
      link.say(hostile.plan([]))
      link.socket.pause()
      // Each needs an answer as long as itself: the missing ranges.
      const detour = { type: 'detour', member: 1, why: 'broken', ranges, route: 0 } as const
      const isStalled = (): boolean =>
        world.log.some((line) => line.fields['code'] === 'ERR_FR_PEER_STALLED')
      for (let i = 0; i < 2_000 && !isStalled(); i++) {
        const isTaken = link.socket.write(link.seal(detour))
        if (!isTaken || i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      }
      await until(isStalled, 'the link is closed by name', limits.linkStallMs + 20_000)
      link.socket.resume()
      await link.closed()
    })
  })

  describe('a data connection', () => {
    it('before its offer waits a little, then hears why', async () => {
      // The node is in this process and does not count time in which the process had no turn.
      watch()
      const startMs = awakeMs()
      await expect(hostile.data()).rejects.toMatchObject({
        code: 'ERR_FR_TIMEOUT',
        message: expect.stringMatching(/did not come/),
      })
      const waitedMs = awakeMs() - startMs
      unwatch()
      expect(waitedMs).toBeGreaterThan(limits.earlyDataMs - 200)
      expect(waitedMs).toBeLessThan(limits.earlyDataMs + 2_000)
    })

    it('from nobody in the plan is refused', async () => {
      const link = await hostile.accepted(small)
      link.say(hostile.plan([]))
      await link.next('progress')
      const refusal = { code: 'ERR_FR_PROTOCOL', message: expect.stringMatching(/not expected/) }
      // From the node's own number, of another edge, or without the secret of this one.
      await expect(hostile.data(0)).rejects.toMatchObject({ code: 'ERR_FR_PROTOCOL' })
      const { transfer } = hostile
      const other = hostileEdge(transfer, [0, 7])
      await expect(hostile.data(originNumber, transfer, 0, other)).rejects.toMatchObject(refusal)
      const { id } = hostileEdge(transfer, [0, originNumber])
      const stolen = { id, secret: new Uint8Array(32) }
      await expect(hostile.data(originNumber, transfer, 0, stolen)).rejects.toMatchObject({
        code: 'ERR_FR_AUTH',
      })
      // The place is still free for the holder of the secret.
      await hostile.data()
      // A number above all known ones may belong to a node that has just joined.
      const unknown = { code: 'ERR_FR_TIMEOUT', message: expect.stringMatching(/did not come/) }
      await expect(hostile.data(5)).rejects.toMatchObject(unknown)
    })

    it('that comes a second time takes the place of the first', async () => {
      const link = await hostile.accepted(small)
      const first = await hostile.data()
      const closed = once(first.socket, 'close')
      await hostile.data()
      await closed
      link.say(hostile.plan([]))
      await link.next('progress')
    })

    it('that is one more flow needs one that is there, and so many are taken', async () => {
      const link = await hostile.accepted(small)
      await expect(hostile.flow()).rejects.toMatchObject({ code: 'ERR_FR_PROTOCOL' })
      const first = await hostile.data()
      for (let i = 1; i < limits.flowsPerFeed; i++) await hostile.flow()
      await expect(hostile.flow()).rejects.toMatchObject({ code: 'ERR_FR_LIMIT' })
      expect(first.socket.destroyed).toBe(false)
      link.say(hostile.plan([]))
      await link.next('progress')
    })

    const crimes: [string, (peer: Hostile, from: number) => Promise<void>][] = [
      [
        'brings a record of another stream',
        async (peer, from) => {
          const feed = await peer.data(from)
          feed.record({ stream: 1, length: 10 }, Buffer.alloc(10))
        },
      ],
      [
        'brings a record beyond the end',
        async (peer, from) => {
          const feed = await peer.data(from)
          feed.record({ offset: small.bytes - 5, length: 10 }, Buffer.alloc(10))
        },
      ],
      [
        'brings a hole beyond the end',
        async (peer, from) => {
          const feed = await peer.data(from)
          feed.record({ kind: 'hole', offset: block, length: small.bytes })
        },
      ],
    ]

    it.each(crimes)('of an origin that %s fails its transfer', async (_, crime) => {
      const link = await hostile.accepted(small)
      link.say(hostile.plan([]))
      await crime(hostile, originNumber)
      await failed(link, 'ERR_FR_PROTOCOL', /feed from the origin/)
      expect(existsSync(join(node.dataDir, small.name))).toBe(false)
    })

    it.each(crimes)('of a mate that %s is closed, the transfer goes on', async (_, crime) => {
      const link = await hostile.accepted(small)
      const mate = peer(hostile.transfer)
      link.say(hostile.plan([{ number: 1, nodeId: mate.nodeId, address: '127.0.0.1:1' }]))
      await crime(mate, 1)
      expect(await link.next('edgeLost')).toMatchObject({ member: 1, incoming: true })
      await expect(mate.data(1)).rejects.toMatchObject({ code: 'ERR_FR_PROTOCOL' })
      await link.next('progress')
      expect(link.isClosed).toBe(false)
    })

    // Each is the like of bytes that were changed on the way: the next connection may be sound.
    const spoilt: [string, (feed: HostileFeed, peer: Hostile, from: number) => Promise<void>][] = [
      [
        'brings on one more flow what is no record',
        async (_, peer, from) => {
          const flow = await peer.flow(from)
          flow.socket.write(Buffer.alloc(64))
        },
      ],
      [
        'shows a ticket again',
        async ({ socket }) => {
          socket.write(Buffer.concat([Buffer.from('f7010000', 'hex'), Buffer.alloc(88)]))
        },
      ],
    ]

    it.each(spoilt)('of an origin that %s is borne a few times', async (_, crime) => {
      const link = await hostile.accepted(small)
      link.say(hostile.plan([]))
      for (let times = 0; times <= limits.spoiltFeeds; times++) {
        expect(link.isClosed).toBe(false)
        const feed = await hostile.data()
        await crime(feed, hostile, originNumber)
        await until(() => feed.socket.closed, 'the node ends it')
      }
      await failed(link, 'ERR_FR_SPOILT', /feed from the origin/)
      expect(existsSync(join(node.dataDir, small.name))).toBe(false)
    })

    it.each(spoilt)('of a mate that %s is borne a few times', async (_, crime) => {
      const link = await hostile.accepted(small)
      const mate = peer(hostile.transfer)
      link.say(hostile.plan([{ number: 1, nodeId: mate.nodeId, address: '127.0.0.1:1' }]))
      for (let times = 0; times <= limits.spoiltFeeds; times++) {
        const feed = await mate.data(1)
        await crime(feed, mate, 1)
        await until(() => feed.socket.closed, 'the node ends it')
      }
      expect(await link.next('edgeLost')).toMatchObject({ member: 1, incoming: true })
      await expect(mate.data(1)).rejects.toMatchObject({ code: 'ERR_FR_PROTOCOL' })
      await link.next('progress')
      expect(link.isClosed).toBe(false)
    })

    it('of a mate in the name of another is refused', async () => {
      const link = await hostile.accepted(small)
      link.say(hostile.plan([{ number: 1, nodeId: mateId, address: '127.0.0.1:1' }]))
      await link.next('progress')
      const other = hostileEdge(hostile.transfer, [0, 2])
      await expect(hostile.data(1, hostile.transfer, 0, other)).rejects.toMatchObject({
        code: 'ERR_FR_PROTOCOL',
      })
    })
  })

  it('a hundred links that offer nothing are let go', async () => {
    const links = await Promise.all(Array.from({ length: 100 }, () => hostile.control()))
    await Promise.all(links.map((link) => link.closed()))
    expect(partials(node.dataDir)).toEqual([])
  })

  it('small pieces that never end are bounded by the file', async () => {
    const link = await hostile.accepted({ name: 'pieces.bin', bytes: MIB })
    link.say(hostile.plan([]))
    const feed = await hostile.data()
    for (let offset = 0; offset < MIB; offset += 256) {
      feed.record({ offset, length: 1 }, Buffer.of(1))
      feed.record({ offset, length: 1 }, Buffer.of(2))
    }
    await until(() => node.status().transfers[0]?.landedBytes === 4_096, 'each byte landed once')
    expect(link.isClosed).toBe(false)
  })
})
