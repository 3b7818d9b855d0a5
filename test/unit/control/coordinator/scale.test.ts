/**
 * What one fact costs the coordinator, whatever the number of nodes: how often it looks at a node,
 * at 10 and at 1,000 nodes. How long it takes is in `npm run bench -- micro`.
 */
import { describe, expect, it } from 'vitest'
import { GIB, KIB, limits } from '../../../../src/base/limits.js'
import type { OriginFact, OriginWish } from '../../../../src/control/coordinator/events.js'
import { Extent } from '../../../../src/control/coordinator/extent.js'
import { OriginMachine } from '../../../../src/control/coordinator/machine.js'
import { dealerOf } from '../../../../src/control/dealing/strategies.js'
import { Detector } from '../../../../src/control/members/detector.js'
import { Peer } from '../../../../src/control/members/peer.js'
import type { Frame } from '../../../../src/control/messages/types.js'
import { progressOf, sampledAt } from '../plans.js'
import { completeFrame } from './origin-support.js'

const groupSize = 3
const block = 64 * KIB
const bytes = GIB

/** A push to groups in a chain, in which all but the last node take part. */
class Push {
  readonly nodes: number
  readonly machine: OriginMachine
  nowMs = 0

  constructor(nodes: number) {
    this.nodes = nodes
    const links = Array.from({ length: nodes }, (_, node) => ({ address: `n${node}:1` }))
    const { reachMs: connectMs, silenceMs, progressMs } = limits
    const file = { extent: new Extent(bytes, block), digestBytes: 8 }
    const times = { connectMs, silenceMs, progressMs }
    const dealer = dealerOf('adaptive', 'chain', bytes, block, {}, [], { groupSize })
    const config = { ...file, nodeId: 'f'.repeat(32), nodes: links, ...times }
    this.machine = new OriginMachine(config, dealer, 0)
    this.machine.start()
    for (let node = 0; node < nodes - 1; node++) {
      this.tell({ type: 'linked', member: node, nodeId: `id${node}` })
      this.tell({ type: 'said', member: node, frame: { type: 'accept', have: [] } })
      this.tell({ type: 'fedOut', member: node })
    }
    // Nobody waits for the last one any more.
    const many = Math.max(0, nodes - limits.nodesPerGroup)
    this.nowMs = limits.readyMs + limits.readyMsPerNode * many
    this.tell({ type: 'due' })
    this.tell({ type: 'summed', fileDigest: 'digest' })
    for (let node = 0; node < nodes - 1; node++) this.report(node, 1)
    this.tick()
  }

  get last(): number {
    return this.nodes - 1
  }

  tell(...facts: OriginFact[]): OriginWish[] {
    const wishes = facts.flatMap((fact) => this.machine.handle(fact, this.nowMs))
    const samples = wishes.filter(({ type }) => type === 'sample')
    for (const _ of samples) wishes.push(...this.machine.handle(this.sample, this.nowMs))
    return wishes
  }

  /** Of the feeds on which anything waits. */
  get sample(): OriginFact {
    const feed = { sentBytes: 1, queuedBytes: 0, unackedBytes: 0 }
    return sampledAt(
      this.nowMs,
      [0, 1].map((member) => ({ member, ...feed })),
    )
  }

  report(node: number, landedBytes: number): void {
    const atMs = Math.round(this.nowMs)
    const counts = { landedBytes, receivedBytes: landedBytes }
    const from = { member: node === 0 ? 1 : node - 1, bytes: landedBytes }
    const frame = progressOf({ atMs, ...counts, received: [from] })
    this.tell({ type: 'said', member: node, frame })
    const backlog = { type: 'backlog', atMs, ...counts, backlogBytes: 0, behind: [] } as const
    this.tell({ type: 'said', member: node, frame: backlog })
  }

  said(member: number, frame: Frame): void {
    this.tell({ type: 'said', member, frame })
  }

  link(): void {
    this.tell({ type: 'linked', member: this.last, nodeId: `id${this.last}` })
  }

