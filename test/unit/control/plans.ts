/** Plans as a coordinator sends them, for tests of those who follow them. */
import type { OriginCommand } from '../../../src/control/coordinator/events.js'
import {
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
    coordinator: originNumber,
    standbys: [],
    reportTo: originNumber,
    edges: [],
    progressMs: 250,
    reportMs: 0,
    ...over,
  }
}

/** Plans under which bytes flow, as they are sent to one node. */
export const runningPlans = (commands: readonly OriginCommand[], node: number): PlanFrame[] =>
  commands.flatMap((command) => {
    if (command.type !== 'send' || command.node !== node) return []
    const { frame } = command
    return frame.type === 'plan' && frame.phase === 'running' ? [frame] : []
  })
