/**
 * A simulated node: the shipping machine (control/receiver/machine.ts) over simulated files and
 * feeds. It does what session/receiver/reception.ts does, on virtual time.
 */
import { type Failure, FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { RangeSet } from '../base/ranges.js'
import { ReceivedBytes } from '../control/holdings/mate-bytes.js'
import type { Frame, Mate } from '../control/messages/types.js'
import { Grants } from '../control/pulling/holder.js'
import { Backlog } from '../control/receiver/backlog.js'
import type { NodeCommand, NodeEvent } from '../control/receiver/events.js'
import { NodeMachine } from '../control/receiver/machine.js'
import { digestBytes, SimFile, sumOf } from './content.js'
import type { SimChunk, SimDigests, SimFeed } from './feed.js'
import { Inbox } from './inbox.js'
import type { SimPulls } from './pulls.js'
import type { NodeScenario } from './scenario.js'
import type { Timeline } from './timeline.js'

/** What a node needs of the network around it. */
export interface SimNet {
  readonly timeline: Timeline
  /** The frame travels to the origin. */
  toOrigin(node: number, frame: Frame): void
  /** The node closed its control link. */
  linkClosedByNode(node: number): void
  /** A relay feed that is opened later can open at once, unless the handshake takes longer. */
  greetMate(from: number, mate: Mate): void
  /** Opens a relay feed; later `relayOpened` or `relayClosed`. */
  dialMate(from: number, mate: Mate): void
  /** This end of the feed closes it. */
  closeFeed(from: number, to: number): void
  readonly pulls: SimPulls
  isArrivalWrong(): boolean
  /** Something holds up what was listed: an asker may take it for lost. */
  readonly isSlow: boolean
}

export class SimNode {
  readonly node: number
  readonly file: SimFile
  readonly scratch: SimFile
  isAlive = true
  isHung = false
  #diskFreeMs = 0
  publications = 0
  /** How often it had to ask for everything it missed, because nothing moved any more. */
  asks = 0
  failure: Failure | null = null
  hasEnded = false
  readonly relays = new Map<number, SimFeed>()
  readonly #net: SimNet
  readonly #scenario: NodeScenario
  readonly #backlog = new Backlog()
  /** Payload by the index of its sender. */
  duplicateBytes = 0
  scratchBytes = 0
  readonly #received = new Map<number, number>()
  readonly #fromMate = new ReceivedBytes()
  readonly #dialling = new Set<number>()
  readonly #pullFeeds = new Map<number, SimFeed>()
  readonly #grants = new Map<number, Grants>()
  /** Held for mates to whom no feed is open yet. */
  readonly #waiting = new Map<number, (NodeCommand & { type: 'serve' })[]>()
  readonly #machine: NodeMachine
  readonly #inbox: Inbox<NodeEvent>
  readonly #relayed: SimChunk[] = []
  /** What was relayed once is not relayed again, also where it had landed before. */
  readonly #relayedOnce = new RangeSet()
  /** As in session/receiver/relays.ts: kept until every known mate has its feed, or cannot. */
  #keptDigests: SimDigests[] = []
  #isPlanned = false
  #checkedBytes = 0
  #tickMs = Number.POSITIVE_INFINITY

  constructor(
    node: number,
    net: SimNet,
    scenario: NodeScenario,
    bytes: number,
    blockBytes: number,
  ) {
    this.node = node
    this.#net = net
    this.#inbox = new Inbox(net.timeline, (event) => this.#handle(event))
    this.#scenario = scenario
    this.file = new SimFile(bytes, blockBytes)
    this.scratch = new SimFile(bytes, blockBytes)
    this.#machine = new NodeMachine(
      { bytes, blockBytes, digestBytes, self: node, silenceMs: limits.silenceMs },
      net.timeline.nowMs,
    )
  }

  start(): void {
    for (const command of this.#machine.start()) this.#execute(command)
  }

  /** It tells the origin that it relays, and does not. */
  get #deceives(): boolean {
    return this.#net.timeline.nowMs >= (this.#scenario.deceivesAtMs ?? Number.POSITIVE_INFINITY)
  }

  get verifiedBytes(): number {
    return this.#machine.held.verifiedBytes
  }

  get pulledBytes(): number {
    return this.#machine.pulls.pulledBytes
  }

  isAsking(index: number): boolean {
    return this.#machine.pulls.isAsking(index)
  }

  get phase(): string {
    return this.#machine.phase
  }

  get runs(): boolean {
    return this.isAlive && !this.isHung && !this.hasEnded
  }

  post(event: NodeEvent): void {
    if (!this.runs) return
    if (event.type === 'relayClosed') this.#relayClosed(event.index)
    if (this.#inbox.post(event)) this.#arm()
  }

  #handle(event: NodeEvent): void {
    for (const command of this.#machine.handle(event, this.#inbox.awakeMs)) this.#execute(command)
    if (event.type === 'frameArrived' && event.frame.type === 'plan') this.#planned()
    this.#check()
  }

  /** Milliseconds for which the process gets no turn. */
  stop(forMs: number): void {
    this.#inbox.stop(forMs, () => this.post({ type: 'ticked' }))
  }

  /** Whatever is asked of the disk takes until then. */
  hangDisk(forMs: number): void {
    this.#diskFreeMs = this.#net.timeline.nowMs + forMs
  }

  #afterDisk(ms: number, run: () => void): void {
    const { timeline } = this.#net
    timeline.at(Math.max(timeline.nowMs, this.#diskFreeMs) + ms, run)
  }

  /** Bytes arrive on a feed. Unlike messages they also land in a process that hangs. */
  land(chunk: SimChunk, isWrong: boolean, from: number): void {
    if (!this.runs) return
    this.#received.set(from, (this.#received.get(from) ?? 0) + chunk.length)
    const target = chunk.scratch ? this.scratch : this.file
    const { fresh, whole } = target.land(chunk.offset, chunk.length, isWrong)
    const freshBytes = fresh.reduce((sum, [, length]) => sum + length, 0)
    this.duplicateBytes += chunk.length - freshBytes
    if (chunk.scratch) this.scratchBytes += freshBytes
    if (chunk.relay && !this.#deceives) {
      for (const [offset, length] of this.#relayedOnce.missing(chunk.offset, chunk.length)) {
        this.#relayedOnce.add(offset, length)
        const passed = { offset, length, relay: false, scratch: false }
        this.#relayed.push(passed)
        for (const feed of this.relays.values()) feed.list(passed)
      }
    }
    for (const [offset, length] of whole) {
      if (chunk.scratch) target.reopen(offset, length)
      this.post({ type: 'landed', scratch: chunk.scratch, offset, length })
    }
  }

  announce(record: SimDigests): void {
    if (!this.runs) return
    if (record.relay && !this.#deceives) {
      const passed = { ...record, relay: false }
      if (!this.#isPlanned || this.#dialling.size > 0) this.#keptDigests.push(passed)
      for (const feed of this.relays.values()) feed.digests(passed)
    }
    const { offset, length, digests } = record
    this.post({ type: 'announced', offset, length, digests })
  }

  relayOpened(index: number, feed: SimFeed): void {
    this.relays.set(index, feed)
    this.#listWaiting(index, feed)
    for (const record of this.#keptDigests) feed.digests(record)
    for (const chunk of this.#relayed) feed.list(chunk)
    this.#dialled(index)
    this.post({ type: 'relayOpened', index })
  }

  pullFeedOpened(index: number, feed: SimFeed): void {
    this.#pullFeeds.set(index, feed)
    this.#listWaiting(index, feed)
  }

  pullFeedFailed(index: number): void {
    for (const { request } of this.#waiting.get(index) ?? []) {
      const code = 'ERR_FR_UNREACHABLE'
      this.#net.pulls.answer(this.node, index, { type: 'pullRefused', request, code, text: '' })
    }
    this.#waiting.delete(index)
    this.#grants.delete(index)
  }

  #relayClosed(index: number): void {
    this.#dialled(index)
    this.#grants.delete(index)
    if (this.#waiting.has(index)) this.#net.pulls.openFeed(this.node, index)
  }

  #serve(command: NodeCommand & { type: 'serve' }): void {
    const { index, request, ranges } = command
    const feed = [this.relays.get(index), this.#pullFeeds.get(index)].find((one) => one?.isOpen)
    const fill = { payloadBytes: feed?.sentBytes ?? 0, queuedBytes: feed?.queuedBytes ?? 0 }
    const { nowMs } = this.#net.timeline
    const grants = this.#grants.get(index) ?? new Grants()
    this.#grants.set(index, grants)
    if (!grants.hasRoom(feed && fill, nowMs)) {
      // What was listed has not been sent; the asker may think it is lost.
      if (!this.#net.isSlow) throw new Error('an honest node asks for too much')
      const code = 'ERR_FR_LIMIT'
      const refusal = { type: 'pullRefused', request, code, text: '' } as const
      return this.#net.pulls.answer(this.node, index, refusal)
    }
    const answer = { type: 'holding', request, ranges, backlogBytes: 0 } as const
    if (ranges.length === 0) return this.#net.pulls.answer(this.node, index, answer)
    const bytes = ranges.reduce((sum, [, length]) => sum + length, 0)
    grants.add(bytes, fill, nowMs)
    const isFirst = !this.#waiting.has(index)
    this.#waiting.set(index, [...(this.#waiting.get(index) ?? []), command])
    if (feed !== undefined) this.#listWaiting(index, feed)
    else if (isFirst && !this.#dialling.has(index)) this.#net.pulls.openFeed(this.node, index)
  }

  #listWaiting(index: number, feed: SimFeed): void {
    for (const { request, ranges } of this.#waiting.get(index) ?? []) {
      const backlogBytes = feed.queuedBytes
      for (const [offset, length] of ranges)
        feed.list({ offset, length, relay: false, scratch: false })
      this.#net.pulls.answer(this.node, index, { type: 'holding', request, ranges, backlogBytes })
    }
    this.#waiting.delete(index)
  }

  /** Of its own, as every machine's: nobody may hold it against another. */
  get #clockMs(): number {
    return Math.round(this.#net.timeline.nowMs) + (this.node + 1) * 3_600_000
  }

  #planned(): void {
    this.#isPlanned = true
    if (this.#dialling.size === 0) this.#keptDigests = []
  }

  #dialled(index: number): void {
    this.#dialling.delete(index)
    if (this.#isPlanned && this.#dialling.size === 0) this.#keptDigests = []
  }

  #execute(command: NodeCommand): void {
    const { timeline } = this.#net
    switch (command.type) {
      case 'prepare':
        return timeline.after(this.#scenario.prepareMs, () => {
          if (this.#scenario.trouble !== 'refuses') return this.post({ type: 'prepared' })
          this.post({ type: 'prepareFailed', code: 'ERR_FR_NO_SPACE', text: 'no space' })
        })
      case 'send':
        return this.#net.toOrigin(this.node, command.frame)
      case 'count':
        return this.post({
          type: 'counted',
          landedBytes: this.file.landed.bytes + this.scratch.landed.bytes,
        })
      case 'report': {
        const { verifiedBytes, repairedBytes, pulled } = command
        const landedBytes = this.file.landed.bytes
        this.#fromMate.count(this.#fromMates().map((mate) => ({ ...mate, feed: mate.index })))
        return this.#net.toOrigin(this.node, {
          type: 'progress',
          atMs: this.#clockMs,
          landedBytes,
          holeBytes: 0,
          verifiedBytes,
          repairedBytes,
          sentBytes: [...this.relays.values()].reduce((sum, feed) => sum + feed.sentBytes, 0),
          receivedBytes: [...this.#received.values()].reduce((sum, bytes) => sum + bytes, 0),
          duplicateBytes: this.duplicateBytes,
          mates: [...this.relays].map(([index, { queuedBytes, unackedBytes }]) => {
            return { index, queuedBytes, unackedBytes }
          }),
          received: this.#fromMate.news(),
          pulled,
        })
      }
      case 'reportBacklog': {
        const mates = [...this.relays].map(([index, feed]) => {
          const { queuedBytes, unackedBytes, sentBytes } = feed
          const fill = { payloadBytes: sentBytes, queuedBytes }
          const pulled = this.#grants.get(index)?.queuedBytes(fill, timeline.nowMs) ?? 0
          return { index, queuedBytes: queuedBytes - pulled, unackedBytes, sentBytes }
        })
        const report = {
          atMs: this.#clockMs,
          landedBytes: this.file.landed.bytes,
          receivedBytes: this.#received.get(-1) ?? 0,
          ...this.#backlog.report(mates, timeline.nowMs),
        }
        if (!this.#backlog.isWorthSending(report, timeline.nowMs)) return
        return this.#net.toOrigin(this.node, { type: 'backlog', ...report })
      }
      case 'exclude':
        return this.#backlog.exclude(command.indices)
      case 'greetMate':
        return this.#net.greetMate(this.node, command.mate)
      case 'dialMate':
        this.#dialling.add(command.mate.index)
        return this.#net.dialMate(this.node, command.mate)
      case 'dialPull':
        return this.#net.pulls.dial(this.node, command)
      case 'askMate':
        return this.#net.pulls.ask(this.node, command.index, command.frame)
      case 'closePull':
        return
      case 'serve':
        return this.#serve(command)
      case 'rejectPull':
        throw new Error(`an honest node asks for what it may not: ${command.failure.text}`)
      case 'countFeeds':
        return this.post({ type: 'feedsCounted', feeds: this.#fromMates() })
      case 'closeRelay': {
        this.relays.get(command.index)?.close()
        this.relays.delete(command.index)
        return
      }
      case 'closeFeed':
        return this.#net.closeFeed(command.index, this.node)
      case 'hash': {
        const { scratch, offset, length } = command
        return this.#afterDisk(this.#scenario.hashMs, () => {
          const digests = (scratch ? this.scratch : this.file).digests(offset, length)
          if (scratch) this.scratch.clean(offset, length)
          this.post({ type: 'hashed', scratch, offset, length, digests })
        })
      }
      case 'copyIn': {
        const { offset, length } = command
        return this.#afterDisk(1, () => {
          this.file.clean(offset, length)
          this.post({ type: 'copied', offset, length })
        })
      }
      case 'sum': {
        const fileDigest = sumOf(command.digests)
        return timeline.after(0, () => this.post({ type: 'summed', fileDigest }))
      }
      case 'publish':
        return this.#afterDisk(this.#scenario.publishMs, () => this.#publish())
      case 'log':
        if (command.event === 'asked-again') this.asks++
        return
      case 'end':
        this.failure = command.failure
        this.hasEnded = true
        for (const feed of [...this.relays.values(), ...this.#pullFeeds.values()]) feed.close()
        this.#net.pulls.ended(this.node)
        return this.#net.linkClosedByNode(this.node)
      default:
        return command satisfies never
    }
  }

  /** Payload by the index of the mate it has come from. */
  #fromMates(): { index: number; receivedBytes: number }[] {
    const mates = [...this.#received].filter(([index]) => index >= 0)
    return mates.map(([index, receivedBytes]) => ({ index, receivedBytes }))
  }

  #publish(): void {
    if (!this.isAlive) return
    this.publications++
    if (!this.file.isRight)
      throw new FrError('ERR_FR_DIGEST', `node ${this.node} published a wrong file`)
    if (this.publications > 1)
      throw new FrError('ERR_FR_DIGEST', `node ${this.node} published twice`)
    this.post({ type: 'published', warnings: [] })
  }

  /** Nothing may be held that is not the origin's. */
  #check(): void {
    if (this.#machine.held.verifiedBytes === this.#checkedBytes) return
    this.#checkedBytes = this.#machine.held.verifiedBytes
    const blocks = Math.ceil(this.file.bytes / this.file.blockBytes)
    for (let block = 0; block < blocks; block++) {
      if (!this.#machine.held.isBlockVerified(block)) continue
      const at = block * this.file.blockBytes
      const hasLanded = this.file.landed.contains(
        at,
        Math.min(this.file.blockBytes, this.file.bytes - at),
      )
      if (this.file.isWrong(block) || !hasLanded) {
        throw new FrError(
          'ERR_FR_BAD_BLOCK',
          `node ${this.node} holds block ${block}, which is not right`,
        )
      }
    }
  }

  #arm(): void {
    const dueMs = this.#machine.deadlineMs()
    if (dueMs === null || dueMs >= this.#tickMs) return
    this.#tickMs = dueMs
    this.#inbox.at(dueMs, () => {
      this.#tickMs = Number.POSITIVE_INFINITY
      this.post({ type: 'ticked' })
    })
  }
}
