/** How a node reaches the members that its plan names. */
import { bytesOfHex } from '../../base/bytes.js'
import type { Neighbourhood } from '../../control/receiver/neighbourhood.js'
import type { Edge } from '../../protocol/ticket.js'
import type { Place, Target } from './ports.js'
import type { Way } from './way.js'

/** Undefined: the plan names none. */
export function edgeOf(plan: Neighbourhood, member: number): Edge | undefined {
  const { id, secret, sealed = false } = plan.edge(member) ?? {}
  const bytes = bytesOfHex(secret ?? '')
  return id === undefined || bytes === null ? undefined : { id, secret: bytes, isSealed: sealed }
}

/** Who may take part with this side, by node id; absent: everybody that the plan names. */
export type Admits = ((nodeId: string) => boolean) | undefined

export interface Ways {
  to(member: number): Way
  /** Who is not known yet may take part. */
  admits(member: number): boolean
}

export function waysOf(plan: Neighbourhood, admits: Admits): Ways {
  return {
    to: (member) => wayTo(plan, member, admits),
    admits: (member) => isAdmitted(plan, member, admits),
  }
}

function wayTo(plan: Neighbourhood, member: number, admits: Admits): Way {
  if (isAdmitted(plan, member, admits))
    return { ...placeOf(plan, member), edge: edgeOf(plan, member) }
  const text = `member ${member} is not among the authorized peers`
  return { ...placeOf(plan, member), edge: undefined, refusal: { code: 'ERR_FR_AUTH', text } }
}

function isAdmitted(plan: Neighbourhood, member: number, admits: Admits): boolean {
  const { nodeId } = plan.mate(member) ?? {}
  return admits === undefined || nodeId === undefined || admits(nodeId)
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
