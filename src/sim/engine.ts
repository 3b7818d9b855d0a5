/**
 * The engine of a simulated host: what lands goes to its files, is counted, and is passed on as
 * it came. It tells its session what an engine tells.
 */
import { limits } from '../base/limits.js'
import { type RangePair, RangeSet } from '../base/ranges.js'
import type {
  AssignSpec,
  CutSpec,
  DigestSpec,
  EngineEvent,
  FeedHandle,
  FeedStats,
  ForgetSpec,
  GrowSpec,
  HoldSpec,
  RouteTarget,
  SendSpec,
  SkipSpec,
  TransferHandle,
  TransferStats,
} from '../ports.js'
import type { FeedEngine } from '../session/driver/ports.js'
import type { SimFile } from './content.js'
import type { SimChunk, SimDigests, SimFeed } from './feed.js'
import type { GrowingStream } from './growing.js'
import type { Network } from './network.js'

interface Open {
  readonly feed: SimFeed
  /** False: the session has closed it, or knows that it broke. */
  isKnown: boolean
  readonly direction: 'in' | 'out'
  readonly skipped: RangeSet
  receivedBytes: number
  duplicateBytes: number
}

/** Where bytes of a route go on, and the route that they have there. */
interface Next {
  readonly handle: FeedHandle
  readonly open: Open
  readonly route: number
}

export interface EngineFiles {
  readonly file: SimFile
  readonly scratch: SimFile
  /** These bytes are there already. */
  readonly hold?: (offset: number, length: number) => void
}

type SimEvent = Exclude<EngineEvent, { type: 'fileFailed' }>

export interface EngineHooks {
  /** Hands the event to the session when its host has a turn; `told` once that is done. */
  readonly tell: (event: SimEvent, told?: () => void) => void
  /** Whether it really passes on what it is to pass on. */
  readonly isHonest: () => boolean
  /** It changes the digests that it sends. */
  readonly forges?: boolean
  /** It hashes what lands. */
  readonly hashes?: boolean
  /**
   * False: what comes goes on as it comes, once its route has a table. Nobody holds the sender
   * back: what a slow one has not taken waits here, and counts in the same backlog.
   */
  readonly stores?: boolean
  /** The content is still written. */
  readonly growing?: GrowingStream
  /** It has all that it may send. */
  readonly isOrigin?: boolean
  /** The session closes its feed to this host. */
  readonly closing: (to: number) => void
}

export class SimEngine implements FeedEngine {
  scratchBytes = 0
  readonly #network: Network
  readonly #files: EngineFiles
  readonly #hooks: EngineHooks
  readonly #growing: GrowingStream | undefined
  readonly #feeds = new Map<FeedHandle, Open>()
  /** What has landed with a route, each byte with its first. */
  readonly #routed: SimChunk[] = []
  readonly #routedOnce = new RangeSet()
  readonly #assigned: SimChunk[] = []
  readonly #digests: SimDigests[] = []
  readonly #table = new Map<number, readonly Next[]>()
  readonly #closed = { sentBytes: 0, receivedBytes: 0, duplicateBytes: 0 }
  /** What came for routes without a table, at a host that stores nothing. */
  readonly #waiting: SimChunk[] = []
  #handles = 0

  constructor(network: Network, files: EngineFiles, hooks: EngineHooks) {
    this.#network = network
    this.#files = files
    this.#hooks = hooks
    this.#growing = hooks.growing
  }

