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

/** Throws ERR_FR_UNSUPPORTED: nodes that only pass on do so for one group. */
export function refuseRelays(shape: string): void {
  if (shape === 'group' || shape === 'unicast') return
  const most = limits.nodesPerGroup
  const instead = `say --shape group (at most ${most} nodes), or leave out --relay`
  throw unsupported(`relays beside groups that feed each other (${shape}): ${instead}`)
}

/**
 * Throws ERR_FR_UNSUPPORTED where a node that copies is to feed more nodes than its --max-feeds.
 */
export function refuseFeeds(shape: string, nodes: number, feeds = nodes): void {
  if (nodes <= feeds || (shape !== 'group' && shape !== 'unicast')) return
  throw unsupported(
    `shape ${shape} to ${nodes} nodes from one that feeds ${feeds} at most (--max-feeds)`,
  )
}

function unsupported(what: string): FrError {
  return new FrError('ERR_FR_UNSUPPORTED', `this version does not support ${what}`)
}
