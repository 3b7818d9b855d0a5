/** Nodes that join a push that runs, added or ready late, as the machine of the origin has it. */

import { describe, expect, it } from 'vitest'
import { limits } from '../../../../src/base/limits.js'
import type { OriginWish } from '../../../../src/control/coordinator/events.js'
import { pushView } from '../../../../src/control/view/push-view.js'
import { memberOf, membersOf, progressOf, runningPlans, sampledAt } from '../plans.js'
import { type BenchOptions, block, frames, has, Bench as OriginBench } from './origin-support.js'

const bytes = 8 * block
const unchanged = { type: 'sourceChecked', isDoubtful: false } as const

class Bench extends OriginBench {
  constructor(nodes = 2, over: BenchOptions = {}) {
    const usual = { bytes, connectMs: limits.connectMs, retries: 0, allowAdd: true } as const
    super(nodes, { ...usual, strategy: 'classic', ...over })
  }

  add(address: string, request = 0): OriginWish[] {
    return this.feed({ type: 'nodeAdded', request, link: { address } })
  }

  get statuses(): unknown[] {
    return this.machine.peers.map((peer) => peer.outcome?.status ?? null)
  }
}

const listed = (commands: OriginWish[], node: number) =>
  commands.flatMap((c) =>
    c.type === 'list' && c.member === node && c.route === 0
      ? [[c.offset / block, c.length / block]]
      : [],
  )
const digestsTo = (commands: OriginWish[], node: number) =>
  commands.flatMap((c) =>
    c.type === 'sendDigests' && c.member === node && c.route === 0
      ? [[c.offset / block, c.length / block]]
      : [],
  )
const answers = (commands: OriginWish[]) =>
  commands.flatMap((c) => (c.type === 'answerAdd' ? [[c.request, c.failure?.code ?? null]] : []))

