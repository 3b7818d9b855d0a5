/** What both ends do alike for their machines: links and data connections to members. */
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { FrError } from '../../../../src/base/errors.js'
import type { Fact, MemberWish } from '../../../../src/control/messages/facts.js'
import { type Frame, lacksAll } from '../../../../src/control/messages/types.js'
import { Executor } from '../../../../src/session/driver/executor.js'
import { Neighbours } from '../../../../src/session/driver/neighbours.js'
import type { Target } from '../../../../src/session/driver/ports.js'
import { Samples } from '../../../../src/session/driver/samples.js'
import { processClock } from '../../../../src/session/sockets.js'
import { PretendEngine, type PretendLink, PretendNet, wayTo } from './pretend-ports.js'

const holding: Frame = { type: 'holding', request: 1, ranges: [], backlogBytes: 0 }
const lost = { code: 'ERR_FR_NODE_LOST', text: 'gone' } as const

let net: PretendNet
let engine: PretendEngine
let neighbours: Neighbours
let executor: Executor
let channel: 'control' | 'pull'
let posted: Fact[]
let served: string[]

beforeEach(() => {
  net = new PretendNet()
  engine = new PretendEngine()
  neighbours = new Neighbours({ net, engine })
  channel = 'pull'
  posted = []
  served = []
  const samples = new Samples(
    engine,
    neighbours,
    () => 0,
    () => false,
  )
  const targetOf = (to: number): Target =>
    channel === 'pull' ? { channel, to, address: 'n1:1', nodeId: '' } : { channel, to, address: '' }
  const hooks = { post: (fact: Fact) => posted.push(fact), targetOf, wayTo }
  executor = new Executor({ clock: processClock, net }, neighbours, samples, 1_000, hooks, {
    fedOut: ({ number }, feed) => served.push(`feed ${feed} to ${number}`),
    unfed: ({ number }) => served.push(`no feed to ${number}`),
    gone: ({ number }) => served.push(`${number} is gone`),
  })
})

const wish = (type: 'connect' | 'hangUp' | 'readmit'): void => executor.execute({ type, member: 1 })
const feed: MemberWish = { type: 'feed', member: 1 }

function linked(): PretendLink {
  wish('connect')
  net.answer()
  return net.links.at(-1) as PretendLink
}

describe('a link that is wished for', () => {
  it('is dialled, and carries what is said both ways', () => {
    const link = linked()
    expect(net.channels).toEqual(['pull to 1'])
    link.events.onFrame(holding)
    executor.execute({ type: 'say', member: 1, frame: holding })
    expect(posted).toEqual([
      { type: 'linked', member: 1, nodeId: '', rttMs: 1 },
      { type: 'said', member: 1, frame: holding },
    ])
    expect(link.said).toEqual([holding])
  })

  it('is dialled again to who was hung up on and is readmitted, and not before', () => {
    linked()
    wish('hangUp')
    executor.execute(feed)
    expect(net.channels).toEqual(['pull to 1'])
    wish('readmit')
    executor.execute(feed)
    expect(net.channels).toEqual(['pull to 1', 'data to 1'])
    expect(linked().isOpen).toBe(true)
  })

  it('and that breaks is reported with the reason', () => {
    linked().events.onClose(lost.code, lost.text)
    expect(posted.at(-1)).toEqual({ type: 'unlinked', member: 1, ...lost })
  })

  it('and cannot be made has failed', () => {
    net.link = () => {
      throw new FrError(lost.code, lost.text)
    }
    wish('connect')
    net.answer()
    expect(posted).toEqual([{ type: 'unlinked', member: 1, ...lost }])
  })

  it('to a mate carries nothing but answers', () => {
    const refusal = expect.objectContaining({ code: 'ERR_FR_PROTOCOL' })
    const link = linked()
    expect(() => link.events.onFrame({ type: 'claimed' })).toThrow(refusal)
    expect(link.events.lastWord).toBeUndefined()
  })

  it('to a node of a coordinator carries all, and says why it is closed', () => {
    channel = 'control'
    const link = linked()
    link.events.onFrame({ type: 'beat' })
    expect(posted.at(-1)).toEqual({ type: 'said', member: 1, frame: { type: 'beat' } })
    expect(link.events.lastWord?.(lost.code, lost.text)).toEqual({ type: 'abort', ...lost })
  })

  it.each([
    ['the member has gone', () => wish('hangUp')],
    ['the transfer is over', () => neighbours.end()],
  ])('is closed without a word where %s meanwhile', (_, happens) => {
    wish('connect')
    happens()
    expect([net.answer().isClosed, posted]).toEqual([true, []])
  })

  it('is closed when it is hung up, of which nothing is told', () => {
    const link = linked()
    wish('hangUp')
    link.events.onClose(lost.code, lost.text)
    expect([link.isOpen, served, posted.length]).toEqual([false, ['1 is gone'], 1])
  })
})

