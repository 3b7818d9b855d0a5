/**
 * What a tree ends with: links, files that came alone, and directories once more. It waits in a
 * file without a name, as listings, because a tree may have any number of them.
 */
import type { FileHandle } from 'node:fs/promises'
import type { DigestAlgorithm } from '../../base/digests.js'
import { limits } from '../../base/limits.js'
import {
  compareNames,
  encodeListing,
  entryBytes,
  type ListingOptions,
  listingHeadBytes,
  type TreeEntry,
} from '../../protocol/listing.js'
import { readListing } from '../../protocol/listing-reader.js'
import { writeAll } from '../files/durable.js'
import { writeUnnamed } from '../spool.js'

/** The last listing has room for the rules of the tree. */
const headBytes = listingHeadBytes + limits.treeRuleBytes

const options: ListingOptions = {
  isAtomic: false,
  deletes: false,
  strict: false,
  owner: false,
  xattrs: false,
  acls: false,
  isDry: false,
}

/** Lists of entries, each sorted and no larger than a listing may be. */
class Lists {
  readonly #algorithm: DigestAlgorithm
  readonly #signal: AbortSignal
  readonly #kept: { readonly file: FileHandle; readonly bytes: number }[] = []
  #last: TreeEntry[] = []
  #bytes: number = headBytes

  constructor(algorithm: DigestAlgorithm, signal: AbortSignal) {
    this.#algorithm = algorithm
    this.#signal = signal
  }

  get count(): number {
    return this.#kept.length
  }

  get last(): readonly TreeEntry[] {
    return this.#last
  }

  get lastBytes(): number {
    return this.#bytes
  }

  async add(entry: TreeEntry): Promise<void> {
    const bytes = entryBytes(entry, null)
    const isFull = this.#last.length === limits.treeBatchEntries
    if (isFull || this.#bytes + bytes > limits.listingBytes) await this.#keep()
    this.#last.push(entry)
    this.#bytes += bytes
  }

  async #keep(): Promise<void> {
    const bytes = encodeListing({
      ...{ tree: '00'.repeat(16), bundle: 0, final: null, options, isClosing: true },
      entries: sorted(this.#last),
    })
    this.#last = []
    this.#bytes = headBytes
    const file = await writeUnnamed(this.#signal, (writer) => writeAll(writer, bytes, 0))
    this.#kept.push({ file, bytes: bytes.length })
  }

  /** Each is forgotten once it has been read. */
  async *read(): AsyncGenerator<readonly TreeEntry[]> {
    for (const { file, bytes } of this.#kept) {
      const listing = Buffer.alloc(bytes)
      await file.read(listing, 0, bytes, 0)
      await file.close()
      yield readListing(listing, bytes, this.#algorithm).entries
    }
  }

  async close(): Promise<void> {
    for (const { file } of this.#kept) await file.close().catch(() => undefined)
  }
}

export class Closing {
  readonly #links: Lists
  readonly #directories: Lists

  constructor(algorithm: DigestAlgorithm, signal: AbortSignal) {
    this.#links = new Lists(algorithm, signal)
    this.#directories = new Lists(algorithm, signal)
  }

  /** A link, or a file that came alone. */
  addLink(entry: TreeEntry): Promise<void> {
    return this.#links.add(entry)
  }

  /** After everything in it. */
  addDirectory(entry: TreeEntry): Promise<void> {
    return this.#directories.add(entry)
  }

  /** Everything, if one list holds it. */
  get whole(): readonly TreeEntry[] | null {
    return this.#links.count === 0 ? this.#rest : null
  }

  /** What is not written yet, where all directories are, if one list holds it. */
  get #rest(): readonly TreeEntry[] | null {
    const [links, directories] = [this.#links, this.#directories]
    const both = links.last.length + directories.last.length
    const bytes = links.lastBytes + directories.lastBytes
    const isTogether =
      directories.count === 0 && both <= limits.treeBatchEntries && bytes <= limits.listingBytes
    return isTogether ? sorted([...links.last, ...directories.last]) : null
  }

  /** What the closing bundles list, one after the other; one at least. Nothing is added then. */
  async *lists(): AsyncGenerator<readonly TreeEntry[]> {
    const [links, directories] = [this.#links, this.#directories]
    yield* links.read()
    const rest = this.#rest
    if (rest !== null) return yield rest
    if (links.last.length > 0) yield sorted(links.last)
    yield* directories.read()
    yield sorted(directories.last)
  }

  async close(): Promise<void> {
    await this.#links.close()
    await this.#directories.close()
  }
}

function sorted(entries: readonly TreeEntry[]): readonly TreeEntry[] {
  return [...entries].sort((a, b) => compareNames(a.name, b.name))
}