describe('a node that is added', () => {
  it('is dialled, offered the file, and joins when it is ready', () => {
    const bench = new Bench()
    bench.ready(0, 1)
    expect(bench.add('n2:1', 7)).toMatchObject([{ type: 'note' }, { type: 'connect', member: 2 }])
    expect(bench.feed({ type: 'linked', member: 2, nodeId: 'id2' })).toMatchObject([
      { type: 'offer', member: 2, planned: true },
      { type: 'feed', member: 2 },
      { type: 'say', member: 2, frame: { type: 'plan', you: 2, phase: 'forming' } },
    ])
    expect(answers(bench.from(2, { type: 'accept', have: [] }))).toEqual([])
    const commands = bench.feed({ type: 'fedOut', member: 2 })
    expect(answers(commands)).toEqual([[7, null]])
    expect(runningPlans(commands, 2)).toMatchObject([{ routes: [], members: membersOf(0, 1, 2) }])
    for (const node of [0, 1])
      expect(runningPlans(commands, node)).toMatchObject([{ members: membersOf(0, 1, 2) }])
    // The equal shares of the others cover the file: the origin brings nothing.
    expect(listed(commands, 2)).toEqual([])
    expect(has(commands, 'announcePlan')).toBe(false)
  })

  it('has all digests from the origin: the known ones at once, the others as they are made', () => {
    const bench = new Bench()
    bench.ready(0, 1)
    bench.hashed(0, 3)
    bench.add('n2:1')
    expect(digestsTo(bench.ready(2), 2)).toEqual([[0, 3]])
    expect(digestsTo(bench.hashed(3, 5), 2)).toEqual([[3, 5]])
    expect(digestsTo(bench.sealed().complete(0), 2)).toEqual([])
  })

  it('is sealed with the others, or at once when they are', () => {
    const early = new Bench()
    early.ready(0, 1)
    early.add('n2:1')
    expect(frames(early.ready(2), 2, 'seal')).toEqual([])
    early.hashed(0, 8)
    early.feed(unchanged)
    const sealed = early.feed({ type: 'summed', fileDigest: 'digest' })
    expect(frames(sealed, 2, 'seal')).toHaveLength(1)

    const late = new Bench()
    late.ready(0, 1)
    late.sealed().add('n2:1')
    const types = late
      .ready(2)
      .flatMap((c) => (c.type === 'say' && c.member === 2 ? [c.frame.type] : []))
    expect(types).toEqual(['plan', 'plan', 'roster', 'lagging', 'seal'])
  })

  it('keeps the push from ending until it has its outcome', () => {
    const bench = new Bench()
    bench.ready(0, 1)
    bench.sealed().add('n2:1')
    expect(has([...bench.complete(0), ...bench.complete(1)], 'end')).toBe(false)
    const joined = bench.ready(2)
    // Who is complete serves it.
    expect(runningPlans(joined, 0)).toMatchObject([{ members: membersOf(0, 1, 2) }])
    const ended = bench.complete(2)
    for (const node of [0, 1, 2]) expect(frames(ended, node, 'finish')).toHaveLength(1)
    expect(ended.at(-1)).toEqual({ type: 'end', failure: null })
    expect(bench.add('n3:1')).toEqual([])
  })

  it('is sent by the origin what a lost node had', () => {
    const bench = new Bench(4)
    bench.ready(0, 1, 2, 3)
    bench.lost(1)
    bench.add('n4:1')
    const commands = bench.ready(4)
    expect(listed(commands, 4)).toEqual([[2, 2]])
    expect(runningPlans(commands, 4)).toMatchObject([{ members: membersOf(0, 2, 3, 4) }])
    expect(runningPlans(commands, 1)).toEqual([])
    // From now on it is one of the survivors.
    expect(frames(bench.lost(2), 4, 'detour')).toMatchObject([{ member: 2, why: 'broken' }])
  })

  it('gets everything from the origin where nobody relays, or nobody is left', () => {
    const unicast = new Bench(2, { shape: 'unicast', strategy: 'adaptive' })
    unicast.ready(0, 1)
    unicast.add('n2:1')
    const commands = unicast.ready(2)
    expect(listed(commands, 2)).toEqual([[0, 8]])
    expect(runningPlans(commands, 2)).toMatchObject([{ routes: [], shape: 'unicast' }])

    const alone = new Bench(2)
    alone.ready(0, 1)
    alone.add('n2:1')
    alone.lost(0)
    expect(has(alone.lost(1), 'end')).toBe(false)
    expect(listed(alone.ready(2), 2)).toEqual([[0, 8]])
    alone.sealed()
    expect(alone.complete(2).at(-1)).toEqual({ type: 'end', failure: null })
    expect(alone.statuses).toEqual(['failed', 'failed', 'complete'])
  })

  it('that dies is one of the failed, and what it was dealt goes another way', () => {
    const bench = new Bench(2, { strategy: 'adaptive' })
    bench.ready(0, 1)
    bench.add('n2:1')
    bench.ready(2)
    const commands = bench.lost(2)
    expect(bench.statuses).toEqual([null, null, 'failed'])
    for (const node of [0, 1])
      expect(frames(commands, node, 'detour')).toMatchObject([{ member: 2, why: 'broken' }])
  })

  it('may come a second time after it has failed, and then that counts', () => {
    const bench = new Bench()
    bench.ready(0, 1)
    bench.add('n2:1')
    expect(answers(bench.add('n2:1', 1))).toEqual([[1, 'ERR_FR_SAME_NODE']])
    bench.ready(2)
    expect(answers(bench.add('n2:1', 2))).toEqual([[2, 'ERR_FR_SAME_NODE']])
    bench.lost(2)
    expect(has(bench.add('n2:1', 3), 'connect')).toBe(true)
    const commands = bench.feed(
      { type: 'linked', member: 3, nodeId: 'id2' },
      { type: 'said', member: 3, frame: { type: 'accept', have: [] } },
      { type: 'fedOut', member: 3 },
    )
    expect(answers(commands)).toEqual([[3, null]])
    expect(runningPlans(commands, 3)).toMatchObject([
      { members: [...membersOf(0, 1), { ...memberOf(3), nodeId: 'id2', address: 'n2:1' }] },
    ])
    expect(bench.machine.peers.map((peer) => peer.isSuperseded)).toEqual([
      false,
      false,
      true,
      false,
    ])
  })

  it.each<[string, string, (bench: Bench) => OriginWish[]]>([
    [
      'unreachable',
      'ERR_FR_UNREACHABLE',
      (bench) => {
        bench.feed({ type: 'unlinked', member: 2, code: 'ERR_FR_UNREACHABLE', text: 'refused' })
        bench.nowMs += limits.connectMs
        return bench.feed({ type: 'due' })
      },
    ],
    [
      'the same node again',
      'ERR_FR_SAME_NODE',
      (bench) => bench.feed({ type: 'linked', member: 2, nodeId: 'id0' }),
    ],
    [
      'full',
      'ERR_FR_NO_SPACE',
      (bench) => [
        ...bench.feed({ type: 'linked', member: 2, nodeId: 'id2' }),
        ...bench.from(2, { type: 'refuse', code: 'ERR_FR_NO_SPACE', text: 'full' }),
      ],
    ],
    [
      'silent',
      'ERR_FR_TIMEOUT',
      (bench) => {
        bench.feed({ type: 'linked', member: 2, nodeId: 'id2' })
        bench.nowMs += limits.acceptMs
        return bench.feed({ type: 'due' })
      },
    ],
  ])('that is %s is answered by name', (_, code, happens) => {
    const bench = new Bench()
    bench.ready(0, 1)
    bench.add('n2:1', 5)
    expect(answers(happens(bench))).toEqual([[5, code]])
    expect(bench.machine.peers[2]?.outcome?.reason).toContain(code)
  })

  it('is answered for also when the push is cancelled', () => {
    const bench = new Bench()
    bench.ready(0, 1)
    bench.add('n2:1', 5)
    bench.from(0, { type: 'join', request: 8, node: { address: 'n3:1' } })
    const commands = bench.feed({ type: 'stopped', text: 'by the caller' })
    expect(answers(commands)).toEqual([[5, 'ERR_FR_ABORTED']])
    expect(frames(commands, 0, 'joined')).toMatchObject([{ request: 8, code: 'ERR_FR_ABORTED' }])
  })

  it('is one of a group of 64 at most', () => {
    const bench = new Bench(2)
    bench.ready(0, 1)
    for (let i = 2; i < limits.nodesPerGroup; i++) expect(answers(bench.add(`n${i}:1`))).toEqual([])
    expect(answers(bench.add('n64:1', 9))).toEqual([[9, 'ERR_FR_LIMIT']])
  })
})