describe('a data connection that is wished for', () => {
  it('is told of when it is open and when it has ended, first to who serves on it', () => {
    executor.execute(feed)
    net.answer()
    executor.closed(0, lost.code)
    expect(posted).toEqual([
      { type: 'fedOut', member: 1, lacking: lacksAll },
      { type: 'unfed', member: 1, direction: 'out', code: lost.code, text: null },
    ])
    expect(served).toEqual(['feed 0 to 1', 'no feed to 1'])
  })

  it('is told of when it could not be opened', () => {
    executor.execute(feed)
    net.refuse()
    const failure = { code: 'ERR_FR_UNREACHABLE', text: 'refused' }
    expect(posted).toEqual([{ type: 'unfed', member: 1, direction: 'out', ...failure }])
  })

  it('by a servant alone is told of to nobody else', () => {
    neighbours.open(neighbours.of(1), wayTo(1), false, { opened: () => {}, failed: () => {} })
    net.answer()
    executor.closed(0, null)
    expect([posted, served]).toEqual([[], ['no feed to 1']])
  })
})

describe('a control link whose connection breaks', () => {
  const dials = (): number => net.dialled.length
  const broken = async (): Promise<PretendLink> => {
    channel = 'control'
    const link = linked()
    link.events.onBroken?.(lost.code, lost.text)
    await vi.waitUntil(() => dials() > 1, 20_000)
    return link
  }

  it('is dialled again for as long as it takes, and goes on', async () => {
    const link = await broken()
    net.refuse()
    await vi.waitUntil(() => dials() > 2, 20_000)
    expect(net.dialled.at(-1)?.target).toMatchObject({ channel: 'control', resumes: link })
    const goOn = vi.spyOn(link, 'goOn')
    const connection = net.answer()
    expect(goOn).toHaveBeenCalledWith(connection)
    expect(posted.slice(1)).toEqual([
      { type: 'linkBroke', member: 1, text: lost.text },
      { type: 'linkBack', member: 1 },
    ])
  })

  it('is lost where the other side will not have it', async () => {
    await broken()
    net.refuse(true)
    const text = 'gone; dialled again: refused'
    expect(posted.at(-1)).toEqual({ type: 'unlinked', member: 1, code: lost.code, text })
  })

  it('is no more when the member is hung up, and nothing is told', async () => {
    await broken()
    wish('hangUp')
    expect([net.answer().isClosed, posted.at(-1)?.type]).toEqual([true, 'linkBroke'])
  })
})

describe('the end', () => {
  it('comes once what was said on all links is out', () => {
    const link = linked()
    let closed = (): void => {}
    link.close = (told = () => {}) => {
      closed = told
    }
    let isReleased = false
    executor.release(() => {
      isReleased = true
    })
    // A link that broke may still be dialled again.
    expect([isReleased, net.isEnded]).toEqual([false, false])
    closed()
    expect([isReleased, net.isEnded]).toEqual([true, true])
  })
})
