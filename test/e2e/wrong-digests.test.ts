/**
 * Digest records without the author's signature: the sender may only have passed them on, so they
 * are dropped and counted, the feed goes on, and the origin is asked for the missing ones.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import type { FrNode } from '../../src/api/index.js'
import { KIB, limits } from '../../src/base/limits.js'
import { engines } from './engines.js'
import { digestsOf, fileDigestOf, Hostile, type HostileLink, keyText } from './hostile.js'
import { expectCopies, until, useWorld } from './push-support.js'

const block = 64 * KIB
const content = Buffer.alloc(2 * block, 'wrong digests ')
const places = [
  { offset: 0, length: block },
  { offset: block, length: block },
] as const
const digestOf = (place: { offset: number; length: number }): Uint8Array =>
  digestsOf(content.subarray(place.offset, place.offset + place.length)).block

describe.each(engines)('on the %s engine', (engine) => {
  const world = useWorld(engine)
  let node: FrNode & { dataDir: string }
  let origin: Hostile
  let mate: Hostile
  let link: HostileLink

  /** The node has a plan with one mate that may dial it. */
  beforeEach(async () => {
    node = await world.node({ key: keyText })
    origin = new Hostile(node.address)
    mate = new Hostile(node.address, origin.transfer)
    world.defer(() => {
      origin.dispose()
      mate.dispose()
    })
    link = await origin.accepted({ name: 'f.bin', bytes: content.length })
    link.say(origin.plan([{ number: 1, nodeId: mate.nodeId, address: '127.0.0.1:1' }]))
  })

  const wrong = (): number | undefined => node.status().counters['wrongDigests']
  const logged = () => world.log.filter((line) => line.event === 'wrong-digests')

  const crimes: [string, (from: Hostile) => Uint8Array, { offset: number; length: number }][] = [
    ['of another author', (from) => from.signed(places[0], digestOf(places[0])), places[0]],
    [
      'of whoever offers what somebody else has signed',
      () => origin.signed(places[0], digestOf(places[0]), origin.offerer),
      places[0],
    ],
    ['signed for another place', () => origin.signed(places[1], digestOf(places[0])), places[0]],
    [
      'of no whole blocks',
      () => origin.signed({ offset: 0, length: 100 }, digestOf(places[0])),
      { offset: 0, length: 100 },
    ],
    ['with no room for a signature', () => Buffer.alloc(10), places[0]],
  ]

  it.each(crimes)(
    'digests %s are dropped, and the feed brings the right ones',
    async (_, of, at) => {
      const feed = await mate.data(1)
      feed.digests(at, of(mate))
      await until(() => wrong() === 1, 'it is counted')
      expect(logged()).toMatchObject([
        { fields: { from: 1, offset: at.offset, length: at.length } },
      ])
      for (const place of places) {
        feed.record({ ...place }, content.subarray(place.offset, place.offset + place.length))
        feed.digests(place, origin.signed(place, digestOf(place)))
      }
      link.say({ type: 'seal', stream: 0, fileDigest: fileDigestOf(content) })
      expect(await link.next('complete')).toMatchObject({ repairedBytes: 0 })
      expect(wrong()).toBe(1)
      expectCopies(content, 'f.bin', [node])
    },
  )

  it('what they were said to be of is asked of the origin, once', async () => {
    const feed = await mate.data(1)
    for (let i = 0; i < 3; i++) feed.digests(places[0], mate.signed(places[0], digestOf(places[0])))
    await until(() => wrong() === 3, 'all are counted')
    const ranges = [[0, block]]
    expect(await link.next('needDigests')).toMatchObject({ ranges })
    // A later question would come behind this one, so these were asked for only once.
    feed.digests({ offset: 0, length: content.length }, new Uint8Array(80))
    expect(await link.next('needDigests')).toMatchObject({ ranges: [[block, block]] })
    expect(logged()).toHaveLength(1)
  })

  it('a record that comes again is nothing new, changed or not', async () => {
    const feed = await origin.data()
    const payload = origin.signed(places[0], digestOf(places[0]))
    const changed = Uint8Array.from(payload, (byte, at) => (at === 70 ? byte ^ 1 : byte))
    feed.record({ ...places[0] }, content.subarray(0, block))
    for (const one of [payload, payload, changed]) feed.digests(places[0], one)
    await until(() => node.status().transfers[0]?.verifiedBytes === block, 'the block is verified')
    expect(wrong()).toBe(0)
    expect(link.isClosed).toBe(false)
  })

  it('a feed that brings many is not looked at any more; others are', async () => {
    const feed = await mate.data(1)
    const good = origin.signed(places[0], digestOf(places[0]))
    const most = limits.wrongDigestsPerFeed
    for (let i = 0; i < most; i++) feed.digests(places[0], new Uint8Array(73))
    feed.digests(places[0], good)
    feed.record({ ...places[0] }, content.subarray(0, block))
    await until(() => wrong() === most + 1, 'the right one counts as wrong')
    await until(() => node.status().transfers[0]?.landedBytes === block, 'payload still lands')
    expect(node.status().transfers[0]?.verifiedBytes).toBe(0)
    const other = await origin.data()
    other.digests(places[0], good)
    await until(() => node.status().transfers[0]?.verifiedBytes === block, 'the block is verified')
    expect(logged()).toHaveLength(1)
  })

  it('a wrong record is not relayed, a right one goes on as it came', async () => {
    const inbox = await mate.listen()
    const second = new Hostile(node.address)
    world.defer(() => second.dispose())
    const other = await second.accepted({ name: 'g.bin', bytes: content.length })
    const mates = [{ number: 1, nodeId: mate.nodeId, address: inbox.address }]
    const routes = [{ route: 1, to: [{ member: 1, next: 0 }] }]
    other.say({ ...second.plan(mates), routes })
    const feed = await second.data()
    for (const place of places) feed.digests(place, origin.signed(place, digestOf(place)), true)
    // What was wrong before is right now, and what comes again is not passed on again.
    const [first, last] = places
    const right = [last, last, first].map((place) => {
      const payload = second.signed(place, digestOf(place))
      feed.digests(place, payload, true)
      return Buffer.from(payload)
    })
    await until(() => inbox.digests.length > 1, 'the mate has both records')
    expect(inbox.digests).toEqual(right.slice(1))
    expect(wrong()).toBe(2)
  })
})
