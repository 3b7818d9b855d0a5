/**
 * Who may hold a content: whoever is about to send bytes of it, on whatever way, asks here.
 *
 * A peer is judged by what it says of itself, which its greeting binds to its key, and at a node by
 * what its list of authorized peers says instead (agent/authority.ts).
 */
import type { Attributes } from '../base/attributes.js'
import { matchesCriteria, parseCriteria } from '../base/criteria.js'
import { FrError } from '../base/errors.js'
import type { Identity } from '../protocol/greeting.js'

export type Judged = Pick<Identity, 'nodeId' | 'attributes'>
export type AttributesOf = (peer: Judged | null) => Attributes

/** What a peer says of itself, and its id. */
export function claimsOf(peer: Judged | null): Attributes {
  return peer === null ? {} : { ...peer.attributes, id: peer.nodeId }
}

/** Why the peer may not have a content of these criteria; null: it may. */
export function holderFault(
  only: string | undefined,
  peer: Judged | null,
  attributesOf: AttributesOf = claimsOf,
): FrError | null {
  if (only === undefined) return null
  if (matchesCriteria(parseCriteria(only), attributesOf(peer))) return null
  return new FrError('ERR_FR_ONLY', `it may not have this content, which is only for: ${only}`)
}
