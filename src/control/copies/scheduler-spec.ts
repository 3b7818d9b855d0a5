/** What a scheduler decides by. */
import type { ComponentAccounts } from './components.js'
import type { Objective } from './demand.js'
import type { Network } from './network.js'
import type { Score } from './score.js'
import type { ViewKind } from './views.js'

export interface SchedulerSpec {
  readonly network: Network
  readonly score: Score
  readonly view: ViewKind
  readonly objective: Objective
  readonly components: ComponentAccounts
  /** The number of the first copy; 1 unless given. */
  readonly firstCopy?: number
}
