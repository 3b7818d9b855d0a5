/** Pull links that come to a node at a bad moment, and what is served on them. */
import { beforeEach, describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { Fact } from '../../../../src/control/messages/facts.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import type { FeedStats } from '../../../../src/ports.js'
import { FeedPlaces } from '../../../../src/session/driver/feed-places.js'
import { type Neighbour, Neighbours } from '../../../../src/session/driver/neighbours.js'
import { Pulls } from '../../../../src/session/driver/pulls.js'
import {
  PretendConnection,
  PretendEngine,
  type PretendLink,
  PretendNet,
  wayTo,
} from './pretend-ports.js'

const ask = { type: 'pull', request: 1, ranges: [[0, 10]] } as const satisfies Frame

let net: PretendNet
let engine: PretendEngine
let places: FeedPlaces
let pulls: Pulls
let neighbours: Neighbours
let mate: Neighbour
let posted: Fact[]
let warned: string[]
let nowMs: number

beforeEach(() => {
  net = new PretendNet()
  engine = new PretendEngine()
  places = new FeedPlaces(1)
  neighbours = new Neighbours({ net, engine, places })
  posted = []
  warned = []
  nowMs = 0
  pulls = new Pulls(net, neighbours, {
    post: (fact) => posted.push(fact),
    warn: (event) => warned.push(event),
    nowMs: () => nowMs,
    wayTo,
    list: (feed, [offset, length]) => engine.send(feed, { stream: 0, offset, length }),
    statsOf: () => undefined,
  })
  mate = neighbours.of(1)
})

function accepted(): PretendLink {
  pulls.accept(mate, new PretendConnection())
  return net.links.at(-1) as PretendLink
}

describe('what came wrong to a mate', () => {
  const specs = () => engine.sent.map(({ spec: { offset, length } }) => [offset, length])

  it('is sent again over the data connection that is there, or that is opened for it', () => {
    pulls.mend(1, [[0, 10]])
    pulls.mend(1, [[20, 10]])
    expect([net.channels, specs()]).toEqual([['data to 1'], []])
    net.answer()
    expect(specs()).toEqual([
      [0, 10],
      [20, 10],
    ])
    pulls.mend(1, [[40, 10]])
    expect(specs().at(-1)).toEqual([40, 10])
  })

  it('is asked for again where none opens', () => {
    pulls.mend(1, [[0, 10]])
    net.refuse()
    pulls.mend(1, [[0, 10]])
    net.answer()
    expect([net.channels.length, specs()]).toEqual([2, [[0, 10]]])
  })
})

describe('a mate that asks', () => {
  it('is heard, and served on a data connection that is dialled for it', () => {
    const link = accepted()
    link.events.onFrame(ask)
    expect(posted).toEqual([{ type: 'said', member: 1, frame: ask }])
    pulls.serve(1, 1, [[0, 10]])
    expect([net.channels, link.said]).toEqual([['data to 1'], []])
    net.answer()
    expect(engine.sent).toEqual([{ feed: 0, spec: { stream: 0, offset: 0, length: 10 } }])
    expect(link.said).toEqual([{ type: 'holding', request: 1, ranges: [[0, 10]], backlogBytes: 0 }])
    expect(pulls.servedBytes).toBe(10)
  })

  it('is told when it cannot be reached', () => {
    const link = accepted()
    pulls.serve(1, 1, [[0, 10]])
    net.refuse()
    expect(link.said).toMatchObject([{ type: 'pullRefused', code: 'ERR_FR_UNREACHABLE' }])
  })

  it('is told when the process sends to as many as it may', () => {
    places.take()
    const link = accepted()
    pulls.serve(1, 1, [[0, 10]])
    expect(link.said).toMatchObject([{ type: 'pullRefused', request: 1, code: 'ERR_FR_LIMIT' }])
    expect(net.channels).toEqual([])
  })

  it('for more than is sent is refused, once in the log', () => {
    const link = accepted()
    for (let request = 0; request < 2 * limits.pullRequests + 2; request++)
      pulls.serve(1, request, [[0, 10]])
    expect(link.said).toMatchObject([{ code: 'ERR_FR_LIMIT' }, { code: 'ERR_FR_LIMIT' }])
    expect(warned).toEqual(['pull-refused'])
  })

  it('is refused while it takes nothing of what waits for it', () => {
    const link = accepted()
    const counters = { payloadBytes: 0, queuedBytes: 10 } as FeedStats
    for (nowMs = 0; nowMs <= 2 * limits.pullQuietMs; nowMs += limits.progressMs)
      pulls.queuedBytes(1, counters)
    pulls.serve(1, 1, [[0, 10]])
    // What is not here it may be told.
    pulls.serve(1, 2, [])
    expect(link.said).toMatchObject([
      { type: 'pullRefused', request: 1, code: 'ERR_FR_TIMEOUT' },
      { type: 'holding', request: 2, ranges: [] },
    ])
  })

  it('by a second link is heard on that alone', () => {
    const [first, second] = [accepted(), accepted()]
    expect([first.isOpen, second.isOpen]).toEqual([false, true])
  })

  it('says nothing else on it', () => {
    const refusal = expect.objectContaining({ code: 'ERR_FR_PROTOCOL' })
    expect(() => accepted().events.onFrame({ type: 'claimed' })).toThrow(refusal)
  })

  it.each([
    ['a mate that went while its link was opened', () => neighbours.refuse(mate)],
    ['anybody once the transfer is over', () => neighbours.end()],
  ])('%s is closed, not heard and not served', (_, happens) => {
    happens()
    const connection = new PretendConnection()
    pulls.accept(mate, connection)
    pulls.serve(1, 1, [[0, 10]])
    expect([connection.isClosed, net.links, net.channels]).toEqual([true, [], []])
  })
})
