/** How a copy by order failed, and what may be responsible, as its target sees it. Pure. */
import type { FrErrorCode } from '../../base/errors.js'
import type { Ended } from '../../control/messages/mastering.js'
import { isOfStorage } from '../../store/disks/blame.js'

/** What the source does by itself, or says, however well the way to it works. */
const ofSource: ReadonlySet<FrErrorCode> = new Set([
  ...(['ERR_FR_DIGEST', 'ERR_FR_BAD_BLOCK', 'ERR_FR_PROTOCOL', 'ERR_FR_LIMIT'] as const),
  ...(['ERR_FR_NODE_CLOSED', 'ERR_FR_AUTH', 'ERR_FR_RIGHT', 'ERR_FR_ONLY', 'ERR_FR_SEAL'] as const),
  ...(['ERR_FR_IO', 'ERR_FR_DATA_DIR_GONE', 'ERR_FR_RELAY_ONLY', 'ERR_FR_VERSION'] as const),
])

/** `isHere`: it came to that at this node, and not at the source or on the way to it. */
export function failureOf(code: FrErrorCode, isHere: boolean): Pick<Ended, 'cause' | 'blames'> {
  if (isHere) return { cause: code, blames: isOfStorage(code) ? ['disk'] : [] }
  if (code === 'ERR_FR_NOT_HELD') return { cause: 'absent', blames: ['source'] }
  if (code === 'ERR_FR_SPOILT') return { cause: code, blames: ['links'] }
  return { cause: code, blames: ofSource.has(code) ? ['source'] : ['source', 'links'] }
}
