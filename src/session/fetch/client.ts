/**
 * One client that a node serves: its link, on which it asks, and its data connection, on which it
 * is sent what it asked for. What it may have open is bounded as between mates
 * (control/pulling/serving.ts). The client may open more flows of the data connection beside the
 * first; whether they would bring anything only the sender sees, and tells it.
 */
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import { nowMs } from '../../base/time/awake.js'
import { FlowCount } from '../../control/members/flows.js'
import type { FetchOffer, Frame } from '../../control/messages/types.js'
import { pullFault } from '../../control/pulling/holder.js'
import { type HeldRequest, Serving } from '../../control/pulling/serving.js'
import { adopt } from '../../net/dial.js'
import type { Established, Ticketed } from '../../net/handshake.js'
import type { ControlLink } from '../../net/link.js'
import type { FeedHandle, FeedStats } from '../../ports.js'
import type { Edge } from '../../protocol/ticket.js'
import type { FreePlace } from '../driver/feed-places.js'
import type { GrowingHere } from '../growing-here.js'
import type { FeedOwner, ServedFile } from './served-file.js'

type Frames<T extends Frame['type']> = Extract<Frame, { type: T }>

export class Client implements FeedOwner {
  readonly address: string
  name: Uint8Array | undefined
  file: ServedFile | undefined
  edge: Edge | undefined
  /** It wants its data connection sealed. */
  isSealed = false
  place: Pick<FetchOffer, 'transfer' | 'you'> | undefined
  /** It may ask for more whenever it likes. */
  isStanding = false
  isOver = false
  /** It has heard how far a content is that is still written. */
  #toldBytes = -1
  #isToldFinal = false
  #pulledTo = 0
  /** It has asked for something, so it is ready for what comes by itself. */
  #hasAsked = false
  #askedMs = nowMs()
  #telling: NodeJS.Timeout | undefined
  #unwatch: () => void = () => {}
  readonly #link: ControlLink
  readonly #serving = new Serving()
  #feed: FeedHandle | undefined
  /** Places of the flows of the data connection. */
  readonly #frees: FreePlace[] = []
  #count = new FlowCount()
  /** Digests that wait for the data connection. */
  #digestsOf: readonly RangePair[] = []

  /** Bytes that wait for any client of this node, whom the uplink is shared with. */
  readonly #queuedBytes: () => number

  constructor(link: ControlLink, address: string, queuedBytes: () => number) {
    this.#link = link
    this.address = address
    this.#queuedBytes = queuedBytes
  }

