/**
 * What this version does not support is refused with ERR_FR_UNSUPPORTED, never approximated.
 */
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'

export interface PlanWishes {
  readonly shape: string
  readonly groupSize: number | undefined
  readonly nodes: number
}

/** Throws ERR_FR_UNSUPPORTED naming the first wish that cannot be met. */
export function refuseUnsupported(wishes: PlanWishes): void {
  const most = Math.min(wishes.groupSize ?? limits.nodesPerGroup, limits.nodesPerGroup)
  if (wishes.shape === 'group' && wishes.nodes > most)
    throw unsupported(`one group of ${wishes.nodes} nodes, where ${most} are the most`)
}

function unsupported(what: string): FrError {
  return new FrError('ERR_FR_UNSUPPORTED', `this version does not support ${what}`)
}
