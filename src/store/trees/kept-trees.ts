/**
 * Versions of trees that change all at once, as they are listed: which there are, what they are
 * called, and what they take.
 *
 * The idea: a version is called by a digest of its rows, so that nodes which took the same push
 * agree on it; modes and times are not in it. What it takes is what no newer version has: the
 * files of its rows whose inode no newer one has under the same name. Both are read from records
 * alone, and are remembered while these stay as they are. Nothing is written here.
 */
import { createHash } from 'node:crypto'
import { limits } from '../../base/limits.js'
import { VersionDir } from '../versions/version-dir.js'
import type { TreeRow } from './segment.js'
import { TreeRecord } from './tree-record.js'
import {
  recordedTrees,
  type ShownVersion,
  shownVersions,
  treesDirOf,
  versionKeyOf,
} from './version-records.js'

export interface TreeVersion {
  readonly number: number
  /** Null: it is the present one. */
  readonly kept: ShownVersion | null
  /** Its push came to its end here, and nothing of it failed or is gone. */
  readonly isWhole: boolean
  /** `tree:` and 64 hex digits. */
  readonly fileDigest: string
  /** Of all files. */
  readonly size: number
  /** Bytes that its removal gives back where older ones have gone before it. */
  readonly ownBytes: number
  /** Unix milliseconds. */
  readonly publishedAtMs: number
}

interface Recorded extends Pick<TreeVersion, 'number' | 'kept'> {
  readonly record: TreeRecord
  /** Names its rows; null: they may become others and be called the same. */
  readonly state: string | null
}

const rowsAtOnce = 4_096

export class KeptTrees {
  readonly #dataDir: string
  readonly #digests = new Known<string>()
  readonly #bytes = new Known<number>()

  constructor(dataDir: string) {
    this.#dataDir = dataDir
  }

  /** Of trees that change all at once, in the order of their bytes. `some`: earlier versions. */
  async names(some: boolean): Promise<Uint8Array[]> {
    const found: Uint8Array[] = []
    const trees = await recordedTrees(this.#dataDir, new Map())
    for (const { name, isVersioned } of trees.values()) {
      if (!isVersioned) continue
      const present = await new VersionDir(this.#dataDir, name).present()
      if (present === null) continue
      const earlier = some ? await shownVersions(this.#dataDir, name, present) : []
      if (!some || earlier.length > 0) found.push(name)
    }
    return found.sort(Buffer.compare)
  }

  /** Whether this is the name of a tree that changes all at once. */
  async has(name: Uint8Array): Promise<boolean> {
    const present = await new VersionDir(this.#dataDir, name).present().catch(() => null)
    return present !== null
  }

  /** Of a tree: the present version, and then the newest first; none of another name. */
  async of(name: Uint8Array): Promise<TreeVersion[]> {
    const present = await new VersionDir(this.#dataDir, name).present()
    if (present === null) return []
    const earlier = await shownVersions(this.#dataDir, name, present)
    const all = [present, ...earlier.map(({ number }) => number)]
    const recorded: Recorded[] = []
    try {
      for (const [at, number] of all.entries()) {
        const key = versionKeyOf(name, number)
        const record = await TreeRecord.read(treesDirOf(this.#dataDir), key)
        if (record === undefined) continue
        const push = await record.wholeBy()
        const kept = earlier[at - 1] ?? null
        recorded.push({ number, kept, record, state: push && `${push} ${record.state}` })
      }
      const versions: TreeVersion[] = []
      for (const [at, of] of recorded.entries())
        versions.push(await this.#versionOf(of, recorded.slice(0, at)))
      return versions
    } finally {
      for (const { record } of recorded) await record.close()
    }
  }

  async #versionOf(of: Recorded, newer: readonly Recorded[]): Promise<TreeVersion> {
    const { number, kept, record } = of
    const wholeAtMs = await record.wholeAtMs()
    return {
      ...{ number, kept, isWhole: wholeAtMs !== null },
      fileDigest: await this.#digestOf(of),
      size: (await record.totals()).fileBytes,
      ownBytes: await this.#ownBytesOf(of, newer),
      publishedAtMs: wholeAtMs ?? kept?.keptAtMs ?? Date.now(),
    }
  }

  /** As `fileDigest`, of any tree. */
  async digestOf(record: TreeRecord): Promise<string> {
    const push = await record.wholeBy()
    const state = push && `${push} ${record.state}`
    return this.#digestOf({ record, state })
  }

  #digestOf({ record, state }: Pick<Recorded, 'record' | 'state'>): Promise<string> {
    return this.#digests.get(state, () => treeDigestOf(record.behind(null)))
  }

  #ownBytesOf(of: Recorded, newer: readonly Recorded[]): Promise<number> {
    const states = [of, ...newer].map(({ state }) => state)
    const state = states.includes(null) ? null : states.join('\n')
    const records = newer.map(({ record }) => record)
    return this.#bytes.get(state, () => ownBytesOf(of.record, records))
  }
}

/** Of what a tree is made of, by its rows in walk order. */
export async function treeDigestOf(rows: AsyncIterable<TreeRow>): Promise<string> {
  const hash = createHash('sha256')
  const head = Buffer.alloc(9)
  for await (const { kind, name, value } of rows) {
    head.write(kind, 0, 1, 'latin1')
    head.writeUInt32LE(name.length, 1)
    head.writeUInt32LE(value.length, 5)
    hash.update(head).update(name).update(value)
  }
  return `tree:${hash.digest('hex')}`
}

async function ownBytesOf(record: TreeRecord, newer: readonly TreeRecord[]): Promise<number> {
  let bytes = 0
  for await (const some of chunked(record.behind(null))) {
    let own = some.filter(({ kind }) => kind === 'file')
    for (const other of newer) {
      const there = await other.lookUp(own.map(({ name }) => name))
      own = own.filter(({ identity }, at) => there[at]?.identity.inode !== identity.inode)
    }
    bytes += own.reduce((sum, { identity }) => sum + identity.size, 0)
  }
  return bytes
}

/** So many at once at most. */
export async function* chunked(rows: AsyncIterable<TreeRow>): AsyncGenerator<TreeRow[]> {
  let some: TreeRow[] = []
  for await (const row of rows) {
    some.push(row)
    if (some.length < rowsAtOnce) continue
    yield some
    some = []
  }
  if (some.length > 0) yield some
}

/** What was found out of states, of the last ones that were asked for. */
class Known<T> {
  readonly #found = new Map<string, T>()

  async get(state: string | null, find: () => Promise<T>): Promise<T> {
    const known = state === null ? undefined : this.#found.get(state)
    if (known !== undefined) return known
    const found = await find()
    if (state === null) return found
    this.#found.set(state, found)
    for (const oldest of this.#found.keys()) {
      if (this.#found.size <= limits.treeVersionsKnown) break
      this.#found.delete(oldest)
    }
    return found
  }
}
