/**
 * The walk over a tree at its origin: lazily, in the order of listings, in bounded memory.
 *
 * The idea: one list of a directory at a time is taken, depth first, and the lists of the next few
 * directories are read meanwhile. Symlinks are entries like others and never followed, so there
 * are no loops. What cannot be read is named and passed over.
 */
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { nameBelow } from '../../base/names.js'
import type { Looked, TreeFiles } from '../../ports/tree-files.js'
import { compareNames } from '../../protocol/listing.js'
import type { Filter } from '../rules/filter.js'
import { systemText } from './failures.js'
import { HardLinks } from './hard-links.js'

/** A path of the disk, and the name that it has in the tree. */
export interface TreePath {
  readonly path: string | Uint8Array
  /** Empty only for the one path of a tree, a directory. */
  readonly name: Uint8Array
}

/** A path that was looked at. */
export interface TreeRoot {
  /** Absolute. */
  readonly path: Buffer
  readonly name: Buffer
  readonly looked: Looked
}

export type Walked =
  | {
      readonly type: 'entry'
      readonly name: Buffer
      /** Path of the directory that `looked.name` is in. */
      readonly directory: Buffer
      readonly looked: Looked
      /** Of a hard link: the name of the same file that came first. */
      readonly to?: Buffer
    }
  /** Everything in a directory has come. */
  | { readonly type: 'left'; readonly name: Buffer; readonly looked: Looked }

export interface WalkSpec {
  /** Names that do not contain one another. */
  readonly roots: readonly TreeRoot[]
  /** A file from elsewhere, in the place of one of its name. */
  readonly beside?: TreeRoot
  readonly files: TreeFiles
  readonly filter: Filter
  readonly xattrs: boolean
  readonly acls: boolean
  /** What cannot be sent ends the walk, instead of a warning. */
  readonly strict: boolean
  readonly signal: AbortSignal
  warn(text: string): void
  failed(name: Buffer, code: FrErrorCode, text: string): void
}

interface Frame {
  readonly name: Buffer
  readonly path: Buffer
  /** That it is in. */
  readonly directory: Buffer
  readonly looked: Looked
  readonly lists: AsyncIterator<Looked[]>
  list: readonly Looked[]
  next: number
  /** Where in `list` its directories stand that are being read ahead. */
  ahead: Map<number, AsyncIterator<Looked[]>>
  isListed: boolean
}

const runEntries = 512
const slash = Buffer.from('/')

/** In runs of some hundred. Rejects with the reason of the signal, or as `strict` wants. */
export async function* walk(spec: WalkSpec): AsyncGenerator<Walked[]> {
  const runs = new Walk(spec).run()
  yield* spec.beside === undefined ? runs : withFile(runs, spec.beside)
}

async function* withFile(
  runs: AsyncGenerator<Walked[]>,
  { path, name, looked }: TreeRoot,
): AsyncGenerator<Walked[]> {
  const directory = path.subarray(0, Math.max(1, path.lastIndexOf(slash)))
  let isIn = false
  for await (const run of runs) {
    const all: Walked[] = []
    for (const walked of run) {
      const isEntry = walked.type === 'entry'
      const order = isEntry ? compareNames(walked.name, name) : 0
      // The tree itself is left at the end.
      if (!isIn && (isEntry ? order >= 0 : walked.name.length === 0)) {
        all.push({ type: 'entry', name, directory, looked })
        isIn = true
      }
      if (!isEntry || order !== 0) all.push(walked)
    }
    yield all
  }
}

class Walk {
  readonly #spec: WalkSpec
  readonly #hardLinks: HardLinks
  readonly #stack: Frame[] = []
  #out: Walked[] = []
  #ahead = 0
  #skipped = 0

  constructor(spec: WalkSpec) {
    this.#spec = spec
    this.#hardLinks = new HardLinks(spec.warn)
  }

