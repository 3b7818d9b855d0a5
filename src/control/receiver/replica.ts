/**
 * What a standby holds of the coordinator's knowledge, so that it can take over: who takes part and
 * what each was dealt, as it last heard. Both are absolute values in the term of their coordinator.
 */
import type { Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { DealFrame, RosterEntry, RosterFrame } from '../messages/types.js'
import { isNewer } from '../plan/check.js'

export class Replica {
  /** All nodes, as the frames so far have told. */
  roster: RosterFrame | undefined
  deal: DealFrame | undefined

  /** Null: it is held. */
  take(frame: RosterFrame | DealFrame): Failure | null {
    const last = frame.type === 'roster' ? this.roster : this.deal
    if (last !== undefined && !isNewer(frame, last))
      return { code: 'ERR_FR_STALE', text: `a ${frame.type} that is not newer than the last` }
    if (frame.type === 'deal') this.deal = frame
    else return this.#merge(frame)
    return null
  }

  /** Each entry takes the place of what was known of its number. */
  #merge(frame: RosterFrame): Failure | null {
    const isSameTerm = this.roster?.term.counter === frame.term.counter
    const entries: RosterEntry[] = isSameTerm ? [...(this.roster?.entries ?? [])] : []
    for (const entry of frame.entries) {
      if (entry.number > entries.length || entry.number >= limits.placesPerPush)
        return { code: 'ERR_FR_PROTOCOL', text: `a roster without number ${entries.length}` }
      entries[entry.number] = entry
    }
    this.roster = { ...frame, entries }
    return null
  }
}
