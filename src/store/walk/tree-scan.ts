/**
 * A tree on its way out: the walk, cut into batches while it goes on (docs/protocol.md, *Bundles*).
 *
 * The idea: the walk runs ahead of whoever sends by one batch, so the first one leaves long before
 * the walk has ended, and memory does not grow with the tree. What is known from an earlier push is
 * not read; what is not known is read when its batch is packed.
 */
import { type DigestAlgorithm, digestBytesOf } from '../../base/digests.js'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { rulesBytes, type TreeRules } from '../../base/tree-rules.js'
import type { Looked, TreeFiles } from '../../ports/tree-files.js'
import {
  compareNames,
  entryBytes,
  type Listing,
  type ListingOptions,
  listingHeadBytes,
  type TreeAttributes,
  type TreeEntry,
} from '../../protocol/listing.js'
import { Filter } from '../rules/filter.js'
import { type AloneFile, Batch, type Candidate, packedBytes } from './batch.js'
import { Closing } from './closing.js'
import { Failures, type TreeFailure } from './failures.js'
import { Owners } from './owners.js'
import { openRoots, rootOf } from './roots.js'
import { SentTree } from './sent-tree.js'
import { joined, type TreePath, type TreeRoot, type Walked, walk } from './walk.js'

export interface TreeSpec {
  /** One directory, or what is to be in the tree under these names. Symlinks are followed here. */
  readonly paths: readonly TreePath[]
  /** A file from elsewhere, for the tree that is one directory. */
  readonly beside?: TreePath
  /** Rules of gitignore(5): see filter.ts. */
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  /** Id of this push, 32 hex digits. */
  readonly tree: string
  readonly algorithm: DigestAlgorithm
  readonly options: ListingOptions
  readonly files: TreeFiles
  /** What is known from earlier pushes is not believed. */
  readonly rereads: boolean
  readonly signal: AbortSignal
  warn(text: string): void
}

export interface TreeCounts {
  readonly entries: number
  readonly files: number
  readonly bytes: number
  /** False: they still grow. */
  readonly isScanned: boolean
}

/** What a batch is made of. */
interface Cut {
  readonly candidates: Candidate[]
  /** What it closes was listed before, but for links and directories of its own. */
  readonly isClosing: boolean
  readonly isFinal: boolean
  readonly again: number
}

/** Something that both sides of a queue look at has changed. */
class Change {
  happened!: () => void
  readonly promise = new Promise<void>((resolve) => {
    this.happened = resolve
  })
}

export class TreeScan implements AsyncIterable<Batch>, AsyncDisposable {
  readonly #spec: TreeSpec
  readonly #owners: Owners | null
  /** Bytes of the files of a batch: what was sent before is only listed at first. */
  readonly #mostData: number
  readonly #sent: SentTree
  readonly #closing: Closing
  readonly #failures = new Failures()
  readonly #alone = new WeakMap<Candidate, AloneFile>()
  readonly #stopped = new AbortController()
  readonly #signal: AbortSignal
  readonly #counts = { entries: 0, files: 0, bytes: 0, isScanned: false }
  readonly #ready: Cut[] = []
  /** Not released yet. */
  readonly #open = new Set<Batch>()
  #current: Candidate[] = []
  #currentBytes = 0
  #currentData = 0
  #isAwaited = false
  /** A file goes by itself: nothing closes before it has arrived. */
  #hasAlone = false
  /** There is a final batch. */
  #isClosed = false
  #batches = 0
  /** Names in all listings. */
  #names = 0
  #error: { readonly reason: unknown } | undefined
  #changed = new Change()
  readonly #walking: Promise<void>

