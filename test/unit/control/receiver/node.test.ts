/** The node's machine: events in, commands out. */
import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import {
  type DetourReason,
  type Frame,
  originNumber,
} from '../../../../src/control/messages/types.js'
import type { NodeFact, NodeWish } from '../../../../src/control/receiver/events.js'
import { planOf } from '../plans.js'

import {
  alone,
  announced,
  Bench,
  bytes,
  digests,
  frame,
  hashed,
  landed,
  lostMs,
  plan,
  seal,
  sent,
} from './node-support.js'

/** What was copied in is looked at in the file itself. */
const copyHashed = { type: 'hash', part: 'file', offset: 100, length: 100 }

const applied = { lacks: [], held: 1, done: 2, failed: [], failedCount: 0, warnings: [] }

describe('NodeMachine', () => {
  it('prepares, accepts, dials its mates', () => {
    const bench = new Bench()
    expect(bench.machine.start()).toEqual([{ type: 'prepare' }])
    expect(bench.feed({ type: 'prepared' })).toEqual([
      { type: 'say', member: originNumber, frame: { type: 'accept', have: [] } },
    ])
    expect(bench.feed(frame(plan))).toEqual([
      { type: 'feed', member: 0 },
      { type: 'feed', member: 2 },
    ])
  })

  it('dials nobody before bytes flow', () => {
    const bench = new Bench()
    bench.feed({ type: 'prepared' })
    expect(bench.feed(frame(planOf(1, [0, 1, 2], { phase: 'forming' })))).toEqual([])
    expect(bench.feed(frame(planOf(1, [0, 1], { epoch: 2 })))).toEqual([
      { type: 'feed', member: 0 },
    ])
  })

  it('does not relay unless told to', () => {
    const bench = new Bench()
    bench.feed({ type: 'prepared' })
    expect(bench.feed(frame({ ...plan, routes: [] }))).toEqual([])
  })

  it('refuses by name what cannot be prepared', () => {
    const failure = { code: 'ERR_FR_NO_SPACE', text: 'full' } as const
    expect(new Bench().feed({ type: 'fileFailed', ...failure })).toEqual([
      { type: 'say', member: originNumber, frame: { type: 'refuse', ...failure } },
      { type: 'end', failure, keepPartial: true },
    ])
  })

  it('lands, hashes, verifies, sums, publishes, completes, ends', () => {
    const bench = new Bench().receiving()
    expect(bench.feed(landed(0, 200))).toEqual([])
    expect(bench.feed(landed(200, 50))).toEqual([
      { type: 'hash', part: 'file', offset: 0, length: bytes },
    ])
    expect(bench.feed(hashed(0, bytes, digests(1, 2, 3)), frame(seal))).toEqual([])
    expect(bench.feed(announced)).toEqual([{ type: 'sum', digests: digests(1, 2, 3) }])
    expect(bench.feed({ type: 'summed', fileDigest: 'digest' })).toEqual([{ type: 'publish' }])
    const told = { warnings: ['w'], applied }
    expect(sent(bench.feed({ type: 'published', ...told }))).toEqual([
      { type: 'complete', bytes, repairedBytes: 0, fileDigest: 'digest', ...told },
    ])
    expect(bench.machine.phase).toBe('complete')
    expect(bench.feed(frame({ type: 'finish' }))).toEqual([
      { type: 'end', failure: null, keepPartial: false },
    ])
    expect(
      bench.feed(announced, frame({ type: 'finish' }), {
        type: 'stopped',
        text: 'the node is closing',
      }),
    ).toEqual([])
    expect(bench.machine.deadlineMs()).toBeNull()
  })

  it('never publishes against the seal', () => {
    const bench = new Bench().receiving()
    bench.feed(landed(0, bytes), hashed(0, bytes, digests(1, 2, 3)), announced, frame(seal))
    const commands = bench.feed({ type: 'summed', fileDigest: 'another' })
    expect(commands.map((command) => command.type)).toEqual(['say', 'end'])
    expect(commands.at(-1)).toMatchObject({
      failure: { code: 'ERR_FR_DIGEST' },
      keepPartial: false,
    })
  })

  it('takes the word of an engine that has hashed what landed, and hashes nothing itself', () => {
    const bench = new Bench()
    bench.receiving()
    const told = (fact: NodeFact, values: Uint8Array) => ({ ...fact, digests: values })
    const wishes = [
      ...bench.feed(told(landed(0, 100), digests(1))),
      ...bench.feed(announced),
      ...bench.feed(told(landed(100, 150), digests(9, 3))),
    ]
    expect(sent(wishes).map(({ type }) => type)).toEqual(['bad', 'need'])
    expect(bench.machine.held.verifiedBytes).toBe(150)
    const repaired = bench.feed(told(landed(100, 100, true), digests(2)))
    expect(repaired).toEqual([{ type: 'copyIn', offset: 100, length: 100 }])
    expect(bench.feed({ type: 'copied', offset: 100, length: 100 })).toEqual([copyHashed])
    bench.feed(hashed(100, 100, digests(2)))
    expect(bench.machine.held.verifiedBytes).toBe(bytes)
    expect(wishes.some(({ type }) => type === 'hash')).toBe(false)
  })

  it('repairs a bad block through scratch, a bounded number of times', () => {
    const bench = new Bench().receiving()
    bench.feed(announced, landed(0, bytes))
    const bad = bench.feed(hashed(0, bytes, digests(1, 9, 3)))
    expect(sent(bad)).toEqual([
      { type: 'bad', offset: 100, length: 100 },
      { type: 'need', scratch: true, ranges: [[100, 100]] },
    ])
    const again = (value: number) =>
      bench.feed(landed(100, 100, true), hashed(100, 100, digests(value), true))
    expect(sent(again(8)).map((sentFrame) => sentFrame.type)).toEqual(['bad', 'need'])
    expect(again(2)).toEqual([{ type: 'copyIn', offset: 100, length: 100 }])
    expect(bench.feed(frame(seal))).toEqual([])
    expect(bench.feed({ type: 'copied', offset: 100, length: 100 })).toEqual([copyHashed])
    // Another repair came between the look at the first and its copy.
    const swapped = bench.feed(hashed(100, 100, digests(7)))
    expect(sent(swapped).map(({ type }) => type)).toEqual(['bad', 'need'])
    expect(again(2)).toEqual([{ type: 'copyIn', offset: 100, length: 100 }])
    bench.feed({ type: 'copied', offset: 100, length: 100 })
    expect(bench.feed(hashed(100, 100, digests(2)))).toEqual([
      { type: 'sum', digests: digests(1, 2, 3) },
    ])
    expect(bench.machine.held.repairedBytes).toBe(100)

    const hopeless = new Bench().receiving()
    hopeless.feed(announced, landed(0, bytes), hashed(0, bytes, digests(1, 9, 3)))
    for (let i = 1; i < limits.repairTries; i++) {
      hopeless.feed(landed(100, 100, true), hashed(100, 100, digests(8), true))
      expect(hopeless.machine.phase).toBe('receiving')
    }
    const last = hopeless.feed(landed(100, 100, true), hashed(100, 100, digests(8), true))
    expect(last.at(-1)).toMatchObject({ type: 'end', failure: { code: 'ERR_FR_BAD_BLOCK' } })
  })

  describe('detours', () => {
    const detour = (why: DetourReason): Frame => ({
      type: 'detour',
      member: 2,
      why,
      ranges: [[100, 150]],
      route: 0,
    })

    it('of a mate without a feed are answered at once, with what has not landed', () => {
      const bench = new Bench().receiving(alone)
      bench.feed(landed(100, 100))
      expect(bench.feed(frame(detour('broken')))).toEqual([
        { type: 'unfeed', member: 2 },
        {
          type: 'say',
          member: originNumber,
          frame: { type: 'need', scratch: false, ranges: [[200, 50]] },
        },
      ])
    })

    it('with a route give it to these bytes, and to no others of their blocks', () => {
      const bench = new Bench().receiving(alone)
      bench.feed(landed(100, 100))
      const ranges: [number, number][] = [
        [50, 80],
        [200, 20],
      ]
      const wishes = bench.feed(frame({ ...detour('away'), ranges, route: 7 } as Frame))
      expect(wishes.filter(({ type }) => type === 'assign')).toEqual([
        { type: 'assign', ranges, route: 7 },
      ])
      expect(sent(wishes)).toEqual([
        {
          type: 'need',
          scratch: false,
          ranges: [
            [0, 100],
            [200, 50],
          ],
        },
      ])
    })

    it('wait for the feed to end, and not for ever', () => {
      const bench = new Bench().receiving(alone)
      bench.feed({ type: 'fedIn', member: 2 })
      expect(bench.feed(frame(detour('broken')))).toEqual([])
      bench.feed(landed(200, 50))
      expect(
        sent(
          bench.feed({
            type: 'unfed',
            member: 2,
            direction: 'in',
            code: 'ERR_FR_NODE_LOST',
            text: null,
          }),
        ),
      ).toEqual([
        { type: 'edgeLost', member: 2, incoming: true, code: 'ERR_FR_NODE_LOST' },
        { type: 'need', scratch: false, ranges: [[100, 100]] },
      ])

      const patient = new Bench().receiving(alone)
      patient.feed({ type: 'fedIn', member: 2 })
      patient.feed(frame(detour('broken')))
      expect(patient.machine.deadlineMs()).toBeLessThanOrEqual(limits.drainMs)
      expect(sent(patient.pass(limits.drainMs))).toEqual([
        { type: 'need', scratch: false, ranges: [[100, 150]] },
      ])
    })

    it('are no news of a mate that is gone: its feeds break without a word', () => {
      const bench = new Bench().receiving()
      bench.feed({ type: 'fedIn', member: 2 }, frame(planOf(1, [0, 1], { epoch: 2 })))
      expect(
        sent(
          bench.feed({
            type: 'unfed',
            member: 2,
            direction: 'out',
            code: 'ERR_FR_NODE_LOST',
            text: null,
          }),
        ),
      ).toEqual([])
    })
  })

  describe('pulls', () => {
    const detour = frame({
      type: 'detour',
      member: 2,
      why: 'broken',
      ranges: [[0, 250]],
      route: 0,
    })

    it('of mates that do not answer go to the origin in time', () => {
      const bench = new Bench().receiving()
      bench.feed(detour, { type: 'linked', member: 2, nodeId: '', rttMs: 0.1 })
      bench.nowMs += limits.pullAnswerMs + limits.pullSearchMs
      expect(sent(bench.feed({ type: 'due' })).map(({ type }) => type)).toEqual(['need'])
    })

    it('what a detour leaves open from the mates, and from the origin what they lack', () => {
      const bench = new Bench().receiving()
      bench.feed(landed(100, 100))
      expect(bench.feed(detour)).toEqual([
        { type: 'unfeed', member: 2 },
        { type: 'connect', member: 2 },
        { type: 'connect', member: 0 },
      ])
      const missing = [
        [0, 100],
        [200, 50],
      ] as const
      const asked = { type: 'pull', request: 0, ranges: missing } as const
      expect(bench.feed({ type: 'linked', member: 2, nodeId: '', rttMs: 0.1 })).toEqual([
        { type: 'say', member: 2, frame: asked },
      ])
      const holding: Frame = { type: 'holding', request: 0, ranges: [[0, 100]], backlogBytes: 0 }
      const answered = { type: 'said', member: 2, frame: holding } as const
      expect(bench.feed(answered)).toEqual([])
      const closed = {
        type: 'unlinked',
        member: 0,
        code: 'ERR_FR_UNREACHABLE',
        text: 'gone',
      } as const
      expect(sent(bench.feed(closed))).toEqual([
        { type: 'need', scratch: false, ranges: [[200, 50]] },
      ])
      bench.feed(landed(0, 100))
      expect(bench.machine.pulls.pulledBytes).toBe(100)
    })

    it('closes what it has with a mate that is gone', () => {
      const bench = new Bench().receiving()
      bench.feed(detour)
      const gone = frame(planOf(1, [0, 1], { epoch: 2 }))
      expect(bench.feed(gone)).toContainEqual({ type: 'hangUp', member: 2 })
    })

    it('answers mates with what is verified, and not before', () => {
      const bench = new Bench().receiving()
      const ask = (offset = 50): NodeFact => {
        const pull = { type: 'pull', request: 4, ranges: [[offset, 100]] } as const
        return { type: 'said', member: 0, frame: pull }
      }
      const served = (ranges: number[][]) => [{ type: 'serve', member: 0, request: 4, ranges }]
      bench.feed(announced, landed(0, bytes))
      expect(bench.feed(ask())).toEqual(served([]))
      bench.feed(hashed(0, bytes, digests(1, 9, 3)))
      expect(bench.feed(ask())).toEqual(served([[50, 50]]))
      expect(bench.feed(ask(bytes))).toMatchObject([
        { type: 'reject', member: 0, request: 4, failure: { code: 'ERR_FR_PROTOCOL' } },
      ])
    })
  })

  it('reports edges that break while both ends live', () => {
    const bench = new Bench().receiving()
    expect(
      sent(
        bench.feed({
          type: 'unfed',
          member: 0,
          direction: 'out',
          code: 'ERR_FR_UNREACHABLE',
          text: null,
        }),
      ),
    ).toEqual([{ type: 'edgeLost', member: 0, incoming: false, code: 'ERR_FR_UNREACHABLE' }])
    bench.feed({ type: 'fedIn', member: 2 })
    expect(
      sent(bench.feed({ type: 'unfed', member: 2, direction: 'in', code: null, text: null })),
    ).toEqual([])
  })

  it('asks again when all was dealt and nothing moves, ever less often', () => {
    const bench = new Bench().receiving(alone)
    bench.feed(landed(0, 100))
    // Not before the seal: until then the origin may still be dealing.
    expect(sent(bench.pass(limits.askMs * 2))).toEqual([])
    bench.feed(frame(seal))
    const digests = { type: 'needDigests', ranges: [[0, 250]] }
    const need = { type: 'need', scratch: false, ranges: [[100, 150]] }
    expect(sent(bench.pass(limits.askMs))).toEqual([digests, need])
    expect(sent(bench.pass(limits.askMs))).toEqual([])
    expect(sent(bench.pass(limits.askMs))).toEqual([digests, need])
    bench.feed(landed(100, 150))
    expect(sent(bench.pass(limits.askMs))).toEqual([digests])
  })

  it('asks for digests that came wrong at once, for each block once', () => {
    const bench = new Bench()
    const wrong = (offset: number, length: number): NodeFact => {
      return { type: 'digests', offset, length, digests: null }
    }
    const asked = (...ranges: number[][]) => [{ type: 'needDigests', ranges }]
    // Nobody would answer yet.
    expect(sent(bench.feed(wrong(0, bytes)))).toEqual([])
    bench.receiving()
    expect(sent(bench.feed(wrong(100, 100)))).toEqual(asked([100, 100]))
    expect(sent(bench.feed(wrong(100, 100)))).toEqual([])
    expect(sent(bench.feed(wrong(0, 2 ** 50)))).toEqual(asked([0, 100], [200, 50]))
    expect(sent(bench.feed(announced, wrong(0, bytes), wrong(2 ** 50, 1)))).toEqual([])
  })

  it('asks nobody while the origin is quiet, too', () => {
    const bench = new Bench().receiving(alone)
    bench.feed(announced, landed(0, 100), frame(seal))
    const quiet: NodeWish[] = []
    while (bench.nowMs < limits.silenceMs) quiet.push(...bench.tick())
    expect(sent(quiet)).toEqual([])
    // With the first word of the origin, what was under way has its time again.
    expect(sent(bench.pass(limits.askMs))).toEqual([])
    expect(sent(bench.pass(limits.askMs))).toMatchObject([{ type: 'need' }])
  })

  it('has what is missing of a silent mate elsewhere, and keeps its feed', () => {
    const bench = new Bench().receiving()
    bench.feed({ type: 'fedIn', member: 2 }, landed(0, 50))
    const away = frame({ type: 'detour', member: 2, why: 'away', ranges: [[0, 150]], route: 0 })
    const commands = [...bench.feed(away), ...bench.pass(limits.drainMs + limits.pullSearchMs)]
    expect(commands.map((c) => c.type)).toContain('connect')
    expect(commands.map((c) => c.type)).not.toContain('unfeed')
    expect(commands.map((c) => c.type)).not.toContain('hangUp')
  })

  it('a broken feed from the origin is waited for, unless the link says why', () => {
    const broken = {
      type: 'unfed',
      member: originNumber,
      direction: 'in',
      code: 'ERR_FR_NODE_LOST',
      text: null,
    } as const
    const told = new Bench().receiving()
    expect(told.feed(broken)).toEqual([])
    expect(told.feed(frame({ type: 'abort', code: 'ERR_FR_ABORTED', text: 'cancelled' }))).toEqual([
      { type: 'end', failure: { code: 'ERR_FR_ABORTED', text: 'cancelled' }, keepPartial: true },
    ])
    const untold = new Bench().receiving()
    untold.feed(broken)
    expect(untold.pass(lostMs - 1)).not.toContainEqual(expect.objectContaining({ type: 'end' }))
    expect(untold.pass(500).at(-1)).toMatchObject({
      type: 'end',
      failure: { code: 'ERR_FR_NODE_LOST' },
    })
    const back = new Bench().receiving()
    back.feed(broken)
    back.pass(lostMs - 1)
    back.feed({ type: 'fedIn', member: originNumber })
    expect(back.pass(lostMs)).not.toContainEqual(expect.objectContaining({ type: 'end' }))
  })

  it.each<[string, NodeFact, string]>([
    ['finish before it is complete', frame({ type: 'finish' }), 'ERR_FR_PROTOCOL'],
    ['a frame for the origin', frame({ type: 'accept', have: [] }), 'ERR_FR_PROTOCOL'],
    [
      'a full disk',
      { type: 'fileFailed', code: 'ERR_FR_NO_SPACE', text: 'full' },
      'ERR_FR_NO_SPACE',
    ],
    ['being closed', { type: 'stopped', text: 'the node is closing' }, 'ERR_FR_NODE_CLOSED'],
  ])('fails at %s', (_, event, code) => {
    const commands = new Bench().receiving().feed(event)
    expect(commands).toMatchObject([
      { type: 'say', member: originNumber, frame: { type: 'failed', code } },
      { type: 'end', failure: { code } },
    ])
  })

  it('reports from before the first byte on, while it lives', () => {
    const early = sent(new Bench().handle({ type: 'prepared' }))
    expect(early.map(({ type }) => type)).toEqual(['accept', 'progress'])
    const bench = new Bench().receiving()
    bench.nowMs = bench.machine.deadlineMs() as number
    expect(bench.nowMs).toBe(limits.progressMs)
    expect(sent(bench.handle({ type: 'due' })).map(({ type }) => type)).toEqual(['progress'])
  })
})
