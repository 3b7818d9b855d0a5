/**
 * The copies that a node makes by order of its master: each a fetch from one source of the blocks
 * of its range, into the file that all copies of the content fill together
 * (session/instructed/filling.ts). They need nobody but their sources, so they go on while the
 * master is away.
 */
import type { FrErrorCode } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { nameFault } from '../../base/names.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { blocksOf, bytesHere, nextPart } from '../../control/fetching/parts.js'
import type { Carried, CopyOrder, Ended } from '../../control/messages/mastering.js'
import { randomId } from '../../net/crypto.js'
import type { Dialler } from '../../net/dial.js'
import type { DataEngine, HashPool } from '../../ports.js'
import type { Place } from '../../session/instructed/claimed-partial.js'
import { Filling, type FillingHooks, type LandingOffer } from '../../session/instructed/filling.js'
import { GrowingFilling } from '../../session/instructed/growing-filling.js'
import type { InstructedCopies, InstructedEvents } from '../../session/instructed-ports.js'
import type { EngineRouter } from '../../session/router.js'
import type { HeldStream } from '../../store/catalogue/record.js'
import { failureOf } from './blames.js'
import { CopyFailure } from './copy-failure.js'
import { toldOf } from './held-states.js'
import { SourcedFetches } from './sourced-fetches.js'

export interface OrderedCopiesSpec {
  readonly engine: DataEngine
  readonly router: EngineRouter
  readonly pool: HashPool
  readonly dialler: () => Dialler
  /** Records of files of this name. */
  readonly held: (name: Uint8Array) => readonly HeldStream[]
  /** Where a content is to land. */
  readonly place: (content: LandingOffer, filling: AnyFilling) => Promise<Place>
  /** A content is filled, there is more of it, or no copy fills it any more. */
  readonly changed: (filling: AnyFilling) => void
  readonly log: Logger
}

export type AnyFilling = Filling | GrowingFilling

/** One content, and the copies that fill it. */
interface Filled {
  readonly key: string
  /** Of what was still written, and is filled in another way now; it uses the same files. */
  readonly before: Promise<void> | undefined
  readonly filling: AnyFilling
  readonly copies: Set<Running>
  /** What is open to the sources of its copies. */
  readonly fetches: SourcedFetches
  /** Those that wait for blocks that others are at. */
  readonly waiting: Set<() => void>
  /** Closes it, while nothing fills it. */
  linger: NodeJS.Timeout | undefined
}

interface Running {
  readonly order: CopyOrder
  filled: Filled
  readonly name: Uint8Array
  rate: number
  /** The blocks that it is at. */
  part: RangePair | null
  run: Pick<GrowingFilling, 'limit' | 'cancel'> | undefined
  /** Bytes that its earlier runs have brought, and those of all that were told. */
  carried: number
  toldBytes: number
  isStopped: boolean
  /** What ended it, if not its run. */
  failure: CopyFailure | null
}

export class OrderedCopies implements InstructedCopies {
  readonly #spec: OrderedCopiesSpec
  readonly #events: InstructedEvents
  readonly #running = new Map<number, Running>()
  readonly #filled = new Map<string, Filled>()
  readonly #tasks = new Set<Promise<void>>()
  /** Those that are over; what they have brought is not told yet. */
  readonly #over = new Set<Running>()
  /** Ends that are told a little later. */
  readonly #untold = new Map<number, NodeJS.Timeout>()
  #isClosed = false

  constructor(spec: OrderedCopiesSpec, events: InstructedEvents) {
    this.#spec = spec
    this.#events = events
  }

