/** What nodes are, who asked what of them, and whether they may. */
import type { AuditLine } from '../agent/authority.js'
import type { Attributes } from '../base/attributes.js'

export type { AuditLine }

export interface ClaimOptions {
  /** What the node says of itself, for criteria: `{ site: 'eu', gpu: '' }`. */
  attributes?: Attributes
}

export interface RightsStatus {
  /** What it says of itself. */
  readonly attributes: Attributes
  /** Requests of peers, the newest first: who asked what, and whether it may; a bounded number. */
  readonly audit: readonly AuditLine[]
}
