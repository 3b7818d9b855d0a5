/** The timeline of a push: every deal in it, in order, on a track for every node. */
import { describe, expect, it } from 'vitest'
import { KIB, MIB } from '../../../../src/base/limits.js'
import { RangeSet } from '../../../../src/base/ranges.js'
import type { Dealer } from '../../../../src/control/dealing/dealer.js'
import { UnicastDealer } from '../../../../src/control/dealing/unicast.js'
import { PushTrace, type TraceEvent, traceThreads } from '../../../../src/control/view/trace.js'
import { FluidPush } from '../coordinator/flow-support.js'
import { adaptiveDealer, classicDealer } from '../dealing/dealers.js'

const bytes = 64 * MIB

function traced(dealer: Dealer, originRate: number, rates: readonly number[]) {
  const events: TraceEvent[] = []
  const rare: TraceEvent[] = []
  const trace = new PushTrace(
    (node) => `n${node}:1`,
    0,
    (event, isRare) => {
      // What is no JSON is lost here.
      const copy = JSON.parse(JSON.stringify(event)) as TraceEvent
      expect(copy).toEqual(event)
      events.push(copy)
      if (isRare) rare.push(copy)
    },
  )
  const push = new FluidPush(bytes, dealer, originRate, rates, trace)
  return { events, rare, push, trace }
}

const isOn = (thread: (typeof traceThreads)[number]) => (event: TraceEvent) =>
  event.ph === 'i' && event.tid === traceThreads.indexOf(thread) + 1
const argsOf = (event: TraceEvent) =>
  event.args as { offset: number; length: number; route: number; units: number }
/** The ranges of these events; fails where two of them overlap. */
const disjoint = (events: readonly TraceEvent[]): RangeSet => {
  const set = new RangeSet()
  for (const { offset, length } of events.map(argsOf)) {
    expect(set.present(offset, length)).toEqual([])
    set.add(offset, length)
  }
  return set
}
const named = (events: readonly TraceEvent[], name: string) =>
  events.filter((event) => event.name === name)

