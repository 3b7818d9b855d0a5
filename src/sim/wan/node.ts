/**
 * A node under a master: it holds contents, copies what it is told to copy, and says what it has.
 *
 * The idea: it does what a real one does, so far as the master can see it. What came is verified
 * and stays, whatever becomes of the copy. A whole content takes the place of earlier ones of its
 * name. While the master is away copies go on; when a link is made again all is said anew.
 */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { MasterFact } from '../../control/copies/master.js'
import type { NodeSet } from '../../control/copies/sets.js'
import type { CopyOrder, Ended, HeldThere } from '../../control/messages/mastering.js'
import type { Timeline } from '../timeline.js'
import type { SaidOfContent, WanContents } from './contents.js'
import { Flow, type Line } from './flows.js'
import type { WanNodeSpec } from './scenario.js'

export interface Order {
  readonly copy: number
  readonly contentId: string
  readonly offset: number
  readonly length: number
  readonly source: string
  readonly lines: readonly Line[]
  readonly crosses: boolean
  /** What the master knew of the content. */
  readonly said: SaidOfContent
  /** Bytes a second; infinite: no limit. */
  rate: number
}

export interface WanNodeHost {
  readonly timeline: Timeline
  readonly contents: WanContents
  node(name: string): WanNode
  /** Over its link to the master, if there is one. */
  say(node: WanNode, fact: MasterFact): void
  /** It is to copy this. */
  ordered(node: WanNode, order: Order): void
  /** Bytes of a content are verified there now; `order`: the copy that brought them. */
  landed(node: WanNode, ranges: readonly RangePair[], order: Order): void
  /** It holds all of it, and no more comes. */
  published(node: WanNode, contentId: string): void
}

interface Running {
  readonly order: Order
  /** What is to come, in its order. */
  readonly missing: readonly RangePair[]
  /** Bytes of it that the source sends; null: the source is being asked. */
  sent: number | null
  flow: Flow | null
  landed: number
  readonly sinceMs: number
}

const connectMs = 3_000
const noticeMs = 300
const gatherMs = 100
const reportMs = 10_000

export class WanNode {
  readonly spec: WanNodeSpec
  readonly #host: WanNodeHost
  readonly held = new Map<string, RangeSet>()
  readonly running = new Map<number, Running>()
  /** What it knows of contents that it has some of. */
  readonly #known = new Map<string, SaidOfContent>()
  /** When each content was written here last. */
  readonly #madeMs = new Map<string, number>()
  required: NodeSet | null = null
  isUp = true
  /** Counts its links to masters; words of an earlier one are lost. */
  link = 0
  isLinked = false
  readonly #changed = new Set<string>()
  readonly #gone = new Map<string, string>()
  #isReporting = false
  /** Counts its processes. */
  #life = 0

  constructor(spec: WanNodeSpec, host: WanNodeHost) {
    this.spec = spec
    this.#host = host
  }

  get name(): string {
    return this.spec.name
  }

  get freeBytes(): number {
    let used = 0
    for (const ranges of this.held.values()) used += ranges.bytes
    return this.spec.diskBytes - used
  }

  /** All of it; of what has ended it knows that, too. */
  holds(contentId: string): boolean {
    const { size, isGrowing } = this.#host.contents.of(contentId)
    const isBehind = !isGrowing && this.#known.get(contentId)?.isGrowing === true
    return this.held.get(contentId)?.bytes === size && !isBehind
  }

  /** It has heard where it ends, if it has ended. */
  knowsEnd(contentId: string): boolean {
    return this.#known.get(contentId)?.isGrowing === false
  }