describe('a node that another asks for', () => {
  it('is answered to that node alone', () => {
    const bench = new Bench()
    bench.ready(0, 1)
    const node = { address: 'n2:1', via: 'gateway:1', site: 'there' }
    const asked = bench.from(1, { type: 'join', request: 3, node })
    expect(has(asked, 'connect')).toBe(true)
    expect(bench.machine.peers[2]?.link).toEqual(node)
    const commands = bench.ready(2)
    expect(frames(commands, 1, 'joined')).toEqual([
      { type: 'joined', request: 3, code: null, text: '' },
    ])
    expect(frames(commands, 0, 'joined')).toEqual([])
    expect(answers(commands)).toEqual([])
  })

  it('is refused by name: known, too many at once, or asked for before the plan', () => {
    const bench = new Bench(3)
    bench.ready(0)
    const code = (commands: OriginWish[], node = 0) =>
      frames(commands, node, 'joined').map((frame) => frame.code)
    expect(code(bench.from(0, { type: 'join', request: 0, node: { address: 'x:1' } }))).toEqual([
      'ERR_FR_NO_TRANSFER',
    ])
    bench.ready(1, 2)
    expect(code(bench.from(0, { type: 'join', request: 1, node: { address: 'n1:1' } }))).toEqual([
      'ERR_FR_SAME_NODE',
    ])
    for (let i = 0; i < limits.joinsPerNode; i++)
      expect(
        code(bench.from(0, { type: 'join', request: 2, node: { address: `x${i}:1` } })),
      ).toEqual([])
    expect(code(bench.from(0, { type: 'join', request: 2, node: { address: 'y:1' } }))).toEqual([
      'ERR_FR_LIMIT',
    ])
    expect(code(bench.from(1, { type: 'join', request: 2, node: { address: 'y:1' } }), 1)).toEqual(
      [],
    )
    // The asker dies: nobody is told, the nodes join all the same.
    bench.lost(0)
    const node = bench.machine.peers.length - 1
    expect(frames(bench.ready(node), 1, 'joined')).toHaveLength(1)
  })
})

