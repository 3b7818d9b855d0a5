/**
 * A content that this node has, or is about to have, opened by whoever has the node in its process:
 * to read it, or to have it sent to a connection of theirs.
 *
 * The idea: what may be read are verified bytes alone, and those stay what they are, also where the
 * file gets its name, another one takes it, or it is removed meanwhile. So who reads a content that
 * is still written, or still arrives, asks only how far it is, and waits for more.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { DataEngine, FileHandle, ServedSocket, StopSignal } from '../ports.js'
import { keyOf, openContent, type ServedContent } from '../session/fetch/served-content.js'
import type { GrowingHere } from '../session/growing-here.js'
import type { LandingHere } from '../session/landing-here.js'
import { isSameButLinked } from '../store/catalogue/same-file.js'
import { atFirst } from '../store/disks/at-first.js'
import { openNow } from '../store/held/holdings.js'
import { fullName, shown } from '../store/trees/full-name.js'
import type { TreePlace } from '../store/trees/held-trees.js'
import { digestText } from '../store/trees/local-copies.js'
import { Arriving } from './arriving-content.js'
import {
  type ContentState,
  lookMs,
  type Playing,
  type Progress,
  publishedTries,
} from './content-progress.js'
import type { Disk } from './disk.js'
import type { Disks } from './disks.js'
import { growingOf, landingOf } from './growing-of.js'
import type { Sha256s } from './sha256s.js'

/** Milliseconds for which what is pulled is waited for before any of it is here. */
const pulledMs = 30_000
/** Of what arrives, sent between two looks at whose it is. */
const pieceBytes = 8 * 1024 * 1024

export interface ContentRange {
  readonly offset: number
  readonly length: number
}

interface Described {
  readonly name: Uint8Array
  readonly file: FileHandle
  readonly contentId: string
  readonly digest: string | null
  readonly modifiedMs: number
  readonly only: string | undefined
  release?(): void
}

export class OpenedContent {
  readonly contentId: string
  readonly name: Uint8Array
  /** Null while it is still written. */
  readonly digest: string | null
  readonly modifiedMs: number
  /** Criteria: who else may have it; undefined: whoever asks. */
  readonly only: string | undefined
  readonly #engine: DataEngine
  readonly #about: Described
  readonly #progress: Progress
  /** Undefined: it is not known of what comes. */
  readonly #sha256s: Sha256s | undefined
  #hashing: Promise<string> | undefined
  #isClosed = false

  constructor(engine: DataEngine, about: Described, progress: Progress, sha256s?: Sha256s) {
    this.#engine = engine
    this.#sha256s = sha256s
    this.#about = about
    this.#progress = progress
    this.name = about.name
    this.contentId = about.contentId
    this.digest = about.digest
    this.modifiedMs = about.modifiedMs
    this.only = about.only
  }

  get state(): ContentState {
    return this.#progress.state
  }

  /** Null: it is still written. */
  get size(): number | null {
    return this.#progress.size
  }

  /** Verified bytes from there on. */
  available(offset: number): number {
    return this.#progress.available(offset)
  }

