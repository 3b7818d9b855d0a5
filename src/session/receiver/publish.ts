/**
 * From a whole partial to a name: what is asked when the file is offered, and done at the end.
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
import type { DataEngine, LostAttribute } from '../../ports.js'
import type { Partial } from '../../store/partial.js'
import { fileDigestOf } from '../file-digest.js'
import type { Hasher } from '../hasher.js'

export interface PublicationSpec {
  readonly entry: StreamEntry
  /** Refuse, rather than warn, when the file system does not keep the attributes of the file. */
  readonly strict: boolean
  readonly algorithm: DigestAlgorithm
}

export class Publication {
  readonly #engine: DataEngine
  readonly #partial: Partial
  readonly #hasher: Hasher
  readonly #spec: PublicationSpec
  /** Of what was verified. */
  #fileDigest = ''
  #digests: Uint8Array = new Uint8Array()
  #lost: readonly LostAttribute[] = []

  constructor(engine: DataEngine, partial: Partial, hasher: Hasher, spec: PublicationSpec) {
    this.#engine = engine
    this.#partial = partial
    this.#hasher = hasher
    this.#spec = spec
  }

  /** Refuses an empty partial that could not be published when it is whole. */
  async probe(): Promise<void> {
    if (this.#partial.isBorrowed) return
    const [lost] = await this.#partial.probe()
    if (this.#spec.strict && lost !== undefined)
      throw new FrError('ERR_FR_ATTRIBUTES', this.#notKept(lost))
  }

  /** The file digest of the verified blocks, which is what `publish` will publish. */
  sum(digests: Uint8Array): string {
    this.#fileDigest = this.#digestOf(digests)
    this.#digests = digests
    return this.#fileDigest
  }

  /** What the published file holds, and what of it the file system kept. */
  get outcome(): { fileDigest: string; digests: Uint8Array; hasMtime: boolean } {
    const hasMtime = !this.#lost.includes('mtime')
    return { fileDigest: this.#fileDigest, digests: this.#digests, hasMtime }
  }

  /** Resolves to what there is to warn of. `isDurable` is awaited before the file gets its name. */
  async publish(isDurable: () => Promise<void>): Promise<string[]> {
    if (this.#partial.isBorrowed) {
      if (await this.#partial.isUnchanged()) return []
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
    this.#lost = await this.#partial.publish()
    return this.#lost.map((attribute) => this.#notKept(attribute))
  }

  /** Of what is in the partial now. */
  async #digest(): Promise<string> {
    const { entry } = this.#spec
    const blockBytes = blockBytesFor(entry.size)
    const parts: Uint8Array[] = []
    const step = Math.max(blockBytes, limits.hashTaskBytes)
    for (let offset = 0; offset < entry.size; offset += step) {
      const range = { offset, length: Math.min(step, entry.size - offset) }
      parts.push(
        await new Promise<Uint8Array>((resolve, reject) => {
          void this.#hasher.hash(this.#partial.file, range, resolve, reject)
        }),
      )
    }
    return this.#digestOf(concat(...parts))
  }

  #digestOf(digests: Uint8Array): string {
    const { algorithm, entry } = this.#spec
    const blockBytes = blockBytesFor(entry.size)
    return fileDigestOf(this.#engine, algorithm, entry.size, blockBytes, digests)
  }

  #notKept(attribute: LostAttribute): string {
    const mode = (this.#spec.entry.mode & 0o777).toString(8).padStart(4, '0')
    const what = attribute === 'mode' ? `the mode ${mode}` : 'the modification time'
    return `the file system of the node does not keep ${what} of the file`
  }
}
