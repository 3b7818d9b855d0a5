/**
 * The data directories of a node: where a file lands, which of them has a name.
 *
 * The idea: where a name is, the file systems tell, and nobody remembers. Whoever has something at
 * the name, something that is no plain directory on the way to it, or a tree around it, has the
 * name; so what is refused of names, what is kept of versions and what is linked stays within one
 * file system. A name that is nowhere goes where its content is already, else where there is room
 * and little to do (store/disks/choice.ts).
 *
 * A disk that does not answer is asked nothing, and takes nothing: the others do all there is to
 * do. One that was missing at the start joins when it is there. The first has the identity of the
 * node, and is there from the start.
 */
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import type { DiskEntry } from '../control/messages/types.js'
import { decodeName } from '../protocol/manifest.js'
import { geometryOf } from '../session/receiver/growing.js'
import type { Guest } from '../session/receiver/node-host.js'
import type { HeldStream } from '../store/catalogue/record.js'
import { chooseDisk, isResting } from '../store/disks/choice.js'
import { reservedOf, reservedOfAll } from '../store/disks/room.js'
import { type DataDir, type MissingDir, openMissing } from './data-dirs.js'
import { Disk, type DiskRules, type DiskTools } from './disk.js'
import type { Arriving } from './offers.js'
import { type StripedDir, StripedDisk } from './striped-disk.js'

export interface DisksSpec extends Omit<DiskRules, 'reservedBytes' | 'keeps' | 'isFollowed'> {
  readonly dirs: readonly DataDir[]
  readonly missing: readonly MissingDir[]
  /** Of the heads of striped files; undefined: there are none. */
  readonly striped?: StripedDir | undefined
  /**
   * Paths of further directories, which come and go and are written by others; undefined: none are.
   */
  readonly places?: (() => Promise<readonly string[]>) | undefined
}

export class Disks {
  /** See DiskRules; of all disks, also of those that are there only later. */
  keeps: DiskRules['keeps'] = () => false
  readonly #tools: DiskTools
  readonly #spec: DisksSpec
  readonly #rules: DiskRules
  /** In the order of their numbers, and never empty. */
  #all: readonly Disk[]
  #missing: readonly MissingDir[]
  readonly #striped: StripedDisk | undefined
  /** Where the parts of a push of a tree go, by its id; the oldest are forgotten. */
  readonly #ofTrees = new Map<string, Promise<Disk>>()
  #retry: NodeJS.Timeout | undefined
  #look: NodeJS.Timeout | undefined
  #trying: Promise<void> | undefined
  #refreshing: Promise<void> = Promise.resolve()
  #refreshNext: Promise<void> | undefined
  /** Of directories that cannot be opened, what was said of them. */
  readonly #unopened = new Map<string, string>()
  #isClosed = false

  constructor(tools: DiskTools, spec: DisksSpec) {
    this.#tools = tools
    this.#spec = spec
    const reservedBytes: DiskRules['reservedBytes'] = (disk, guest) => this.#reserved(disk, guest)
    const keeps = (contentId: string): boolean => this.keeps(contentId)
    this.#rules = { ...spec, reservedBytes, keeps, isFollowed: spec.places !== undefined }
    this.#all = spec.dirs.map((dir) => new Disk(dir, tools, this.#rules))
    this.#missing = spec.missing
    const { striped } = spec
    const disks = {
      disks: () => this.#all.filter(({ store }) => !store.isAway),
      isAll: () => this.#missing.length === 0 && this.#all.every(({ store }) => !store.isAway),
    }
    this.#striped = striped && new StripedDisk(tools, this.#rules, striped, disks)
  }