  /**
   * Resolves to the verified bytes from there on, once there are any; 0: the content ends there, or
   * before. Rejects with the reason why no more come, or the signal's.
   */
  async waitFor(offset: number, signal?: StopSignal): Promise<number> {
    if (!this.#isClosed) this.#progress.readsAt?.(offset)
    for (;;) {
      signal?.throwIfAborted()
      if (this.#isClosed) throw new FrError('ERR_FR_CLOSED')
      const bytes = this.available(offset)
      const { size } = this
      if (bytes > 0 || (size !== null && offset >= size)) return bytes
      const failure = await this.#progress.failure()
      if (failure !== null) throw failure
      await this.#moved(offset, signal)
    }
  }

  #moved(offset: number, signal: StopSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        unwatch()
        signal?.removeEventListener('abort', end)
        resolve()
      }
      const unwatch = this.#progress.watch(end)
      const timer = setTimeout(end, lookMs)
      signal?.addEventListener('abort', end, { once: true })
      if (this.available(offset) > 0) end()
    })
  }

  /** Verified bytes from there on, at most these and limits.readBytes; none where none are. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const most = Math.min(length, limits.readBytes, this.available(offset))
    if (this.#isClosed) throw new FrError('ERR_FR_CLOSED')
    if (most <= 0) return new Uint8Array()
    const bytes = await this.#engine.storage.read(this.#about.file, { offset, length: most })
    await this.#progress.check?.()
    return bytes
  }

  /** As ServingEngine.serve; all of the range is there. */
  async sendTo(
    socket: ServedSocket,
    { offset, length }: ContentRange,
    how: { readonly stalledMs: number; readonly signal?: StopSignal | undefined },
  ): Promise<void> {
    if (this.#isClosed) throw new FrError('ERR_FR_CLOSED')
    if (length > this.available(offset)) throw new RangeError('not all of the range is there')
    const { file } = this.#about
    const { check } = this.#progress
    this.#progress.readsAt?.(offset + length)
    if (check === undefined) return this.#engine.serve(socket, { file, offset, length, ...how })
    for (let at = offset; at < offset + length; at += pieceBytes) {
      await this.#progress.check?.()
      const piece = Math.min(pieceBytes, offset + length - at)
      await this.#engine.serve(socket, { file, offset: at, length: piece, ...how })
    }
    await this.#progress.check?.()
  }

  /** SHA-256 of the whole, 64 hex digits; null: not known yet. */
  get knownSha256(): string | null {
    return this.#sha256s?.known(this.#key) ?? null
  }

  /** Works it out, also after it was closed. Rejects as Sha256s.of, ERR_FR_BUSY: it still comes. */
  sha256(): Promise<string> {
    if (this.#hashing !== undefined) return this.#hashing
    if (this.#isClosed) return Promise.reject(new FrError('ERR_FR_CLOSED'))
    const { size } = this
    if (this.#sha256s === undefined || size === null)
      return Promise.reject(new FrError('ERR_FR_BUSY', 'the content still comes'))
    const { file } = this.#about
    this.#hashing = this.#sha256s.of({ key: this.#key, file, size }).finally(() => {
      this.#hashing = undefined
      if (this.#isClosed) this.#release()
    })
    return this.#hashing
  }

  get #key(): string {
    const { contentId, size, modifiedMs } = this
    return [contentId, size, modifiedMs, Buffer.from(this.name).toString('latin1')].join(' ')
  }

  /** Idempotent; what is being sent, and the work on a digest, go on. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#progress.end?.()
    if (this.#hashing === undefined) this.#release()
  }

  #release(): void {
    this.#engine.storage.closeFile(this.#about.file)
    this.#about.release?.()
  }
}

/** What of a node this needs. */
export interface ContentsOf {
  readonly engine: DataEngine
  readonly sha256s: Sha256s
  readonly disks: Disks
  /**
   * Who reads a content that is pulled tells it so; undefined: it is not pulled. An id of null:
   * whichever of the name is.
   */
  readonly play?: (name: string, contentId: string | null) => Playing | undefined
}

/**
 * What the node has under the name, or else what is still written under it, or what a push brings
 * of it. Rejects with
 * ERR_FR_NOT_HELD, and ERR_FR_IS_DIRECTORY for a tree or a directory of one.
 */
export async function openAt(contents: ContentsOf, name: Uint8Array): Promise<OpenedContent> {
  let awaited: Playing | undefined
  try {
    for (let looks = 0; ; looks++) {
      try {
        return await openLanded(contents, name)
      } catch (error) {
        const isAbsent = error instanceof FrError && error.code === 'ERR_FR_NOT_HELD'
        awaited ??= isAbsent ? contents.play?.(Buffer.from(name).toString(), null) : undefined
        if (!isAbsent || awaited === undefined || looks * lookMs >= pulledMs) throw error
      }
      // It is pulled, and nothing of it is here yet: its beginning is to come first.
      awaited.at(0)
      await delay(lookMs)
    }
  } finally {
    awaited?.end()
  }
}

async function openLanded(contents: ContentsOf, name: Uint8Array): Promise<OpenedContent> {
  for (let tries = 1; ; tries++) {
    await contents.disks.refresh()
    const landed = landingOf(contents.disks.likely(name), name)?.landing
    try {
      return await openOnce(contents, name)
    } catch (error) {
      // Between its partial and its record it has neither, for a moment.
      const isAbsent = error instanceof FrError && error.code === 'ERR_FR_NOT_HELD'
      const isPublished = landed !== undefined && !landed.isLost
      if (!isAbsent || !isPublished || tries === publishedTries) throw error
      await delay(lookMs)
    }
  }
}

async function openOnce(contents: ContentsOf, name: Uint8Array): Promise<OpenedContent> {
  const { engine, disks } = contents
  const likely = disks.likely(name)
  try {
    return await atFirst(likely, (disk) => openOn(contents, disk, name))
  } catch (error) {
    const isAbsent = error instanceof FrError && error.code === 'ERR_FR_NOT_HELD'
    const growing = isAbsent ? growingOf(likely, name) : undefined
    if (growing === undefined) throw error
    return atFirst(likely, (disk) => openGrowing(engine, disk, growing))
  }
}

/** Where it lands on its disk: it stays the file that it is when it gets its name. */
async function openLanding(engine: DataEngine, { store }: Disk, landing: LandingHere) {
  const { name, entry, fileDigest, partialId } = landing.spec
  const { size, contentId, only, mtimeSeconds: seconds, mtimeNanos: nanos } = entry
  const file = await store.leftovers.openToRead(partialId(), { size }).catch((cause: unknown) => {
    throw new FrError('ERR_FR_NOT_HELD', 'it got its name a moment ago, or was given up', { cause })
  })
  const check = async (): Promise<void> => {
    if (landing.isLost) throw new FrError('ERR_FR_NOT_HELD', 'the push that brought it has failed')
  }
  await check().catch((error: unknown) => {
    engine.storage.closeFile(file)
    throw error
  })
  const modifiedMs = msOf({ seconds, nanos })
  const about = { name, file, contentId, digest: fileDigest, modifiedMs, only }
  return new OpenedContent(engine, about, {
    state: 'arriving',
    size,
    available: (offset) => (landing.isLost ? 0 : landing.available(offset)),
    watch: () => () => {},
    failure: () =>
      check().then(
        () => null,
        (error: FrError) => error,
      ),
    check,
  })
}

async function openOn(
  { engine, sha256s, play }: ContentsOf,
  disk: Disk,
  name: Uint8Array,
): Promise<OpenedContent> {
  const { store, held } = { store: disk.store, held: disk.served }
  const key = await keyOf(held, name)
  // Whoever fills a partial knows more of it than was left, or is written down.
  const isPart = key === undefined || typeof key === 'string'
  const landing = isPart ? landingOf([disk], name)?.landing : undefined
  if (landing !== undefined) return openLanding(engine, disk, landing)
  if (key === undefined) {
    if ((await held.trees.meant(name)) === undefined) throw new FrError('ERR_FR_NOT_HELD')
    throw isTree(name)
  }
  if (typeof key === 'string') {
    const content = await openContent(held, key)
    const playing = play?.(Buffer.from(name).toString(), content.contentId)
    const arriving = new Arriving({ disk, id: key, content, playing })
    return new OpenedContent(engine, describe(content), arriving)
  }
  if ('row' in key) return openOfTree(engine, sha256s, disk, key)
  if (!('fileDigest' in key)) throw new FrError('ERR_FR_NOT_HELD')
  const file = await store.holdings.openUnchanged(key)
  if (file === undefined) throw new FrError('ERR_FR_NOT_HELD')
  const release = store.versions.use(key)
  const about = { ...describe({ ...key, file }), name: store.versions.nameOf(key), release }
  return new OpenedContent(engine, about, whole(key.size), sha256s)
}

/** The row says which file it is; its bytes were verified when it was placed. */
async function openOfTree(
  engine: DataEngine,
  sha256s: Sha256s,
  { dir, served }: Disk,
  place: TreePlace,
) {
  const { row, tree, only } = place
  const { kind, identity, algorithm, value } = row
  const name = fullName(tree, row.name)
  if (kind === 'directory') throw isTree(name)
  const [state] = await served.trees.statesOf(tree, [row])
  const file =
    kind === 'file' && state === 'held' && algorithm !== null
      ? await openNow(engine.storage, dir, name)
      : undefined
  if (file === undefined || algorithm === null) throw new FrError('ERR_FR_NOT_HELD')
  const now = await engine.storage.identityOf(file).catch(() => undefined)
  if (now === undefined || !isSameButLinked(now, identity)) {
    engine.storage.closeFile(file)
    throw new FrError('ERR_FR_NOT_HELD', 'somebody else changed the file')
  }
  const { size, mtime } = identity
  const digest = digestText(algorithm, size, Buffer.from(value).toString('hex'))
  const modifiedMs = msOf(mtime)
  const about = { name, file, contentId: digest, digest, modifiedMs, only }
  return new OpenedContent(engine, about, whole(size), sha256s)
}

async function openGrowing(engine: DataEngine, { served }: Disk, growing: GrowingHere) {
  const content = await openContent(served, growing)
  const about = { ...describe(content), digest: null }
  return new OpenedContent(engine, about, {
    state: 'growing',
    get size() {
      return growing.isFinal ? growing.bytes : null
    },
    available: (offset) => Math.max(0, growing.bytes - offset),
    watch: (moved) => growing.watch(moved),
    failure: async () => {
      const { failure } = growing
      return failure && new FrError(failure.code, failure.text)
    },
  })
}

function whole(size: number): Progress {
  return {
    state: 'held',
    size,
    available: (offset) => Math.max(0, size - offset),
    watch: () => () => {},
    failure: () => Promise.resolve(null),
  }
}

type Content = Pick<
  ServedContent,
  'name' | 'file' | 'contentId' | 'fileDigest' | 'mtime' | 'only' | 'release'
>

function describe({ name, file, contentId, fileDigest, mtime, only, release }: Content): Described {
  const about = { name, file, contentId, digest: fileDigest, modifiedMs: msOf(mtime), only }
  return { ...about, ...(release && { release }) }
}

function msOf({ seconds, nanos }: { readonly seconds: number; readonly nanos: number }): number {
  return seconds * 1000 + Math.floor(nanos / 1e6)
}

function isTree(name: Uint8Array): FrError {
  return new FrError('ERR_FR_IS_DIRECTORY', `${shown(name)} is a directory`)
}
