/** What is open to one member of a transfer, state by state. */
import { beforeEach, describe, expect, it } from 'vitest'
import { type Failure, FrError } from '../../../../src/base/errors.js'
import { limits } from '../../../../src/base/limits.js'
import type { FeedStats } from '../../../../src/ports.js'
import { FeedPlaces } from '../../../../src/session/driver/feed-places.js'
import { type Neighbour, Neighbours } from '../../../../src/session/driver/neighbours.js'
import { PretendConnection, PretendEngine, PretendNet, wayTo } from './pretend-ports.js'

let net: PretendNet
let engine: PretendEngine
let neighbours: Neighbours
let member: Neighbour
let told: (number | Failure['code'])[]

beforeEach(() => {
  net = new PretendNet()
  engine = new PretendEngine()
  neighbours = new Neighbours({ net, engine })
  member = neighbours.of(3)
  told = []
})

const open = (): void =>
  neighbours.open(member, wayTo(3), false, {
    opened: (feed) => told.push(feed),
    failed: ({ code }) => told.push(code),
  })

describe('the data connection to a member', () => {
  it('is dialled once for all who want it', () => {
    open()
    open()
    expect(net.channels).toEqual(['data to 3'])
    net.answer()
    open()
    expect(told).toEqual([0, 0, 0])
    expect(net.channels).toEqual(['data to 3'])
  })

  it('does first what waits for it, in turn, and nothing where there is none', () => {
    const done: string[] = []
    const work = (name: string): void =>
      neighbours.onFeed(member, (feed) => done.push(`${name} on ${feed}`))
    work('lost')
    open()
    for (const name of ['one', 'two']) work(name)
    expect(done).toEqual([])
    net.answer()
    work('three')
    expect(done).toEqual(['one on 0', 'two on 0', 'three on 0'])
    neighbours.refuse(member)
    work('lost')
    expect(done).toHaveLength(3)
  })

  it('that is not opened has only so much waiting for it, and loses it when it fails', () => {
    open()
    const work = (): void => neighbours.onFeed(member, () => told.push(-1))
    for (let i = 0; i < limits.listedRanges; i++) work()
    expect(work).toThrow('too much waits')
    net.refuse()
    open()
    net.answer()
    expect(told).toEqual(['ERR_FR_UNREACHABLE', 0])
  })

  it('is limited together with those that are named with it, once it is open', () => {
    neighbours.pace([{ members: [3, 4], bytesPerSecond: 1_000 }])
    expect(engine.limited).toEqual([])
    open()
    net.answer()
    neighbours.pace([{ members: [3, 4], bytesPerSecond: 500 }])
    neighbours.pace([])
    expect(engine.limited).toEqual([
      [[0], 1_000],
      [[0], 500],
      [[0], undefined],
    ])
  })

  it('has a place among all that the process sends on, until it is gone', () => {
    const places = new FeedPlaces(1)
    const [one, other, third] = Array.from({ length: 3 }, () => {
      return new Neighbours({ net, engine, places })
    }) as [Neighbours, Neighbours, Neighbours]
    const wish = (of: Neighbours): void => {
      ;[neighbours, member] = [of, of.of(3)]
      open()
    }
    wish(one)
    wish(other)
    expect([told, net.channels]).toEqual([['ERR_FR_LIMIT'], ['data to 3']])
    // Not opened, refused, closed, over: then there is room for another one.
    net.refuse()
    wish(one)
    net.answer()
    one.refuse(one.of(3))
    wish(other)
    net.answer()
    wish(third)
    other.closed(1)
    wish(other)
    other.end()
    wish(third)
    net.answer()
    expect(told).toEqual(['ERR_FR_LIMIT', 'ERR_FR_UNREACHABLE', 0, 1, 'ERR_FR_LIMIT', 2])
  })

  it('needs an edge', () => {
    const failed = ({ code }: Failure) => told.push(code)
    neighbours.open(member, { address: 'node3:1', edge: undefined }, false, {
      opened: (feed) => told.push(feed),
      failed,
    })
    expect([told, net.channels]).toEqual([['ERR_FR_PROTOCOL'], []])
  })

  it('that broke before the engine had it has failed, and may be dialled again', () => {
    net.broken = new FrError('ERR_FR_NODE_LOST', 'gone')
    open()
    net.answer()
    expect([told, member.out.state]).toEqual([['ERR_FR_NODE_LOST'], 'none'])
  })

  it('that the engine closes may be dialled again', () => {
    open()
    net.answer()
    expect(neighbours.closed(0)).toMatchObject({ member: { number: 3 }, out: { isWished: false } })
    expect([neighbours.byFeed(0), member.out.state]).toEqual([undefined, 'none'])
    expect(neighbours.closed(0)).toBeUndefined()
  })

  it.each(['dialling', 'open'])('that is %s ends with the member', (state) => {
    open()
    const early = state === 'dialling' ? undefined : net.answer()
    neighbours.refuse(member)
    const connection = early ?? net.answer()
    open()
    expect([member.out.state, net.channels.length]).toEqual(['refused', 1])
    expect([connection.isClosed, engine.closed]).toEqual(
      state === 'open' ? [false, [0]] : [true, []],
    )
  })

  it('that is being dialled is closed with the transfer', () => {
    open()
    neighbours.end()
    expect(net.answer().isClosed).toBe(true)
  })
})

/** What the engine says of the feed out that is open. */
const counted = (more: Partial<FeedStats> = {}): FeedStats[] => {
  const none = { unackedBytes: 0, rttMs: 0, duplicateBytes: 0, records: 0, flows: 1 }
  return [{ feed: 0, direction: 'out', payloadBytes: 0, queuedBytes: 1, ...none, ...more }]
}

