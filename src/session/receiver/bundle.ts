/**
 * A bundle that is whole: the entries of its listing come into place, and it is gone. It needs no
 * name and no record of its own; mates have it from the partial as long as the transfer lives.
 */
import { cleanText } from '../../base/bytes.js'
import type { DigestAlgorithm } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import { blockBytesFor, limits } from '../../base/limits.js'
import type { Applied, TreePart } from '../../control/messages/types.js'
import type { Told } from '../../control/receiver/events.js'
import type { DataEngine } from '../../ports.js'
import type { Partial } from '../../store/partial.js'
import { fileDigestOf } from '../file-digest.js'
import type { BundleApplier, OlderFile } from './node-host.js'
import type { Publication } from './publish.js'

export interface BundleSpec {
  readonly algorithm: DigestAlgorithm
  readonly entry: { readonly size: number; readonly only?: string }
  /** Whose tree it is. */
  readonly originId: string
  readonly tree?: Pick<TreePart, 'id' | 'isAtomic'> | undefined
  readonly noClobber: boolean
  /** So many earlier versions are to be kept, at least; undefined: as the node does. */
  readonly keep?: number | undefined
}

export class BundlePublication implements Publication {
  readonly #engine: DataEngine
  readonly #trees: BundleApplier
  readonly #partial: Partial
  readonly name: Uint8Array
  readonly #spec: BundleSpec

  /** `name`: of the tree. */
  constructor(
    { engine, trees }: { readonly engine: DataEngine; readonly trees?: BundleApplier | undefined },
    partial: Partial,
    name: Uint8Array,
    spec: BundleSpec,
  ) {
    if (trees === undefined) throw new FrError('ERR_FR_UNSUPPORTED', 'this node takes no trees')
    this.#engine = engine
    this.#trees = trees
    this.#partial = partial
    this.name = name
    this.#spec = spec
  }

  /** Each entry has a name of its own, which is looked at when it comes into place. */
  checkName(): Promise<void> {
    const { tree, noClobber, originId, entry } = this.#spec
    const push = { originId, tree: tree?.id ?? '' }
    const isAtomic = tree?.isAtomic === true
    return this.#trees.check(this.name, isAtomic, entry.only, noClobber ? push : undefined)
  }

  async older(): Promise<OlderFile | undefined> {
    const { tree, originId, entry } = this.#spec
    if (tree === undefined || entry.size < limits.olderBytesMin) return undefined
    const id = `${this.#partial.id}.older.scratch`
    const push = { originId, tree: tree.id, only: entry.only }
    return this.#trees.olderOf(this.name, push, id)
  }

  async probe(): Promise<void> {}

  sum(digests: Uint8Array): string {
    const { algorithm, entry } = this.#spec
    return fileDigestOf(this.#engine, algorithm, entry.size, blockBytesFor(entry.size), digests)
  }

  async publish(): Promise<Told> {
    const { algorithm, entry, originId, keep } = this.#spec
    const { id, file } = this.#partial
    const { size: bytes, only } = entry
    const about = { id, file, bytes, name: this.name, originId, algorithm, keep, only }
    return { warnings: [], applied: told(await this.#trees.apply(about)) }
  }
}

/** As much of it as a frame carries. */
function told(applied: Applied): Applied {
  const { failed, warnings, dry } = applied
  const some = failed.slice(0, limits.treeFailuresTold)
  return {
    ...applied,
    failed: some.map((failure) => ({ ...failure, text: cleanText(failure.text) })),
    warnings: warnings.slice(0, limits.warningsPerNode).map(cleanText),
    ...(dry && { dry: { ...dry, removes: dry.removes.map(cleanText) } }),
  }
}
