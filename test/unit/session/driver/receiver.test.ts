/** What a node does with data connections to it, and with digest records that come on them. */
import { beforeEach, describe, expect, it } from 'vitest'
import { FrError } from '../../../../src/base/errors.js'
import { KIB } from '../../../../src/base/limits.js'
import { originNumber } from '../../../../src/control/messages/types.js'
import type { FeedHandle } from '../../../../src/ports.js'
import { Contents } from '../../../../src/session/driver/contents.js'
import { ReceiverSession } from '../../../../src/session/driver/receiver.js'
import { PretendConnection, PretendEngine, PretendNet } from './pretend-ports.js'

const groupRoute = 1
const blockBytes = 64 * KIB
const bytes = 4 * blockBytes
const never = (): never => {
  throw new Error('nobody asked for this')
}

let net: PretendNet
let engine: PretendEngine
let session: ReceiverSession
let feeds: FeedHandle[]
let proved: number
let logged: string[]

beforeEach(() => {
  engine = new PretendEngine()
  proved = 0
  logged = []
  const about = { contentId: 'c'.repeat(32), author: 'd'.repeat(64) }
  const place = { stream: 0, base: 0, span: bytes, size: bytes }
  const contents = new Contents([{ ...place, ...about, algorithm: 'xxh64', blockBytes }])
  const file = { bytes, blockBytes, digestBytes: 8, contents }
  net = new PretendNet()
  session = new ReceiverSession(
    { ...file, originId: 'a'.repeat(32), silenceMs: 15_000 },
    {
      clock: { awakeMs: () => 0, nowMs: () => 0, at: () => () => {}, watch: () => () => {} },
      net,
      engine,
      files: {
        prepare: never,
        bring: never,
        fill: never,
        hash: never,
        copyIn: never,
        sum: never,
        publish: never,
      },
      link: { send: () => true },
      primitives: {
        hmac: never,
        hkdf: never,
        equal: never,
        verify: () => ++proved > 0,
      },
      log: (level, event) => logged.push(`${level} ${event}`),
      misannounced: never,
      introduced: never,
      takeOver: never,
      ended: never,
      crashed: (error) => {
        throw error
      },
    },
  )
})

/** One connection comes before the transfer is open, and one after. */
function opens(): void {
  session.addFeed(originNumber, new PretendConnection())
  session.opened(1)
  session.addFeed(1, new PretendConnection())
  feeds = net.adopted.map(({ feed }) => feed)
}

/** The digest of this block comes from the origin or from a mate. */
function comes(block: number, from: 'origin' | 'mate', route: number): void {
  const feed = feeds[from === 'origin' ? 0 : 1] as FeedHandle
  const place = { stream: 0, offset: block * blockBytes, length: blockBytes }
  const payload = new Uint8Array(73).fill(block + 1).fill(0, 64, 65)
  session.onEngine([{ type: 'digests', transfer: 1, feed, route, ...place, payload }])
}

describe('a data connection that comes before the transfer is open', () => {
  it("is the engine's once it is", () => {
    session.addFeed(originNumber, new PretendConnection())
    expect(net.adopted).toEqual([])
    session.opened(1)
    expect(net.adopted.map(({ direction }) => direction)).toEqual(['in'])
    expect(logged).toEqual([])
  })

  it('and broke meanwhile is worth a line, and nothing else', () => {
    session.addFeed(originNumber, new PretendConnection())
    net.broken = new FrError('ERR_FR_NODE_LOST', 'gone')
    session.opened(1)
    expect(logged).toEqual(['debug feed-lost'])
  })
})

describe('a digest record', () => {
  beforeEach(opens)

  it('is proved and passed on once, however often a mate repeats it', () => {
    comes(0, 'origin', groupRoute)
    for (let i = 0; i < 100; i++) comes(0, 'mate', groupRoute)
    expect(proved).toBe(1)
    expect(engine.relayed.map(({ offset }) => offset)).toEqual([0])
    comes(1, 'mate', groupRoute)
    expect(engine.relayed.map(({ offset }) => offset)).toEqual([0, blockBytes])
  })

  it('that is known is passed on where it comes to be passed on for the first time', () => {
    comes(2, 'mate', 0)
    comes(2, 'mate', 0)
    expect([proved, engine.relayed.length]).toEqual([1, 0])
    comes(2, 'origin', groupRoute)
    expect(engine.relayed.map(({ offset }) => offset)).toEqual([2 * blockBytes])
  })
})
