/** The port behind which a master keeps its state. */
import type { KeptEntry } from '../../control/messages/kept.js'

/** Where a master keeps it. Calls may overlap; they take effect in their order. */
export interface StateStore {
  /** Once, before anything else; rejects with ERR_FR_STATE where something of it is damaged. */
  load(): Promise<LoadedState>
  /** Durable when it resolves. After a rejection nothing is kept until a snapshot is. */
  append(entries: readonly KeptEntry[]): Promise<void>
  /** These are all there is; what was appended before is needed no more. */
  snapshot(entries: Iterable<KeptEntry>): Promise<void>
  /** A snapshot would be much smaller than all that was appended. */
  readonly isLarge: boolean
  close(): Promise<void>
}

export interface LoadedState {
  readonly entries: readonly KeptEntry[]
  /** What was found beside what is right, for people: a line each. */
  readonly notes: readonly string[]
}
