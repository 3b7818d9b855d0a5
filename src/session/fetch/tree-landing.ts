/**
 * The files of a fetch of a tree: where bundles land, and the directory that they become.
 *
 * The idea: beside the output is a hidden directory, which is a data directory of its own. There
 * bundles become entries as they do at a node (store/trees), which never leaves that directory
 * whatever a holder lists. A file beside says how far it is, so a fetch that was broken off goes
 * on. At the end the whole tree takes the output's name by one rename.
 */
import { chmod, lstat, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DigestAlgorithm } from '../../base/digests.js'
import { type Failure, FrError } from '../../base/errors.js'
import { MIB } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { hiddenDir } from '../../base/names.js'
import type { Applied } from '../../control/messages/applied.js'
import type { DataDirHandle, Storage } from '../../ports.js'
import type { Listing, TreeEntry } from '../../protocol/listing.js'
import { readListing } from '../../protocol/listing-reader.js'
import { replaceFile, syncParent, writeAll } from '../../store/files/durable.js'
import { Holdings } from '../../store/held/holdings.js'
import type { HeldWork } from '../../store/held/work.js'
import { openAbove } from '../../store/trees/above.js'
import { linkUnchanged } from '../../store/trees/bring-along.js'
import { fullName } from '../../store/trees/full-name.js'
import { listingOf } from '../../store/trees/listing-file.js'
import { TreeRecord } from '../../store/trees/tree-record.js'
import { Trees } from '../../store/trees/trees.js'
import { openWorkDir, systemError } from './landing.js'

export interface TreeLandingSpec {
  readonly storage: Storage
  readonly work: HeldWork
  readonly output: string
  readonly log: Logger
}

/** How far a fetch is, as it is kept between two processes. */
export interface TreeState {
  /** What is fetched. */
  readonly name: string
  /** Where the next part begins, as the holder has named it. */
  readonly next: string
  /** Of all files, as the holder has said; and of those that are here. */
  readonly bytes: number
  readonly doneBytes: number
  readonly entries: number
  readonly files: number
  readonly isWhole: boolean
  readonly failedCount: number
  /** At most limits.treeFailuresTold of them; names are text. */
  readonly failures: readonly ({ readonly name: string } & Failure)[]
}

export interface LandedBundle {
  readonly bytes: number
  readonly digest: DigestAlgorithm
}

export interface TakenBundle {
  readonly listing: Listing
  readonly applied: Applied
}

export type TreeFileEntry = Extract<TreeEntry, { kind: 'file' }>

const treeName = new Uint8Array(Buffer.from('tree'))
/** What came of an earlier state of the tree. */
const beforeName = new Uint8Array(Buffer.from('before'))
const ownerBits = 0o700
const stateBytes = MIB
const [bundleId, fileId] = ['0'.repeat(32), '1'.repeat(32)]

export class TreeLanding {
  readonly #spec: TreeLandingSpec
  readonly #workDir: string
  readonly #dir: DataDirHandle
  readonly #holdings: Holdings
  readonly #trees: Trees
  #hasBefore = false
  #isWorthKeeping = false

  private constructor(spec: TreeLandingSpec, workDir: string, dir: DataDirHandle) {
    this.#spec = spec
    this.#workDir = workDir
    this.#dir = dir
    const { storage, log } = spec
    this.#holdings = new Holdings({ storage, dir, catalogue: () => undefined, log })
    this.#trees = new Trees({ ...spec, dir, dataDir: workDir, holdings: this.#holdings })
  }

  /**
   * Rejects with ERR_FR_EXISTS where something has the output's name, ERR_FR_BUSY when another
   * process fetches it, ERR_FR_NO_SPACE, ERR_FR_IO, and leaves nothing then.
   */
  static async prepare(spec: TreeLandingSpec): Promise<TreeLanding> {
    const { storage, output } = spec
    await requireNothing(output)
    const { workDir, dir } = await openWorkDir(storage, output, 'fr-get-tree')
    const landing = new TreeLanding(spec, workDir, dir)
    try {
      await landing.#trees.start()
      for (const { id } of await storage.listPartials(dir)) await storage.discard(dir, id)
      return landing
    } catch (error) {
      landing.#isWorthKeeping = true
      await landing.close()
      throw error
    }
  }

