/**
 * A whole push on a virtual network and clock: the shipping machines of origin and nodes, simulated
 * links, feeds, files and faults, all from one seed.
 *
 * Checked while it runs (safety): nothing is held that is not verified and right, nothing wrong
 * is published, nothing twice. Checked at the end (liveness): the push ends, everyone living is
 * complete, everyone else has an outcome that says why.
 */
import { limits } from '../base/limits.js'
import type { FeedCount, OriginCommand, OriginEvent } from '../control/coordinator/events.js'
import { OriginMachine } from '../control/coordinator/machine.js'
import { dealerOf } from '../control/dealing/strategies.js'
import type { Frame, Mate, NodeSettled } from '../control/messages/types.js'
import { offerFrames, readOffer, SimChannel, SimRecords } from './codec.js'
import { digestBytes, SimFile, sumOf } from './content.js'
import type { SimFeed } from './feed.js'
import { Inbox } from './inbox.js'
import { Network, originIndex } from './network.js'
import { idOf, type SimNet } from './node-feeds.js'
import { type PullNet, SimPulls } from './pulls.js'
import { Random } from './random.js'
import { type EdgeScenario, linkOf, type Scenario } from './scenario.js'
import { SimNode } from './sim-node.js'
import { Timeline } from './timeline.js'
import { planTroubles } from './troubles.js'

type Hear = (from: number, to: number, frame: Frame) => void

export interface SimResult {
  readonly outcomes: readonly NodeSettled[]
  /** Why the push as a whole failed; null when it did not. */
  readonly failure: string | null
  readonly virtualMs: number
  /** From the plan to the last node that is complete. */
  readonly exchangeMs: number
  /** Names of the lines that the origin logged. */
  readonly logged: readonly string[]
  readonly warnings: readonly string[]
  readonly steps: number
  /** Payload that left the origin, and that nodes had of mates whom they asked for it. */
  readonly originBytes: number
  readonly pulledBytes: number
}

const maxVirtualMs = 300_000
const maxSteps = 3_000_000

