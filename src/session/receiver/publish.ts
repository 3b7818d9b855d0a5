/**
 * From a whole partial to a name: what is asked when the content is offered, and done at the end. A
 * file gets its name; of a bundle the entries of its listing do (bundle.ts).
 *
 * The idea: the digests were made as bytes landed, which may be long ago. What somebody else did to
 * the partial since shows as another size, as holes where data landed, or as a change while it is
 * flushed; then all of it is hashed once more, and only an equal digest is published.
 */
import { concat } from '../../base/bytes.js'
import type { DigestAlgorithm } from '../../base/digests.js'
import { FrError } from '../../base/errors.js'
import { blockBytesFor, limits } from '../../base/limits.js'
import type { StreamEntry } from '../../control/messages/types.js'
import type { Told } from '../../control/receiver/events.js'
import type { LostAttribute } from '../../ports.js'
import type { Partial, Place } from '../../store/partial.js'
import { fileDigestOf } from '../file-digest.js'
import type { Hasher } from '../hasher.js'
import type { NodeHost, OlderFile, OtherPlace } from './node-host.js'
import { type HowItCame, recordPublished } from './record.js'

export interface PublicationSpec {
  readonly entry: StreamEntry
  readonly noClobber: boolean
  /** Refuse, rather than warn, when the file system does not keep the attributes of the file. */
  readonly strict: boolean
  readonly algorithm: DigestAlgorithm
  /** So many earlier versions are to be kept, at least; undefined: as the node does. */
  readonly keep?: number | undefined
  /** It becomes a version, and the name keeps what it has. */
  readonly beside?: boolean | undefined
  /** Of a file of a tree: trees have versions as a whole. */
  readonly tree?: object | undefined
}

export interface Publication {
  /** Under which it is known once it is published. */
  readonly name: Uint8Array
  /** Refuses the name. */
  checkName(): Promise<void>
  /** After `checkName`: digest of the file that has the name already; null or absent: not known. */
  readonly foundDigest?: string | null
  /** What the node has of it beside files of its name. The caller closes the file. */
  older?(): Promise<OlderFile | undefined>
  /** Refuses an empty partial that could not be published when it is whole. */
  probe(): Promise<void>
  /** The file digest of the verified blocks, which is what `publish` will publish. */
  sum(digests: Uint8Array): string
  /** `isDurable` is awaited before a file gets its name; then `arrived` tells how it came here. */
  publish(isDurable: () => Promise<void>, arrived: () => HowItCame): Promise<Told>
  /** Gives back what it has beside the partial; `failed` as of Partial.release. */
  release?(failed: (id: string, error: unknown) => void): Promise<void>
}

export class FilePublication implements Publication {
  readonly #host: NodeHost
  readonly #partial: Partial
  readonly #hasher: Hasher
  readonly #spec: PublicationSpec
  readonly name: Uint8Array
  readonly #place: Place | undefined
  /** Of what was verified. */
  #fileDigest = ''
  #digests: Uint8Array = new Uint8Array()

  /** `name`: at this node. */
  constructor(
    host: NodeHost,
    partial: Partial,
    name: Uint8Array,
    hasher: Hasher,
    spec: PublicationSpec,
    other?: OtherPlace,
  ) {
    this.#host = host
    this.#partial = partial
    this.name = other?.name ?? name
    this.#place = other?.give
    this.#hasher = hasher
    this.#spec = spec
  }

  async checkName(): Promise<void> {
    const { storage, dir } = this.#host
    // Nobody but us makes anything at another place.
    if (this.#place === undefined) await storage.checkName(dir, this.name, this.#spec.noClobber)
  }

  async probe(): Promise<void> {
    if (this.#partial.isBorrowed) return
    const [lost] = await this.#partial.probe()
    if (this.#spec.strict && lost !== undefined)
      throw new FrError('ERR_FR_ATTRIBUTES', this.#notKept(lost))
  }

  sum(digests: Uint8Array): string {
    this.#fileDigest = this.#digestOf(digests)
    this.#digests = digests
    return this.#fileDigest
  }

  async publish(isDurable: () => Promise<void>, arrived: () => HowItCame): Promise<Told> {
    const { versions } = this.#host.store
    if (this.#partial.isBorrowed) {
      const { keep } = this.#spec
      if (keep !== undefined) await versions.want(this.name, keep)
      if (await this.#partial.isUnchanged()) return { warnings: [] }
      throw new FrError('ERR_FR_DIGEST', 'somebody else changed the file that was here already')
    }
    const { size, allocatedBytes, wasTouched } = await this.#partial.flush()
    const { entry } = this.#spec
    const isInDoubt = size !== entry.size || allocatedBytes < entry.dataBytes || wasTouched
    if (isInDoubt && (await this.#digest()) !== this.#fileDigest) {
      const text = `somebody else changed ${this.#partial.path} after its bytes were verified`
      throw new FrError('ERR_FR_DIGEST', text)
    }
    await isDurable()
    const { keep, tree, beside } = this.#spec
    if (beside === true && this.#place === undefined) return this.#publishBeside(arrived)
    const replacing = tree ? null : await versions.replacing(this.name, this.#fileDigest, keep)
    try {
      const lost = await this.#partial.publish(this.#place)
      await this.#record(arrived(), !lost.includes('mtime'))
      const warnings = lost.map((attribute) => this.#notKept(attribute))
      return { warnings: replacing?.warning ? [...warnings, replacing.warning] : warnings }
    } finally {
      await (this.#partial.isPublished ? replacing?.done() : replacing?.undo())
    }
  }

  async #publishBeside(arrived: () => HowItCame): Promise<Told> {
    const { versions } = this.#host.store
    if (this.#spec.keep !== undefined) await versions.want(this.name, this.#spec.keep)
    const version = await versions.beside(this.name)
    try {
      const lost = await this.#partial.publish(version.give)
      await this.#record(arrived(), !lost.includes('mtime'), version.name)
      return { warnings: lost.map((attribute) => this.#notKept(attribute)) }
    } finally {
      await version.done()
    }
  }

  /** The file is known to the node from now on. */
  #record(arrived: HowItCame, hasMtime: boolean, name = this.name): Promise<void> {
    const { entry, algorithm } = this.#spec
    return recordPublished(this.#host, {
      ...{ entry, name, file: this.#partial.file, ...arrived, hasMtime },
      geometry: { size: entry.size, blockBytes: blockBytesFor(entry.size), algorithm },
      ...{ fileDigest: this.#fileDigest, digests: this.#digests },
    })
  }

  /** Of what is in the partial now. */
  async #digest(): Promise<string> {
    const { entry } = this.#spec
    const blockBytes = blockBytesFor(entry.size)
    const parts: Uint8Array[] = []
    const step = Math.max(blockBytes, limits.hashTaskBytes)
    for (let offset = 0; offset < entry.size; offset += step) {
      const range = { offset, length: Math.min(step, entry.size - offset) }
      parts.push(await this.#hasher.digestsOf(this.#partial.file, range))
    }
    return this.#digestOf(concat(...parts))
  }

  #digestOf(digests: Uint8Array): string {
    const { algorithm, entry } = this.#spec
    const blockBytes = blockBytesFor(entry.size)
    return fileDigestOf(this.#host.engine, algorithm, entry.size, blockBytes, digests)
  }

  #notKept(attribute: LostAttribute): string {
    const mode = (this.#spec.entry.mode & 0o777).toString(8).padStart(4, '0')
    const what = attribute === 'mode' ? `the mode ${mode}` : 'the modification time'
    return `the file system of the node does not keep ${what} of the file`
  }
}
