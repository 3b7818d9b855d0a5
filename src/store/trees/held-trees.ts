/**
 * The trees that a node holds, by their records: which there are, and what is in them.
 *
 * A row is believed only while the entry has the identity that it had when it was placed. Nothing
 * is written here, so a node that only reads answers as well, while another one writes.
 */
import { isHidden, splitName } from '../../base/names.js'
import { pickVersion, versionedName } from '../../base/versions.js'
import type { DataDirHandle, Storage } from '../../ports.js'
import { isSameButLinked, isSameFile } from '../catalogue/same-file.js'
import { VersionDir } from '../versions/version-dir.js'
import { fullName } from './full-name.js'
import { KeptTrees } from './kept-trees.js'
import type { TreeRow } from './segment.js'
import { TreeRecord } from './tree-record.js'
import type { TreeUses } from './uses.js'
import {
  isRecorded,
  presentKeyOf,
  type RecordedTree,
  recordedTrees,
  treesDirOf,
} from './version-records.js'

export interface HeldTreesSpec {
  readonly storage: Storage
  readonly dir: DataDirHandle
  readonly dataDir: string
  /** Hears which versions are read. */
  readonly uses?: TreeUses
}

export type RowState = 'held' | 'changed' | 'missing'

/** An entry of a tree. */
export interface TreePlace {
  /** Name of the tree, or of the place of a version of it. */
  readonly tree: Uint8Array
  readonly row: TreeRow
  /** Criteria: who else may have it; undefined: whoever asks. */
  readonly only: string | undefined
}

/** A tree, or an entry of one. */
export interface MeantTree extends Pick<TreePlace, 'tree'> {
  /** Undefined: the whole tree. */
  readonly row?: TreeRow
  /** Of an entry. */
  readonly only?: string | undefined
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

  /**
   * What a client means that says this name; TREE@VERSION is a version of a tree, and
   * TREE@VERSION/ENTRY what is in it. Undefined: there is nothing of it. Throws ERR_FR_NAME where
   * several versions are meant.
   */
  async meant(said: Uint8Array): Promise<MeantTree | undefined> {
    const found = isHidden(said) ? undefined : await this.#at(said)
    if (found !== undefined) return found
    const place = await this.#placeInVersion(said)
    const meant = place && (await this.#at(place))
    if (meant !== undefined) this.#spec.uses?.note(meant.tree)
    return meant
  }

  /** No eviction takes this version, as `meant` names it, until it is given back, once. */
  hold(tree: Uint8Array): () => void {
    return this.#spec.uses?.hold(tree) ?? (() => {})
  }

  async #at(name: Uint8Array): Promise<MeantTree | undefined> {
    const isTree = await isRecorded(this.#spec.dataDir, name)
    return isTree ? { tree: name } : this.#find(name)
  }

  /** Where it is that is called so. */
  async #placeInVersion(said: Uint8Array): Promise<Uint8Array | undefined> {
    const bytes = Buffer.from(said)
    for (let end = bytes.indexOf('/'); ; end = bytes.indexOf('/', end + 1)) {
      const above = end === -1 ? said : said.subarray(0, end)
      const { name, version } = versionedName(above) ?? { name: noName, version: '' }
      const [present, ...kept] = name.length > 0 ? await this.versions.of(name) : []
      const meant = present && pickVersion(version, present, kept)
      if (meant !== undefined) {
        const { number } = meant
        const { dataDir } = this.#spec
        const place = meant === present ? name : new VersionDir(dataDir, name).nameOf(number)
        return Buffer.concat([place, said.subarray(above.length)])
      }
      if (end === -1) return undefined
    }
  }

  /** What is known of a tree; the caller closes it. */
  async open(name: Uint8Array): Promise<TreeRecord | undefined> {
    const { dataDir } = this.#spec
    return TreeRecord.read(treesDirOf(dataDir), await presentKeyOf(dataDir, name))
  }

  async has(name: Uint8Array): Promise<boolean> {
    return !isHidden(name) && isRecorded(this.#spec.dataDir, name)
  }

  /** The entry of this name, in the tree with the longest name that has it. */
  async find(name: Uint8Array): Promise<TreePlace | undefined> {
    return isHidden(name) ? undefined : this.#find(name)
  }

  async #find(name: Uint8Array): Promise<TreePlace | undefined> {
    const parts = splitName(Buffer.from(name))
    for (let depth = parts.length - 1; depth > 0; depth--) {
      const rest = parts.slice(depth)
      const relBytes = rest.reduce((sum, part) => sum + part.length + 1, -1)
      const tree = name.subarray(0, name.length - relBytes - 1)
      const record = await this.open(tree)
      if (record === undefined) continue
      try {
        const [row] = await record.lookUp([name.subarray(name.length - relBytes)])
        if (row !== undefined) return { tree, row, only: record.only }
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

  /** Whether files of the tree get and lose links, as what versions share. */
  async isVersioned(tree: Uint8Array): Promise<boolean> {
    const { storage, dir } = this.#spec
    const [look] = isHidden(tree) ? [] : await storage.lookAt(dir, [tree])
    return isHidden(tree) || look?.kind === 'symlink'
  }

  async statesOf(tree: Uint8Array, rows: readonly TreeRow[]): Promise<RowState[]> {
    const { storage, dir } = this.#spec
    const names = rows.map(({ name }) => fullName(tree, name))
    const isLinked = await this.isVersioned(tree)
    const looks = await storage.lookAt(dir, names)
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

const noName = new Uint8Array()
