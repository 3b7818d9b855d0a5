/**
 * The trees that a node holds, by their records: which there are, and what is in them.
 *
 * A row is believed only while the entry has the identity that it had when it was placed. Nothing
 * is written here, so a node that only reads answers as well, while another one writes.
 */
import { splitName } from '../../base/names.js'
import type { DataDirHandle, Storage } from '../../ports.js'
import { isSameButLinked, isSameFile } from '../catalogue/same-file.js'
import { fullName } from './full-name.js'
import { KeptTrees } from './kept-trees.js'
import type { TreeRow } from './segment.js'
import { nameOfRecord, TreeRecord } from './tree-record.js'
import { presentKeyOf, type RecordedTree, recordedTrees, treesDirOf } from './version-records.js'

export interface HeldTreesSpec {
  readonly storage: Storage
  readonly dir: DataDirHandle
  readonly dataDir: string
}

export type RowState = 'held' | 'changed' | 'missing'

/** An entry of a tree. */
export interface TreePlace {
  /** Name of the tree. */
  readonly tree: Uint8Array
  readonly row: TreeRow
}

export class HeldTrees {
  readonly versions: KeptTrees
  readonly #spec: HeldTreesSpec
  /** By key, which goes with one name only. */
  #trees: ReadonlyMap<string, RecordedTree> = new Map()

  constructor(spec: HeldTreesSpec) {
    this.#spec = spec
    this.versions = new KeptTrees(spec.dataDir)
  }

  /** Of all trees, sorted by bytes. */
  async names(): Promise<Uint8Array[]> {
    this.#trees = await recordedTrees(this.#spec.dataDir, this.#trees)
    const held: Uint8Array[] = []
    for (const { name, isPlain } of this.#trees.values())
      if (isPlain || (await this.has(name))) held.push(name)
    return held.sort(Buffer.compare)
  }

  /** What is known of a tree; the caller closes it. */
  async open(name: Uint8Array): Promise<TreeRecord | undefined> {
    const { dataDir } = this.#spec
    return TreeRecord.read(treesDirOf(dataDir), await presentKeyOf(dataDir, name))
  }

  async has(name: Uint8Array): Promise<boolean> {
    const { dataDir } = this.#spec
    const key = await presentKeyOf(dataDir, name)
    return (await nameOfRecord(treesDirOf(dataDir), key)) !== null
  }

  /** The entry of this name, in the tree with the longest name that has it. */
  async find(name: Uint8Array): Promise<TreePlace | undefined> {
    const parts = splitName(Buffer.from(name))
    for (let depth = parts.length - 1; depth > 0; depth--) {
      const rest = parts.slice(depth)
      const relBytes = rest.reduce((sum, part) => sum + part.length + 1, -1)
      const tree = name.subarray(0, name.length - relBytes - 1)
      const record = await this.open(tree)
      if (record === undefined) continue
      try {
        const [row] = await record.lookUp([name.subarray(name.length - relBytes)])
        if (row !== undefined) return { tree, row }
      } finally {
        await record.close()
      }
    }
    return undefined
  }

  async isThere(name: Uint8Array): Promise<boolean> {
    const [look] = await this.#spec.storage.lookAt(this.#spec.dir, [name])
    return look !== null
  }

  /** Whether a tree that this name is in is held. */
  isInTree(name: Uint8Array, trees: ReadonlySet<string>): boolean {
    const text = Buffer.from(name).toString('latin1')
    for (let at = text.indexOf('/'); at !== -1; at = text.indexOf('/', at + 1))
      if (trees.has(text.slice(0, at))) return true
    return false
  }

  async statesOf(tree: Uint8Array, rows: readonly TreeRow[]): Promise<RowState[]> {
    const { storage, dir } = this.#spec
    const names = rows.map(({ name }) => fullName(tree, name))
    const [root, ...looks] = await storage.lookAt(dir, [tree, ...names])
    // In a version of the tree files get and lose links.
    const isLinked = root?.kind === 'symlink'
    const isSame = isLinked ? isSameButLinked : isSameFile
    return rows.map(({ kind, name, identity, value }, at) => {
      const look = looks[at]
      if (look === null || look === undefined) return 'missing'
      if (isLinked && name.length === 0) return 'held'
      if (look.kind !== kind) return 'changed'
      if (kind === 'directory') return 'held'
      const isRight = kind === 'symlink' || value.length > 0
      return isRight && isSame(look.identity, identity) ? 'held' : 'changed'
    })
  }
}
