/** What came of a push whose nodes switch together, as the result tells it. Pure data. */
import type { CommitMode } from '../messages/commit.js'

export interface Committed {
  /** Of the decision; null: no node was asked, because too few had the file. */
  readonly id: string | null
  readonly mode: CommitMode
  /** in doubt: the nodes decide without the author, and all alike. */
  readonly verdict: 'committed' | 'aborted' | 'in doubt'
  /** HOST:PORT of nodes that have not said that they have switched. */
  readonly waitsFor: readonly string[]
}