export class Cluster implements SimNet, PullNet {
  readonly timeline = new Timeline()
  readonly nodes: (SimNode | undefined)[]
  readonly pulls: SimPulls
  readonly #scenario: Scenario
  readonly #hear: Hear
  readonly #random: Random
  readonly #source: SimFile
  readonly #machine: OriginMachine
  readonly #network: Network
  /** Since when a feed is prepared. */
  readonly records: SimRecords
  readonly #greetedMs = new Map<string, number>()
  readonly #channels = new Map<string, SimChannel>()
  readonly #links: ('none' | 'open' | 'closed')[]
  readonly #inbox = new Inbox<OriginEvent>(this.timeline, (event) => {
    for (const command of this.#machine.handle(event, this.#inbox.awakeMs)) this.#execute(command)
  })
  #tickMs = Number.POSITIVE_INFINITY
  #failure: string | null | undefined
  #plannedMs = 0
  readonly #logged = new Set<string>()
  readonly #warnings: string[] = []

  /** `hear`: told of each frame when it arrives; `to` or `from` may be the origin. */
  constructor(scenario: Scenario, hear: Hear = () => {}) {
    this.#hear = hear
    this.pulls = new SimPulls(this, hear)
    this.#scenario = scenario
    this.#random = new Random(scenario.seed ^ 0x5eed)
    const { bytes, blockBytes } = scenario
    this.#source = new SimFile(bytes, blockBytes)
    this.records = new SimRecords(blockBytes)
    this.nodes = scenario.nodes.map(() => undefined)
    this.#links = scenario.nodes.map(() => 'none')
    const config = {
      nodeId: idOf(originIndex),
      bytes,
      blockBytes,
      digestBytes,
      nodes: scenario.nodes.flatMap((node, i) => (node.joinsAtMs === null ? [linkOf(i)] : [])),
      connectMs: limits.connectMs,
      progressMs: limits.progressMs,
      silenceMs: limits.silenceMs,
      hashAheadBytes: scenario.hashAheadBytes,
      relayClaimBytes: scenario.relayClaimBytes ?? limits.relayClaimBytes,
    }
    const { strategy, shape } = scenario
    const dealer = dealerOf(strategy, shape, bytes, blockBytes)
    this.#machine = new OriginMachine(config, dealer, 0)
    this.#network = new Network(scenario, this.timeline, this.#random, {
      landed: (chunk, from, to) => {
        const sender = from === originIndex ? this.#source : this.nodes[from]?.file
        const isWrong =
          this.isArrivalWrong() || sender?.isWrong(Math.floor(chunk.offset / blockBytes)) === true
        this.nodes[to]?.land(chunk, isWrong, from)
      },
      announced: (record, to) => this.nodes[to]?.feeds.announce(record),
      receiverCut: (index, to) =>
        this.nodes[to]?.post({ type: 'feedClosed', index, code: 'ERR_FR_NODE_LOST' }),
      senderCut: (from, to) => this.#senderCut(from, to),
    })
  }

  run(): SimResult {
    planTroubles(this.#scenario, this.timeline, {
      add: (node) => this.post({ type: 'nodeAdded', request: node, link: linkOf(node) }),
      changeUplink: (node, factor) => this.#network.changeUplink(node, factor),
      kill: (node) => this.#kill(node),
      hang: (node) => this.#hang(node),
      fillDisk: (node) =>
        this.nodes[node]?.post({ type: 'storageFailed', code: 'ERR_FR_NO_SPACE', text: 'full' }),
      changeSource: () => this.#source.change(),
      touchSource: () => {
        this.#source.isTouched = true
      },
      cancel: () => this.post({ type: 'cancelled', text: 'by the caller' }),
      stop: (host, forMs) => this.#stop(host, forMs),
      hangDisk: (node, forMs) => this.nodes[node]?.hangDisk(forMs),
    })
    for (const command of this.#machine.start()) this.#execute(command)
    this.#arm()
    while (this.#failure === undefined) {
      if (!this.timeline.step())
        throw new Error('hang: nothing is left to happen and the push has not ended')
      if (this.timeline.nowMs > maxVirtualMs)
        throw new Error(`hang: ${maxVirtualMs} ms have passed`)
      if (this.timeline.steps > maxSteps) throw new Error(`hang: ${maxSteps} steps were made`)
    }
    const endedMs = this.timeline.nowMs
    this.#settle(endedMs)
    const outcomes = this.#machine.peers.flatMap(({ outcome }) => (outcome ? [outcome] : []))
    return {
      outcomes,
      failure: this.#failure,
      virtualMs: endedMs,
      exchangeMs: endedMs - this.#plannedMs,
      logged: [...this.#logged],
      warnings: this.#warnings,
      steps: this.timeline.steps,
      originBytes: this.#network.originBytes,
      pulledBytes: this.nodes.reduce((sum, node) => sum + (node?.pulledBytes ?? 0), 0),
    }
  }

  /** After the end every node must come to its own end by itself. */
  #settle(endedMs: number): void {
    while (this.nodes.some((node) => node?.runs) && this.timeline.step()) {
      if (this.timeline.nowMs - endedMs > 4 * (limits.silenceMs + limits.originGraceMs)) {
        const running = this.nodes
          .filter((node) => node?.runs)
          .map((node) => `${node?.node} (${node?.phase})`)
        throw new Error(`hang: nodes still run after the end: ${running.join(', ')}`)
      }
    }
  }

  // --- SimNet ---

  toOrigin(node: number, frame: Frame): void {
    const arrive = this.#channel(`n${node}`).write(frame)
    this.travel(`n${node}`, node, originIndex, () => {
      const read = arrive()
      this.#hear(node, originIndex, read)
      if (this.#links[node] === 'open') this.post({ type: 'frameArrived', node, frame: read })
    })
  }

  linkClosedByNode(node: number): void {
    this.travel(`n${node}`, node, originIndex, () => this.#linkLost(node))
  }

  travel(direction: string, from: number, to: number, run: () => void): void {
    this.#network.travel(direction, from, to, run)
  }

  edge(from: number, to: number): EdgeScenario {
    return this.#network.edge(from, to)
  }

  isOut(node: number): boolean {
    return this.#machine.peers[node]?.phase === 'out'
  }

  isMember(node: number): boolean {
    return !this.isOut(node) && this.#machine.peers[node]?.hasLink === true
  }

  greetMate(from: number, mate: Mate): void {
    this.#greetedMs.set(`${from}>${mate.number}`, this.timeline.nowMs)
  }

  dialMate(from: number, mate: Mate): void {
    const to = mate.number
    const edge = this.edge(from, to)
    const { nowMs } = this.timeline
    const sinceMs = nowMs - (this.#greetedMs.get(`${from}>${to}`) ?? nowMs)
    const dialMs = Math.max(edge.latencyMs * 3 - sinceMs, 0)
    this.timeline.after(edge.cannotDial ? limits.connectMs : dialMs, () => {
      const sender = this.nodes[from]
      const receiver = this.nodes[to]
      if (sender === undefined || !sender.runs) return
      const fail = (): void =>
        sender.post({ type: 'relayClosed', index: to, code: 'ERR_FR_UNREACHABLE' })
      if (edge.cannotDial || receiver === undefined) return fail()
      receiver.feeds.dialledBy(from, to, 'data', (isWelcome) => {
        if (!isWelcome || !receiver.isAlive || receiver.hasEnded) return fail()
        if (!sender.runs) return receiver.feeds.missed(from)
        const feed = this.#network.open(from, to)
        receiver.feeds.opened(from)
        sender.feeds.relayOpened(to, feed)
      })
    })
  }

  closeFeed(from: number, to: number): void {
    this.#network.close(from, to)
  }

  openPullFeed(from: number, to: number): void {
    const receiver = this.nodes[to]
    const sender = this.nodes[from] as SimNode
    if (receiver?.runs !== true) return sender.feeds.pullFeedFailed(to)
    receiver.feeds.dialledBy(from, to, 'data', (isWelcome) => {
      if (!isWelcome || !receiver.runs) return sender.feeds.pullFeedFailed(to)
      if (!sender.runs) return receiver.feeds.missed(from)
      const feed = this.#network.open(from, to)
      receiver.feeds.opened(from)
      sender.feeds.pullFeedOpened(to, feed)
    })
  }

  get isSlow(): boolean {
    const { outages, nodes } = this.#scenario
    return outages.length > 0 || nodes.some((node) => node.deceivesAtMs !== undefined)
  }

  isArrivalWrong(): boolean {
    return this.#random.chance(this.#scenario.wrongChance)
  }

  // --- the origin ---

  post(event: OriginEvent): void {
    if (this.#failure !== undefined) return
    if (this.#inbox.post(event)) this.#arm()
  }

  #execute(command: OriginCommand): void {
    switch (command.type) {
      case 'dial':
        return this.#dial(command.node)
      case 'offer':
        return this.#offer(command.node, command.planned)
      case 'send': {
        const { node } = command
        const arrive = this.#channel(`o${node}`).write(command.frame)
        return this.travel(`o${node}`, originIndex, node, () => {
          const frame = arrive()
          this.#hear(originIndex, node, frame)
          this.nodes[node]?.post({ type: 'frameArrived', frame })
        })
      }
      case 'list':
        return this.#feedTo(command.node)?.list(command)
      case 'digests':
        return this.#sendDigests(command)
      case 'hash':
        return this.#hash('hashed', command.offset, command.length)
      case 'rehash':
        return this.#hash('rehashed', command.offset, command.length)
      case 'checkSource':
        return this.timeline.after(0.2, () => {
          const { hasChanged, isTouched } = this.#source
          this.post({ type: 'sourceChecked', isDoubtful: hasChanged || isTouched })
        })
      case 'sum': {
        const fileDigest = sumOf(command.digests)
        return this.timeline.after(0, () => this.post({ type: 'summed', fileDigest }))
      }
      case 'count':
        return this.post({ type: 'counted', atMs: this.timeline.nowMs, feeds: this.#count() })
      case 'drop':
        return this.#drop(command.node)
      case 'announcePlan':
        this.#plannedMs = this.timeline.nowMs
        return
      case 'log':
        this.#logged.add(command.event)
        return
      case 'warn':
        this.#warnings.push(command.text)
        return
      case 'announceOutcome':
      case 'answerAdd':
        return
      case 'end':
        this.#failure = command.failure === null ? null : command.failure.code
        return
      default:
        return command satisfies never
    }
  }

  #sendDigests(command: OriginCommand & { type: 'digests' }): void {
    const { node, offset, length, relay, digests } = command
    const place = { offset, length }
    const payload = this.records.write(place, digests)
    this.#feedTo(node)?.digests({ place, relay, payload })
  }

  #hash(type: 'hashed' | 'rehashed', offset: number, length: number): void {
    const digests = this.#source.digests(offset, length, type === 'rehashed')
    const hashMs = this.#random.between(0.5, 1.5) * this.#scenario.originHashMs
    this.timeline.after(hashMs, () => this.post({ type, offset, length, digests }))
  }

  #dial(node: number): void {
    const { trouble, connectMs } = this.#scenario.nodes[node] as Scenario['nodes'][number]
    if (trouble === 'unreachable') {
      return this.timeline.after(connectMs, () => {
        this.post({ type: 'linkClosed', node, code: 'ERR_FR_UNREACHABLE', text: 'refused' })
      })
    }
    this.timeline.after(connectMs, () => {
      this.#links[node] = 'open'
      this.post({ type: 'linkOpened', node, nodeId: idOf(node) })
    })
  }

  #offer(node: number, planned: boolean): void {
    const { bytes, blockBytes, nodes } = this.#scenario
    const edge = this.edge(originIndex, node)
    const channel = this.#channel(`o${node}`)
    const arrive = offerFrames(bytes, planned).map((frame) => channel.write(frame))
    this.travel(`o${node}`, originIndex, node, () => {
      const { offer, entry } = readOffer(arrive.map((read) => read()))
      this.#hear(originIndex, node, offer)
      const scenario = nodes[node] as Scenario['nodes'][number]
      const made = new SimNode(node, offer, this, scenario, entry.size, blockBytes)
      this.nodes[node] = made
      made.start()
    })
    this.timeline.after(edge.latencyMs * 6, () => {
      if (this.#links[node] !== 'open') return
      this.nodes[node]?.feeds.dialledBy(originIndex, node, 'data', (isWelcome) => {
        if (!isWelcome) throw new Error(`node ${node} does not take the feed of the origin`)
        this.#network.open(originIndex, node)
        this.nodes[node]?.feeds.opened(originIndex)
        this.post({ type: 'feedOpened', node })
      })
    })
  }

  #channel(direction: string): SimChannel {
    const known = this.#channels.get(direction) ?? new SimChannel()
    this.#channels.set(direction, known)
    return known
  }

  #count(): FeedCount[] {
    return this.#scenario.nodes.flatMap((_, node) => {
      const feed = this.#feedTo(node)
      if (feed === undefined) return []
      const { sentBytes: payloadBytes, queuedBytes, unackedBytes } = feed
      return [{ node, payloadBytes, queuedBytes, unackedBytes }]
    })
  }

  /** The origin closes link and feed; the node hears of it after what was sent. */
  #drop(node: number): void {
    if (this.#links[node] !== 'open') return
    this.#links[node] = 'closed'
    const { latencyMs } = this.edge(originIndex, node)
    this.#feedTo(node)?.close()
    this.timeline.after(latencyMs, () => {
      this.nodes[node]?.post({ type: 'feedClosed', index: originIndex, code: 'ERR_FR_NODE_LOST' })
    })
    this.travel(`o${node}`, originIndex, node, () => {
      this.nodes[node]?.post({
        type: 'linkClosed',
        code: 'ERR_FR_NODE_LOST',
        text: 'closed by the origin',
      })
    })
  }

  #linkLost(node: number): void {
    if (this.#links[node] !== 'open') return
    this.#links[node] = 'closed'
    this.post({ type: 'linkClosed', node, code: 'ERR_FR_NODE_LOST', text: 'reset' })
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

  #feedTo(node: number): SimFeed | undefined {
    return this.#network.feed(originIndex, node)
  }

  // --- troubles ---

  #senderCut(from: number, to: number): void {
    const code = 'ERR_FR_NODE_LOST'
    if (from !== originIndex) {
      this.nodes[from]?.feeds.relays.delete(to)
      return this.nodes[from]?.post({ type: 'relayClosed', index: to, code })
    }
    if (this.#links[to] === 'open') this.post({ type: 'feedClosed', node: to, code, text: 'reset' })
  }

  #kill(node: number): void {
    const made = this.nodes[node]
    if (made !== undefined) made.isAlive = false
    this.pulls.ended(node)
    for (const other of [originIndex, ...this.nodes.keys()]) {
      this.#network.cut(node, other)
      if (other !== node) this.#network.cut(other, node)
    }
    this.travel(`n${node}`, node, originIndex, () => this.#linkLost(node))
  }

  /** Milliseconds for which the process of a host gets no turn. */
  #stop(host: number, forMs: number): void {
    if (host !== originIndex) return this.nodes[host]?.stop(forMs)
    this.#inbox.stop(forMs, () => this.post({ type: 'ticked' }))
  }

  #hang(node: number): void {
    const made = this.nodes[node]
    if (made !== undefined) made.isHung = true
    // Its kernel goes on taking bytes for a while; then everything stands.
    this.#network.stallFrom(node)
  }
}