  adopt(feed: SimFeed, direction: 'in' | 'out'): FeedHandle {
    const handle = this.#handles++
    const open: Open = {
      ...{ feed, isKnown: true, direction, skipped: new RangeSet() },
      ...{ receivedBytes: 0, duplicateBytes: 0 },
    }
    this.#feeds.set(handle, open)
    if (direction === 'in') {
      feed.receives({
        arrives: (chunk) => this.#arrive(open, chunk),
        landed: (chunk, isWrong) => this.#land(open, chunk, isWrong),
        announced: (record) => this.#announce(handle, record),
        closed: () => this.#broke(handle),
      })
    } else {
      feed.sends(() => this.#broke(handle))
    }
    return handle
  }

  /** What feeds are limited to together. Links of this network are as fast as they are. */
  readonly paced = new Map<string, number | undefined>()

  limitFeeds(feeds: readonly FeedHandle[], bytesPerSecond: number | undefined): void {
    this.paced.set(feeds.join(), bytesPerSecond)
  }

  /** A feed enters a table once. */
  setRoute(_transfer: TransferHandle, route: number, targets: readonly RouteTarget[]): void {
    const before = new Set(this.#table.get(route)?.map(({ handle }) => handle))
    const row: Next[] = []
    for (const { feed: handle, next, first } of targets) {
      const open = this.#feeds.get(handle)
      if (open === undefined) continue
      if (first === true) open.feed.isFirst = true
      row.push({ handle, open, route: next })
    }
    this.#table.set(route, row)
    for (const chunk of this.#waiting.splice(0)) {
      if (chunk.route !== route) this.#waiting.push(chunk)
      else for (const next of row) list(next, chunk)
    }
    for (const next of row) {
      if (before.has(next.handle)) continue
      for (const chunk of this.#routed)
        if (chunk.route === route)
          for (const [offset, length] of next.open.skipped.missing(chunk.offset, chunk.length))
            list(next, { ...chunk, offset, length })
      for (const record of this.relayed(route)) this.#announceTo(next.open, record, next.route)
    }
  }

  /** The digest records of this route so far, which feeds that enter its table late are sent. */
  relayed(route: number): readonly SimDigests[] {
    return this.#digests.filter((record) => record.route === route)
  }

  /** Given before they land, or after: they are passed on once both are true. */
  assign(_transfer: TransferHandle, { offset, length, route }: AssignSpec): void {
    for (const [at, bytes] of this.#routedOnce.missing(offset, length)) {
      const chunk = { offset: at, length: bytes, route, scratch: false }
      for (const [from, part] of this.#files.file.landed.present(at, bytes))
        this.#passOn({ ...chunk, offset: from, length: part })
    }
    this.#assigned.push({ offset, length, route, scratch: false })
  }

  /** Blocks that are there, of which no event tells. */
  hold(_transfer: TransferHandle, { offset, length }: HoldSpec): void {
    this.#files.hold?.(offset, length)
  }

  /** The receiver has these: no history brings them. */
  skip(handle: FeedHandle, { offset, length }: SkipSpec): void {
    this.#feeds.get(handle)?.skipped.add(offset, length)
  }

  send(handle: FeedHandle, { offset, length, route = 0, scratch = false }: SendSpec): void {
    if (this.#hooks.isOrigin) this.#growing?.checkSend(offset, length)
    this.#feeds.get(handle)?.feed.list({ offset, length, route, scratch }, route)
  }

  grow(_transfer: TransferHandle, spec: GrowSpec): void {
    const whole = this.#growing?.grow(spec) ?? []
    // The origin has all that it is told of.
    if (this.#hooks.stores !== false) this.#tellWhole(whole, false)
  }

  cut(_transfer: TransferHandle, spec: CutSpec): void {
    this.#growing?.cut(spec)
    this.#tellCut()
  }

  /** Nothing before this is passed on to who comes later. */
  forget(_transfer: TransferHandle, { before }: ForgetSpec): void {
    const floor = this.#growing?.floorAt(before) ?? 0
    const kept = this.#routed.splice(0).flatMap((chunk): SimChunk[] => {
      const cut = Math.max(0, Math.min(chunk.length, floor - chunk.offset))
      const rest = { ...chunk, offset: chunk.offset + cut, length: chunk.length - cut }
      return rest.length > 0 ? [rest] : []
    })
    this.#routed.push(...kept)
    const digests = this.#digests.splice(0).filter(({ offset, length }) => offset + length > floor)
    this.#digests.push(...digests)
  }

  #tellCut(): void {
    const cut = this.#growing?.takeCut()
    if (cut === undefined) return
    const { offset, length } = cut
    const digests = this.#files.file.digests(offset, length)
    const event = { type: 'landed', transfer: 0, stream: 0, scratch: false } as const
    this.#hooks.tell({ ...event, offset, length, digests })
  }

  sendDigests(handle: FeedHandle, { offset, length, route = 0, payload }: DigestSpec): void {
    this.#announceTo(this.#feeds.get(handle), { offset, length, route, payload }, route)
  }

  relayDigests(_transfer: TransferHandle, spec: DigestSpec & { readonly route: number }): void {
    const { offset, length, route, payload } = spec
    const isSame = (one: SimDigests): boolean =>
      one.offset === offset && one.length === length && one.payload.length === payload.length
    if (this.relayed(route).some((one) => isSame(one) && flagsOf(one) === flagsOf(spec))) return
    const record = { offset, length, route, payload }
    this.#digests.push(record)
    for (const next of this.#table.get(route) ?? []) this.#announceTo(next.open, record, next.route)
  }

  close(handle: FeedHandle): void {
    const open = this.#forget(handle)
    if (open === undefined) return
    if (open.direction === 'out') this.#hooks.closing(open.feed.to)
    this.#network.hangUp(open.feed)
  }

  closeAll(): void {
    for (const handle of [...this.#feeds.keys()]) this.close(handle)
  }

  /** To whom feeds that are open lead. */
  get receivers(): number[] {
    return [...this.#feeds.values()].flatMap(({ feed, direction }) =>
      direction === 'out' && feed.isOpen ? [feed.to] : [],
    )
  }

  stats(): TransferStats {
    const feeds = [...this.#feeds].map(([feed, open]): FeedStats => {
      const { direction, receivedBytes, duplicateBytes } = open
      const { queuedBytes, unackedBytes, sentBytes } = open.feed
      const isOut = direction === 'out'
      return {
        feed,
        direction,
        payloadBytes: isOut ? sentBytes : receivedBytes,
        queuedBytes: isOut ? queuedBytes : 0,
        unackedBytes: isOut ? unackedBytes : 0,
        rttMs: isOut ? open.feed.rttMs : 0,
        duplicateBytes,
        records: 0,
        flows: 1,
      }
    })
    const closed = { ...this.#closed }
    for (const { direction, payloadBytes, duplicateBytes } of feeds) {
      if (direction === 'out') closed.sentBytes += payloadBytes
      else closed.receivedBytes += payloadBytes
      closed.duplicateBytes += duplicateBytes
    }
    const { scratchBytes } = this
    return {
      landedBytes: this.#files.file.landed.bytes,
      holeBytes: 0,
      scratchBytes,
      ...closed,
      feeds,
    }
  }

  /** Passed on ahead of its landing: `#land` finds that done. */
  #arrive(open: Open, chunk: SimChunk): void {
    if (open.isKnown && !chunk.scratch && this.#hooks.isHonest()) this.#passOn(chunk)
  }

  #land(open: Open, chunk: SimChunk, isWrong: boolean): void {
    if (!open.isKnown) return
    const take = (): void => this.#take(open, chunk, isWrong)
    if (this.#growing?.beyond(open, chunk, take) !== true) take()
  }

  #take(open: Open, chunk: SimChunk, isWrong: boolean): void {
    if (!open.isKnown) return
    if (this.#hooks.stores === false)
      return this.#pass(open, { ...chunk, ...(isWrong && { isSpoiled: true }) })
    const target = chunk.scratch ? this.#files.scratch : this.#files.file
    const { freshBytes, whole } = target.land(chunk.offset, chunk.length, isWrong)
    if (chunk.scratch) this.scratchBytes += freshBytes
    open.receivedBytes += chunk.length
    open.duplicateBytes += chunk.length - freshBytes
    const isRouted = chunk.route !== 0 || this.#assigned.length > 0
    if (isRouted && !chunk.scratch && this.#hooks.isHonest()) {
      for (const { offset, length, route } of this.#assigned) {
        const from = Math.max(offset, chunk.offset)
        const past = Math.min(offset + length, chunk.offset + chunk.length)
        if (from < past) this.#passOn({ ...chunk, offset: from, length: past - from, route })
      }
      if (chunk.route !== 0) this.#passOn(chunk)
    }
    const told = chunk.scratch ? whole : (this.#growing?.told(whole) ?? whole)
    this.#tellWhole(told, chunk.scratch)
    this.#tellCut()
  }

  /** An engine tells of runs: what landed together is told together. */
  #tellWhole(whole: readonly RangePair[], scratch: boolean): void {
    const target = scratch ? this.#files.scratch : this.#files.file
    for (const [offset, length] of RangeSet.of(whole).toArray()) {
      const digests = this.#hooks.hashes ? target.digests(offset, length) : undefined
      if (scratch) {
        target.reopen(offset, length)
        if (digests !== undefined) target.clean(offset, length)
      }
      this.#hooks.tell({
        type: 'landed',
        transfer: 0,
        stream: 0,
        scratch,
        offset,
        length,
        ...(digests && { digests }),
      })
    }
  }

  #pass(open: Open, chunk: SimChunk): void {
    open.receivedBytes += chunk.length
    const row = this.#table.get(chunk.route)
    if (row === undefined) this.#waiting.push(chunk)
    for (const next of row ?? []) list(next, chunk)
  }

  #passOn(chunk: SimChunk): void {
    for (const [offset, length] of this.#routedOnce.missing(chunk.offset, chunk.length)) {
      this.#routedOnce.add(offset, length)
      const part = { ...chunk, offset, length }
      this.#routed.push(part)
      for (const next of this.#table.get(chunk.route) ?? []) list(next, part)
    }
  }

  #announceTo(open: Open | undefined, record: SimDigests, route: number): void {
    if (open?.isKnown !== true) return
    const payload = record.payload.slice()
    if (this.#hooks.forges) payload[payload.length - 1] = (payload.at(-1) ?? 0) ^ 1
    open.feed.digests({ ...record, route, payload })
  }

  #announce(feed: FeedHandle, record: SimDigests): void {
    if (!this.#feeds.has(feed)) return
    const route = this.#hooks.isHonest() ? record.route : 0
    this.#hooks.tell({ type: 'digests', transfer: 0, feed, stream: 0, ...record, route })
  }

  #broke(feed: FeedHandle): void {
    if (!this.#feeds.has(feed)) return
    const closed = { type: 'feedClosed', transfer: 0, feed, errno: 0 } as const
    // Its counters can be read until the session has been told.
    this.#hooks.tell({ ...closed, code: 'ERR_FR_NODE_LOST' }, () => this.#forget(feed))
  }

  #forget(handle: FeedHandle): Open | undefined {
    const open = this.#feeds.get(handle)
    if (open === undefined) return undefined
    this.#feeds.delete(handle)
    open.isKnown = false
    if (open.direction === 'out') this.#closed.sentBytes += open.feed.sentBytes
    this.#closed.receivedBytes += open.receivedBytes
    this.#closed.duplicateBytes += open.duplicateBytes
    return open
  }
}

function list({ open, route }: Next, chunk: SimChunk): void {
  if (open.isKnown) open.feed.list(chunk, route)
}

/** Whether the content ends with the record: it is another one than without that. */
function flagsOf({ payload }: Pick<SimDigests, 'payload'>): number | undefined {
  return payload[limits.signatureBytes]
}
