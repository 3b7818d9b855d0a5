/** What a decision is to the target of its copy. */
import type { MasterWish } from './facts.js'
import type { Network } from './network.js'
import type { Decision } from './scheduler.js'
import type { Versions } from './versions.js'

export function wishOf(
  { kind, copy }: Decision,
  { network, versions }: { readonly network: Network; readonly versions: Versions },
): MasterWish {
  const node = network.nodeName(copy.target)
  if (kind === 'start') return { type: 'copy', node, copy, version: versions.of(copy.file) }
  return { type: kind, node, copy }
}
