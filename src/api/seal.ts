/** Whether data connections are sealed: what callers say of it, and what that makes of a side. */
import type { Self } from '../net/handshake.js'
import { requireBoolean } from './checks.js'

export interface SealOptions {
  /**
   * What is sent is sealed by AES-256-GCM, and nobody but the two ends of a connection can read it.
   * By default only where a node wants it.
   */
  seal?: boolean
}

export interface SiteLinkOptions {
  sites: readonly [string, string]
  bytesPerSecond: number
  seal?: boolean
}

export interface NodeSealOptions extends SealOptions {
  /** As `seal`; and a push that would have a connection of this node otherwise is refused. */
  requireSeal?: boolean
}

/** Of a client: it decides for all connections, so nothing is left to be refused. */
export function sealOf({ seal }: SealOptions): Pick<Self, 'seal'> {
  requireBoolean('seal', seal)
  return seal === true ? { seal: 'required' } : {}
}

export function nodeSealOf({ seal, requireSeal }: NodeSealOptions): Pick<Self, 'seal'> {
  requireBoolean('seal', seal)
  requireBoolean('requireSeal', requireSeal)
  if (requireSeal === true) return { seal: 'required' }
  return seal === true ? { seal: 'wanted' } : {}
}
