/**
 * A whole push on a virtual network and clock: the shipping machines of origin and nodes, simulated
 * links, feeds, files and faults, all from one seed.
 *
 * Checked while it runs (safety): nothing is held that is not verified and right, nothing wrong
 * is published, nothing twice. Checked at the end (liveness): the push ends, everyone living is
 * complete, everyone else has an outcome that says why.
 */
import { hexOf } from '../base/bytes.js'
import { limits } from '../base/limits.js'
import type { OriginConfig, OriginFact } from '../control/coordinator/events.js'
import { OriginMachine } from '../control/coordinator/machine.js'
import { dealerOf } from '../control/dealing/strategies.js'
import type { HashRun } from '../control/messages/facts.js'
import type { Frame, NodeSettled } from '../control/messages/types.js'
import type { Identity } from '../protocol/greeting.js'
import { edgeOf } from '../protocol/ticket.js'
import { type CallerWish, CoordinatorSession } from '../session/driver/coordinator.js'
import type { LinkEvents, Target } from '../session/driver/ports.js'
import { contentsOf, offerFrames, pretended, pretendedAuthor, readOffer } from './codec.js'
import { type Acceptor, Connections, type SimConnection } from './connections.js'
import { digestBytes, SimFile, sumOf } from './content.js'
import { SimEngine } from './engine.js'
import { SimHost } from './host.js'
import { SimNet } from './net.js'
import { Network, originIndex, rowOf } from './network.js'
import { Random } from './random.js'
import { linkOf, type Resets, type Scenario } from './scenario.js'
import type { SimLink } from './sim-link.js'
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

export class Cluster {
  readonly timeline = new Timeline()
  readonly network: Network
  readonly connections: Connections
  readonly scenario: Scenario
  /** Those to whom an offer has come. */
  readonly nodes: (SimNode | undefined)[]
  readonly heard: Hear
  /** When the outcome of each node was known. */
  readonly settledMs: number[] = []
  readonly #random: Random
  readonly #source: SimFile
  readonly #machine: OriginMachine
  readonly #origin = new SimHost(this.timeline, 0)
  readonly #hosts: readonly SimHost[]
  readonly #session: CoordinatorSession
  /** Who dials a node that has no offer yet. */
  readonly #early = new Map<number, ((node: SimNode | undefined) => void)[]>()
  #failure: string | null | undefined
  #plannedMs = 0
  /** Frames and their bytes that each place has sent and received, the origin's first. */
  readonly #messages: Float64Array
  readonly #messageBytes: Float64Array
  readonly #logged = new Set<string>()
  readonly #warnings: string[] = []

