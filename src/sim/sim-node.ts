/**
 * A simulated node: the shipping machine (control/receiver/machine.ts) over simulated files and
 * feeds. It does what session/receiver/reception.ts does, on virtual time.
 */
import { type Failure, FrError } from '../base/errors.js'
import type { RangePair } from '../base/ranges.js'
import type { Frame } from '../control/messages/types.js'
import type { NodeCommand, NodeEvent } from '../control/receiver/events.js'
import { NodeMachine } from '../control/receiver/machine.js'
import { type NodeCounts, NodeReports } from '../control/receiver/reports.js'
import { digestBytes, SimFile, sumOf } from './content.js'
import type { SimChunk } from './feed.js'
import { Inbox } from './inbox.js'
import { originIndex } from './network.js'
import { idOf, NodeFeeds, type SimNet } from './node-feeds.js'
import type { NodeScenario } from './scenario.js'

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
  readonly #net: SimNet
  readonly #scenario: NodeScenario
  readonly #reports = new NodeReports()
  readonly feeds: NodeFeeds
  scratchBytes = 0
  readonly #machine: NodeMachine
  readonly #inbox: Inbox<NodeEvent>
  #checkedBytes = 0
  #tickMs = Number.POSITIVE_INFINITY

  constructor(
    node: number,
    { silenceMs }: Frame & { type: 'offer' },
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
      { bytes, blockBytes, digestBytes, originId: idOf(originIndex), silenceMs },
      net.timeline.nowMs,
    )
    const deceivesAtMs = scenario.deceivesAtMs ?? Number.POSITIVE_INFINITY
    this.feeds = new NodeFeeds(net, this, this.#machine.neighbours, deceivesAtMs)
  }

  start(): void {
    for (const command of this.#machine.start()) this.#execute(command)
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

  holds([offset, length]: RangePair): boolean {
    const { blockBytes } = this.file
    const last = Math.floor((offset + length - 1) / blockBytes)
    for (let block = Math.floor(offset / blockBytes); block <= last; block++)
      if (!this.#machine.held.isBlockVerified(block)) return false
    return true
  }

  get phase(): string {
    return this.#machine.phase
  }

  get runs(): boolean {
    return this.isAlive && !this.isHung && !this.hasEnded
  }

  post(event: NodeEvent): void {
    if (!this.runs) return
    if (event.type === 'relayClosed') this.feeds.relayClosed(event.index)
    if (event.type === 'feedClosed') this.feeds.senders.closed(event.index)
    if (this.#inbox.post(event)) this.#arm()
  }

  #handle(event: NodeEvent): void {
    const frame = event.type === 'frameArrived' ? event.frame : undefined
    if (frame?.type === 'finish') this.feeds.checkFarewells()
    for (const command of this.#machine.handle(event, this.#inbox.awakeMs)) this.#execute(command)
    if (frame?.type === 'plan') this.feeds.introduced()
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
    const target = chunk.scratch ? this.scratch : this.file
    const { fresh, whole } = target.land(chunk.offset, chunk.length, isWrong)
    const freshBytes = fresh.reduce((sum, [, length]) => sum + length, 0)
    if (chunk.scratch) this.scratchBytes += freshBytes
    this.feeds.landed(chunk, from, chunk.length - freshBytes)
    for (const [offset, length] of whole) {
      if (chunk.scratch) target.reopen(offset, length)
      this.post({ type: 'landed', scratch: chunk.scratch, offset, length })
    }
  }

  /** Of its own, as every machine's: nobody may hold it against another. */
  get #clockMs(): number {
    return this.#net.timeline.nowMs + (this.node + 1) * 3_600_000
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
      case 'report':
        return this.#net.toOrigin(
          this.node,
          this.#reports.progress(command, this.#counts(), this.#clockMs),
        )
      case 'reportBacklog': {
        const frame = this.#reports.backlog(this.#counts(), this.#clockMs)
        return frame && this.#net.toOrigin(this.node, frame)
      }
      case 'exclude':
        return this.#reports.exclude(command.indices)
      case 'greetMate':
        return this.#net.greetMate(this.node, command.mate)
      case 'dialMate':
        return this.feeds.dial(command.mate)
      case 'dialPull':
        return this.#net.pulls.dial(this.node, command)
      case 'askMate':
        if (command.frame.ranges.some((range) => this.file.landed.contains(...range)))
          throw new Error(`node ${this.node} asks for what has landed`)
        return this.#net.pulls.ask(this.node, command.index, command.frame)
      case 'closePull':
        return this.feeds.gone(command.index)
      case 'serve':
        return this.feeds.serve(command)
      case 'rejectPull':
        throw new Error(`an honest node asks for what it may not: ${command.failure.text}`)
      case 'countFeeds':
        return this.post({ type: 'feedsCounted', feeds: this.feeds.incoming })
      case 'closeRelay':
        return this.feeds.closeRelay(command.index)
      case 'closeFeed':
        return this.feeds.close(command.index)
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
        this.feeds.end()
        return this.#net.linkClosedByNode(this.node)
      default:
        return command satisfies never
    }
  }

  #counts(): NodeCounts {
    const landedBytes = this.file.landed.bytes
    return { landedBytes, holeBytes: 0, ...this.feeds.counts }
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
