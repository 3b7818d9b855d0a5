/**
 * One data directory of a node, with all that works on it: what it holds, its trees, its partials,
 * and what is answered about them.
 *
 * The idea: each is complete by itself, as the only one of a node is. So a disk that is pulled out
 * can be read anywhere, and one that fails takes nothing with it but what lies there. Who asks for
 * a name, or brings a file, is led to the right one (disks.ts).
 */
import { stat, statfs } from 'node:fs/promises'
import type { DigestAlgorithm } from '../base/digests.js'
import { limits } from '../base/limits.js'
import type { Logger } from '../base/log.js'
import { isSameName, nameBelow, splitName } from '../base/names.js'
import type { DiskEntry, HeldEntry } from '../control/messages/types.js'
import type { TreeFiles } from '../ports/tree-files.js'
import type { DataDirHandle, DataEngine, Storage } from '../ports.js'
import type { OpenSpec } from '../session/fetch/served-file.js'
import type { Guest } from '../session/receiver/node-host.js'
import type { Reception } from '../session/receiver/reception.js'
import type { EngineRouter } from '../session/router.js'
import type { HeldStream } from '../store/catalogue/record.js'
import type { DiskState } from '../store/disks/choice.js'
import { DiskLoad } from '../store/disks/load.js'
import type { Room } from '../store/disks/room.js'
import type { HeldWork } from '../store/held/work.js'
import { NodeStore, type NodeStoreSpec } from '../store/node-store.js'
import { SharedContents } from '../store/shared/contents.js'
import { HeldTrees } from '../store/trees/held-trees.js'
import { Trees } from '../store/trees/trees.js'
import { TreeUses } from '../store/trees/uses.js'
import type { VersionRules } from '../store/versions/kept-files.js'
import { Adoption } from './adoption.js'
import type { CopySource } from './copies.js'
import type { DataDir } from './data-dirs.js'
import { EndedGrowths } from './ended-growths.js'
import { growingHere } from './growing-of.js'
import { HeldFiles } from './held-files.js'
import type { NameClaims } from './name-claims.js'
import type { SharedDir } from './shared-dir.js'
import { requireSpace } from './space.js'
import { TreeAnswers } from './tree-answers.js'
import { VersionAnswers } from './version-answers.js'

/** What all disks of a node have in common. */
export interface DiskRules {
  /** Bytes that stay free on each. */
  readonly minFreeBytes: number
  readonly keepPartialsSeconds: number
  /** Contents of which a part is all that is wanted: their partials do not expire. */
  readonly keeps: (contentId: string) => boolean
  readonly versions: VersionRules
  /** Nothing is written. */
  readonly isReadOnly: boolean
  /** The directory has no path, and nothing is ever in it. */
  readonly isRelayOnly: boolean
  /** What lies in the directory becomes held, hashed with this; undefined: it does not. */
  readonly adopt: DigestAlgorithm | undefined
  readonly log: Logger
  /** Its files are spread over the other disks; it takes no trees. */
  readonly isStriped?: boolean
  /** Other nodes have its files, too; it takes no trees. */
  readonly shared?: Omit<SharedDir, 'dir' | 'cluster'> | undefined
  /** Nodes of a shared directory write there, and this one reads. */
  readonly isFollowed?: boolean
  /** Of the free bytes at a disk: what this transfer must leave to others. */
  readonly reservedBytes: (disk: Disk, guest: Guest) => number
}

/** What disks work with. */
export interface DiskTools {
  readonly engine: DataEngine
  readonly router: EngineRouter
  readonly work: HeldWork
  readonly names: NameClaims<Guest>
  /** What reads trees. */
  readonly files: () => Promise<TreeFiles>
  readonly commits: {
    /** Versions there about which nodes decide. */
    readonly prepared: (store: NodeStore) => readonly HeldEntry[]
    /** Another directory is in the place of the first. */
    readonly moved: () => Promise<void>
  }
}

/** A transfer, or a content that copies by order bring. */
export type Landing = Pick<
  Reception,
  'name' | 'isEnded' | 'openBytes' | 'storageLost' | 'growing' | 'isOpen'
> & { readonly landing?: Reception['landing'] }

const firstNumber = 0