  private constructor(
    spec: TreeSpec,
    roots: readonly [readonly TreeRoot[], TreeRoot | undefined],
    owners: Owners | null,
    sent: SentTree,
  ) {
    this.#spec = spec
    this.#owners = owners
    this.#sent = sent
    this.#mostData = sent.isKnown ? Number.POSITIVE_INFINITY : limits.treeBatchBytes
    this.#closing = new Closing(spec.algorithm, spec.signal)
    this.#signal = AbortSignal.any([spec.signal, this.#stopped.signal])
    this.#signal.addEventListener('abort', () => this.#wake(), { once: true })
    this.#walking = this.#walk(...roots).then(
      () => this.#end(),
      (reason: unknown) => this.#end({ reason }),
    )
  }

  /**
   * Rejects with ERR_FR_SOURCE for a path that is not there, TypeError for names that contain one
   * another.
   */
  static async open(spec: TreeSpec): Promise<TreeScan> {
    const { xattrs, acls, owner } = spec.options
    const { files } = spec
    const roots = await openRoots({ paths: spec.paths, files, xattrs, acls })
    const { beside } = spec
    const looked = beside && (await rootOf(beside, { files, xattrs, acls }))
    if ((xattrs || acls) && !spec.files.hasXattrs)
      spec.warn('attributes and ACLs are not read: the portable engine cannot')
    const parts = roots.flatMap(({ path, name }) => [path, name])
    const digestBytes = digestBytesOf(spec.algorithm)
    const known = { parts: [spec.algorithm, ...parts], digestBytes, rereads: spec.rereads }
    const owners = owner ? await Owners.read() : null
    return new TreeScan(spec, [roots, looked], owners, await SentTree.open(known))
  }

  /** The tree was sent before, as far as anything is kept of that. */
  get wasSent(): boolean {
    return this.#sent.isKnown
  }

  get counts(): TreeCounts {
    return this.#counts
  }

  /** What could not be read, so far. */
  get failed(): { readonly count: number; readonly told: readonly TreeFailure[] } {
    return this.#failures
  }

  /**
   * Everything but what comes at the end; of a tree without files alone that too, where there is
   * room for it in the last batch. Once. Batches are to be released, all others before a bundle is
   * made of a final one; the walk waits for that while it is two ahead of those under way.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Batch> {
    for (;;) {
      const cut = this.#ready.shift()
      if (cut !== undefined) {
        this.#wake()
        yield this.#batch(cut)
        if (cut.isFinal) return
      } else if (this.#error !== undefined) throw this.#error.reason
      else if (this.#counts.isScanned) return
      else {
        const timer = setTimeout(() => this.#cutEarly(), limits.treeEagerMs)
        await this.#changed.promise
        clearTimeout(timer)
      }
    }
  }

  /**
   * What the tree ends with: links, files that came alone, directories. To be called once the other
   * batches are packed, and every file alone has been told of. The last batch is final. Nothing, if
   * a batch was final before.
   */
  async *closing(): AsyncGenerator<Batch> {
    if (this.#isClosed) return
    let last: readonly TreeEntry[] | undefined
    for await (const list of this.#closing.lists()) {
      if (last !== undefined) yield this.#batch(closingOf(last, false))
      last = list
    }
    yield this.#batch(closingOf(last ?? [], true))
  }

  /** What was found out is kept for the next push. Never rejects. */
  keep(): Promise<void> {
    return this.#sent.keep()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort()
    await this.#walking
    for (const batch of this.#open) await batch.release()
    await this.#closing.close()
    await this.#sent.close()
  }

  #batch(cut: Cut): Batch {
    const { tree, algorithm, files, signal } = this.#spec
    const bundle = this.#batches
    this.#batches += 1
    if (cut.isFinal) this.#isClosed = true
    const batch: Batch = new Batch({
      ...{ ...cut, bundle, tree, algorithm, files, signal },
      rulesBytes: cut.isFinal ? rulesBytes(this.#rules) : 0,
      about: (isLast) => this.#about(isLast ? cut : cutOf([])),
      alone: (candidate) => this.#aloneOf(candidate),
      failed: (name, code, text) => {
        this.#names -= 1
        this.#failures.add(name, code, text)
      },
      released: (known) => {
        this.#open.delete(batch)
        this.#wake()
        this.#sent.add(bundle, known)
      },
    })
    this.#open.add(batch)
    return batch
  }

  get #rules(): TreeRules {
    const { include, exclude } = this.#spec
    return { include, exclude }
  }

  /** Known once the files of all batches have been read. */
  #about({ isClosing, isFinal }: Cut): Pick<Listing, 'options' | 'final' | 'rules'> {
    const { options: given, warn, include, exclude } = this.#spec
    const { count } = this.#failures
    if (given.deletes && isFinal && count > 0)
      warn(`nothing is deleted, because ${count} entries could not be read`)
    const hasRules = include.length + exclude.length > 0
    // What rules leave out may be in a directory that is in the way of something: it stays, too.
    const isToDelete = hasRules ? isFinal && count === 0 : !isClosing || count === 0
    const deletes = given.deletes && isToDelete
    const final = isFinal ? { bundles: this.#batches, entries: this.#names } : null
    const options = { ...given, deletes }
    return { options, final, ...(hasRules && deletes && { rules: this.#rules }) }
  }

  #aloneOf(candidate: Candidate): AloneFile {
    const known = this.#alone.get(candidate)
    if (known !== undefined) return known
    const { entry, source } = candidate
    if (entry.kind !== 'file' || source === undefined) throw new FrError('ERR_FR_INTERNAL')
    let isSent = false
    const file: AloneFile = {
      path: joined(source.directory, source.looked.name),
      name: entry.name,
      size: entry.size,
      digest: entry.digest,
      sent: async (digest) => {
        if (isSent) return
        isSent = true
        this.#sent.addAlone({ name: entry.name, identity: source.looked.identity, digest })
        await this.#closing.addLink({ ...entry, digest })
      },
    }
    this.#alone.set(candidate, file)
    return file
  }

  async #walk(roots: readonly TreeRoot[], beside?: TreeRoot): Promise<void> {
    const { files, options, include, exclude, warn } = this.#spec
    const { xattrs, acls, strict } = options
    const signal = this.#signal
    const filter = new Filter(include, exclude)
    const failed = (name: Buffer, code: FrErrorCode, text: string): void =>
      this.#failures.add(name, code, text)
    const spec = { roots, files, filter, xattrs, acls, strict, signal, warn, failed }
    for await (const run of walk({ ...spec, ...(beside && { beside }) })) {
      for (const walked of run) {
        const waiting = this.#take(walked)
        if (waiting !== undefined) await waiting
        if (this.#names > limits.treeEntries)
          throw new FrError('ERR_FR_LIMIT', `a tree has more than ${limits.treeEntries} entries`)
      }
    }
    if (this.#current.length > 0) this.#cut(this.#withEnd() ?? cutOf(this.#current))
  }

  /** What is left together with what the tree ends with; undefined: there is no room for it. */
  #withEnd(): Cut | undefined {
    const closing = this.#hasAlone ? null : this.#closing.whole
    if (closing === null) return undefined
    const candidates = [...this.#current]
    const here = new Set(candidates.map(({ entry }) => textOf(entry.name)))
    const added = closing.filter(({ name }) => !here.has(textOf(name)))
    const before = this.#currentBytes + rulesBytes(this.#rules)
    const bytes = added.reduce((sum, entry) => sum + entryBytes(entry, null), before)
    const count = candidates.length + added.length
    if (count > limits.treeBatchEntries || bytes > limits.listingBytes - listingHeadBytes)
      return undefined
    candidates.push(...candidatesOf(added))
    candidates.sort((a, b) => compareNames(a.entry.name, b.entry.name))
    const again = added.filter(({ kind }) => kind === 'directory').length
    return { candidates, isClosing: true, isFinal: true, again }
  }

  #end(error?: { readonly reason: unknown }): void {
    this.#error = error
    this.#counts.isScanned = true
    this.#wake()
  }

  /** Nothing to wait for is nothing: a promise for each entry would cost as much as the rest. */
  #take(walked: Walked): Promise<void> | undefined {
    const { name, looked } = walked
    const attributes = this.#attributesOf(looked)
    if (walked.type === 'left')
      return this.#closing.addDirectory({ name, attributes, kind: 'directory' })
    if ((attributes.xattrs?.length ?? 0) > limits.treeXattrs) {
      const text = `it has more than ${limits.treeXattrs} extended attributes`
      this.#failures.add(name, 'ERR_FR_LIMIT', text)
      return undefined
    }
    this.#names += 1
    this.#counts.entries += 1
    const { directory, to } = walked
    if (looked.kind === 'directory') return this.#add({ name, attributes, kind: 'directory' })
    if (to !== undefined) return this.#closing.addLink({ name, attributes, kind: 'hardlink', to })
    if (looked.kind === 'symlink') {
      const target = looked.target ?? Buffer.alloc(0)
      return this.#closing.addLink({ name, attributes, kind: 'symlink', target })
    }
    this.#counts.files += 1
    this.#counts.bytes += looked.size
    const isAlone = looked.size > limits.bundledFileBytes
    if (isAlone) this.#hasAlone = true
    const { size, dataBytes, identity } = looked
    const add = (digest: Uint8Array | null): Promise<void> | undefined => {
      return this.#add(
        { name, attributes, kind: 'file', size, dataBytes, digest, at: null, isAlone },
        { directory, looked },
      )
    }
    if (isAlone) return add(this.#sent.digestAlone(name, identity))
    const known = this.#sent.digestOf(name, identity)
    return known instanceof Promise ? known.then(add) : add(known)
  }

  /** To be waited for while the walk is far enough ahead. */
  #add(entry: TreeEntry, source?: Candidate['source']): Promise<void> | undefined {
    const previous = this.#current.at(-1)?.entry.name ?? null
    const bytes = packedBytes(entry, previous, this.#spec.algorithm)
    const data = entry.kind === 'file' && !entry.isAlone ? entry.size : 0
    const isFull =
      this.#current.length === limits.treeBatchEntries ||
      this.#currentBytes + bytes > limits.listingBytes - listingHeadBytes - limits.nameBytes ||
      this.#currentData + data > this.#mostData
    if (isFull && this.#current.length > 0) this.#cut()
    const isYoung = false
    this.#current.push(source === undefined ? { entry, isYoung } : { entry, isYoung, source })
    this.#currentBytes += bytes
    this.#currentData += data
    if (this.#isAwaited) this.#cutEarly()
    return this.#isAhead ? this.#ahead() : undefined
  }

  /** Somebody has waited for a while. Of what was sent before no bytes are to be had early. */
  #cutEarly(): void {
    this.#isAwaited = true
    const { treeEagerEntries, treeEagerBytes } = limits
    const isEnough = this.#current.length >= treeEagerEntries || this.#currentData >= treeEagerBytes
    if (isEnough && !this.#sent.isKnown) this.#cut()
  }

  async #ahead(): Promise<void> {
    while (this.#isAhead && !this.#signal.aborted) await this.#changed.promise
  }

  get #isAhead(): boolean {
    return this.#ready.length + this.#open.size > limits.treeBundlesAtOnce + 1
  }

  #cut(cut = cutOf(this.#current)): void {
    this.#ready.push(cut)
    this.#current = []
    this.#currentBytes = 0
    this.#currentData = 0
    this.#isAwaited = false
    this.#wake()
  }

  #wake(): void {
    const { happened } = this.#changed
    this.#changed = new Change()
    happened()
  }

  #attributesOf({ mode, mtime, uid, gid, xattrs }: Looked): TreeAttributes {
    const base = { mode: mode & 0o7777, mtimeSeconds: mtime.seconds, mtimeNanos: mtime.nanos }
    if (this.#owners === null && xattrs === undefined) return base
    return {
      ...base,
      ...(this.#owners && { owner: this.#owners.of(uid, gid) }),
      ...(xattrs && { xattrs }),
    }
  }
}

function cutOf(candidates: Candidate[]): Cut {
  return { candidates, isClosing: false, isFinal: false, again: 0 }
}

function closingOf(entries: readonly TreeEntry[], isFinal: boolean): Cut {
  // All but links was listed before.
  const again = entries.filter(({ kind }) => kind === 'directory' || kind === 'file').length
  return { candidates: candidatesOf(entries), isClosing: true, isFinal, again }
}

function textOf(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.length).toString('latin1')
}

function candidatesOf(entries: readonly TreeEntry[]): Candidate[] {
  return entries.map((entry) => ({ entry, isYoung: false }))
}
