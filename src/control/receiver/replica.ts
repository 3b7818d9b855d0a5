/**
 * What a standby holds of the coordinator's knowledge, so that it can take over: who takes part, as
 * it last heard.
 */
import type { Failure } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { RosterEntry, RosterFrame } from '../messages/types.js'
import { isNewer } from '../plan/check.js'

export class Replica {
  /** All nodes, as the frames so far have told. */
  roster: RosterFrame | undefined

  /** Null: it is held. */
  take(frame: RosterFrame): Failure | null {
    if (this.roster === undefined || isNewer(frame, this.roster)) return this.#merge(frame)
    return { code: 'ERR_FR_STALE', text: 'a roster that is not newer than the last' }
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
