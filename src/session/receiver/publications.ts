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
  // Who only sends what it holds, or passes on what comes, publishes nothing.
  return spec.tree?.isBundle && spec.role === 'receiver'
    ? new BundlePublication(host, partial, name, spec)
    : new FilePublication(host, partial, name, hasher, spec)
}

/** What it takes on the disk beside its own bytes. */
export function unpackedBytes({ tree, entry }: Pick<ReceptionSpec, 'tree' | 'entry'>): number {
  return tree?.isBundle ? entry.dataBytes : 0
}