  /** Of what it knows of it. */
  #hasAll(contentId: string): boolean {
    return this.held.get(contentId)?.bytes === this.#known.get(contentId)?.size
  }

  /** A source of it wrote more, or all of it is there at once. */
  makes(contentId: string): void {
    this.#broken(contentId)
    const said = this.#host.contents.said(contentId)
    this.#known.set(contentId, said)
    this.held.set(contentId, RangeSet.of([[0, said.size]]))
    this.#madeMs.set(contentId, this.#host.timeline.nowMs)
    this.#publish(contentId, Number.POSITIVE_INFINITY)
  }

  /** It has a new link to a master: all is said. */
  linked(): void {
    this.isLinked = true
    this.link += 1
    const { name, site, attributes, up, down } = this.spec
    const all = { ...attributes, name, site }
    this.#host.say(this, { type: 'joined', node: name, site, attributes: all, up, down })
    this.#changed.clear()
    this.#gone.clear()
    for (const running of this.running.values()) this.#land(running)
    const known = new Set([...this.held.keys(), ...this.spec.lies])
    const running = [...this.running.values()].map(({ order }) => this.#runningOf(order))
    this.#say([...known], [], running)
    this.#reportLater(this.#life)
  }

  unlinked(): void {
    this.isLinked = false
  }

  killed(losesDisk: boolean): void {
    for (const running of [...this.running.values()]) {
      this.#land(running)
      this.#over(running)
    }
    this.isUp = false
    this.isLinked = false
    this.#life += 1
    if (losesDisk) this.held.clear()
    this.required = null
  }

  started(): void {
    this.isUp = true
  }

  start(order: Order): void {
    this.#host.ordered(this, order)
    if (order.said.size >= (this.#known.get(order.contentId)?.size ?? 0))
      this.#known.set(order.contentId, order.said)
    const missing = this.#missing(order)
    const sinceMs = this.#host.timeline.nowMs
    const running: Running = { order, missing, sent: null, flow: null, landed: 0, sinceMs }
    this.running.set(order.copy, running)
    if (bytesOf(missing) > this.freeBytes - this.#reserved(order)) {
      this.#ended(running, 'no space', ['disk'])
      return
    }
    const source = this.#host.node(order.source)
    const dialMs = 2 * (this.spec.latencyMs + source.spec.latencyMs)
    this.#host.timeline.after(source.isUp ? dialMs : connectMs, () => {
      if (this.running.get(order.copy) === running) this.#connect(running, source)
    })
  }

  setRate(copy: number, rate: number): void {
    const running = this.running.get(copy)
    if (running === undefined) return
    running.order.rate = rate
    running.flow?.setRate(rate)
  }

  stop(copy: number): void {
    const running = this.running.get(copy)
    if (running === undefined) return
    this.#land(running)
    this.#over(running)
    this.#tell(running.order.contentId)
  }

  /** Whom it copied from has died. */
  lost(source: string): void {
    for (const running of [...this.running.values()]) {
      if (running.order.source !== source || running.flow === null) continue
      this.#land(running)
      running.flow.end()
      running.flow = null
      this.#host.timeline.after(noticeMs, () => {
        if (this.running.get(running.order.copy) === running)
          this.#ended(running, 'lost', ['source', 'links'])
      })
    }
  }

  #connect(running: Running, source: WanNode): void {
    const { order, missing } = running
    const isFailed = order.lines.some(({ factor }) => factor === 0)
    if (!source.isUp || isFailed) {
      this.#host.timeline.after(isFailed ? connectMs : 0, () => {
        if (this.running.get(order.copy) === running)
          this.#ended(running, 'unreachable', ['source', 'links'])
      })
      return
    }
    const sent = source.spec.corrupts
      ? Math.min(65_536, bytesOf(missing))
      : source.serves(order.contentId, missing)
    running.sent = sent
    if (sent === 0) return this.#arrived(running, source)
    running.flow = new Flow(this.#host.timeline, {
      ...{ lines: order.lines, length: sent, rate: order.rate },
      ended: () => this.#arrived(running, source),
      stalled: () => this.#ended(running, 'stalled', ['source', 'links']),
    })
  }

  /** Bytes of the ranges that it has, from the first on up to one that it lacks. */
  serves(contentId: string, ranges: readonly RangePair[]): number {
    const held = this.held.get(contentId) ?? new RangeSet()
    let bytes = 0
    for (const [offset, length] of ranges) {
      const [lacks] = held.missing(offset, length)
      if (lacks !== undefined) return bytes + lacks[0] - offset
      bytes += length
    }
    return bytes
  }

  #arrived(running: Running, source: WanNode): void {
    if (source.spec.corrupts) return this.#ended(running, 'digest', ['source'])
    const isAll = running.sent === bytesOf(running.missing)
    if (isAll) this.#ended(running, null, [])
    else this.#ended(running, 'absent', ['source', 'links'])
  }

  #ended(running: Running, cause: string | null, blames: Ended['blames']): void {
    const { order, missing } = running
    if (cause !== 'digest') this.#land(running)
    this.#over(running)
    // All of it was here, and the order says that no more comes.
    const isWhole = missing.length === 0 && this.#hasAll(order.contentId)
    if (cause === null && isWhole) this.#publish(order.contentId, running.sinceMs)
    // What lay there before counts as well.
    let bytes = order.length
    let left = running.landed
    for (const [offset, length] of missing) {
      if (left < length) {
        bytes = offset + left - order.offset
        break
      }
      left -= length
    }
    const ended = { bytes, cause, blames }
    this.#host.say(this, { type: 'copied', node: this.name, copy: order.copy, ended })
    this.#tell(order.contentId)
  }

  #over(running: Running): void {
    running.flow?.end()
    running.flow = null
    this.running.delete(running.order.copy)
  }

  /** What has come since the last time is verified. */
  #land(running: Running): void {
    const { flow, order, missing } = running
    if (flow === null || this.#host.node(order.source).spec.corrupts) return
    const came = flow.came
    const ranges = partOf(missing, running.landed, came - running.landed)
    running.landed = came
    if (ranges.length === 0) return
    const held = this.held.get(order.contentId) ?? new RangeSet()
    this.#host.landed(this, ranges, order)
    for (const range of ranges) held.add(...range)
    this.held.set(order.contentId, held)
    if (this.#hasAll(order.contentId)) this.#publish(order.contentId, running.sinceMs)
  }

  /** It takes the place of what the name meant before. */
  #publish(contentId: string, sinceMs: number): void {
    const { contents } = this.#host
    const { name } = contents.of(contentId).spec
    this.#tell(contentId)
    if (this.#known.get(contentId)?.isGrowing === true) return
    this.#host.published(this, contentId)
    const others = [...this.held.keys()].filter(
      (other) => other !== contentId && contents.of(other).spec.name === name,
    )
    // What was made here since the copy was ordered is not overwritten by it.
    const isLate = others.some((other) => (this.#madeMs.get(other) ?? 0) > sinceMs)
    for (const other of isLate ? [contentId] : others) {
      this.#broken(other)
      this.held.delete(other)
      this.#changed.delete(other)
      this.#gone.set(other, name)
    }
  }

  /** Somebody else has the name: what is copied there comes to nothing. */
  #broken(contentId: string): void {
    const copies = [...this.running.values()].filter(({ order }) => order.contentId === contentId)
    for (const running of copies) {
      this.#over(running)
      const ended = { bytes: 0, cause: 'taken', blames: [] }
      this.#host.say(this, { type: 'copied', node: this.name, copy: running.order.copy, ended })
    }
  }

  #missing({ contentId, offset, length }: Order): RangePair[] {
    return this.held.get(contentId)?.missing(offset, length) ?? [[offset, length]]
  }

  /** What other copies will still write. */
  #reserved(but: Order): number {
    let bytes = 0
    for (const { order, missing, landed } of this.running.values())
      if (order !== but) bytes += bytesOf(missing) - landed
    return bytes
  }

  #tell(contentId: string): void {
    this.#changed.add(contentId)
    if (this.#isReporting) return
    this.#isReporting = true
    const life = this.#life
    this.#host.timeline.after(gatherMs, () => {
      this.#isReporting = false
      if (life === this.#life && this.isLinked) this.#report()
    })
  }

  #report(): void {
    for (const running of this.running.values()) this.#land(running)
    const gone = [...this.#gone].map(([contentId, name]) => ({ contentId, name }))
    const changed = [...this.#changed].filter((id) => this.held.has(id))
    this.#changed.clear()
    this.#gone.clear()
    this.#say(changed, gone)
  }

  /** Now and then, whatever happens: what copies have brought. */
  #reportLater(life: number): void {
    const { link } = this
    this.#host.timeline.after(reportMs, () => {
      if (life !== this.#life || link !== this.link || !this.isLinked) return
      for (const { order } of this.running.values()) this.#changed.add(order.contentId)
      this.#report()
      this.#reportLater(life)
    })
  }

  #say(
    contentIds: readonly string[],
    gone: readonly { readonly name: string; readonly contentId: string }[],
    running?: readonly CopyOrder[],
  ): void {
    const files = contentIds.flatMap((id) => this.#heldOf(id) ?? [])
    const isAll = running !== undefined
    const { freeBytes, name: node } = this
    this.#host.say(this, {
      ...{ type: 'state', node, files, gone, isAll, freeBytes },
      ...(running !== undefined && { running }),
    })
  }

  #heldOf(contentId: string): HeldThere | null {
    const { contents } = this.#host
    if (contents.find(contentId) === undefined) return null
    const ranges = this.held.get(contentId)
    const isClaimed = this.spec.lies.includes(contentId)
    if (ranges === undefined && !isClaimed) return null
    const isAll = isClaimed || this.#hasAll(contentId)
    const said = this.#known.get(contentId) ?? contents.said(contentId)
    return { ...said, ranges: isAll ? null : (ranges?.toArray() ?? []) }
  }

  #runningOf({ copy, said, offset, length, source, rate }: Order): CopyOrder {
    const from = { name: source, nodeId: source, address: source }
    return { ...said, copy, range: [offset, length], source: from, bytesPerSecond: rate }
  }
}

function bytesOf(ranges: readonly RangePair[]): number {
  return ranges.reduce((sum, [, length]) => sum + length, 0)
}

/** So many bytes of the ranges, after the first ones. */
function partOf(ranges: readonly RangePair[], first: number, bytes: number): RangePair[] {
  const part: RangePair[] = []
  let [skip, left] = [first, bytes]
  for (const [offset, length] of ranges) {
    if (left === 0) break
    const skipped = Math.min(skip, length)
    skip -= skipped
    const taken = Math.min(left, length - skipped)
    if (taken > 0) part.push([offset + skipped, taken])
    left -= taken
  }
  return part
}