describe('flows beside the data connection to a member', () => {
  const widen = (of: Neighbours, more: Partial<FeedStats> = {}): void =>
    of.widen(counted(more), 0, wayTo)
  const openTo = (flows: number | undefined, places?: FeedPlaces): Neighbours => {
    const made = new Neighbours({ net, engine, flows, ...(places && { places }) })
    ;[neighbours, member] = [made, made.of(3)]
    open()
    net.answer()
    return made
  }
  const besides = () =>
    net.dialled.filter(({ target }) => target.channel === 'data' && target.isBeside === true)

  it('are dialled once each, by tickets that say so, and go to its feed', () => {
    const made = openTo(3)
    widen(made, { queuedBytes: 0 })
    expect(besides()).toEqual([])
    widen(made)
    widen(made)
    expect(besides()).toHaveLength(2)
    for (const { events } of besides()) events.opened(new PretendConnection(), 1, null)
    widen(made, { flows: 3 })
    expect([net.beside, besides().length, net.adopted.length]).toEqual([[0, 0], 2, 1])
  })

  it('are none where nobody wishes for any and nothing is known of the way', () => {
    widen(openTo(undefined))
    widen(openTo(1))
    expect(besides()).toEqual([])
  })

  it('are tried no more once one was refused, and the data connection lives on', () => {
    const made = openTo(2)
    widen(made)
    besides()[0]?.events.failed({ code: 'ERR_FR_PROTOCOL', text: 'what is that' })
    widen(made)
    expect([besides().length, member.out.state]).toEqual([1, 'open'])
  })

  it('that open when the data connection is gone are closed', () => {
    const made = openTo(2)
    widen(made)
    made.closed(0)
    const late = new PretendConnection()
    besides()[0]?.events.opened(late, 1, null)
    expect([late.isClosed, net.beside]).toEqual([true, []])
  })

  it('are no more once a data connection that had some has broken', () => {
    const made = openTo(2)
    widen(made)
    made.closed(0)
    open()
    net.answer()
    widen(made, { feed: 1 })
    expect([besides().length, member.out.state]).toEqual([1, 'open'])
  })

  it('take half of the places of a process at most, and give them back', () => {
    const places = new FeedPlaces(6)
    const made = openTo(16, places)
    widen(made)
    expect(besides()).toHaveLength(2)
    made.end()
    for (let i = 0; i < 6; i++) places.take()
    expect(() => places.take()).toThrow('--max-feeds')
  })

  it('take so many places of a process that has no limit', () => {
    const places = new FeedPlaces()
    for (let i = 0; i < limits.flowsPerProcess; i++) expect(places.spare()).toBeDefined()
    expect(places.spare()).toBeUndefined()
    places.take()
  })
})

describe('the data connection from a member', () => {
  it('leaves room for another when it breaks', () => {
    neighbours.feed(member, new PretendConnection())
    expect(member.fedBy.state).toBe('open')
    expect(neighbours.closed(0)).toEqual({ member })
    expect(member.fedBy.state).toBe('none')
  })

  it('that broke on its way leaves room for another', () => {
    net.broken = new FrError('ERR_FR_NODE_LOST', 'gone')
    expect(() => neighbours.feed(member, new PretendConnection())).toThrow(net.broken)
    expect(member.fedBy.state).toBe('none')
  })

  it('is closed by this side once, and known no more', () => {
    neighbours.feed(member, new PretendConnection())
    neighbours.unfeed(member)
    neighbours.unfeed(member)
    expect([engine.closed, neighbours.byFeed(0)]).toEqual([[0], undefined])
  })

  it.each([
    ['by this side', () => neighbours.unfeed(member)],
    ['with the transfer', () => neighbours.end()],
  ])('that is held until the engine can take it is the one, and is closed %s', (_, close) => {
    const connection = new PretendConnection()
    neighbours.hold(member, connection)
    expect(member.fedBy.state).toBe('held')
    close()
    expect([connection.isClosed, engine.closed]).toEqual([true, []])
  })

  it('takes more flows, held as it is held, and none where there is none', () => {
    const refusal = expect.objectContaining({ code: 'ERR_FR_PROTOCOL' })
    expect(() => neighbours.feedBeside(member, new PretendConnection())).toThrow(refusal)
    neighbours.hold(member, new PretendConnection())
    neighbours.feedBeside(member, new PretendConnection())
    expect(net.beside).toEqual([])
    neighbours.feed(member, new PretendConnection())
    neighbours.feedBeside(member, new PretendConnection())
    expect([net.adopted.length, net.beside]).toEqual([1, [0, 0]])
    neighbours.unfeed(member)
    expect(() => neighbours.checkFlow(member)).toThrow(refusal)
  })

  it('holds a bounded number of flows, and closes them with it', () => {
    neighbours.hold(member, new PretendConnection())
    const flows = Array.from({ length: limits.flowsPerFeed - 1 }, () => new PretendConnection())
    for (const flow of flows) neighbours.feedBeside(member, flow)
    const refusal = expect.objectContaining({ code: 'ERR_FR_LIMIT' })
    expect(() => neighbours.checkFlow(member)).toThrow(refusal)
    neighbours.unfeed(member)
    expect(flows.every(({ isClosed }) => isClosed)).toBe(true)
  })

  it('is not held after the end', () => {
    const connection = new PretendConnection()
    neighbours.end()
    neighbours.hold(member, connection)
    expect(connection.isClosed).toBe(true)
  })
})
