/** Plans as a coordinator sends them and looks at counters, for tests of those who follow them. */
import type { OriginWish } from '../../../src/control/coordinator/events.js'
import type { Fact, OutgoingCount, Sample } from '../../../src/control/messages/facts.js'
import {
  type Frame,
  type Mate,
  type Member,
  originNumber,
  type PlanFrame,
} from '../../../src/control/messages/types.js'

export const originId = 'f'.repeat(32)

export const memberOf = (number: number): Mate => ({
  number,
  nodeId: `id${number}`,
  address: `n${number}:1`,
})

export const membersOf = (...nodes: number[]): Member[] => [
  { number: originNumber, nodeId: originId },
  ...nodes.map(memberOf),
]

/** A plan for `you` with these nodes, in which it relays to all others. */
export function planOf(
  you: number,
  nodes: readonly number[],
  over: Partial<PlanFrame> = {},
): PlanFrame {
  const to = nodes.filter((node) => node !== you).map((member) => ({ member, next: 0 }))
  return {
    type: 'plan',
    term: { counter: 1, member: originNumber },
    epoch: 1,
    you,
    phase: 'running',
    strategy: 'classic',
    shape: 'group',
    members: membersOf(...nodes),
    parents: [originNumber],
    routes: to.length === 0 ? [] : [{ route: 1, to }],
    avoid: [],
    siteShares: [],
    coordinator: originNumber,
    standbys: [],
    reportTo: originNumber,
    edges: [],
    progressMs: 250,
    reportMs: 0,
    ...over,
  }
}

export const nothingMoved = {
  landedBytes: 0,
  holeBytes: 0,
  scratchBytes: 0,
  sentBytes: 0,
  receivedBytes: 0,
  duplicateBytes: 0,
  incoming: [],
  outgoing: [],
} as const satisfies Omit<Sample, 'atMs'>

export const progressOf = (over: Partial<Frame & { type: 'progress' }>): Frame => ({
  type: 'progress',
  atMs: 0,
  ...{ landedBytes: 0, holeBytes: 0, verifiedBytes: 0, repairedBytes: 0 },
  ...{ sentBytes: 0, receivedBytes: 0, duplicateBytes: 0 },
  ...{ mates: [], received: [], pulled: [] },
  ...over,
})

/** A look at data connections that go out. */
export const sampledAt = (
  atMs: number,
  outgoing: readonly Omit<OutgoingCount, 'pulledBytes'>[] = [],
): Fact & { type: 'sampled' } => {
  const counts = outgoing.map((count) => ({ ...count, pulledBytes: 0 }))
  return { type: 'sampled', sample: { atMs, ...nothingMoved, outgoing: counts } }
}

/** Plans under which bytes flow, as they are sent to one node. */
export const runningPlans = (commands: readonly OriginWish[], node: number): PlanFrame[] =>
  commands.flatMap((command) => {
    if (command.type !== 'say' || command.member !== node) return []
    const { frame } = command
    return frame.type === 'plan' && frame.phase === 'running' ? [frame] : []
  })