  /** `hear`: told of each frame when it arrives; `to` or `from` may be the origin. */
  constructor(scenario: Scenario, hear: Hear = () => {}) {
    this.heard = hear
    this.scenario = scenario
    this.#random = new Random(scenario.seed ^ 0x5eed)
    const { bytes, blockBytes, strategy, shape, groupSize, handover } = scenario
    this.#source = new SimFile(bytes, blockBytes)
    this.#messages = new Float64Array(scenario.nodes.length + 1)
    this.#messageBytes = new Float64Array(scenario.nodes.length + 1)
    this.nodes = scenario.nodes.map(() => undefined)
    this.#hosts = scenario.nodes.map((_, i) => new SimHost(this.timeline, (i + 1) * 3_600_000))
    const config = {
      nodeId: this.idOf(originIndex),
      edgeOf: (...ends: [number, number]) => {
        const { id, secret } = edgeOf(pretended, pretendedAuthor.publicKey, ends)
        return { id, secret: hexOf(secret) }
      },
      bytes,
      blockBytes,
      digestBytes,
      ...membersOf(scenario),
      connectMs: scenario.connectMs ?? limits.connectMs,
      progressMs: limits.progressMs,
      silenceMs: limits.silenceMs,
      detection: scenario.detection,
      hashAheadBytes: scenario.hashAheadBytes,
      relayClaimBytes: scenario.relayClaimBytes ?? limits.relayClaimBytes,
    }
    const { speeds = {}, wish = { groupSize, handover } } = scenario
    const dealer = dealerOf(strategy, shape, bytes, blockBytes, speeds, [], wish)
    this.#machine = new OriginMachine(config, dealer, 0)
    this.network = new Network(scenario, this.timeline, this.#random, (from, { offset }) => {
      if (scenario.isUnchecked) return false
      const sender = from === originIndex ? this.#source : this.nodes[from]?.file
      const isWrong = this.#random.chance(scenario.nodes[from]?.spoils ?? scenario.wrongChance)
      return isWrong || sender?.isWrong(Math.floor(offset / blockBytes)) === true
    })
    this.connections = new Connections(this)
    this.#session = this.#sessionOf()
  }

  #sessionOf(): CoordinatorSession {
    const { bytes, blockBytes } = this.scenario
    const host = this.#origin
    const files = { file: this.#source, scratch: this.#source }
    const engine: SimEngine = new SimEngine(this.network, files, {
      tell: (event, told) =>
        host.run(() => {
          this.#session.onEngine([event])
          told?.()
        }),
      isHonest: () => true,
      closing: () => {},
    })
    return new CoordinatorSession(this.#machine, 0, limits.silenceMs, {
      clock: host,
      net: new SimNet(this.connections, { place: originIndex, host }, engine),
      engine,
      edgeTo: (node) => edgeOf(pretended, pretendedAuthor.publicKey, [node, originIndex]),
      author: pretendedAuthor,
      contents: contentsOf(bytes, blockBytes),
      offer: (planned, role) => offerFrames(bytes, planned, role, this.scenario.detection),
      execute: (wish) => this.#execute(wish),
      crashed: (error) => {
        throw error
      },
    })
  }

  run(): SimResult {
    this.begin()
    while (!this.advance(Number.POSITIVE_INFINITY)) {}
    return this.end()
  }

  /** Call once. */
  begin(): void {
    planTroubles(this.scenario, this.timeline, {
      add: (node) =>
        this.post({ type: 'nodeAdded', request: node, link: linkOf(node, this.scenario) }),
      changeUplink: (node, factor) => this.network.changeUplink(node, factor),
      kill: (node) => this.#kill(node),
      hang: (node) => this.#hang(node),
      fillDisk: (node) =>
        this.nodes[node]?.post({ type: 'fileFailed', code: 'ERR_FR_NO_SPACE', text: 'full' }),
      changeSource: () => this.#source.change(),
      touchSource: () => {
        this.#source.isTouched = true
      },
      cancel: () => this.post({ type: 'stopped', text: 'by the caller' }),
      killCoordinator: () => {
        this.#kill(originIndex)
        this.#failure ??= 'killed'
      },
      stop: (place, forMs) => this.#hostOf(place).stop(forMs),
      hangDisk: (node, forMs) => this.nodes[node]?.hangDisk(forMs),
      reset: (resets) => {
        this.#reset(resets)
        return this.#failure === undefined
      },
    })
    this.#session.start()
  }

  /** Lets so many things happen at most; true: the push has ended. */
  advance(steps: number): boolean {
    const { maxVirtualMs = 300_000, maxSteps = 3_000_000 } = this.scenario
    for (let i = 0; i < steps && this.#failure === undefined; i++) {
      if (!this.timeline.step())
        throw new Error('hang: nothing is left to happen and the push has not ended')
      if (this.timeline.nowMs > maxVirtualMs)
        throw new Error(`hang: ${maxVirtualMs} ms have passed`)
      if (this.timeline.steps > maxSteps) throw new Error(`hang: ${maxSteps} steps were made`)
    }
    return this.#failure !== undefined
  }

  /** What has come of it, once it has ended. */
  end(): SimResult {
    if (this.#failure === undefined) throw new TypeError('the push has not ended')
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
      originBytes: this.network.originBytes,
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

  /** What standbys were told. */
  get standbys(): OriginMachine['exchange']['plans']['standbys'] {
    return this.#machine.exchange.plans.standbys
  }

  // --- the world, as those in it see it ---

  idOf(place: number): string {
    return place === originIndex ? 'f'.repeat(32) : String(place).padStart(32, '0')
  }

  identity(place: number): Identity {
    return { nodeId: this.idOf(place), incarnation: 1 }
  }

  isOut(node: number): boolean {
    return this.#machine.peers[node]?.phase === 'out'
  }

  isMember(node: number): boolean {
    return !this.#origin.isDead && !this.isOut(node) && this.#machine.peers[node]?.hasLink === true
  }

  /** Nodes that have coordinated in the origin's stead, and what they logged. */
  readonly successions: { readonly node: number; readonly event: string }[] = []

  noted(node: number, event: string): void {
    this.successions.push({ node, event })
  }

  /** Whether it still runs. */
  lives(place: number): boolean {
    return this.#hostOf(place).runs
  }

  get isSlow(): boolean {
    const { outages, nodes } = this.scenario
    return outages.length > 0 || nodes.some((node) => node.deceivesAtMs !== undefined)
  }

  get isUnchecked(): boolean {
    return this.scenario.isUnchecked ?? false
  }

  said(from: number, to: number, bytes: number): void {
    for (const row of [rowOf(from), rowOf(to)]) {
      this.#messages[row] = (this.#messages[row] as number) + 1
      this.#messageBytes[row] = (this.#messageBytes[row] as number) + bytes
    }
  }

  /** Frames that a node has sent and received, and their bytes. */
  words(place: number): { readonly messages: number; readonly bytes: number } {
    const row = rowOf(place)
    return { messages: this.#messages[row] ?? 0, bytes: this.#messageBytes[row] ?? 0 }
  }

  get hasForger(): boolean {
    return this.scenario.nodes.some((node) => node.forges)
  }

  acceptor(place: number): Acceptor {
    const host = this.#hostOf(place)
    return {
      host,
      accept: (from: number, target: Target, connection, told) => {
        const { channel } = target
        if (channel !== 'control')
          return this.#whenOffered(place, (node) => {
            if (node === undefined) told(false)
            else node.accept(from, target, connection, told)
          })
        told(true)
        this.#serve(from, place, host, connection())
      },
    }
  }

  /** A connection may be there before the offer, and waits for it; undefined: too long. */
  #whenOffered(place: number, look: (node: SimNode | undefined) => void): void {
    const node = this.nodes[place]
    if (node !== undefined) return look(node)
    const early = this.#early.get(place) ?? []
    this.#early.set(place, early)
    early.push(look)
    this.timeline.after(limits.earlyDataMs, () => {
      const at = early.indexOf(look)
      if (at >= 0) this.#hostOf(place).run(() => early.splice(at, 1)[0]?.(undefined))
    })
  }

  /**
   * What a node does with a control link (agent/node-service.ts): first comes an offer, or the word
   * of a member that takes over.
   */
  #serve(from: number, place: number, host: SimHost, { link }: SimConnection): void {
    if (link === undefined) return
    const offered: Frame[] = []
    let node: SimNode | undefined
    const events: LinkEvents = {
      onFrame: (frame) => {
        if (node !== undefined) return node.events(link).onFrame(frame)
        if (frame.type === 'succeed') {
          const failure = this.nodes[place]?.succeed(link, frame.term, this.idOf(from))
          if (failure === null) node = this.nodes[place]
          else link.send({ type: 'refuse', ...(failure ?? noTransfer) })
          return
        }
        offered.push(frame)
        const complete = readOffer(offered)
        if (complete === undefined) return
        node = this.#nodeOf(place, host, link, complete)
        this.nodes[place] = node
        node.start()
        for (const look of this.#early.get(place)?.splice(0) ?? []) look(node)
      },
      onClose: (code, text) => node?.events(link).onClose(code, text),
      onBroken: (code, text) => node?.events(link).onBroken?.(code, text),
    }
    link.hear(events, undefined, () => node?.wentOn(link))
  }

  #nodeOf(
    place: number,
    host: SimHost,
    link: SimLink,
    { offer, entry }: NonNullable<ReturnType<typeof readOffer>>,
  ): SimNode {
    const { nodes, blockBytes } = this.scenario
    const scenario = nodes[place] as Scenario['nodes'][number]
    return new SimNode(place, offer, this, host, link, scenario, entry.size, blockBytes)
  }

  #hostOf(place: number): SimHost {
    return place === originIndex ? this.#origin : (this.#hosts[place] as SimHost)
  }

  // --- the origin ---

  post(fact: OriginFact): void {
    if (this.#failure === undefined) this.#origin.run(() => this.#session.post(fact))
  }

  #execute(wish: CallerWish): void {
    switch (wish.type) {
      case 'hash':
        return this.#hash(wish)
      case 'checkSource':
        return this.timeline.after(0.2, () => {
          const { hasChanged, isTouched } = this.#source
          this.post({ type: 'sourceChecked', isDoubtful: hasChanged || isTouched })
        })
      case 'sum': {
        const fileDigest = sumOf(wish.digests)
        return this.timeline.after(0, () => this.post({ type: 'summed', fileDigest }))
      }
      case 'announcePlan':
        this.#plannedMs = this.timeline.nowMs
        return
      case 'note':
        this.#logged.add(wish.event)
        return
      case 'warn':
        this.#warnings.push(wish.text)
        return
      case 'announceOutcome':
        this.settledMs[wish.member] = this.timeline.nowMs
        return
      case 'answerAdd':
        return
      case 'end':
        this.#failure = wish.failure === null ? null : wish.failure.code
        return this.#session.release()
      default:
        return wish satisfies never
    }
  }

  #hash({ part, offset, length }: HashRun): void {
    const digests = this.#source.digests(offset, length, part === 'again')
    const hashMs = this.#random.between(0.5, 1.5) * this.scenario.originHashMs
    this.timeline.after(hashMs, () => this.post({ type: 'hashed', part, offset, length, digests }))
  }

  // --- troubles ---

  #reset(resets: Resets): void {
    const { kinds } = resets
    const isLink = kinds.includes('link') && this.#random.pick(kinds) === 'link'
    if (!isLink) this.network.reset(resets)
    else if (this.connections.cut(this.#random)) this.network.resets++
  }

  #kill(place: number): void {
    this.#hostOf(place).kill()
    this.network.killed(place)
    this.connections.killed(place)
  }

  #hang(node: number): void {
    this.#hostOf(node).hang()
    // Its kernel goes on taking bytes for a while; then everything stands.
    this.network.stallFrom(node)
  }
}

const noTransfer = { code: 'ERR_FR_NO_TRANSFER', text: 'no offer has come' } as const

/** Numbers are places: behind all others come gateways, then mirrors. */
function membersOf(scenario: Scenario): Pick<OriginConfig, 'nodes' | 'mirrors' | 'gateways'> {
  const { nodes } = scenario
  const links = scenario.links ?? nodes.map((_, i) => linkOf(i, scenario))
  const isReceiver = (i: number): boolean => !nodes[i]?.isMirror && !nodes[i]?.isGateway
  const named = links.filter((_, i) => nodes[i]?.joinsAtMs === null && isReceiver(i))
  const gateways = links.filter((_, i) => nodes[i]?.isGateway)
  const mirrors = links.filter((_, i) => nodes[i]?.isMirror)
  return {
    nodes: named,
    ...(mirrors.length > 0 && { mirrors }),
    ...(gateways.length > 0 && { gateways }),
  }
}
