/** What the control API tells, by the types of what it is made of. Types alone. */

export type {
  ComponentTold,
  NodeTold,
  PlanTold,
  ResourceTold,
  SetTold,
} from '../api/master-client-types.js'
export type { MasterStatus } from '../api/master-types.js'
export type {
  FileVersion,
  HeldFile,
  NodeOutcome,
  NodeStatus,
  Plan,
  Progress,
} from '../api/types.js'
export type {
  SourcesTold,
  TransferSummary,
  TransferTold,
} from '../doors/control/transfer-schemas.js'

import type { NodeStatus, Progress } from '../api/types.js'

export type NodeTransfer = NodeStatus['transfers'][number]
export type NodeProgress = Progress['nodes'][number]
export type Fault = Progress['faults'][number]
