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
import type { OriginFact } from '../control/coordinator/events.js'
import { Extent } from '../control/coordinator/extent.js'
import { OriginMachine } from '../control/coordinator/machine.js'
import { dealerOf } from '../control/dealing/strategies.js'
import type { Peer } from '../control/members/peer.js'
import type { HashRun } from '../control/messages/facts.js'
import { type Frame, type NodeSettled, originNumber } from '../control/messages/types.js'
import { edgeOf } from '../protocol/ticket.js'
import { type CallerWish, CoordinatorSession } from '../session/driver/coordinator.js'
import { contentsOf, offerFrames, pretended, pretendedAuthor } from './codec.js'
import { type Acceptor, Connections } from './connections.js'
import { digestBytes, entriesOf, SimFile, sumOf } from './content.js'
import type { Left } from './disk.js'
import { SimEngine } from './engine.js'
import { GrowingStream } from './growing.js'
import { SimHost } from './host.js'
import { Terms } from './invariants.js'
import { membersOf } from './named.js'
import { SimNet } from './net.js'
import { Network, originIndex } from './network.js'
import { identityOf, nextOf, SimProcess } from './process.js'
import { Random } from './random.js'
import { linkOf, type Resets, type Restart, type Scenario } from './scenario.js'
import type { SimNode } from './sim-node.js'
import { Timeline } from './timeline.js'
import { planTroubles } from './troubles.js'
import { Words } from './words.js'

type Hear = (from: number, to: number, frame: Frame) => void

export interface SimResult {
  readonly outcomes: readonly NodeSettled[]
  /** Why the push as a whole failed; null when it did not. */
  readonly failure: string | null
  readonly virtualMs: number
  /** From the plan to the last node that is complete. */
  readonly exchangeMs: number
  /** Names of the lines that the origin logged, or whoever coordinated in its stead. */
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
  readonly words: Words
  /** When the outcome of each node was known. */
  readonly settledMs: number[] = []
  readonly #random: Random
  readonly #source: SimFile
  /** What there is of it at the origin. */
  frontierBytes: number
  /** Of the origin. */
  readonly machine: OriginMachine
  readonly #origin = new SimHost(this.timeline, 0)
  readonly #processes: SimProcess[]
  /** By address. */
  readonly #places = new Map<string, number>()
  /** Of each node, the attempts that the origin has begun. */
  readonly #attempts: Peer[][] = []
  #placed = 0
  readonly terms = new Terms()
  /** All that there were at each place. */
  readonly #offered: SimNode[][]
  readonly #session: CoordinatorSession
  #failure: string | null | undefined
  #plannedMs = 0
  readonly #logged = new Set<string>()
  readonly #warnings: string[] = []

