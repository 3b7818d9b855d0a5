/** The origin's machine: facts in, wishes out. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import { type RangePair, RangeSet } from '../../../../src/base/ranges.js'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { membersOf, planOf, progressOf, runningPlans } from '../plans.js'
import { block, completeFrame, frames, Bench as OriginBench, outcomes } from './origin-support.js'

const bytes = 3 * block

/** A file of three blocks in equal shares; no node gets a second attempt. */
class Bench extends OriginBench {
  constructor(nodes = 3) {
    super(nodes, { bytes, strategy: 'classic', connectMs: limits.connectMs, retries: 0 })
  }
}

const lists = (commands: OriginWish[]) =>
  commands.flatMap((c) =>
    c.type === 'list' ? [[c.member, c.offset, c.length, c.route !== 0, c.scratch] as const] : [],
  )
const digestsTo = (commands: OriginWish[]) =>
  commands.flatMap((c) =>
    c.type === 'sendDigests' ? [[c.member, c.offset, c.length, c.route !== 0]] : [],
  )

describe('OriginMachine', () => {
  it('plans when everyone has decided, and lists what fits windows', () => {
    const bench = new Bench()
    expect([...bench.ready(0), ...bench.ready(2)].some((c) => c.type === 'announcePlan')).toBe(
      false,
    )
    const commands = bench.ready(1)
    for (const node of [0, 1, 2]) {
      expect(runningPlans(commands, node)).toMatchObject([
        planOf(node, [0, 1, 2], {
          ...{ epoch: expect.anything(), reportMs: limits.sameReportMs },
          standbys: [0, 1, 2],
        }),
      ])
    }
    const dealt = (node: number) =>
      RangeSet.of(
        lists(commands).flatMap(([to, offset, length, relay]): RangePair[] =>
          to === node && relay ? [[offset, length]] : [],
        ),
      ).toArray()
    for (const node of [0, 1, 2]) expect(dealt(node)).toEqual([[node * block, block]])
    expect(commands.filter((c) => c.type === 'hash')).toHaveLength(3)
  })

  it('plans without those who refuse or cannot be reached; the empty-handed do not relay', () => {
    const bench = new Bench(5)
    const early = [
      ...bench.from(0, { type: 'accept', have: [] }),
      ...bench.feed({ type: 'unlinked', member: 0, code: 'ERR_FR_UNREACHABLE', text: 'refused' }),
      ...bench.feed({ type: 'linked', member: 1, nodeId: 'id1' }),
      ...bench.from(1, { type: 'refuse', code: 'ERR_FR_NO_SPACE', text: 'full' }),
    ]
    expect(outcomes(early)).toEqual([['n1:1', 'refused', 'ERR_FR_NO_SPACE: full']])
    const commands = [...bench.ready(2), ...bench.ready(3), ...bench.ready(4)]
    expect(commands.some((c) => c.type === 'announcePlan')).toBe(true)
    expect(runningPlans(commands, 4)).toMatchObject([{ members: membersOf(2, 3, 4) }])
  })

  it('nodes without a share do not relay', () => {
    const bench = new Bench(4)
    const commands = [0, 1, 2, 3].flatMap((node) => bench.ready(node))
    const relays = [0, 1, 2, 3].map((node) => runningPlans(commands, node)[0]?.routes.length === 1)
    expect(relays.filter(Boolean)).toHaveLength(3)
  })

  it('the same node under two addresses: the second is refused', () => {
    const bench = new Bench(2)
    bench.feed({ type: 'linked', member: 1, nodeId: 'same' })
    const commands = bench.feed({ type: 'linked', member: 0, nodeId: 'same' })
    expect(outcomes(commands)).toEqual([
      ['n0:1', 'refused', 'ERR_FR_SAME_NODE: n0:1 and n1:1 are the same node'],
    ])
  })

  it('time limits: connecting, deciding', () => {
    const bench = new Bench(2)
    bench.feed({ type: 'linked', member: 1, nodeId: 'id1' })
    bench.nowMs = limits.connectMs
    expect(outcomes(bench.feed({ type: 'due' }))).toMatchObject(
      [['n0:1', 'failed', /UNREACHABLE/]].map((row) => [
        row[0],
        row[1],
        expect.stringMatching(row[2] as RegExp),
      ]),
    )
    bench.nowMs = limits.acceptMs
    const commands = bench.feed({ type: 'due' })
    expect(outcomes(commands)).toEqual([
      ['n1:1', 'failed', 'ERR_FR_TIMEOUT: no answer to the offer'],
    ])
    expect(commands.at(-1)).toEqual({ type: 'end', failure: null })
  })

  it('relays take turns with digests; all hashed, checked, summed: seal', () => {
    const bench = new Bench().running()
    expect(digestsTo(bench.hashed(1))).toEqual([[0, block, block, true]])
    expect(digestsTo(bench.hashed(0))).toEqual([[1, 0, block, true]])
    expect(bench.hashed(2)).toContainEqual({ type: 'checkSource' })
    const sum = bench.feed({ type: 'sourceChecked', isDoubtful: false })
    expect(sum).toMatchObject([{ type: 'sum', digests: { length: 24 } }])
    const sealed = bench.feed({ type: 'summed', fileDigest: 'digest' })
    for (const node of [0, 1, 2])
      expect(frames(sealed, node, 'seal')).toEqual([
        { type: 'seal', stream: 0, fileDigest: 'digest' },
      ])
  })

  it('a check that began before everything was hashed does not allow the seal', () => {
    const bench = new Bench().running()
    bench.hashed(0)
    bench.hashed(1)
    const need: Frame = { type: 'need', scratch: true, ranges: [[0, block]] }
    expect(bench.from(0, need)).toContainEqual({ type: 'checkSource' })
    expect(bench.hashed(2)).not.toContainEqual({ type: 'checkSource' })
    expect(bench.feed({ type: 'sourceChecked', isDoubtful: false })).toEqual([
      { type: 'checkSource' },
    ])
    expect(bench.feed({ type: 'sourceChecked', isDoubtful: false })).toMatchObject([
      { type: 'sum' },
    ])
  })

  it('believes no node that is complete with another digest', () => {
    const bench = new Bench().running().sealed()
    const commands = bench.from(0, completeFrame(bytes, 'other'))
    expect(outcomes(commands)[0]?.[2]).toMatch(/^ERR_FR_DIGEST/)
  })

  it('a dead node: its share is detoured, its digests go directly, what is needed is sent', () => {
    const bench = new Bench().running()
    bench.hashed(0)
    bench.hashed(1)
    const dead = bench.feed({
      type: 'unlinked',
      member: 1,
      code: 'ERR_FR_NODE_LOST',
      text: 'reset',
    })
    expect(outcomes(dead)).toEqual([['n1:1', 'failed', 'ERR_FR_NODE_LOST: reset']])
    for (const node of [0, 2]) {
      expect(runningPlans(dead, node)).toMatchObject([{ members: membersOf(0, 2) }])
      expect(frames(dead, node, 'detour')).toEqual([
        { type: 'detour', member: 1, why: 'broken', ranges: [[block, block]], route: 0 },
      ])
    }
    expect(digestsTo(dead)).toEqual([
      [0, block, block, false],
      [2, block, block, false],
    ])
    const need: Frame = { type: 'need', scratch: false, ranges: [[block, block]] }
    expect(lists(bench.from(2, need))).toEqual([[2, block, block, false, false]])
  })

  it('digests that come after a relay has died go by those who are left', () => {
    const bench = new Bench().running()
    bench.feed({ type: 'unlinked', member: 1, code: 'ERR_FR_NODE_LOST', text: 'reset' })
    for (const [at, relay] of [0, 2].entries())
      expect(digestsTo(bench.hashed(at)).filter((row) => row[3])).toEqual([
        [relay, at * block, block, true],
      ])
  })

  it('a feed that breaks is the cause only when the link names no other in time', () => {
    const broken = (bench: Bench) =>
      bench.feed({
        type: 'unfed',
        member: 1,
        direction: 'out',
        code: 'ERR_FR_NODE_LOST',
        text: 'broken',
      })
    const late = new Bench().running()
    const refused = { member: 1, direction: 'out', code: 'ERR_FR_PROTOCOL', text: 'no' } as const
    expect(outcomes(late.feed({ type: 'unfed', ...refused }))).toEqual([])
    late.nowMs = limits.wordMs - 1
    expect(outcomes(late.feed({ type: 'due' }))).toEqual([])
    late.nowMs += 1
    expect(outcomes(late.feed({ type: 'due' }))).toEqual([
      ['n1:1', 'failed', 'ERR_FR_PROTOCOL: no'],
    ])
    const told = new Bench().running()
    broken(told)
    const full: Frame = { type: 'failed', code: 'ERR_FR_NO_SPACE', text: 'full' }
    expect(outcomes(told.from(1, full))).toEqual([['n1:1', 'failed', 'ERR_FR_NO_SPACE: full']])
    const gone = new Bench()
    gone.feed({ type: 'linked', member: 1, nodeId: 'id1' })
    gone.feed({
      type: 'unfed',
      member: 1,
      direction: 'out',
      code: 'ERR_FR_AUTH',
      text: 'another key',
    })
    const end = { type: 'unlinked', member: 1, code: 'ERR_FR_NODE_LOST', text: 'reset' } as const
    expect(outcomes(gone.feed(end))).toEqual([['n1:1', 'failed', 'ERR_FR_AUTH: another key']])
  })

  it('a broken edge to nobody that is known is not detoured', () => {
    const bench = new Bench().running()
    const lost = { type: 'edgeLost', member: 7, incoming: false, code: 'ERR_FR_NODE_LOST' } as const
    expect(frames(bench.from(0, lost), 0, 'detour')).toEqual([])
  })

  it('a broken edge is back once nobody says that it is lost, and can be lost again', () => {
    const bench = new Bench().running()
    const code = 'ERR_FR_NODE_LOST'
    const said = (by: number, type: 'edgeLost' | 'edgeBack') => {
      const edge = by === 0 ? { member: 1, incoming: false } : { member: 0, incoming: true }
      const wishes = bench.from(
        by,
        type === 'edgeLost' ? { type, ...edge, code } : { type, ...edge },
      )
      return wishes.flatMap((wish) => (wish.type === 'note' ? [wish.event] : []))
    }
    expect(said(0, 'edgeBack')).toEqual([])
    expect(said(0, 'edgeLost')).toEqual(['edge-lost'])
    expect(said(1, 'edgeLost')).toEqual([])
    expect(said(0, 'edgeBack')).toEqual([])
    expect(said(1, 'edgeBack')).toEqual(['edge-back'])
    expect(bench.machine.peers[1]?.counts.reopened).toBe(1)
    expect(said(1, 'edgeLost')).toEqual(['edge-lost'])
  })

  it('a node that refuses after it was complete stays complete, and serves nobody', () => {
    const bench = new Bench().running().sealed()
    bench.complete(1)
    const commands = bench.from(1, { type: 'refuse', code: 'ERR_FR_REFUSED', text: 'after all' })
    expect(outcomes(commands)).toEqual([])
    expect(bench.machine.peers[1]?.outcome?.status).toBe('complete')
    expect(commands).toContainEqual({ type: 'hangUp', member: 1 })
  })

  it('a node lost after it was complete stays complete, and its share is made good', () => {
    const bench = new Bench().running().sealed()
    bench.complete(1)
    const commands = bench.feed({
      type: 'unlinked',
      member: 1,
      code: 'ERR_FR_NODE_LOST',
      text: 'reset',
    })
    expect(outcomes(commands)).toEqual([])
    expect(frames(commands, 0, 'detour')).toMatchObject([{ member: 1, why: 'broken' }])
    expect(bench.machine.peers[1]?.outcome?.status).toBe('complete')
  })

  it('alive, and nothing moves: fails by name', () => {
    const bench = new Bench(2).running()
    let landed = 0
    const commands: OriginWish[] = []
    for (let i = 0; i < limits.stallMs / 100 + 1; i++) {
      bench.nowMs += 100
      commands.push(
        ...bench.from(0, progressOf({ landedBytes: ++landed })),
        ...bench.from(1, progressOf({ landedBytes: 5 })),
        ...bench.feed({ type: 'due' }),
      )
    }
    expect(outcomes(commands)).toEqual([
      ['n1:1', 'failed', 'ERR_FR_TIMEOUT: nothing landed or was verified for 30 s'],
    ])
  })

  it('a changed source ends it all', () => {
    const bench = new Bench().running()
    const failure = { code: 'ERR_FR_SOURCE_CHANGED', text: 'mtime' } as const
    const commands = bench.feed({ type: 'sourceFailed', ...failure })
    for (const node of [0, 1, 2])
      expect(frames(commands, node, 'abort')).toEqual([{ type: 'abort', ...failure }])
    expect(commands.at(-1)).toEqual({ type: 'end', failure })
  })

  it('a read error is named for what it is, once the source is known not to have changed', () => {
    const bench = new Bench().running()
    expect(bench.feed({ type: 'fileFailed', code: 'ERR_FR_IO', text: 'EIO' })).toEqual([
      { type: 'checkSource' },
    ])
    expect(bench.feed({ type: 'sourceChecked', isDoubtful: false }).at(-1)).toEqual({
      type: 'end',
      failure: { code: 'ERR_FR_IO', text: 'EIO' },
    })
  })

  it.each<[string, Frame]>([
    ['a need beyond the file', { type: 'need', scratch: false, ranges: [[0, bytes + 1]] }],
    ['a need of digests beyond the file', { type: 'needDigests', ranges: [[bytes, 1]] }],
    ['a second accept', { type: 'accept', have: [] }],
    ['a frame of an origin', { type: 'finish' }],
  ])('%s is a breach of protocol', (_, frame) => {
    const bench = new Bench().running()
    expect(outcomes(bench.from(1, frame))[0]?.[2]).toMatch(/^ERR_FR_PROTOCOL/)
    expect(bench.machine.isEnded).toBe(false)
  })

  it('says regularly that it is alive', () => {
    const bench = new Bench().running()
    const commands = bench.pass(limits.beatMs, [0, 1, 2])
    for (const node of [0, 1, 2]) expect(frames(commands, node, 'beat').length).toBeGreaterThan(0)
  })
})
