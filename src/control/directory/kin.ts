/** Nodes of one site that a child is told of, so that each hears of others. */
import { limits } from '../../base/limits.js'
import type { DirectoryPeer } from '../messages/directory.js'

interface Placed extends DirectoryPeer {
  readonly site: string
}

/**
 * Of its siblings those whose ids follow its own, then its parent, then whom the parent was told
 * of. Each list is a ring, so all nodes of a site that are siblings hang together by the next ones.
 */
export function kinFor(
  child: Placed,
  siblings: readonly Placed[],
  parent: Placed,
  told: readonly DirectoryPeer[],
): DirectoryPeer[] {
  if (child.site === '') return []
  const mates = siblings.filter(
    ({ site, nodeId }) => site === child.site && nodeId !== child.nodeId,
  )
  const found: DirectoryPeer[] = [...ring(mates, child.nodeId)]
  if (parent.site === child.site) found.push(parent, ...told)
  const seen = new Set([child.nodeId])
  const kin: DirectoryPeer[] = []
  for (const { nodeId, address } of found) {
    if (kin.length === limits.kinKnown) break
    if (!seen.has(nodeId)) kin.push({ nodeId, address })
    seen.add(nodeId)
  }
  return kin
}

/** By their ids, from the next one on. */
export function ring<T extends { readonly nodeId: string }>(all: readonly T[], from: string): T[] {
  const sorted = [...all].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
  const next = sorted.findIndex(({ nodeId }) => nodeId > from)
  return next <= 0 ? sorted : [...sorted.slice(next), ...sorted.slice(0, next)]
}
