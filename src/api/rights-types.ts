/** What nodes are, who asked what of them, and whether they may. */
import type { AuditLine } from '../agent/authority.js'
import type { Attributes } from '../base/attributes.js'

export type { AuditLine }

export interface ClaimOptions {
  /** What the node says of itself, for criteria: `{ site: 'eu', gpu: '' }`. */
  attributes?: Attributes
}

export interface HolderOptions {
  /**
   * Who may hold what is pushed, by attributes: `site=eu && name=edge-*`. Nodes that do not qualify
   * are refused (ERR_FR_ONLY), and no node ever sends a byte of it to anybody else, now or later.
   */
  only?: string
}

export interface RightsStatus {
  /** What it says of itself. */
  readonly attributes: Attributes
  /** Requests of peers, the newest first: who asked what, and whether it may; a bounded number. */
  readonly audit: readonly AuditLine[]
}
