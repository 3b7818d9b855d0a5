/** Options and results of questions to a master; its rows are in control/messages/told.ts. */
import type { SetChange } from '../control/messages/told.js'
import type { Credentials } from './credential-types.js'

export type {
  AuditTold,
  CandidateTold,
  ComponentTold,
  ExplainState,
  ExplainTold,
  NodeTold,
  PlanTold,
  ResourceTold,
  SetChange,
  SetTold,
} from '../control/messages/told.js'

export interface MasterAskOptions extends Credentials {
  signal?: AbortSignal
  timeoutMs?: number
}

export interface PlanOptions extends MasterAskOptions {
  /** Of this file only. */
  name?: string
}

export interface ApplySetsOptions extends MasterAskOptions {
  /** Sets of the master that are not among those that are given go. */
  prune?: boolean
  /** Nothing is changed. */
  dryRun?: boolean
}

export interface SetsAppliedResult {
  readonly event: 'sets'
  /** HOST:PORT of the master. */
  readonly master: string
  readonly dryRun: boolean
  /** False: the disk of the master takes nothing, and what was applied ends with it. */
  readonly isKept: boolean
  readonly changes: readonly SetChange[]
}

export interface DrainOptions extends MasterAskOptions {
  /** The node is used again. */
  undo?: boolean
}

export interface DrainResult {
  readonly event: 'drained'
  readonly master: string
  readonly node: string
  readonly isDrained: boolean
  /** Copies from it and to it that were under way. */
  readonly copies: number
  readonly isKept: boolean
}
