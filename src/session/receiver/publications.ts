/** What is done with a whole partial: by what the offer says that it is. */
import { decodeName } from '../../protocol/manifest.js'
import type { Partial } from '../../store/partial.js'
import type { Hasher } from '../hasher.js'
import { BundlePublication } from './bundle.js'
import type { NodeHost } from './node-host.js'
import { FilePublication, type Publication } from './publish.js'
import type { ReceptionSpec } from './spec.js'

/** Throws ERR_FR_UNSUPPORTED where the node takes no trees. */
export function publicationOf(
  host: NodeHost,
  partial: Partial,
  hasher: Hasher,
  spec: ReceptionSpec,
): Publication {
  const name = decodeName(spec.entry)
  const { originId, tree } = spec
  // Who only sends what it holds, or passes on what comes, publishes nothing.
  if (tree === undefined || spec.role !== 'receiver')
    return new FilePublication(host, partial, name, hasher, spec)
  if (tree.isBundle) return new BundlePublication(host, partial, name, spec)
  const other = tree.isAtomic ? host.trees?.placeOf({ originId, tree: tree.id, name }) : undefined
  return new FilePublication(host, partial, name, hasher, spec, other)
}

/** What it takes on the disk beside its own bytes. */
export function unpackedBytes({ tree, entry }: Pick<ReceptionSpec, 'tree' | 'entry'>): number {
  return tree?.isBundle ? entry.dataBytes : 0
}
