/** SHA-256 of the files of a tree that its author has sent along (base/tree-sums.ts). */

import type { FrNode } from '../../api/types.js'
import { doorLimits } from '../../base/door-limits.js'
import { sumsIn, sumsName } from '../../base/tree-sums.js'
import { wholeOf } from './arrived.js'
import { type Asker, openFor } from './handler.js'

/** SHA-256, 64 hex digits, by digests. */
export type SumsOfTree = ReadonlyMap<string, string>

const none: SumsOfTree = new Map()

export class Sums {
  /** By the digest of the file that they are in; the one that was asked for last stands last. */
  readonly #known = new Map<string, SumsOfTree>()

  /** Empty where the tree has none. */
  async of(node: Pick<FrNode, 'open'>, asker: Asker, tree: string): Promise<SumsOfTree> {
    const content = await openFor(node, `${tree}/${sumsName}`, asker).catch(() => null)
    if (content === null) return none
    try {
      if (content.state !== 'held' || content.digest === null) return none
      const { digest } = content
      const sums =
        this.#known.get(digest) ??
        sumsIn((await wholeOf(content, doorLimits.sumsBytes)).toString('latin1'))
      this.#known.delete(digest)
      this.#known.set(digest, sums)
      const [oldest] = this.#known.keys()
      if (this.#known.size > doorLimits.sumsKnown && oldest !== undefined)
        this.#known.delete(oldest)
      return sums
    } catch {
      return none
    } finally {
      content.close()
    }
  }
}