  /** With that of striped files. */
  get #withStriped(): readonly Disk[] {
    return this.#striped === undefined ? this.#all : [...this.#all, this.#striped.disk]
  }

  /** More than one was given: then people are told which has what. */
  get isSeveral(): boolean {
    const { dirs, missing, striped } = this.#spec
    return dirs.length + missing.length > 1 || striped !== undefined || this.isFollowing
  }

  /** They are of several nodes, and of each name the file that was published last counts. */
  get isFollowing(): boolean {
    return this.#spec.places !== undefined
  }

  get isReadOnly(): boolean {
    return this.#spec.isReadOnly
  }

  get first(): Disk {
    return this.#all[0] as Disk
  }

  /** Those that answer; all where none does, so that they say why. */
  get #there(): readonly Disk[] {
    const there = this.#withStriped.filter(({ store }) => !store.isAway)
    return there.length === 0 ? this.#withStriped : there
  }

  /** Rejects with ERR_FR_CATALOGUE. */
  async start(): Promise<void> {
    const { log } = this.#spec
    for (const { dataDir, failure } of this.#missing) {
      const { code, message: text } = failure
      log({ level: 'error', event: 'data-dir-missing', fields: { data: dataDir, code, text } })
    }
    for (const disk of this.#withStriped) await disk.start()
    this.#striped?.stripes.sweep()
    await this.refresh()
    // For whoever goes on over a link that was opened before.
    if (this.#spec.places !== undefined)
      this.#look = setInterval(() => void this.refresh(), limits.lookMs).unref()
    if (this.#missing.length === 0) return
    this.#retry = setInterval(() => this.#tryAgain(), limits.diskRetryMs).unref()
  }

  /** Takes in what lies there, where that is wanted, in the background. */
  adopt(): void {
    for (const disk of this.#withStriped) disk.adopt()
  }

  stop(): void {
    this.#isClosed = true
    clearInterval(this.#retry)
    clearInterval(this.#look)
    for (const disk of this.#withStriped) disk.stop()
  }

  async settle(): Promise<void> {
    await this.#refreshing
    await Promise.all(this.#withStriped.map((disk) => disk.settle()))
  }

  /** Directories that were opened later are closed, too; the others are the caller's. */
  async close(): Promise<void> {
    const { dirs } = this.#spec
    await Promise.all(this.#withStriped.map((disk) => disk.close()))
    await this.#striped?.stripes.settle()
    for (const { number, dir } of this.#all)
      if (!dirs.some((own) => own.number === number)) this.#tools.engine.storage.closeDataDir(dir)
  }

  /** One try at a time: a disk that hangs answers late, or never, or once the engine is gone. */
  #tryAgain(): void {
    this.#trying ??= this.#openMissing()
      .catch(() => {})
      .finally(() => {
        this.#trying = undefined
      })
  }

  async #openMissing(): Promise<void> {
    const { storage } = this.#tools.engine
    const { isReadOnly, log } = this.#spec
    for (const missing of this.#missing) {
      const { number, dataDir } = missing
      let disk: Disk | undefined
      try {
        const opened = await openMissing(storage, missing, isReadOnly)
        disk = new Disk(opened, this.#tools, this.#rules)
        await disk.start()
        if (this.#isClosed) throw new FrError('ERR_FR_CLOSED', 'the node is closing')
        this.#all = [...this.#all, disk].sort((a, b) => a.number - b.number)
        this.#missing = this.#missing.filter((one) => one.number !== number)
        log({ level: 'info', event: 'data-dir-back', fields: { data: dataDir } })
        disk.adopt()
      } catch (error) {
        await this.#giveBack(disk)
        const failure = asFrError(error, 'ERR_FR_IO')
        this.#missing = this.#missing.map((one) =>
          one.number === number ? { ...one, failure } : one,
        )
      }
    }
    if (this.#missing.length === 0) clearInterval(this.#retry)
  }

  async #giveBack(disk: Disk | undefined): Promise<void> {
    if (disk === undefined) return
    disk.stop()
    await disk.close()
    this.#tools.engine.storage.closeDataDir(disk.dir)
  }

  // --- what others write ---

  /**
   * Takes what the nodes of a shared directory have done before this call: whoever asks for a name
   * after that finds what they have published. Never rejects.
   */
  refresh(): Promise<void> {
    if (this.#spec.places === undefined || this.#isClosed) return Promise.resolve()
    this.#refreshNext ??= this.#refreshing.then(() => {
      this.#refreshNext = undefined
      this.#refreshing = this.#follow().catch(() => {})
      return this.#refreshing
    })
    return this.#refreshNext
  }

  async #follow(): Promise<void> {
    if (this.#isClosed) return
    const paths = (await this.#spec.places?.()) ?? []
    for (const path of this.#unopened.keys()) if (!paths.includes(path)) this.#unopened.delete(path)
    const isGone = ({ dataDir, number }: Disk): boolean => number > 0 && !paths.includes(dataDir)
    const gone = this.#all.filter(isGone)
    this.#all = this.#all.filter((disk) => !isGone(disk))
    for (const disk of gone) await this.#giveBack(disk)
    const known = new Set(this.#all.map(({ dataDir }) => dataDir))
    for (const path of paths) if (!known.has(path)) await this.#join(path)
    await Promise.all(this.#all.map(({ store }) => store.follow()))
  }

  async #join(dataDir: string): Promise<void> {
    const taken = new Set(this.#all.map(({ number }) => number))
    let number = 1
    while (taken.has(number)) number++
    if (number > limits.sharedPlaces) return
    const { storage } = this.#tools.engine
    let disk: Disk | undefined
    try {
      disk = new Disk(
        { dir: await storage.openDataDir(dataDir, true), dataDir, number },
        this.#tools,
        this.#rules,
      )
      await disk.start()
      if (this.#isClosed) throw new FrError('ERR_FR_CLOSED', 'the node is closing')
      this.#all = [...this.#all, disk].sort((a, b) => a.number - b.number)
      this.#unopened.delete(dataDir)
    } catch (error) {
      await this.#giveBack(disk)
      const { code, message: text } = asFrError(error, 'ERR_FR_IO')
      // Whoever has just made it writes its catalogue next.
      if (this.#unopened.get(dataDir) === text || this.#isClosed) return
      this.#unopened.set(dataDir, text)
      const fields = { data: dataDir, code, text }
      this.#spec.log({ level: 'info', event: 'place-not-read', fields })
    }
  }

  // --- where ---

  /**
   * Those that answer, the most likely one first: the one whose file of this name was published
   * last. Never empty.
   */
  likely(name: Uint8Array | null): readonly Disk[] {
    const there = this.#there
    if (name === null || there.length === 1) return there
    const when = (disk: Disk): number => disk.recordOf(name)?.publishedAtMs ?? -1
    return [...there].sort((a, b) => when(b) - when(a))
  }

  /** The record of a file of this name; of several the one that was published last. */
  recordOf(name: Uint8Array): HeldStream | undefined {
    for (const disk of this.likely(name)) {
      const record = disk.recordOf(name)
      if (record !== undefined) return record
    }
    return undefined
  }

  /** The disk that an offer lands at. Never rejects: what is wrong there shows there. */
  placeFor(arriving: Arriving): Promise<Disk> {
    const { tree } = arriving.offer
    if (!this.isSeveral) return Promise.resolve(this.first)
    if (tree === undefined) return this.#placeFor(arriving)
    const known = this.#ofTrees.get(tree.id)
    if (known !== undefined) return known
    const place = this.#placeFor(arriving)
    this.#ofTrees.set(tree.id, place)
    const [oldest = ''] = this.#ofTrees.keys()
    if (this.#ofTrees.size > limits.treesPerNode) this.#ofTrees.delete(oldest)
    return place
  }

  async #placeFor(arriving: Arriving): Promise<Disk> {
    const { offer, entry } = arriving
    // What is sent from here is found by its content alone.
    if (offer.role !== 'receiver') return this.#withWhole(this.#there, arriving) ?? this.first
    const takers = this.#takersOf(entry.dataBytes)
    // A tree is refused where its name is that of a striped file.
    const place = this.#striped?.placeOf(arriving) ?? 'none'
    const striped = place === 'none' ? undefined : this.#striped?.disk
    const named = striped === undefined ? takers : [...takers, striped]
    const holder = await this.#withName(named, decodeName(entry))
    if (holder !== undefined) return holder
    const spread = place === 'new' ? striped : undefined
    const partial = spread === undefined ? takers : [spread, ...takers]
    const found = await this.#withPart(partial, arriving)
    if (found !== undefined) return found
    if (spread !== undefined) return spread
    const states = takers.map(({ state }) => state)
    return takers[chooseDisk(states, entry.dataBytes)] as Disk
  }

  /** Those that have not failed such a transfer lately, as far as there are any. */
  #takersOf(bytes: number): readonly Disk[] {
    const there = this.#all.filter(({ store }) => !store.isAway)
    const takers = there.filter(({ state }) => !isResting(state, bytes))
    if (takers.length > 0) return takers
    return there.length === 0 ? this.#all : there
  }

  /** Transfers in one piece and striped ones count each other, on whatever device they meet. */
  #reserved(disk: Disk, guest: Guest): number {
    const { minFreeBytes } = this.#spec
    const striped = this.#striped?.disk
    const stripedBytes = striped?.roomWithout(guest).openBytes ?? 0
    const own = disk.roomWithout(guest)
    const others = this.#all.filter((one) => one !== disk && !one.store.isAway)
    const rooms = others.map((one) => one.roomWithout(guest))
    if (disk === striped) return reservedOfAll({ rooms, stripedBytes, minFreeBytes })
    return reservedOf(own, { rooms: [own, ...rooms], stripedBytes, minFreeBytes })
  }

  async #withName(there: readonly Disk[], name: Uint8Array): Promise<Disk | undefined> {
    const isPlace = await Promise.all(there.map((disk) => answerOf(disk.isPlaceOf(name), false)))
    const having = new Set(there.filter((_, at) => isPlace[at]))
    return this.likely(name).find((disk) => having.has(disk))
  }

  #withWhole(there: readonly Disk[], { offer, entry }: Arriving): Disk | undefined {
    const { fileDigest } = offer
    if (fileDigest === null) return undefined
    return there.find((disk) => disk.withContent(fileDigest, entry.size) !== undefined)
  }

  /** All of it, or what an earlier transfer left of it, where the rest has room. */
  async #withPart(there: readonly Disk[], arriving: Arriving): Promise<Disk | undefined> {
    const { contentId, author, dataBytes } = arriving.entry
    const { digest: algorithm } = arriving.offer
    const roomy = there.filter(({ state }) => state.roomBytes >= dataBytes)
    const whole = this.#withWhole(roomy, arriving)
    if (whole !== undefined) return whole
    const wanted = { contentId, author, algorithm, ...geometryOf(arriving.entry) }
    const left = await Promise.all(
      there.map(({ store }) => answerOf(store.leftovers.find(wanted), undefined)),
    )
    return there.find((disk, at) => {
      const { isOfContent = false, bytes = 0 } = left[at] ?? {}
      return isOfContent && disk.state.roomBytes + bytes >= dataBytes
    })
  }

  /** A file took its name here: what transfers of it left elsewhere is of no more use. */
  published(name: Uint8Array, { number }: Disk): void {
    for (const disk of this.#withStriped)
      if (disk.number !== number && !disk.store.isAway && !this.#spec.isReadOnly)
        void disk.store.makeWay(name).catch(() => {})
  }

  // --- what is told ---

  /** Of all, in the order of their numbers; those that are missing as well. */
  async told(): Promise<DiskEntry[]> {
    // One that hangs would keep a thread of this process for each question.
    const sizes = await Promise.all(
      this.#all.map((disk) => (disk.store.isAway ? null : answerOf(disk.sizeBytes(), null))),
    )
    const told = this.#withStriped.map((disk, at) => {
      return { number: disk.number, entry: disk.told(sizes[at] ?? null) }
    })
    const missing = this.#missing.map(({ number, dataDir, failure }) => {
      return { number, entry: missingEntry(dataDir, `${failure.code}: ${failure.message}`) }
    })
    return [...told, ...missing].sort((a, b) => a.number - b.number).map(({ entry }) => entry)
  }

  /** What files may still take, counted now. */
  async roomBytes(): Promise<number> {
    const disks = this.#all.filter(({ store }) => !store.isAway)
    await Promise.all(disks.map(({ store }) => answerOf(store.free(), 0)))
    return disks.reduce((sum, { state }) => sum + Math.max(0, state.roomBytes), 0)
  }

  /** For the status: of all together. */
  get summary() {
    const stores = this.#withStriped.map(({ store }) => store)
    const sum = (of: (store: Disk['store']) => number): number =>
      stores.reduce((all, store) => all + of(store), 0)
    const errors = stores.flatMap(({ lastError }) => lastError ?? [])
    const [lastError = null] = errors.sort((a, b) => a.secondsAgo - b.secondsAgo)
    return {
      freeBytes: this.#all.reduce((all, { store }) => all + store.freeBytes, 0),
      problems: this.#problems.slice(0, limits.disksPerNode),
      lastError,
      kept: {
        files: sum(({ kept }) => kept.files),
        bytes: sum(({ kept }) => kept.bytes),
        names: stores.flatMap(({ kept }) => kept.names).slice(0, limits.keptNames),
      },
      held: {
        files: sum(({ held }) => held.streams),
        bytes: sum(({ held }) => held.bytes),
        damaged: sum(({ held }) => held.damaged),
      },
    }
  }

  /** Of several, each with its directory. */
  get #problems(): string[] {
    const missing = this.#missing.map(({ dataDir, failure }) => `${dataDir}: ${failure.message}`)
    const others = this.#withStriped.flatMap(({ dataDir, store }) =>
      store.problems.map((text) => (this.isSeveral ? `${dataDir}: ${text}` : text)),
    )
    return [...missing, ...others]
  }
}

function missingEntry(path: string, problem: string): DiskEntry {
  return {
    ...{ path, state: 'missing', problems: [problem], sizeBytes: null, freeBytes: 0 },
    ...{ heldFiles: 0, heldBytes: 0, partialBytes: 0, transfers: 0, waitingBytes: 0 },
    ...{ load: null, speedBytesPerSecond: null },
  }
}

/** Of a disk that fails, or does not answer in time, `otherwise`. */
async function answerOf<T, O>(answer: Promise<T>, otherwise: O): Promise<T | O> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<O>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), limits.diskAnswerMs)
  })
  try {
    return await Promise.race([answer.catch(() => otherwise), late])
  } finally {
    clearTimeout(timer)
  }
}