  async *run(): AsyncGenerator<Walked[]> {
    for (const { path, name, looked } of this.#spec.roots) {
      const parent = path.subarray(0, Math.max(1, path.lastIndexOf(slash)))
      this.#take(parent, name, looked, { path })
      while (this.#stack.length > 0) {
        this.#spec.signal.throwIfAborted()
        await this.#step(this.#stack.at(-1) as Frame)
        if (this.#out.length >= runEntries) yield this.#taken()
      }
    }
    if (this.#skipped > limits.treeFailuresTold)
      this.#spec.warn(`${this.#skipped} devices, sockets and FIFOs were left out`)
    if (this.#out.length > 0) yield this.#taken()
  }

  #taken(): Walked[] {
    const out = this.#out
    this.#out = []
    return out
  }

  /** Goes on in the directory that is open, up to the next that is entered or a full run. */
  async #step(frame: Frame): Promise<void> {
    while (frame.next < frame.list.length && this.#out.length < runEntries) {
      const looked = frame.list[frame.next] as Looked
      const ahead = frame.ahead.get(frame.next)
      frame.ahead.delete(frame.next)
      if (ahead !== undefined) this.#ahead -= 1
      frame.next += 1
      const name = frame.name.length === 0 ? looked.name : joined(frame.name, looked.name)
      if (this.#take(frame.path, name, looked, ahead && { lists: ahead })) {
        this.#readAhead(frame)
        return
      }
    }
    if (frame.next === frame.list.length && this.#out.length < runEntries) await this.#list(frame)
  }

  async #list(frame: Frame): Promise<void> {
    try {
      const { done, value } = await frame.lists.next()
      if (done !== true) {
        frame.list = value
        frame.next = 0
        this.#readAhead(frame)
        return
      }
    } catch (error) {
      const code = error instanceof FrError ? error.code : 'ERR_FR_SOURCE'
      this.#spec.failed(frame.name, code, error instanceof Error ? error.message : String(error))
    }
    this.#stack.pop()
    const { name, looked, isListed } = frame
    if (isListed) this.#out.push({ type: 'left', name, looked })
  }

  /** Begins to read the next directories of a list. */
  #readAhead(frame: Frame): void {
    for (let at = frame.next; at < frame.list.length; at += 1) {
      if (this.#ahead >= limits.treeListsAhead || frame.ahead.size >= limits.treeListsAhead / 2)
        return
      const looked = frame.list[at] as Looked
      if (looked.kind !== 'directory' || frame.ahead.has(at)) continue
      const name = frame.name.length === 0 ? looked.name : joined(frame.name, looked.name)
      if (this.#spec.filter.verdict(name, true) === 'out') continue
      frame.ahead.set(at, this.#lists(joined(frame.path, looked.name), looked))
      this.#ahead += 1
    }
  }

  #lists(path: Buffer, looked: Looked): AsyncIterator<Looked[]> {
    const { files, xattrs, acls } = this.#spec
    return files.list(path, looked.identity, { xattrs, acls })[Symbol.asyncIterator]()
  }

  /** True: a directory, which is open now. */
  #take(
    directory: Buffer,
    name: Buffer,
    looked: Looked,
    known: { readonly path?: Buffer; readonly lists?: AsyncIterator<Looked[]> } = {},
  ): boolean {
    const isDirectory = looked.kind === 'directory'
    const verdict = this.#spec.filter.verdict(name, isDirectory)
    if (verdict === 'out' || !this.#isSendable(name, looked)) return false
    if (isDirectory) {
      const path = known.path ?? joined(directory, looked.name)
      const frame = { name, path, looked, lists: known.lists ?? this.#lists(path, looked) }
      this.#stack.push({
        ...frame,
        directory,
        list: [],
        next: 0,
        ahead: new Map(),
        isListed: false,
      })
      if (verdict === 'in') this.#listDirectories()
      return true
    }
    this.#listDirectories()
    const to = looked.kind === 'file' ? this.#hardLinks.firstOf(name, looked) : undefined
    if (to === undefined) this.#out.push({ type: 'entry', name, directory, looked })
    else this.#out.push({ type: 'entry', name, directory, looked, to })
    return false
  }

  /** Lists the open directories that were not sent so far, because nothing in them was. */
  #listDirectories(): void {
    for (const frame of this.#stack) {
      if (frame.isListed) continue
      frame.isListed = true
      const { name, directory, looked } = frame
      this.#out.push({ type: 'entry', name, directory, looked })
    }
  }

  #isSendable(name: Buffer, looked: Looked): boolean {
    const { warn, failed, strict } = this.#spec
    if (looked.errno !== undefined) {
      failed(name, 'ERR_FR_SOURCE', systemText('lstat', looked.errno))
      return false
    }
    if (name.length > limits.nameBytes) {
      failed(name, 'ERR_FR_NAME', `the name is longer than ${limits.nameBytes} bytes`)
      return false
    }
    if (looked.kind !== 'other') return true
    const text = `${name.toString()} is a device, a socket or a FIFO`
    if (strict) throw new FrError('ERR_FR_SOURCE', text)
    this.#skipped += 1
    if (this.#skipped <= limits.treeFailuresTold) warn(`${text}: left out`)
    return false
  }
}

/** The path of what has this name in a directory. */
export function joined(directory: Buffer, name: Buffer): Buffer {
  const isRoot = directory.length === 1 && directory[0] === slash[0]
  return isRoot ? Buffer.concat([directory, name]) : nameBelow(directory, name)
}