export class Disk {
  readonly number: number
  readonly dir: DataDirHandle
  /** Path of `dir`. */
  readonly dataDir: string
  readonly storage: Storage
  readonly store: NodeStore
  /** Undefined where nothing is written. */
  readonly trees: Trees | undefined
  /** Undefined where nobody else has its files. */
  readonly shared: SharedContents | undefined
  readonly held: HeldFiles
  readonly versions: VersionAnswers
  /** For clients that fetch files, and for copies. */
  readonly served: OpenSpec
  readonly copied: CopySource
  /** What lands here. */
  readonly receptions = new Set<Landing>()
  /** What has landed and was still written. */
  readonly ended = new EndedGrowths()
  /** Of these, those that have a name. */
  readonly holders = new Set<Guest>()
  readonly #tools: DiskTools
  readonly #rules: DiskRules
  readonly #heldTrees: HeldTrees
  readonly #load: DiskLoad
  readonly #adoption: Adoption
  #device: bigint | undefined

  constructor({ dir, dataDir, number }: DataDir, tools: DiskTools, rules: DiskRules) {
    this.number = number
    this.dir = dir
    this.dataDir = dataDir
    this.#tools = tools
    this.#rules = rules
    const { engine, router, work, names, files, commits } = tools
    const { isRelayOnly: isEmpty, isReadOnly, log, versions, shared } = rules
    const { storage } = engine
    const lost: NodeStoreSpec['lost'] = (failure) => {
      for (const reception of this.receptions) reception.storageLost(failure)
    }
    const moved = async (): Promise<void> => {
      if (number === firstNumber) await commits.moved()
    }
    const isShared = shared !== undefined || rules.isFollowed === true
    const placed = { storage, dir, dataDir, isEmpty, isShared, lost, moved }
    this.store = new NodeStore({ ...rules, ...placed })
    const { store } = this
    this.shared =
      shared &&
      new SharedContents({
        ...{ storage, dir, dataDir, log, holdings: store.holdings },
        ...{ directory: shared.directory, leases: shared.leases, shown: shared.shown },
      })
    const held = { storage, dir, store, work, log }
    const { holdings } = store
    const uses = new TreeUses()
    const placing = { ...held, dataDir, holdings, keep: versions.keep, treeFiles: files, uses }
    if (!isReadOnly && rules.isStriped !== true && !isShared) this.trees = new Trees(placing)
    if (this.trees !== undefined) store.versions.join(this.trees.versions)
    const heldTrees = new HeldTrees({ ...held, dataDir, uses })
    const trees = new TreeAnswers({ ...held, trees: heldTrees, writer: this.trees })
    const prepared = () => commits.prepared(store)
    const growing = () => growingHere(this.receptions)
    const removed = async (record: HeldStream) => this.shared?.removed(record)
    this.held = new HeldFiles({ ...held, trees, names, prepared, growing, removed })
    this.versions = new VersionAnswers({ ...held, heldTrees, writer: this.trees, names })
    const fileNames: OpenSpec['fileNames'] = new Map()
    this.served = { engine, router, work, store, trees: heldTrees, dataDir, files, fileNames }
    this.storage = storage
    this.copied = { storage, holdings, trees: heldTrees, versions: store.versions, dataDir }
    this.#heldTrees = heldTrees
    this.#load = new DiskLoad(dataDir)
    this.#adoption = new Adoption(log)
  }

