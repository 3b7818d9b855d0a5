/** What is done with a whole partial: by what the offer says that it is. */
import { utf8 } from '../../base/bytes.js'
import type { Coded, StreamEntry } from '../../control/messages/types.js'
import { decodeName } from '../../protocol/manifest.js'
import { Partial } from '../../store/partial.js'
import { Hasher } from '../hasher.js'
import { BundlePublication } from './bundle.js'
import { CodedPublication, fileEntryOf } from './coded.js'
import { GrowingPublication, geometryOf } from './growing.js'
import type { NodeHost } from './node-host.js'
import { FilePublication, type Publication } from './publish.js'
import { requireSharable, SharedPublication } from './shared.js'
import type { ReceptionSpec } from './spec.js'

interface Whole {
  /** Of the content, once that is known. */
  readonly size: () => number
  /** The transfer has ended, and waits for nothing. */
  readonly isOver: () => boolean
  /** It waits, and has its time again. */
  readonly waits: () => void
}

/** Throws ERR_FR_UNSUPPORTED where the node takes no such content. */
export function publicationOf(
  host: NodeHost,
  partial: Partial,
  hasher: Hasher,
  spec: ReceptionSpec,
  whole: Whole,
): Publication {
  const name = decodeName(spec.entry)
  const { originId, tree, entry } = spec
  const { coded } = entry
  // Who only sends what it holds, or passes on what comes, publishes nothing.
  if (spec.role !== 'receiver') return new FilePublication(host, partial, name, hasher, spec)
  if (host.shared !== undefined) {
    requireSharable(spec)
    const plain = new FilePublication(host, partial, name, hasher, spec)
    return new SharedPublication(plain, host.shared, spec, whole)
  }
  if (entry.growing === true) {
    const made = (whole: StreamEntry): Publication => {
      const own = { ...spec, entry: whole }
      return new FilePublication(host, partial, name, hasherOf(host, own), own)
    }
    return new GrowingPublication({
      ...{ engine: host.engine, partial, entry, size: whole.size, publicationOf: made },
    })
  }
  if (coded !== undefined) {
    const plain = new FilePublication(host, partial, name, hasher, spec)
    return new CodedPublication(
      host,
      partial,
      decodedOf(host, { ...entry, coded }, spec),
      plain,
      spec,
    )
  }
  if (tree === undefined) return new FilePublication(host, partial, name, hasher, spec)
  if (tree.isBundle) return new BundlePublication(host, partial, name, spec)
  const other = tree.isAtomic ? host.trees?.placeOf({ originId, tree: tree.id, name }) : undefined
  return new FilePublication(host, partial, name, hasher, spec, other)
}

function decodedOf(
  host: NodeHost,
  coded: ReceptionSpec['entry'] & { readonly coded: Coded },
  spec: ReceptionSpec,
): { readonly partial: Partial; readonly publication: Publication } {
  const entry = fileEntryOf(coded)
  const own = { ...spec, entry }
  const partial = new Partial(host.storage, host.dir, decodeName(entry), own)
  const whole: Whole = { size: () => entry.size, isOver: () => false, waits: () => {} }
  return { partial, publication: publicationOf(host, partial, hasherOf(host, own), own, whole) }
}

/** Of what has landed of the entry. */
export function hasherOf(
  host: NodeHost,
  { entry, algorithm }: Pick<ReceptionSpec, 'entry' | 'algorithm'>,
): Hasher {
  const { size: fileBytes, blockBytes } = geometryOf(entry)
  return new Hasher(host.engine, host.pool, {
    fileBytes,
    isSparse: entry.dataBytes < entry.size,
    blockBytes,
    algorithm,
    hasJustLanded: true,
  })
}

/** The name that the partial is for: of coded content it is none that anybody can ask for. */
export function partialName({ entry }: Pick<ReceptionSpec, 'entry'>): Uint8Array {
  const name = decodeName(entry)
  if (entry.coded === undefined) return name
  return Buffer.concat([utf8('.fastreplica/coded/'), name, utf8('.coded')])
}

/** What it takes on the disk beside its own bytes. */
export function unpackedBytes({ tree, entry }: Pick<ReceptionSpec, 'tree' | 'entry'>): number {
  const { dataBytes, coded } = entry
  const file = coded?.dataBytes ?? 0
  return tree?.isBundle ? file + (coded?.dataBytes ?? dataBytes) : file
}
