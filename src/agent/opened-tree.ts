/** A tree of a node, opened by whoever has the node in its process: what is recorded of it. */
import { FrError } from '../base/errors.js'
import { atFirst } from '../store/disks/at-first.js'
import { digestText } from '../store/trees/local-copies.js'
import type { TreeRow } from '../store/trees/segment.js'
import type { TreeRecord } from '../store/trees/tree-record.js'
import type { Disk } from './disk.js'
import type { ContentsOf } from './opened-content.js'

export interface OpenedEntry {
  /** Below the tree. */
  readonly name: Uint8Array
  readonly kind: TreeRow['kind']
  /** Bytes of a file, else 0. */
  readonly size: number
  /** Of a file; null: it was found to have another one. */
  readonly digest: string | null
}

export class OpenedTree {
  /** `tree:` and 64 hex digits; null: it is not whole. */
  readonly digest: string | null
  /** Unix milliseconds; null: a push of it runs, or did not end well. */
  readonly wholeAtMs: number | null
  /** Criteria: who else may have it; undefined: whoever asks. */
  readonly only: string | undefined
  readonly #record: TreeRecord
  readonly #release: () => void
  #isClosed = false

  constructor(
    record: TreeRecord,
    digest: string | null,
    wholeAtMs: number | null,
    release: () => void,
  ) {
    this.#record = record
    this.#release = release
    this.digest = digest
    this.wholeAtMs = wholeAtMs
    this.only = record.only
  }

  /** In walk order, without the tree itself, behind the entry of this name. */
  async *entries(after?: Uint8Array): AsyncGenerator<OpenedEntry> {
    if (this.#isClosed) throw new FrError('ERR_FR_CLOSED')
    for await (const row of this.#record.behind(after ?? null))
      if (row.name.length > 0) yield entryOf(row)
  }

  /** Null: the tree has none of this name. */
  async find(name: Uint8Array): Promise<OpenedEntry | null> {
    if (this.#isClosed) throw new FrError('ERR_FR_CLOSED')
    const [row] = await this.#record.lookUp([name])
    return row === undefined ? null : entryOf(row)
  }

  /** Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#release()
    await this.#record.close()
  }
}

function entryOf({ name, kind, identity, algorithm, value }: TreeRow): OpenedEntry {
  const size = kind === 'file' ? identity.size : 0
  const isDigested = kind === 'file' && algorithm !== null && value.length > 0
  const digest = isDigested ? digestText(algorithm, size, Buffer.from(value).toString('hex')) : null
  return { name, kind, size, digest }
}

/** Rejects with ERR_FR_NOT_HELD for what is no tree. */
export async function openTreeAt(contents: ContentsOf, name: Uint8Array): Promise<OpenedTree> {
  await contents.disks.refresh()
  return atFirst(contents.disks.likely(name), (disk) => openOn(disk, name))
}

async function openOn({ served }: Disk, name: Uint8Array): Promise<OpenedTree> {
  const { trees } = served
  const { tree, row } = (await trees.meant(name)) ?? {}
  if (tree === undefined || row !== undefined)
    throw new FrError('ERR_FR_NOT_HELD', 'the node has no tree of this name')
  // A version that is read is not evicted meanwhile.
  const release = trees.hold(tree)
  let record: TreeRecord | undefined
  try {
    record = await trees.open(tree)
    if (record === undefined) throw new FrError('ERR_FR_NOT_HELD', 'the tree has just gone')
    const wholeAtMs = await record.wholeAtMs()
    // Of what still comes it would be worked out each time.
    const digest = wholeAtMs === null ? null : await trees.versions.digestOf(record)
    return new OpenedTree(record, digest, wholeAtMs, release)
  } catch (error) {
    release()
    await record?.close()
    throw error
  }
}
