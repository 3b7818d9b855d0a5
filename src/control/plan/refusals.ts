/**
 * What this version does not support is refused with ERR_FR_UNSUPPORTED, never approximated.
 */
import { FrError } from '../../base/errors.js'

export interface PlanWishes {
  readonly shape: string
  readonly groupSize: number | undefined
  readonly nodes: number
  readonly hasUploadLimit: boolean
}

/** Throws ERR_FR_UNSUPPORTED naming the first wish that cannot be met. */
export function refuseUnsupported(wishes: PlanWishes): void {
  if (!['auto', 'group', 'unicast'].includes(wishes.shape))
    throw unsupported(`shape '${wishes.shape}'`)
  if (wishes.groupSize !== undefined && wishes.groupSize < wishes.nodes) {
    throw unsupported(
      `a group size of ${wishes.groupSize} for ${wishes.nodes} nodes (several groups)`,
    )
  }
  if (wishes.hasUploadLimit) throw unsupported('an upload limit')
}

function unsupported(what: string): FrError {
  return new FrError('ERR_FR_UNSUPPORTED', `this version does not support ${what}`)
}
