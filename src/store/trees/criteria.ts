/**
 * Who may hold a tree: criteria of its author, in the record of the tree, and of each version.
 *
 * The idea: they never change while the tree is held, so whatever a push finds in its place, in a
 * version before or beside it came under the same criteria. Whoever wants others removes the tree
 * first, and brings all bytes again.
 */
import { FrError } from '../../base/errors.js'
import { isWithin } from '../../base/names.js'
import { isEqual } from './entry-lists.js'
import { shown } from './full-name.js'
import { onlyOfRecord } from './tree-record.js'
import {
  isRecorded,
  presentKeyOf,
  type RecordedTree,
  recordedTrees,
  treesDirOf,
} from './version-records.js'

export class TreeCriteria {
  readonly #dataDir: string
  /** By key, which goes with one name only. */
  #trees: ReadonlyMap<string, RecordedTree> = new Map()

  constructor(dataDir: string) {
    this.#dataDir = dataDir
  }

  /** Of the tree that this name is in; undefined: whoever asks may have it. */
  async of(name: Uint8Array): Promise<string | undefined> {
    this.#trees = await recordedTrees(this.#dataDir, this.#trees)
    for (const { name: tree } of this.#trees.values()) {
      const only = isWithin(name, tree) ? await this.#onlyOf(tree) : undefined
      if (only !== undefined) return only
    }
    return undefined
  }

  /**
   * Refuses a push of the tree (ERR_FR_ONLY) where it, a tree that it is in or one that is in it is
   * held for others.
   */
  async require(tree: Uint8Array, only: string | undefined): Promise<void> {
    this.#trees = await recordedTrees(this.#dataDir, this.#trees)
    for (const { name } of this.#trees.values()) {
      if (!isWithin(name, tree) && !isWithin(tree, name)) continue
      if (!(await isRecorded(this.#dataDir, name))) continue
      const own = await this.#onlyOf(name)
      if (own === only) continue
      const which = isEqual(name, tree) ? '' : `${shown(name)}, `
      const whose = own === undefined ? 'for whoever asks' : `only for: ${own}`
      const text = `the node holds ${which}this tree ${whose}; remove it there first`
      throw new FrError('ERR_FR_ONLY', text)
    }
  }

  async #onlyOf(tree: Uint8Array): Promise<string | undefined> {
    const key = await presentKeyOf(this.#dataDir, tree)
    return onlyOfRecord(treesDirOf(this.#dataDir), key)
  }
}
