/** A push that changes nothing: a storage that only looks, and what would have been removed. */
import { limits } from '../../base/limits.js'
import { overlaid } from '../../base/overlaid.js'
import type { DryApplied } from '../../control/messages/applied.js'
import type { DataDirHandle, EntryOutcome, EntryStep, Storage } from '../../ports.js'

/** Steps succeed and do nothing; nothing is known of what they would have made. */
export function dryStorage(storage: Storage, removed: (name: Uint8Array) => void): Storage {
  const placeEntries = async (
    _dir: DataDirHandle,
    steps: readonly EntryStep[],
  ): Promise<EntryOutcome[]> => {
    for (const step of steps) if (step.kind === 'remove') removed(step.name)
    return steps.map(() => ({ failure: null, lost: [], look: null }))
  }
  return overlaid(storage, { placeEntries })
}

/** Names of what would have been removed, of a tree of this name. */
export class Removals {
  readonly #told: string[] = []
  readonly #skipped: number
  #bytes = 0
  #count = 0

  constructor(tree: Uint8Array) {
    this.#skipped = tree.length + 1
  }

  /** `full`: with the name of the tree. */
  readonly add = (full: Uint8Array): void => {
    this.#count++
    const name = Buffer.from(full.subarray(this.#skipped)).toString()
    this.#bytes += Buffer.byteLength(name)
    if (this.#bytes > limits.treeRemovalBytes) return
    if (this.#told.length < limits.treeRemovalsTold) this.#told.push(name)
  }

  get told(): Pick<DryApplied, 'removes' | 'removedCount'> {
    return { removes: this.#told, removedCount: this.#count }
  }
}