describe('a node that is ready late', () => {
  it.each(['connecting', 'deciding'])('is not waited for while it is %s, and joins', (how) => {
    const bench = new Bench(3)
    if (how === 'deciding') {
      bench.feed({ type: 'linked', member: 1, nodeId: 'id1' })
      bench.from(1, { type: 'claimed' })
    }
    bench.nowMs = 100
    bench.ready(0)
    bench.nowMs = 200
    expect(has(bench.ready(2), 'announcePlan')).toBe(false)
    expect(bench.machine.deadlineMs()).toBe(100 + limits.readyMs)
    bench.nowMs = 99 + limits.readyMs
    expect(has(bench.feed({ type: 'due' }), 'announcePlan')).toBe(false)
    bench.nowMs = 100 + limits.readyMs
    const commands = bench.feed({ type: 'due' })
    expect(commands.find((c) => c.type === 'announcePlan')).toMatchObject({
      plan: { shape: 'group', nodes: [0, 2] },
    })
    expect(runningPlans(bench.ready(1), 1)).toMatchObject([{ members: membersOf(0, 1, 2) }])
  })

  it('is waited for longer where the handshakes of very many take longer', () => {
    const nodes = limits.nodesPerGroup + 100
    const bench = new Bench(nodes, { shape: 'chain' })
    bench.ready(0)
    const dueMs = limits.readyMs + 100 * limits.readyMsPerNode
    bench.nowMs = dueMs - 1
    expect(has(bench.feed({ type: 'due' }), 'announcePlan')).toBe(false)
    bench.nowMs = dueMs
    expect(has(bench.feed({ type: 'due' }), 'announcePlan')).toBe(true)
  })

  it('has its time to connect; who never does is failed by name', () => {
    const bench = new Bench(2)
    bench.ready(0)
    bench.nowMs = limits.readyMs
    expect(has(bench.feed({ type: 'due' }), 'announcePlan')).toBe(true)
    // Alone, but it relays: that is its history for the other.
    expect(bench.machine.peers[0]?.relay).toBe('relays')
    for (; bench.nowMs < limits.connectMs; bench.nowMs += 100)
      bench.from(0, progressOf({ atMs: bench.nowMs, landedBytes: bench.nowMs }))
    bench.feed({ type: 'due' })
    expect(bench.statuses).toEqual([null, 'failed'])
    expect(bench.machine.peers[1]?.outcome?.reason).toContain('ERR_FR_UNREACHABLE')
  })

  it('is waited for again when all who were ready are gone', () => {
    const bench = new Bench(2)
    bench.ready(0)
    bench.nowMs = 100
    bench.lost(0)
    bench.nowMs = 400
    bench.feed({ type: 'linked', member: 1, nodeId: 'id1' })
    bench.from(1, { type: 'claimed' })
    bench.add('n2:1')
    bench.ready(2)
    expect(bench.machine.deadlineMs()).toBe(400 + limits.readyMs)
  })
})

describe('adaptive dealing with a node that joins', () => {
  const report = (bench: Bench, node: number, landedBytes: number) =>
    bench.from(node, {
      type: 'backlog',
      atMs: bench.nowMs,
      landedBytes,
      receivedBytes: landedBytes,
      backlogBytes: 0,
      behind: [],
    })
  const shown = (bench: Bench, node: number) => {
    const file = { transfer: '', bytes: 64 * block, dataBytes: 0, warnings: [], seconds: 1 }
    return pushView(bench.machine, {
      ...file,
      boundSeconds: null,
      originBytesSent: 0,
      originSite: null,
    }).nodes[node]
  }
  const look = (bench: Bench) => {
    bench.nowMs += 10
    return bench.feed(sampledAt(bench.nowMs))
  }

  it('has it relay, and leaves it out of the backlogs until it is level', () => {
    const bytes = 64 * block
    const bench = new Bench(2, { strategy: 'adaptive', bytes })
    bench.ready(0, 1)
    bench.add('n2:1')
    const joined = bench.ready(2)
    expect(runningPlans(joined, 2)).toMatchObject([{ routes: [{ route: 1 }] }])
    for (const node of [0, 1, 2])
      expect(frames(joined, node, 'lagging')).toMatchObject([{ members: [2] }])
    expect(joined.some((c) => c.type === 'note' && c.event === 'lags')).toBe(false)
    expect(shown(bench, 2)).toMatchObject({ isCatchingUp: true, isLagging: false })
    for (const node of [0, 1]) report(bench, node, bytes)
    expect(frames(look(bench), 0, 'lagging')).toEqual([])
    report(bench, 2, bytes)
    const level = look(bench)
    for (const node of [0, 1, 2])
      expect(frames(level, node, 'lagging')).toMatchObject([{ members: [] }])
    expect(level.some((c) => c.type === 'note' && c.event === 'keeps-up')).toBe(true)
    expect(shown(bench, 2)).toMatchObject({ isCatchingUp: false, isLagging: false })
    // From here on it is one of them: to be silent is to lag.
    for (let i = 0; i < 40; i++) {
      for (const node of [0, 1]) report(bench, node, bytes)
      look(bench)
    }
    expect(shown(bench, 2)).toMatchObject({ isCatchingUp: false, isLagging: true })
    expect(shown(bench, 0)).toMatchObject({ isCatchingUp: false, isLagging: false })
  })
})
