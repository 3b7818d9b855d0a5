/** What a push whose nodes switch together cannot have. */
import { requireFewEnough } from '../agent/commit-author.js'
import { FrError } from '../base/errors.js'
import type { CommitMode } from '../control/messages/commit.js'
import type { NodeLink } from '../control/plan/plan.js'

/** Throws ERR_FR_UNSUPPORTED or ERR_FR_LIMIT for what cannot go together. */
export function refuseWithCommit(
  mode: CommitMode | undefined,
  nodes: readonly NodeLink[],
  others: Readonly<Record<string, boolean>>,
): void {
  if (mode === undefined) return
  const [other] = Object.entries(others).find(([, isGiven]) => isGiven) ?? []
  if (other !== undefined)
    throw new FrError('ERR_FR_UNSUPPORTED', `this version has no commit with ${other}`)
  if (nodes.some(({ via }) => via !== undefined)) {
    const text = 'this version has no commit with nodes behind gateways (via)'
    throw new FrError('ERR_FR_UNSUPPORTED', text)
  }
  requireFewEnough(nodes.length)
}
