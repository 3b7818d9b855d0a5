/**
 * Trees that the program around the node has taken: it is asked once for all transfers of one. The
 * oldest are forgotten, and asked for again.
 */
import { limits } from '../../base/limits.js'
import type { ReceptionSpec } from './spec.js'

export class Consents {
  /** Whether it was taken; pending while the program thinks. */
  readonly #asked = new Map<string, Promise<boolean>>()

  /** Transfers of this tree have been taken here before. */
  has(spec: Pick<ReceptionSpec, 'originId' | 'tree'>): boolean {
    const key = keyOf(spec)
    return key !== null && this.#asked.has(key)
  }

  /** Calls `ask`, which rejects with the refusal, unless the tree was taken before. */
  async ask(
    spec: Pick<ReceptionSpec, 'originId' | 'tree'>,
    ask: () => Promise<void>,
  ): Promise<void> {
    const key = keyOf(spec)
    if (key === null) return ask()
    // What one transfer was refused, perhaps only because it ended, is no answer for another.
    while (this.#asked.has(key)) if (await this.#asked.get(key)) return
    const asked = ask()
    const isTaken = asked.then(
      () => true,
      () => {
        this.#asked.delete(key)
        return false
      },
    )
    this.#asked.set(key, isTaken)
    const [oldest = ''] = this.#asked.keys()
    if (this.#asked.size > limits.treesPerNode) this.#asked.delete(oldest)
    return asked
  }
}

function keyOf({ originId, tree }: Pick<ReceptionSpec, 'originId' | 'tree'>): string | null {
  return tree === undefined ? null : `${originId} ${tree.id}`
}