  hashed(): void {
    const run = { offset: 0, length: block, digests: new Uint8Array(8) }
    this.tell({ type: 'hashed', part: 'file', ...run })
  }

  tick(): void {
    this.nowMs = Math.max(this.nowMs, this.machine.deadlineMs() ?? 0)
    this.tell({ type: 'due' })
  }
}

/** In the second group. */
const middle = groupSize

/** What happens to a push under way. */
const facts: Record<string, (push: Push) => void> = {
  'a report': (push) => push.report(middle, 5),
  'a report of the first group': (push) => push.report(0, 5),
  'some ticks': (push) => {
    for (let i = 0; i < 5; i++) push.tick()
  },
  'a look-up': (push) => push.tell({ type: 'lookUpBegan', member: push.last }),
  'a failed dial': (push) =>
    push.tell({ type: 'unlinked', member: push.last, code: 'ERR_FR_UNREACHABLE', text: '' }),
  'a node that refuses': (push) => {
    push.link()
    push.said(push.last, { type: 'refuse', code: 'ERR_FR_NAME', text: '' })
  },
  'a node that joins': (push) => {
    push.link()
    push.said(push.last, { type: 'claimed' })
    push.said(push.last, { type: 'accept', have: [] })
    push.tell({ type: 'fedOut', member: push.last })
    push.tick()
  },
  'digests of the source': (push) => push.hashed(),
  'a broken feed to a mate': (push) => {
    const how = { incoming: true, code: 'ERR_FR_OPEN' } as const
    push.said(middle, { type: 'edgeLost', member: middle + 1, ...how })
  },
  'what a node lacks': (push) =>
    push.said(middle, { type: 'need', scratch: false, ranges: [[0, block]] }),
  'what a node found bad': (push) => push.said(middle, { type: 'bad', offset: 0, length: block }),
  'a node that is complete': (push) => push.said(middle, completeFrame(bytes)),
}

/** How often anything is asked of a node while this runs. */
function looks(run: () => void): number {
  let count = 0
  const undo: (() => void)[] = []
  const watch = (target: object, name: string, key: 'get' | 'value'): void => {
    const known = Object.getOwnPropertyDescriptor(target, name) as PropertyDescriptor
    const right = known[key] as (this: unknown, ...args: unknown[]) => unknown
    const counted = function (this: unknown, ...args: unknown[]): unknown {
      count++
      return right.apply(this, args)
    }
    Object.defineProperty(target, name, { ...known, [key]: counted })
    undo.push(() => Object.defineProperty(target, name, known))
  }
  for (const name of ['phase', 'isServing', 'hasLink', 'dueMs', 'presence', 'outcome'])
    watch(Peer.prototype, name, 'get')
  watch(Detector.prototype, 'health', 'value')
  try {
    run()
  } finally {
    for (const one of undo) one()
  }
  return count
}

const looksAt = (nodes: number, fact: (push: Push) => void): number => {
  const push = new Push(nodes + 1)
  expect(push.machine.peers.filter(({ phase }) => phase === 'running')).toHaveLength(nodes)
  // Whoever comes finds a place in the last group.
  push.tell({ type: 'unlinked', member: nodes - 1, code: 'ERR_FR_AUTH', text: '' })
  return looks(() => fact(push))
}

describe('the coordinator looks at no more nodes at 1,000 than at 12 for', () => {
  it.each(Object.entries(facts))('%s', (_, fact) => {
    const few = looksAt(12, fact)
    expect(few).toBeGreaterThan(0)
    expect(looksAt(1_000, fact)).toBeLessThanOrEqual(few + groupSize)
  })
})

it('a node that is lost costs a plan for each group that its columns pass', () => {
  const lost = (push: Push): void => {
    push.tell({ type: 'unlinked', member: middle, code: 'ERR_FR_AUTH', text: '' })
  }
  const groups = (nodes: number): number => Math.ceil(nodes / groupSize)
  const each = looksAt(10, lost) / groups(10)
  expect(looksAt(1_000, lost) / groups(1_000)).toBeLessThanOrEqual(each)
})