  get running(): Iterable<CopyOrder> {
    return [...this.#running.values()].map(({ order, rate: bytesPerSecond }) => {
      return { ...order, bytesPerSecond }
    })
  }

  start(order: CopyOrder): void {
    const { copy, bytesPerSecond: rate } = order
    if (this.#isClosed || this.#running.has(copy) || this.#untold.has(copy)) return
    const refusal = this.#refusal(order)
    if (refusal !== null) return this.#tell(copy, { bytes: 0, cause: refusal, blames: [] })
    const name = new Uint8Array(Buffer.from(order.name))
    const none = { carried: 0, toldBytes: 0 }
    const still = { ...none, part: null, run: undefined, isStopped: false, failure: null }
    const running: Running = { order, name, filled: this.#filledFor(order, name), rate, ...still }
    running.filled.copies.add(running)
    clearTimeout(running.filled.linger)
    this.#running.set(copy, running)
    this.#track(this.#carryOut(running))
  }

  setRate(copy: number, bytesPerSecond: number): void {
    const running = this.#running.get(copy)
    if (running === undefined) return
    running.rate = bytesPerSecond
    running.run?.limit(capOf(bytesPerSecond))
  }

  takeCarried(isAll = false): Carried[] {
    const carried: Carried[] = []
    for (const running of [...this.#over, ...this.#running.values()]) {
      if (carried.length === limits.ordersPerNode) break
      this.#over.delete(running)
      const bytes = carriedBy(running)
      if (isAll || bytes > running.toldBytes) carried.push({ copy: running.order.copy, bytes })
      running.toldBytes = bytes
    }
    return carried
  }

  stop(copy: number): void {
    clearTimeout(this.#untold.get(copy))
    this.#untold.delete(copy)
    const running = this.#running.get(copy)
    if (running === undefined) return
    this.#running.delete(copy)
    running.isStopped = true
    this.#end(running, new CopyFailure('ERR_FR_ABORTED', 'the master has stopped it', true))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const copy of [...this.#running.keys(), ...this.#untold.keys()]) this.stop(copy)
    for (const filled of [...this.#filled.values()])
      if (filled.copies.size === 0) void this.#close(filled)
    while (this.#tasks.size > 0) await Promise.allSettled(this.#tasks)
  }

  #refusal({ name, size, range: [offset, length], isGrowing }: CopyOrder): FrErrorCode | null {
    if (this.#running.size >= limits.ordersPerNode) return 'ERR_FR_LIMIT'
    if (nameFault(Buffer.from(name)) !== null) return 'ERR_FR_NAME'
    const most = isGrowing ? limits.growingSpanBytes : limits.fileBytes
    const isWithin = size <= most && offset + length <= size
    return isWithin && (length > 0 || size === 0) ? null : 'ERR_FR_RANGE'
  }

  /** Never rejects. */
  async #carryOut(running: Running): Promise<void> {
    const { copy, range, name: text } = running.order
    let ended: Ended = { bytes: range[1], cause: null, blames: [] }
    let { filling } = running.filled
    try {
      await this.#bring(running)
      filling = running.filled.filling
      if (filling.isWhole) {
        await running.filled.fetches.close()
        await filling.publish()
      }
    } catch (error) {
      filling = running.filled.filling
      const { code, message, isHere } = running.failure ?? hereOf(error)
      if (isHere) filling.failedHere({ code, text: message })
      const filled = 'filled' in filling ? filling.filled : undefined
      const here = filled === undefined ? filling.here : toldOf(filled)
      ended = { bytes: bytesHere(range, here), ...failureOf(code, isHere) }
      const source = running.order.source.address
      const fields = { copy, name: text, source, code, text: message }
      if (!running.isStopped) this.#spec.log({ level: 'warn', event: 'copy-failed', fields })
    }
    this.#leave(running)
    if (!running.isStopped) this.#tell(copy, ended)
  }

  /** In a later turn: whoever is told may order the next one. */
  #tell(copy: number, ended: Ended): void {
    const tell = (): void => {
      this.#untold.delete(copy)
      this.#running.delete(copy)
      this.#events.ended(copy, ended)
    }
    this.#untold.set(copy, setTimeout(tell, 0))
  }

  async #bring(running: Running): Promise<void> {
    await running.filled.before
    const { range, size } = running.order
    const { filling, copies, waiting, fetches } = running.filled
    if (this.#isHeld(running)) return
    if (filling instanceof GrowingFilling) return this.#follow(running, filling)
    if (size === 0) return this.#fetch(running, filling, null)
    const blocks = blocksOf(range, filling.blockBytes, size)
    for (;;) {
      if (running.failure !== null) throw running.failure
      const others = [...copies].flatMap(({ part }) => (part === null ? [] : [part]))
      const taken = RangeSet.of([...others, ...fetches.open])
      const part = nextPart(blocks, filling.here, taken)
      if (part === null) return
      if (part === 'wait') await new Promise<void>((resolve) => waiting.add(resolve))
      else await this.#fetch(running, filling, part)
    }
  }

  /** Null: of a content without bytes. */
  async #fetch(running: Running, filling: Filling, part: RangePair | null): Promise<void> {
    const { order, name, rate, filled } = running
    const { fetches } = filled
    const copy = {
      came: (bytes: number) => {
        running.carried += bytes
      },
    }
    running.run = {
      limit: (bytesPerSecond) => fetches.limit(copy, bytesPerSecond),
      cancel: (text) => fetches.leave(copy, text),
    }
    running.part = part
    try {
      await fetches.bring(copy, { ...order, name, filling, part, bytesPerSecond: capOf(rate) })
    } catch (error) {
      const isHere = part !== null && filling.here.contains(...part)
      if (running.failure === null && !isHere && !filling.isWhole) throw error
    } finally {
      running.run = undefined
      running.part = null
      wake(filled)
    }
  }

  /** What is still written comes in order, from one source at a time. */
  async #follow(running: Running, filling: GrowingFilling): Promise<void> {
    const { source, range, size, digest } = running.order
    const { copies, waiting } = running.filled
    const to = range[0] + range[1]
    while (running.failure === null && [...copies].some(({ part }) => part !== null))
      await new Promise<void>((resolve) => waiting.add(resolve))
    if (running.failure !== null) throw running.failure
    running.part = range
    running.run = filling
    running.carried -= filling.here.bytes
    try {
      const bytesPerSecond = capOf(running.rate)
      const { dialler } = this.#spec
      const from = { ...source, dialler: dialler(), bytesPerSecond }
      await filling.bring(from, to, digest !== null && to === size)
    } catch (error) {
      const { code, message } = asFrError(error, 'ERR_FR_INTERNAL')
      const failure = running.failure ?? new CopyFailure(code, message, filling.isOwnFault)
      if (running.failure !== null || !filling.isForgotten || digest === null) throw failure
    } finally {
      running.carried += filling.here.bytes
      running.run = undefined
      running.part = null
      wake(running.filled)
    }
    if (!filling.isWhole && filling.isForgotten && digest !== null) await this.#bringAnew(running)
  }

  /** Its source has the file, and nobody knows how it was written: it comes as any other does. */
  async #bringAnew(running: Running): Promise<void> {
    const { filled: before, order, name } = running
    before.copies.delete(running)
    running.filled = this.#filledFor(order, name)
    running.filled.copies.add(running)
    clearTimeout(running.filled.linger)
    wake(before)
    await this.#bring(running)
  }

  /** The node has the file already. */
  #isHeld({ name, order }: Running): boolean {
    const { digest, size, contentId } = order
    const isIt = ({ fileDigest, size: bytes, contentId: id }: HeldStream): boolean =>
      digest === null ? id === contentId : fileDigest === digest && bytes === size
    return this.#spec.held(name).some(isIt)
  }

  // --- contents ---

  #filledFor(order: CopyOrder, name: Uint8Array): Filled {
    const key = keyOf(order)
    const known = this.#filled.get(key)
    if (known !== undefined && !known.filling.isEnded) return known
    const grown = this.#filled.get(keyOf({ ...order, digest: null }))
    if (grown?.filling instanceof GrowingFilling && grown.filling.goesOnWith(order)) return grown
    const before = grown && this.#giveUp(grown)
    const copies = new Set<Running>()
    const { engine, router } = this.#spec
    const about = { name, transfer: randomId(), source: order.source.address }
    const hooks: FillingHooks = {
      place: (content) => this.#spec.place(content, filling),
      changed: () => this.#changed(filled),
      broken: ({ code, text }) => {
        for (const copy of copies) this.#end(copy, new CopyFailure(code, text, true))
        if (copies.size === 0) void this.#close(filled)
      },
    }
    const { size, contentId } = order
    const filling: AnyFilling = order.isGrowing
      ? new GrowingFilling({ ...about, engine, router, contentId }, hooks)
      : new Filling({ ...about, size }, hooks)
    const fetches = new SourcedFetches(this.#spec, () => wake(filled))
    const still = { waiting: new Set<() => void>(), linger: undefined, fetches }
    const filled: Filled = { key, before, filling, copies, ...still }
    this.#filled.set(key, filled)
    return filled
  }

  /** A little after the last of its copies a content is closed; the next one opens it again. */
  #leave(running: Running): void {
    const { filled } = running
    const { filling, copies } = filled
    copies.delete(running)
    this.#over.add(running)
    for (const oldest of this.#over)
      if (this.#over.size > limits.ordersPerNode) this.#over.delete(oldest)
    wake(filled)
    if (copies.size > 0) return
    const close = (): void => void this.#close(filled)
    if (this.#isClosed || filling.isPublished || !filling.isOpen) close()
    else filled.linger = setTimeout(close, lingerMs(filling))
  }

  /** What grows is published when its end has come, with or without an order. */
  #changed(filled: Filled): void {
    const { filling, copies } = filled
    this.#spec.changed(filling)
    const isOver = filling instanceof GrowingFilling && filling.isPublished
    if (isOver && copies.size === 0 && !filling.isEnded) void this.#close(filled)
  }

  #close({ key, filling, ...filled }: Filled): Promise<void> {
    clearTimeout(filled.linger)
    if (this.#filled.get(key)?.filling === filling) this.#filled.delete(key)
    const closed = filled.fetches
      .close()
      .then(() => filling.close())
      .then(() => this.#spec.changed(filling))
    this.#track(closed)
    return closed
  }

  /** Closed when none of its copies is under way; nothing more begins there. */
  async #giveUp(filled: Filled): Promise<void> {
    clearTimeout(filled.linger)
    this.#filled.delete(filled.key)
    while (filled.copies.size > 0) await new Promise<void>((resolve) => filled.waiting.add(resolve))
    await this.#close(filled)
  }

  #end(running: Running, failure: CopyFailure): void {
    running.failure ??= failure
    running.run?.cancel(failure.message)
    wake(running.filled)
  }

  #track(task: Promise<void>): void {
    this.#tasks.add(task)
    void task.finally(() => this.#tasks.delete(task))
  }
}

/** Bytes that it has brought from its source so far. */
function carriedBy({ carried, run, filled: { filling } }: Running): number {
  const isFollowing = run !== undefined && filling instanceof GrowingFilling
  return isFollowing ? carried + filling.here.bytes : carried
}

/** What grows is followed meanwhile. */
function lingerMs(filling: AnyFilling): number {
  return filling instanceof GrowingFilling ? limits.growingLingerMs : limits.orderLingerMs
}

/** Those who wait for blocks of the content look again. */
function wake({ waiting }: Filled): void {
  const all = [...waiting]
  waiting.clear()
  for (const look of all) look()
}

function hereOf(error: unknown): CopyFailure {
  if (error instanceof CopyFailure) return error
  const { code, message } = asFrError(error, 'ERR_FR_IO')
  return new CopyFailure(code, message, true)
}

function keyOf({ name, digest, contentId }: CopyOrder): string {
  return `${digest ?? contentId} ${name}`
}

/** The payload of so much on a link, where packets have headers. Undefined: as much as can. */
function capOf(bytesPerSecond: number): number | undefined {
  if (!Number.isFinite(bytesPerSecond)) return undefined
  return Math.max(1, Math.floor(bytesPerSecond * limits.payloadShare))
}
