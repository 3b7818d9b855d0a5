/**
 * What a standby holds of the coordinator's knowledge, so that it can take over: who takes part and
 * what each was dealt, as it last heard. Both are absolute values in the term of their coordinator.
 */
import type { Failure } from '../../base/errors.js'
import type { DealFrame, RosterFrame } from '../messages/types.js'
import { isNewer } from '../plan/check.js'

export class Replica {
  roster: RosterFrame | undefined
  deal: DealFrame | undefined

  /** Null: it is held. */
  take(frame: RosterFrame | DealFrame): Failure | null {
    const last = frame.type === 'roster' ? this.roster : this.deal
    if (last !== undefined && !isNewer(frame, last))
      return { code: 'ERR_FR_STALE', text: `a ${frame.type} that is not newer than the last` }
    if (frame.type === 'roster') this.roster = frame
    else this.deal = frame
    return null
  }
}
