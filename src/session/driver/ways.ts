/** How a node reaches the members that its plan names. */
import { bytesOfHex } from '../../base/bytes.js'
import type { Neighbourhood } from '../../control/receiver/neighbourhood.js'
import type { Edge } from '../../protocol/ticket.js'
import type { Way } from './neighbours.js'
import type { Place, Target } from './ports.js'

/** Undefined: the plan names none. */
export function edgeOf(plan: Neighbourhood, member: number): Edge | undefined {
  const { id, secret, sealed = false } = plan.edge(member) ?? {}
  const bytes = bytesOfHex(secret ?? '')
  return id === undefined || bytes === null ? undefined : { id, secret: bytes, isSealed: sealed }
}

export function wayTo(plan: Neighbourhood, member: number): Way {
  return { ...placeOf(plan, member), edge: edgeOf(plan, member) }
}

/** For a link on which bytes are asked for. */
export function pullTargetOf(plan: Neighbourhood, to: number): Target {
  const { nodeId = '' } = plan.member(to) ?? {}
  return { channel: 'pull', to, ...placeOf(plan, to), nodeId }
}

function placeOf(plan: Neighbourhood, member: number): Place {
  const { address = '', via, through } = plan.member(member) ?? {}
  return { address, via, through }
}