  /** Rejects with ERR_FR_CATALOGUE. */
  async start(): Promise<void> {
    await this.store.start()
    await this.#findDevice()
    await this.trees?.start()
    this.shared?.start()
    if (!this.#rules.isRelayOnly) await this.#load.start()
  }

  /** Takes in what lies there, where that is wanted, in the background. */
  adopt(): void {
    const { dataDir } = this
    const { adopt } = this.#rules
    const { holdings: held, unhashed } = this.store
    this.#adoption.start({ adopt, unhashed, dataDir, held, work: this.#tools.work })
  }

  /** Nothing is done by itself any more. */
  stop(): void {
    this.store.stop()
    this.#load.stop()
  }

  /** After `stop`; resolves when nothing is read or put in place any more. */
  async settle(): Promise<void> {
    await Promise.all([this.#adoption.stop(), this.trees?.close(), this.shared?.stop()])
  }

  /** After `settle`, and after the transfers. */
  async close(): Promise<void> {
    await this.store.close()
  }

  /** The record of a file of this name. */
  recordOf(name: Uint8Array): HeldStream | undefined {
    return this.store.holdings.catalogue?.get(name)
  }

  /** A file of this content, whatever it is called. */
  withContent(fileDigest: string, size: number): HeldStream | undefined {
    return this.store.holdings.catalogue?.withDigest(fileDigest, size)
  }

  /**
   * Whether something here has the name or is about to, or is on the way to it and no plain
   * directory: what comes by this name belongs here then, or is refused here.
   */
  async isPlaceOf(name: Uint8Array): Promise<boolean> {
    for (const reception of this.receptions)
      if (!reception.isEnded && isSameName(reception.name, name)) return true
    const names: Uint8Array[] = []
    for (const component of splitName(Buffer.from(name)))
      names.push(nameBelow(names.at(-1) ?? new Uint8Array(), component))
    const looks = await this.#tools.engine.storage.lookAt(this.dir, names)
    const [own, ...above] = [...looks].reverse()
    if (own !== null && own !== undefined) return true
    if (above.some((look) => look !== null && look.kind !== 'directory')) return true
    const trees = await this.#heldTrees.names()
    const texts = new Set(trees.map((tree) => Buffer.from(tree).toString('latin1')))
    return this.#heldTrees.isInTree(name, texts)
  }

  /** Sets aside what a transfer needs here. Rejects with ERR_FR_NO_SPACE. */
  async requireSpace(guest: Guest): Promise<void> {
    const { dataDir } = this
    await this.#findDevice()
    const reservedBytes = () => this.#rules.reservedBytes(this, guest)
    await requireSpace(guest, this.store, { reservedBytes, dataDir })
  }

  /** What transfers that have room here will still write, without this one. */
  roomWithout(guest: Guest): Room {
    let openBytes = 0
    for (const other of this.holders)
      if (other !== guest && other.hasSpace) openBytes += other.openBytes
    return { device: this.#device, freeBytes: this.store.freeBytes, openBytes }
  }

  /** Another file system may have been mounted there. */
  async #findDevice(): Promise<void> {
    const found = await stat(this.dataDir, { bigint: true }).catch(() => undefined)
    this.#device = found?.dev ?? this.#device
  }

  /** Bytes that transfers will still write here. */
  get waitingBytes(): number {
    let bytes = 0
    for (const reception of this.receptions) bytes += reception.openBytes
    return bytes
  }

  get state(): DiskState {
    const { freeBytes, held, rest } = this.store
    const { waitingBytes } = this
    return {
      roomBytes: freeBytes - this.#rules.minFreeBytes - waitingBytes,
      heldBytes: held.bytes,
      waitingBytes,
      speedBytesPerSecond: this.#load.speedBytesPerSecond,
      requestMs: this.#load.now?.requestMs ?? null,
      restsFromBytes: rest?.fromBytes ?? null,
    }
  }

  /** Bytes that the file system has for all. Rejects where that cannot be told. */
  async sizeBytes(): Promise<number> {
    const { bsize, blocks } = await statfs(this.dataDir)
    return bsize * blocks
  }

  /** As clients are told; `sizeBytes` null: not known. */
  told(sizeBytes: number | null): DiskEntry {
    const { freeBytes, held, kept, isAway, isFull, problems, rest } = this.store
    const { waitingBytes } = this
    const state = isAway ? 'away' : isFull ? 'full' : rest?.fromBytes === 0 ? 'failing' : 'ok'
    const failure = rest === null ? [] : [`${rest.code}: ${rest.text}`]
    const { now, speedBytesPerSecond } = this.#load
    return {
      path: this.dataDir,
      state,
      problems: [...problems, ...failure].slice(0, limits.diskProblems),
      ...{ sizeBytes, freeBytes, heldFiles: held.streams, heldBytes: held.bytes },
      ...{ partialBytes: kept.bytes, transfers: this.receptions.size, waitingBytes },
      load: now && {
        busyPpm: Math.round(now.busy * 1e6),
        requestMicros: Math.round(now.requestMs * 1000),
        readBytesPerSecond: Math.round(now.readBytesPerSecond),
        writtenBytesPerSecond: Math.round(now.writtenBytesPerSecond),
      },
      speedBytesPerSecond: speedBytesPerSecond === null ? null : Math.round(speedBytesPerSecond),
    }
  }
}