  /** `hear`: told of each frame when it arrives; `to` or `from` may be the origin. */
  constructor(scenario: Scenario, hear: Hear = () => {}) {
    this.heard = hear
    this.scenario = scenario
    this.#random = new Random(scenario.seed ^ 0x5eed)
    const { bytes, blockBytes, strategy, shape, groupSize, handover } = scenario
    this.#source = new SimFile(bytes, blockBytes)
    this.frontierBytes = scenario.growing ? 0 : bytes
    this.words = new Words(scenario.nodes.length)
    this.nodes = scenario.nodes.map(() => undefined)
    this.#offered = scenario.nodes.map(() => [])
    this.#processes = scenario.nodes.map((_, i) => new SimProcess(i, this, identityOf(i)))
    const links = scenario.links ?? scenario.nodes.map((_, i) => linkOf(i, scenario))
    for (const [i, { address }] of links.entries()) this.#places.set(address, i)
    const config = {
      nodeId: this.idOf(originIndex),
      edgeOf: (...ends: [number, number]) => {
        const { id, secret } = edgeOf(pretended, pretendedAuthor.publicKey, ends)
        return { id, secret: hexOf(secret) }
      },
      extent: new Extent(this.frontierBytes, scenario.growing ? 'sections' : blockBytes),
      digestBytes,
      ...membersOf(scenario),
      connectMs: scenario.connectMs ?? limits.connectMs,
      progressMs: limits.progressMs,
      silenceMs: limits.silenceMs,
      detection: scenario.detection,
      hashAheadBytes: scenario.hashAheadBytes,
      relayClaimBytes: scenario.relayClaimBytes ?? limits.relayClaimBytes,
      retries: scenario.retries ?? 0,
      rejoinMs: scenario.rejoinMs ?? 0,
    }
    const { speeds = {}, wish = { groupSize, handover }, dealtTo: first } = scenario
    const about = [this.frontierBytes, blockBytes, speeds, [], wish, undefined, first] as const
    const dealer = dealerOf(strategy, shape, ...about)
    this.machine = new OriginMachine(config, dealer, 0)
    this.terms.take({ counter: 1, member: originNumber }, originIndex)
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
    const { bytes, blockBytes, growing } = this.scenario
    const host = this.#origin
    const files = { file: this.#source, scratch: this.#source }
    const nowMs = (): number => this.timeline.nowMs
    const engine: SimEngine = new SimEngine(this.network, files, {
      tell: (event, told) =>
        host.run(() => {
          this.#session.onEngine([event])
          told?.()
        }),
      isHonest: () => true,
      isOrigin: true,
      ...(growing && { growing: new GrowingStream(this.#source, nowMs) }),
      closing: () => {},
    })
    return new CoordinatorSession(this.machine, 0, limits.silenceMs, {
      clock: host,
      net: new SimNet(
        this.connections,
        { place: originIndex, host },
        () => originNumber,
        engine,
        (frame) => this.isUnchecked || this.terms.said(frame, originIndex),
      ),
      engine,
      edgeTo: (node) => edgeOf(pretended, pretendedAuthor.publicKey, [node, originIndex]),
      author: pretendedAuthor,
      contents: contentsOf(bytes, growing ? 'sections' : blockBytes),
      offer: (...to) =>
        offerFrames(this.frontierBytes, ...to, this.scenario.detection, growing !== undefined),
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
      restart: (node, restart) => this.#restart(node, restart),
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
    const steps = this.scenario.growing ?? []
    for (const [i, { atMs, bytes }] of steps.entries())
      this.timeline.at(atMs, () => this.#grow(bytes, i === steps.length - 1))
  }

  #grow(bytes: number, isFinal: boolean): void {
    if (this.#failure !== undefined || this.#origin.isDead) return
    this.frontierBytes = bytes
    this.#origin.run(() => this.#session.grew(bytes, isFinal))
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
    const outcomes = this.nodes.flatMap((_, node) => this.#attemptsOf(node).at(-1)?.outcome ?? [])
    return {
      outcomes,
      failure: this.#failure,
      virtualMs: endedMs,
      exchangeMs: endedMs - this.#plannedMs,
      logged: [...this.#logged, ...this.successions.map(({ event }) => event)],
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

  // --- the world, as those in it see it ---

  /** The id of the node that is at this place now. */
  idOf(place: number): string {
    return place === originIndex ? 'f'.repeat(32) : this.#processOf(place).identity.nodeId
  }

  placeOf(address: string): number {
    return this.#places.get(address) as number
  }

  /** Where the member of this number is, or was. */
  placeOfMember(number: number): number {
    const peer = this.machine.peers[number]
    return peer === undefined ? number : this.placeOf(peer.link.address)
  }

  #attemptsOf(place: number): readonly Peer[] {
    const { peers } = this.machine
    for (; this.#placed < peers.length; this.#placed++) {
      const peer = peers[this.#placed] as Peer
      const at = this.placeOf(peer.link.address)
      this.#attempts[at] = [...(this.#attempts[at] ?? []), peer]
    }
    return this.#attempts[place] ?? []
  }

  isOut(node: number): boolean {
    return this.#attemptsOf(node).at(-1)?.phase === 'out'
  }

  isLevel(place: number): boolean {
    const { node = place } = this.#attemptsOf(place).at(-1) ?? {}
    return this.machine.growth?.isLevel(node) === true
  }

  isMember(node: number): boolean {
    const [only, ...others] = this.#attemptsOf(node)
    // Connections of an earlier attempt may end at any time.
    if (this.#origin.isDead || others.length > 0) return false
    return only?.hasLink === true && only.phase !== 'out'
  }

  offered(place: number, node: SimNode): void {
    this.nodes[place] = node
    this.#offered[place]?.push(node)
  }

  /** Files published by all processes that there were at this place. */
  publicationsOf(place: number): number {
    return this.#offered[place]?.reduce((sum, node) => sum + node.publications, 0) ?? 0
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

  get hasForger(): boolean {
    return this.scenario.nodes.some((node) => node.forges)
  }

  acceptor(place: number): Acceptor {
    return this.#processOf(place)
  }

  #processOf(place: number): SimProcess {
    return this.#processes[place] as SimProcess
  }

  #hostOf(place: number): SimHost {
    return place === originIndex ? this.#origin : this.#processOf(place).host
  }

  // --- the origin ---

  post(fact: OriginFact): void {
    if (this.#failure === undefined) this.#origin.run(() => this.#session.post(fact))
  }

  #execute(wish: CallerWish): void {
    switch (wish.type) {
      case 'hash':
        return this.#hash(wish)
      case 'cut': {
        const digests = this.#source.digests(wish.offset, wish.length)
        const made = { ...wish, type: 'cutMade', digests } as const
        return this.timeline.after(this.#hashMs(), () => this.post(made))
      }
      case 'index':
        return this.timeline.after(0.2, () =>
          this.post({ ...wish, type: 'indexed', entries: entriesOf(wish) }),
        )
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
        this.settledMs[this.placeOfMember(wish.member)] = this.timeline.nowMs
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
    if (offset + length > this.frontierBytes) throw new Error('the origin hashes what there is not')
    const digests = this.#source.digests(offset, length, part === 'again')
    const hashed = { type: 'hashed', part, offset, length, digests } as const
    this.timeline.after(this.#hashMs(), () => this.post(hashed))
  }

  #hashMs(): number {
    return this.#random.between(0.5, 1.5) * this.scenario.originHashMs
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

  /** What was under way to the last process is gone; who has not died yet stays. */
  #restart(place: number, { losesDisk = false }: Restart): void {
    const before = this.#processOf(place)
    if (!before.host.isDead) return
    const identity = nextOf(before.identity, losesDisk)
    const left = losesDisk ? this.#emptyDisk : before.left
    this.#processes[place] = new SimProcess(place, this, identity, left)
    this.nodes[place] = undefined
  }

  get #emptyDisk(): Left {
    const { bytes, blockBytes } = this.scenario
    return { file: new SimFile(bytes, blockBytes), held: [], signed: [] }
  }

  #hang(node: number): void {
    this.#hostOf(node).hang()
    // Its kernel goes on taking bytes for a while; then everything stands.
    this.network.stallFrom(node)
  }
}