describe('a trace', () => {
  it('holds every deal of adaptive dealing, relayed and direct, and they are the file', () => {
    const { events, push } = traced(adaptiveDealer(bytes), 30_000, [5_000, 5_000, 5_000])
    push.run()
    const deals = events.filter(isOn('deals'))
    const direct = events.filter(isOn('direct'))
    expect(deals.length).toBeGreaterThan(10)
    expect(direct.length).toBeGreaterThan(10)
    expect(deals.every((event) => argsOf(event).route === 1)).toBe(true)
    expect(direct.some((event) => argsOf(event).route !== 0)).toBe(false)
    const relayed = disjoint(deals)
    for (const pid of [2, 3, 4]) {
      const toAll = disjoint(direct.filter((event) => event.pid === pid))
      expect(toAll.bytes).toBe(push.machine.flow.directBytes)
      expect(relayed.bytes + toAll.bytes).toBe(bytes)
      expect(RangeSet.of([...relayed, ...toAll]).toArray()).toEqual([[0, bytes]])
      const share = disjoint(deals.filter((event) => event.pid === pid))
      expect(share.bytes).toBe(push.machine.flow.dealtBytes(pid - 2))
    }
    const units = [...deals, ...direct].reduce((sum, event) => sum + argsOf(event).units, 0)
    expect(units).toBe(push.sends.length)
  })

  it('holds the equal split, and the copies of unicast', () => {
    const classic = traced(classicDealer(bytes, 64 * KIB), 30_000, [9_000, 9_000])
    classic.push.run()
    const deals = named(classic.events, 'deal')
    expect(deals.every((event) => argsOf(event).route === 1)).toBe(true)
    const shares = [2, 3].map((pid) => disjoint(deals.filter((event) => event.pid === pid)))
    expect(shares.map((share) => share.toArray())).toEqual([
      [[0, bytes / 2]],
      [[bytes / 2, bytes / 2]],
    ])
    const unicast = traced(new UnicastDealer('adaptive', bytes), 30_000, [0, 0])
    unicast.push.run()
    const whole = { offset: 0, length: bytes, route: 0, units: 1 }
    expect(named(unicast.events, 'direct').map((event) => [event.pid, argsOf(event)])).toEqual([
      [2, whole],
      [3, whole],
    ])
  })

  it('goes forward in time, names every track, and leaves no slice open', () => {
    const { events, push } = traced(adaptiveDealer(bytes), 20_000, [9_000, 9_000, 9_000])
    push.run(800)
    push.kill(2)
    push.run()
    let ts = 0
    const open = new Map<string, string[]>()
    for (const event of events) {
      if (event.ph === 'M') continue
      expect(event.ts).toBeGreaterThanOrEqual(ts)
      ts = event.ts
      const stack = open.get(`${event.pid} ${event.tid}`) ?? []
      open.set(`${event.pid} ${event.tid}`, stack)
      if (event.ph === 'B') stack.push(event.name)
      if (event.ph === 'E') expect(stack.pop()).toBe(event.name)
    }
    expect([...open.values()].flat()).toEqual([])
    expect(ts).toBeGreaterThan(2e6)
    const names = named(events, 'process_name').map((event) => [event.pid, event.args?.['name']])
    expect(names).toEqual([
      [1, 'origin'],
      [2, 'n0:1'],
      [3, 'n1:1'],
      [4, 'n2:1'],
    ])
    for (const pid of [1, 2, 3, 4]) {
      const threads = named(events, 'thread_name').filter((event) => event.pid === pid)
      expect(threads.map((event) => event.args?.['name'])).toEqual([...traceThreads])
    }
    const stages = events.filter((event) => event.ph === 'B' && event.pid === 2)
    expect(stages.map((event) => event.name)).toEqual([
      'connecting',
      'offered',
      'ready',
      'receiving',
    ])
    const complete = named(events, 'complete').map((event) => event.pid)
    expect(complete.sort()).toEqual([2, 3])
    expect(named(events, 'failed')[0]).toMatchObject({
      pid: 4,
      args: { reason: 'ERR_FR_NODE_LOST: killed' },
    })
    for (const name of ['plan', 'seal', 'finish'])
      expect(named(events, name).map((event) => event.pid)).toEqual([1])
  })

  it('counts what landed and what waits, now and then', () => {
    const { events, push } = traced(adaptiveDealer(bytes), 20_000, [9_000, 9_000])
    push.run()
    const landed = named(events, 'landed').filter((event) => event.pid === 2)
    expect(landed.length).toBeGreaterThan(push.nowMs / 200)
    for (const [i, event] of landed.entries()) {
      const before = landed[i - 1]
      if (before !== undefined) expect(event.ts - before.ts).toBeGreaterThanOrEqual(50_000)
    }
    const rates = named(events, 'bytes a second').filter((event) => event.pid === 2)
    const middle = rates[Math.floor(rates.length / 2)]?.args as { in: number; out: number }
    expect(middle.in).toBeGreaterThan(15e6)
    expect(middle.out).toBeGreaterThan(7e6)
    expect(named(events, 'backlog').length).toBeGreaterThan(10)
    expect(named(events, 'to mate 1').every((event) => event.pid === 2)).toBe(true)
  })

  it('rates a node by its own clock: reports that were held up are read together', () => {
    const { events, push } = traced(adaptiveDealer(bytes), 20_000, [9_000, 9_000])
    const clockMs = 1_000_000
    const tell = (atMs: number, landedBytes: number) =>
      push.from(1, {
        type: 'progress',
        atMs: clockMs + atMs,
        ...{ landedBytes, verifiedBytes: 0, repairedBytes: 0, sentBytes: landedBytes / 2 },
        ...{ holeBytes: 0, receivedBytes: landedBytes, duplicateBytes: 0 },
        ...{ mates: [], received: [], pulled: [] },
      })
    push.nowMs += 100
    tell(0, 0)
    push.nowMs += 3_000
    tell(100, 1_000_000)
    const shown = named(events, 'bytes a second').map(({ args }) => args)
    expect(shown).toEqual([
      { in: 0, out: 0 },
      { in: 10e6, out: 5e6 },
    ])
  })

  it('shows lags, needs, repairs and lost feeds where they happen, and keeps them', () => {
    const { rare, events, push, trace } = traced(adaptiveDealer(bytes), 20_000, [9_000, 9_000])
    push.run(300)
    const ranges = [[0, 64 * KIB]] as const
    push.from(0, { type: 'bad', offset: 0, length: 64 * KIB })
    push.from(0, { type: 'need', scratch: true, ranges })
    push.from(1, { type: 'edgeLost', member: 0, incoming: true, code: 'ERR_FR_NODE_LOST' })
    push.from(1, { type: 'need', scratch: false, ranges })
    const log = { type: 'note', level: 'info', member: 1, fields: { text: 'silent' } } as const
    trace.wishes([{ ...log, event: 'lags' }], 310)
    trace.wishes([{ ...log, event: 'lags' }], 320)
    trace.wishes([{ ...log, event: 'keeps-up' }], 340)
    trace.wishes([{ ...log, event: 'suspected' }], 350)
    const shown = rare.flatMap(({ pid, name, ph, tid }) =>
      pid > 1 && (tid === 4 || tid === 5) && ph !== 'M' ? [[pid, ph, name]] : [],
    )
    expect(shown).toEqual([
      [2, 'i', 'bad'],
      [2, 'i', 'repair'],
      [3, 'i', 'edge lost'],
      [3, 'i', 'need'],
      [3, 'B', 'lagging'],
      [3, 'E', 'lagging'],
      [3, 'i', 'suspected'],
    ])
    const answers = events.filter(isOn('pulls')).map((event) => [event.pid, event.name])
    expect(answers).toContainEqual([2, 'repair sent'])
    expect(answers).toContainEqual([3, 'answer sent'])
  })

  it('shows who pulled what from whom: the first bytes, changes, and the last count', () => {
    const { rare, events, push } = traced(adaptiveDealer(bytes), 20_000, [9_000, 9_000])
    push.run(300)
    const counts = { landedBytes: 0, verifiedBytes: 0, repairedBytes: 0, sentBytes: 0 }
    const tell = (...pulled: [number, number][]) =>
      push.from(1, {
        type: 'progress',
        atMs: push.nowMs,
        ...counts,
        mates: [],
        holeBytes: 0,
        receivedBytes: 0,
        duplicateBytes: 0,
        received: [],
        pulled: pulled.map(([member, bytes]) => ({ member, bytes })),
      })
    tell()
    push.run(100)
    tell([0, 10])
    push.run(100)
    tell([0, 10])
    push.run(100)
    tell([0, 30], [7, 5])
    // Too soon for another count: it is made up for at the end.
    tell([0, 31], [7, 6])
    const shown = () =>
      events.flatMap(({ pid, name, args }) =>
        name.startsWith('pulled from') ? [[pid, name, args?.['bytes']]] : [],
      )
    const before = [
      [3, 'pulled from mate 0', 10],
      [3, 'pulled from mate 0', 30],
      [3, 'pulled from mate 7', 5],
    ]
    expect(shown()).toEqual(before)
    push.kill(1)
    push.run()
    expect(shown()).toEqual([
      ...before,
      [3, 'pulled from mate 0', 31],
      [3, 'pulled from mate 7', 6],
    ])
    const first = rare.filter((event) => event.name.startsWith('pulls from'))
    expect(first.filter(isOn('pulls')).map(({ pid, name, args }) => [pid, name, args])).toEqual([
      [3, 'pulls from mate 0', { mate: 0, bytes: 10 }],
      [3, 'pulls from mate 7', { mate: 7, bytes: 5 }],
    ])
  })

  it('closes what is open when the push is cut short', () => {
    const { events, push, trace } = traced(adaptiveDealer(bytes), 20_000, [9_000, 9_000])
    push.run(300)
    trace.close(push.nowMs + 1)
    trace.close(push.nowMs + 2)
    const begun = events.filter((event) => event.ph === 'B').length
    expect(events.filter((event) => event.ph === 'E')).toHaveLength(begun)
  })
})