  /** It may open a data connection, or a further flow of the one that it has. */
  expects({ isBeside }: Ticketed): boolean {
    return isBeside === (this.#feed !== undefined)
  }

  /** Of its data connection. */
  get flows(): number {
    return this.#frees.length
  }

  offer(file: ServedFile, edge: Edge): void {
    this.file = file
    this.edge = edge
    this.#askedMs = nowMs()
    const offer = file.join(edge)
    this.place = offer
    this.#link.send({ type: 'fetched', ...offer })
    const { growing } = file.content
    if (growing === undefined) return
    this.#unwatch = growing.watch(() => this.#more(growing))
    this.#more(growing)
  }

  /** It has asked for all that there is, and waits for more. */
  get isWaiting(): boolean {
    const { growing } = this.file?.content ?? {}
    return growing?.isFinal === false && this.#pulledTo >= growing.bytes
  }

  /** It stays, and has had all that it asked for. */
  get isResting(): boolean {
    if (!this.isStanding || nowMs() - this.#askedMs < limits.serveRestMs) return false
    return (this.#fill?.queuedBytes ?? 0) === 0
  }

  /** At once, and what comes soon after that together. */
  #more(growing: GrowingHere): void {
    if (this.#telling !== undefined) return
    const { bytes, isFinal } = growing
    if (bytes <= this.#toldBytes && isFinal === this.#isToldFinal) return
    this.#toldBytes = bytes
    this.#isToldFinal = isFinal
    this.#link.send({ type: 'more', bytes, isFinal })
    this.#sendEnd()
    this.#telling = setTimeout(() => {
      this.#telling = undefined
      this.#more(growing)
    }, limits.reachedMs)
  }

  /** The record that says where the content ends comes by itself. */
  #sendEnd(): void {
    const { end } = this.file?.content.growing ?? {}
    if (end === undefined || this.#feed === undefined || !this.#isToldFinal) return
    if (!this.#hasAsked) return
    const { engine } = this.#served
    engine.sendDigests(this.#feed, { stream: 0, ...end })
  }

  /** Throws FrError for what no honest client asks. */
  said(frame: Frame): void {
    this.#asks()
    if (frame.type === 'pull') return this.#pull(frame)
    if (frame.type === 'need') return this.#repair(frame)
    if (frame.type === 'needDigests') return this.#digests(frame.ranges)
    throw new FrError('ERR_FR_PROTOCOL', `unexpected frame '${frame.type}' on a fetch link`)
  }

  /**
   * The data connection, or a further flow of it. `free` gives back its place. Throws FrError when
   * the connection broke meanwhile.
   */
  adopt(established: Established, free: FreePlace): void {
    const file = this.#served
    const beside = this.#feed
    const spec = { transfer: file.transfer, direction: 'out' } as const
    const feed = adopt(file.engine, established, spec, beside)
    this.#frees.push(free)
    if (beside !== undefined) return
    this.#feed = feed
    this.#count = new FlowCount()
    file.own(feed, this)
    for (const held of this.#serving.opened(0)) this.#list(feed, held)
    const waiting = this.#digestsOf
    this.#digestsOf = []
    if (waiting.length > 0) this.#digests(waiting)
    this.#sendEnd()
  }

  /** The data connection is gone: the client opens another one, or leaves. */
  unfed(): void {
    this.#feed = undefined
    this.#freeAll()
    this.#serving.closed(0)
  }

  #freeAll(): void {
    for (const free of this.#frees.splice(0)) free()
  }

  refuse({ code, message: text }: FrError): void {
    this.#link.send({ type: 'refuse', code, text })
    void this.#link.close()
  }

  /** Idempotent. A link that still says something is closed by itself. */
  end(): void {
    if (this.isOver) return
    this.isOver = true
    this.#unwatch()
    clearTimeout(this.#telling)
    if (this.#feed !== undefined) this.file?.disown(this.#feed)
    this.#freeAll()
    this.file?.leave()
    if (this.#link.isOpen) this.#link.destroy()
  }

  get #served(): ServedFile {
    if (this.file !== undefined) return this.file
    throw new FrError('ERR_FR_PROTOCOL', 'bytes were asked for before a name')
  }

  #asks(): void {
    this.#askedMs = nowMs()
    if (this.#hasAsked) return
    this.#hasAsked = true
    this.#sendEnd()
  }

  #pull({ request, ranges }: Frames<'pull'>): void {
    const file = this.#served
    this.#check(pullFault({ ranges }, file.content.size, file.content.blockBytes))
    for (const [offset, length] of ranges)
      this.#pulledTo = Math.max(this.#pulledTo, offset + length)
    const fill = this.#fill
    if (fill !== undefined) this.#look(fill)
    const held = { request, ranges: file.content.present(ranges) }
    if (held.ranges.length === 0) return this.#tell(held)
    const verdict = this.#serving.asked(0, held, fill ?? 'opening', nowMs())
    if (verdict === 'list') this.#list(this.#feed as FeedHandle, held)
    if (verdict !== 'full') return
    const text = 'more is asked for than has been sent'
    this.#link.send({ type: 'pullRefused', request, code: 'ERR_FR_LIMIT', text })
  }

  /** Says how many flows would fill the way to the client, where they are more than it has. */
  #look(stats: FeedStats): void {
    const count = this.#count.wanted({ ...stats, nowMs: nowMs() }, undefined)
    if (count > stats.flows) this.#link.send({ type: 'flows', count })
  }

  /** Blocks that came wrong, marked as such. */
  #repair({ scratch, ranges }: Frames<'need'>): void {
    const file = this.#served
    if (!scratch) throw new FrError('ERR_FR_PROTOCOL', 'a need of bytes that are no repair')
    this.#check(pullFault({ ranges }, file.content.size, file.content.blockBytes))
    const fill = file.content.present(ranges).length === ranges.length ? this.#fill : undefined
    // The client asks another one in time.
    if (fill === undefined) return
    if (this.#serving.asked(0, { request: 0, ranges }, fill, nowMs()) !== 'list') return
    this.#send(this.#feed as FeedHandle, ranges, true)
  }

  #digests(ranges: readonly RangePair[]): void {
    const file = this.#served
    const last = ranges.at(-1)
    // Of a content that came to nothing its end is asked for by its first byte.
    const most = file.content.growing === undefined ? file.content.size : file.content.size || 1
    if (last !== undefined && last[0] + last[1] > most)
      throw new FrError('ERR_FR_PROTOCOL', 'digests beyond the file')
    if (this.#feed === undefined) {
      const isOne = file.content.growing === undefined
      this.#digestsOf = isOne ? ranges : [...this.#digestsOf, ...ranges].slice(-limits.needRanges)
      return
    }
    this.#sendDigests(file, this.#feed, ranges).catch((error: unknown) => {
      if (!this.isOver) this.refuse(asFrError(error, 'ERR_FR_INTERNAL'))
    })
  }

  async #sendDigests(
    file: ServedFile,
    feed: FeedHandle,
    ranges: readonly RangePair[],
  ): Promise<void> {
    const runs = await file.content.runs(ranges)
    for (const { offset, length, payload } of runs) {
      if (this.isOver || this.#feed !== feed) return
      if (!ranges.some(([at, bytes]) => at < offset + length && offset < at + bytes)) continue
      file.naming(offset + length)
      file.engine.sendDigests(feed, { stream: 0, offset, length, payload })
    }
  }

  #list(feed: FeedHandle, held: HeldRequest): void {
    this.#tell(held)
    this.#send(feed, held.ranges, false)
  }

  #tell({ request, ranges }: HeldRequest): void {
    const backlogBytes = Math.min(this.#queuedBytes(), limits.fileBytes)
    this.#link.send({ type: 'holding', request, ranges, backlogBytes })
  }

  #send(feed: FeedHandle, ranges: readonly RangePair[], scratch: boolean): void {
    const { engine } = this.#served
    for (const [offset, length] of ranges)
      engine.send(feed, { stream: 0, offset, length, ...(scratch && { scratch }) })
  }

  #check(fault: ReturnType<typeof pullFault>): void {
    if (fault !== null) throw new FrError(fault.code, fault.text)
  }

  get #stats(): readonly FeedStats[] {
    const { engine, transfer } = this.#served
    return engine.stats(transfer).feeds
  }

  get #fill(): FeedStats | undefined {
    return this.#stats.find(({ feed }) => feed === this.#feed)
  }
}
