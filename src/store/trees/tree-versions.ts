/**
 * Versions of trees that change all at once, for whoever changes which there are: the way back, and
 * eviction. All that is done to a tree takes turns.
 */
import { FrError } from '../../base/errors.js'
import { nowMs } from '../../base/time/awake.js'
import { pickVersion } from '../../base/versions.js'
import { isSameButLinked } from '../catalogue/same-file.js'
import { keyOf } from '../files/plain.js'
import type { EvictableVersion } from '../versions/eviction.js'
import { fullName, shown } from './full-name.js'
import { chunked, KeptTrees, type TreeVersion } from './kept-trees.js'
import { TreeRecord } from './tree-record.js'
import { treesDirOf, versionKeyOf } from './version-records.js'
import { Versions, type VersionsSpec } from './versions.js'

export type InTurn = <T>(name: Uint8Array, work: () => Promise<T>) => Promise<T>

export interface Clocks {
  /** Unix milliseconds: anything, where somebody sets the clock. */
  readonly wallMs: () => number
  /** Of this process. */
  readonly nowMs: () => number
}

export interface TreeRolledBack {
  readonly now: TreeVersion
  readonly before: TreeVersion
}

export class TreeVersions {
  readonly #spec: VersionsSpec
  readonly #inTurn: InTurn
  readonly #kept: KeptTrees
  readonly #clocks: Clocks
  /** When the age of versions was 0, by the clock of this process. */
  #since: ReadonlyMap<string, number> = new Map()

  constructor(spec: VersionsSpec, inTurn: InTurn, clocks: Clocks = { wallMs: Date.now, nowMs }) {
    this.#spec = spec
    this.#clocks = clocks
    this.#inTurn = inTurn
    this.#kept = new KeptTrees(spec.dataDir)
  }

  /**
   * Gives the name to a version of it; what has the name is kept. The caller holds the name.
   * ERR_FR_NOT_HELD: there is no such version; ERR_FR_DIGEST: somebody has changed a file of it;
   * ERR_FR_NAME: several versions are meant.
   */
  rollBack(name: Uint8Array, version: string): Promise<TreeRolledBack> {
    return this.#inTurn(name, async () => {
      const { present: before, meant: now } = await this.#meant(name, version)
      if (now === before) return { now, before }
      const versions = new Versions(this.#spec, name)
      const { storage, dir } = this.#spec
      const [there] = await storage.lookAt(dir, [versions.nameOf(now.number)])
      if (there?.kind !== 'directory')
        throw new FrError('ERR_FR_NOT_HELD', 'somebody else has removed this version')
      const changed = await this.#changedIn(name, now.number)
      if (changed !== undefined) {
        const file = shown(fullName(name, changed))
        const text = `somebody else has changed or removed ${file} of this version`
        throw new FrError('ERR_FR_DIGEST', text)
      }
      await versions.show(now.number)
      return { now, before }
    })
  }

  /** Removes a version. ERR_FR_NOT_HELD, or ERR_FR_NAME where it is the present one. */
  remove(name: Uint8Array, version: string): Promise<void> {
    return this.#inTurn(name, async () => {
      const { present, meant } = await this.#meant(name, version)
      if (meant === present) {
        const text = 'this is the present version: roll back first, or remove the name'
        throw new FrError('ERR_FR_NAME', text)
      }
      await new Versions(this.#spec, name).drop(meant.number)
    })
  }

  async #meant(
    name: Uint8Array,
    version: string,
  ): Promise<{ readonly present: TreeVersion; readonly meant: TreeVersion }> {
    const [present, ...kept] = await this.#kept.of(name)
    const meant = present && pickVersion(version, present, kept)
    if (present !== undefined && meant !== undefined) return { present, meant }
    throw new FrError('ERR_FR_NOT_HELD', `the node keeps no version ${version} of this tree`)
  }

  /**
   * Name of a file that is not there as it was placed, by size, time and inode: who writes to a
   * file of one version writes to that of others.
   */
  async #changedIn(name: Uint8Array, number: number): Promise<Uint8Array | undefined> {
    const { storage, dir, dataDir } = this.#spec
    const root = new Versions(this.#spec, name).nameOf(number)
    const record = await TreeRecord.read(treesDirOf(dataDir), versionKeyOf(name, number))
    try {
      if (record === undefined) return undefined
      for await (const rows of chunked(record.behind(null))) {
        const files = rows.filter(({ kind }) => kind === 'file')
        const looks = await storage.lookAt(
          dir,
          files.map((row) => fullName(root, row.name)),
        )
        const changed = files.find(({ identity, value }, at) => {
          const look = looks[at]
          const isIt = look?.kind === 'file' && isSameButLinked(look.identity, identity)
          // What was found to be wrong has no digest.
          return !isIt || value.length === 0
        })
        if (changed !== undefined) return changed.name
      }
      return undefined
    } finally {
      await record?.close()
    }
  }

  /**
   * Those that no name leads to, of all trees. One that was not among the last ones has the age
   * that the wall clock tells, and goes on from there whatever that says.
   */
  async evictable(): Promise<EvictableVersion[]> {
    const found: EvictableVersion[] = []
    const since = new Map<string, number>()
    const { wallMs, nowMs: awakeMs } = this.#clocks
    for (const name of await this.#kept.names(true)) {
      const versions = new Versions(this.#spec, name)
      for (const { number, kept, ownBytes, fileDigest } of await this.#kept.of(name)) {
        if (kept === null) continue
        // No file has such a name.
        const key = `${keyOf(name)}/`
        const id = `${key}${number} ${kept.count}`
        const wasMs = Math.max(0, wallMs() - kept.keptAtMs)
        const sinceMs = this.#since.get(id) ?? awakeMs() - wasMs
        since.set(id, sinceMs)
        found.push({
          ...{ key, name, number: kept.count, fileDigest, bytes: ownBytes },
          ...{ ageMs: awakeMs() - sinceMs, isUsed: versions.isUsed(number) },
          drop: () => this.#drop(name, number),
        })
      }
    }
    this.#since = since
    return found
  }

  /** False: it has the name by now, or somebody reads it. */
  #drop(name: Uint8Array, number: number): Promise<boolean> {
    return this.#inTurn(name, async () => {
      const versions = new Versions(this.#spec, name)
      return !versions.isUsed(number) && versions.drop(number)
    })
  }
}