  /** Where a bundle that is fetched is to be stored, for `take`; one that was begun stays there. */
  get bundlePath(): string {
    return join(this.#workDir, 'bundle')
  }

  /** Where a file that is fetched is to be stored, for `place`. */
  get filePath(): string {
    return join(this.#workDir, 'file')
  }

  /** What an earlier fetch of this name has come to; undefined: nothing that could go on. */
  async state(name: string): Promise<TreeState | undefined> {
    const text = await readFile(this.#statePath, 'utf8').catch(() => 'null')
    const state = parsed(text)
    if (state?.name === name) {
      this.#isWorthKeeping = true
      this.#hasBefore = (await lstat(this.#pathOf(beforeName)).catch(() => null)) !== null
      // It was broken off as it began anew.
      if (state.next === '' && this.#hasBefore) await this.#remove(treeName)
      else if (state.next === '') await this.setAside()
      return state
    }
    await this.clear()
    return undefined
  }

  /** Durable when it resolves. */
  async keep(state: TreeState): Promise<void> {
    const text = Buffer.from(JSON.stringify(state))
    if (text.length > stateBytes) throw new FrError('ERR_FR_LIMIT')
    await replaceFile(this.#statePath, (file) => writeAll(file, text, 0))
    this.#isWorthKeeping = true
  }

  /** Nothing of the tree is here afterwards. */
  async clear(): Promise<void> {
    await rm(this.#statePath, { force: true })
    await rm(this.#treesDir, { recursive: true, force: true })
    await this.#remove(treeName)
    await this.#remove(beforeName)
    this.#hasBefore = false
  }

  /**
   * The tree begins anew: what is here of it is taken from there by what is listed from now on, as
   * far as it is unchanged.
   */
  async setAside(): Promise<void> {
    await this.#remove(beforeName)
    const path = this.#pathOf(treeName)
    const found = await lstat(path).catch(() => undefined)
    if (found === undefined) return
    await moveDirectory(path, this.#pathOf(beforeName), found.mode)
    this.#hasBefore = true
  }

  /** Something was set aside. */
  get hasBefore(): boolean {
    return this.#hasBefore
  }

  async #remove(name: Uint8Array): Promise<void> {
    const step = { kind: 'remove', name, isWhole: true } as const
    for (const { failure } of await this.#spec.storage.placeEntries(this.#dir, [step]))
      if (failure !== null) throw new FrError(failure.code, failure.text)
  }

  #pathOf(name: Uint8Array): string {
    return join(this.#workDir, Buffer.from(name).toString())
  }

  /**
   * Puts the entries of the bundle that has landed in their places. Rejects with ERR_FR_PROTOCOL
   * for a bundle that is more than entries.
   */
  async take({ bytes, digest: algorithm }: LandedBundle): Promise<TakenBundle> {
    const { storage } = this.#spec
    const [id, originId] = [bundleId, 'holder']
    await rename(this.bundlePath, this.#partialPath(id))
    try {
      const listed = await listingOf(this.#workDir, { id, bytes })
      const listing = readListing(listed, bytes, algorithm)
      if (listing.final !== null || Object.values(listing.options).includes(true))
        throw new FrError('ERR_FR_PROTOCOL', 'a bundle of a tree that is fetched is none to get')
      const file = await storage.openPartial(this.#dir, id)
      try {
        if (this.#hasBefore) await this.#linkBefore(listing, algorithm)
        const bundle = { id, file, bytes, name: treeName, originId, algorithm }
        return { listing, applied: await this.#trees.apply(bundle) }
      } finally {
        storage.closeFile(file)
      }
    } finally {
      await storage.discard(this.#dir, id)
    }
  }

  async #linkBefore(listing: Listing, algorithm: DigestAlgorithm): Promise<void> {
    const { storage } = this.#spec
    const [dir, holdings] = [this.#dir, this.#holdings]
    const record = await TreeRecord.open(this.#treesDir, treeName)
    const names = { last: beforeName, next: treeName, tree: beforeName }
    const about = { record, algorithm, only: undefined, owners: undefined, dataDir: this.#workDir }
    const spec = { storage, dir, holdings, ...about, ...names }
    try {
      await linkUnchanged(spec, listing)
    } finally {
      await record.close()
    }
  }

  /** Gives the file that has landed, and is the one that was listed, its place. */
  async place(entry: TreeFileEntry, algorithm: DigestAlgorithm): Promise<Failure | null> {
    const { storage } = this.#spec
    const { mode, mtimeSeconds: seconds, mtimeNanos: nanos } = entry.attributes
    const name = fullName(treeName, entry.name)
    await chmod(this.filePath, 0o600)
    await rename(this.filePath, this.#partialPath(fileId))
    try {
      await openAbove(storage, this.#dir, [name])
      const attributes = { mode, mtime: { seconds, nanos } }
      const from = { id: fileId, size: entry.size, attributes, replacesDirectories: true }
      const [outcome] = await storage.placeEntries(this.#dir, [{ kind: 'partial', name, ...from }])
      if (outcome?.failure) return outcome.failure
      const identity = outcome?.look?.identity
      if (identity !== undefined && entry.digest !== null)
        await this.#record({ name: entry.name, identity, value: entry.digest, algorithm })
      return null
    } finally {
      await storage.discard(this.#dir, fileId)
    }
  }

  /** The tree is durable under its name when it resolves. */
  async publish(): Promise<void> {
    const { output } = this.#spec
    const made = this.#pathOf(treeName)
    await requireNothing(output)
    try {
      const found = await lstat(made).catch(() => undefined)
      if (found === undefined) throw new FrError('ERR_FR_NOT_HELD', 'nothing of the tree came')
      await moveDirectory(made, output, found.mode)
      await syncParent(output)
    } catch (error) {
      throw systemError(error, output)
    }
    this.#isWorthKeeping = false
    if (this.#hasBefore) await this.#remove(beforeName).catch(() => {})
  }

  /** Closes everything; what is not worth going on with is removed. */
  async close(): Promise<void> {
    await this.#trees.close()
    this.#spec.storage.closeDataDir(this.#dir)
    if (this.#isWorthKeeping) return
    await rm(this.#workDir, { recursive: true, force: true }).catch(() => {})
  }

  async #record(row: Omit<Parameters<TreeRecord['add']>[0][number], 'kind'>): Promise<void> {
    const record = await TreeRecord.open(this.#treesDir, treeName)
    try {
      await record.add([{ kind: 'file', ...row }])
    } finally {
      await record.close()
    }
  }

  get #statePath(): string {
    return join(this.#workDir, 'state')
  }

  get #treesDir(): string {
    return join(this.#workDir, hiddenDir, 'trees')
  }

  #partialPath(id: string): string {
    return join(this.#workDir, hiddenDir, 'partials', id)
  }
}

/** One that its owner may not change cannot be moved to another directory. */
async function moveDirectory(from: string, to: string, mode: number): Promise<void> {
  const isShut = (mode & ownerBits) !== ownerBits
  if (isShut) await chmod(from, (mode & 0o777) | ownerBits)
  await rename(from, to)
  if (isShut) await chmod(to, mode & 0o777)
}

/** Null: the file was damaged. */
function parsed(text: string): TreeState | null {
  try {
    return JSON.parse(text) as TreeState | null
  } catch {
    return null
  }
}

/** A tree is put in the place of nothing else. */
async function requireNothing(output: string): Promise<void> {
  const found = await lstat(output).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw systemError(error, output)
  })
  if (found === undefined) return
  const text = `${output} is there already, and a tree is put in the place of nothing`
  throw new FrError('ERR_FR_EXISTS', text, { path: output })
}
