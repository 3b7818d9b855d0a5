/** How a data connection to a member is opened, or why it is not. */
import type { Failure } from '../../base/errors.js'
import type { Edge } from '../../protocol/ticket.js'
import type { Place } from './ports.js'

export interface Way extends Place {
  /** Undefined: this side was given none, and the member lets nobody in without. */
  readonly edge: Edge | undefined
  /** Why, where this side may not. */
  readonly refusal?: Failure
}

export const noTicket: Failure = {
  code: 'ERR_FR_PROTOCOL',
  text: 'the origin gave no ticket for this member',
}
