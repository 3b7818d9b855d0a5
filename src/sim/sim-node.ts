/**
 * A simulated node: the shipping session (session/driver/receiver.ts) over a simulated engine,
 * network and disk, with the checks of what must never happen.
 */

import { hexOf } from '../base/bytes.js'
import type { Failure } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { type RangePair, RangeSet } from '../base/ranges.js'
import type { BlockBytes } from '../base/sections.js'
import type { Holdings } from '../control/holdings/ledger.js'
import type { Frame, Lacking, PlanFrame, RosterFrame, Term } from '../control/messages/types.js'
import type { NodeFact } from '../control/receiver/events.js'
import type { Replica } from '../control/receiver/replica.js'
import type { DigestSpec } from '../ports.js'
import { edgeOf } from '../protocol/ticket.js'
import type { Link, LinkEvents, Target } from '../session/driver/ports.js'
import { ReceiverSession } from '../session/driver/receiver.js'
import { SuccessorSession } from '../session/driver/successor.js'
import { contentsOf, pretended, pretendedAuthor } from './codec.js'
import type { Acceptor, Caller, Connections, SimConnection } from './connections.js'
import { digestBytes, SimFile } from './content.js'
import { type Left, SimDisk } from './disk.js'
import { SimEngine } from './engine.js'
import { GrowingStream } from './growing.js'
import type { SimHost } from './host.js'
import { NodeInvariants, type Terms } from './invariants.js'
import { SimNet } from './net.js'
import { type Network, originIndex } from './network.js'
import type { NodeScenario } from './scenario.js'
import type { Timeline } from './timeline.js'

/** What a node needs of the world around it. */
export interface NodeWorld {
  readonly timeline: Timeline
  readonly network: Network
  readonly connections: Connections
  idOf(place: number): string
  /** A node that coordinates in the origin's stead has logged this. */
  noted(node: number, event: string): void
  readonly terms: Terms
  /** The origin has given this node up. */
  isOut(node: number): boolean
  /** Where the member of this number is. */
  placeOfMember(number: number): number
  /** The origin is connected to this node, and has not given it up. */
  isMember(node: number): boolean
  /** Something holds up what was listed: an asker may take it for lost. */
  readonly isSlow: boolean
  readonly hasForger: boolean
  /** Nobody looks for what must never happen. */
  readonly isUnchecked: boolean
  /** What there is at the origin. */
  readonly frontierBytes: number
  /** The floor of a content that is still written waits for the node at this place. */
  isLevel(place: number): boolean
}

export interface SimNodeSpec {
  readonly place: number
  readonly offer: Frame & { readonly type: 'offer' }
  readonly host: SimHost
  /** To whoever coordinates. */
  readonly link: Link
  readonly scenario: NodeScenario
  /** Of a content that is still written: what it will come to. */
  readonly bytes: number
  /** It is still written, and there were so many bytes. */
  readonly offeredBytes?: number
  readonly blockBytes: number
  readonly left: Left | undefined
}

/** A dialler that this node has not heard of. */
interface Stranger {
  readonly look: () => void
}

export class SimNode {
  readonly node: number
  /** It was still written when it was offered. */
  readonly isGrowing: boolean
  readonly growing: GrowingStream | undefined
  /** Of such a content: all before this is verified, as whoever reads here was told. */
  reachedBytes = 0
  readonly file: SimFile
  readonly scratch: SimFile
  readonly #disk: SimDisk
  /** How often it had to ask for everything it missed, because nothing moved any more. */
  asks = 0
  failure: Failure | null = null
  hasEnded = false
  keepsPartial = false
  readonly #world: NodeWorld
  readonly #host: SimHost
  readonly #scenario: NodeScenario
  readonly #engine: SimEngine
  readonly #session: ReceiverSession
  readonly #strangers: Stranger[] = []
  readonly #signed: DigestSpec[] = []
  readonly #net: () => SimNet
  /** To whoever coordinates. */
  #link: Link
  readonly #invariants: NodeInvariants
  readonly #endings: (() => void)[] = []

  constructor(spec: SimNodeSpec, world: NodeWorld) {
    const { place: node, offer, host, link, scenario, bytes, blockBytes, left } = spec
    const { offeredBytes } = spec
    const cutBy: BlockBytes = offeredBytes === undefined ? blockBytes : 'sections'
    this.isGrowing = offeredBytes !== undefined
    const { silenceMs, detection, role } = offer
    this.node = node
    this.#world = world
    this.#host = host
    this.#scenario = scenario
    this.#link = link
    this.#signed.push(...(left?.signed ?? []))
    this.file = new SimFile(bytes, blockBytes)
    this.scratch = new SimFile(bytes, blockBytes)
    this.#invariants = new NodeInvariants(this)
    const { timeline } = world
    const { file, scratch } = this
    if (this.isGrowing) this.growing = new GrowingStream(file, () => timeline.nowMs)
    const invariants = this.#invariants
    this.#disk = new SimDisk({
      ...{ timeline, host, scenario, file, scratch, left, invariants, signed: this.#signed },
      post: (fact) => this.post(fact),
      opened: () => {
        this.#session.opened(0)
        this.#lookAtStrangers()
      },
    })
    const deceivesAtMs = scenario.deceivesAtMs ?? Number.POSITIVE_INFINITY
    this.#engine = new SimEngine(world.network, this, {
      tell: (event, told) =>
        host.run(() => {
          this.#told(() => this.#session.onEngine([event]))
          told?.()
        }),
      isHonest: () => world.timeline.nowMs < deceivesAtMs,
      forges: scenario.forges ?? false,
      hashes: scenario.hashesLanded ?? false,
      stores: role !== 'gateway',
      ...(this.growing && { growing: this.growing }),
      closing: (to) => this.#checkClose(to),
    })
    const end = { place: node, host }
    const originId = world.idOf(originIndex)
    const about = { bytes: offeredBytes ?? bytes, blockBytes: cutBy, digestBytes }
    const contents = contentsOf(about.bytes, cutBy)
    const isGateway = role === 'gateway'
    this.#net = () =>
      new SimNet(
        world.connections,
        end,
        () => this.#session.machine.neighbours.you ?? node,
        this.#engine,
        (frame) => this.says(frame),
      )
    this.#session = new ReceiverSession(
      { ...about, ...{ originId, silenceMs, detection, contents, isGateway, seed: node } },
      {
        clock: host,
        net: this.#net(),
        engine: this.#engine,
        files: this.#disk.files(),
        link,
        primitives: pretended,
        misannounced: () => {
          if (!world.hasForger)
            throw new Error("an honest host passes on digests that are not the author's")
        },
        log: (_, event) => {
          if (event === 'asked-again') this.asks++
        },
        reached: (bytes) => {
          this.reachedBytes = bytes
          this.growing?.reached(bytes, world.frontierBytes)
        },
        signed: (record) => this.#signed.push(record),
        signedFor: (ranges) =>
          this.#signed.filter((run) => ranges.some((range) => meet(run, range))),
        takeOver: (term) => this.#takeOver(term, silenceMs),
        introduced: () => this.#lookAtStrangers(),
        ended: ({ failure, keepPartial }) => {
          this.failure = failure
          this.keepsPartial = keepPartial
          this.hasEnded = true
          this.#engine.closeAll()
          this.#lookAtStrangers()
          this.#link.close()
          for (const ending of this.#endings.splice(0)) ending()
        },
        crashed: (error) => {
          throw error
        },
      },
    )
  }

  start(): void {
    this.#session.start()
  }

  /** It gives up, and keeps what it has verified. */
  stop(): void {
    this.post({ type: 'stopped', text: 'the origin has begun anew' })
  }

  whenEnded(ending: () => void): void {
    this.#endings.push(ending)
  }

  /** What it is about to say to anybody. */
  says(frame: Frame): void {
    if (this.#world.isUnchecked) return
    this.#invariants.says(frame)
    this.#world.terms.said(frame, this.node)
  }

  /** The term of whoever has taken over from the origin and is followed; undefined: nobody has. */
  get succession(): Term | undefined {
    return this.#session.machine.takeover.succession
  }

  /** What the next attempt here finds of this one; undefined: nothing. */
  get left(): Left | undefined {
    const { file, publications, keepsPartial } = this
    if (this.hasEnded && !keepsPartial && publications === 0) return undefined
    const held = publications > 0 ? [[0, file.bytes] as const] : this.verified.toArray()
    const isNothing = held.every(([, length]) => length === 0)
    return isNothing ? undefined : { file, signed: this.#signed, held }
  }

  /** Of which it has the author's digests, so that others can verify what it sends. */
  get signed(): RangeSet {
    return RangeSet.of(this.#signed.map(({ offset, length }) => [offset, length]))
  }

  /** What comes on this control link. */
  events(link: Link): LinkEvents {
    return {
      onFrame: (frame) => {
        if (frame.type === 'finish') this.#checkFarewells()
        if (frame.type === 'floor') this.#checkFloor(frame.bytes)
        this.#told(() => this.#session.onFrame(link, frame))
      },
      onClose: (code, text) =>
        this.#host.run(() => this.#told(() => this.#session.onLinkClosed(link, code, text))),
      onBroken: (_, text) =>
        this.#host.run(() => this.#told(() => this.#session.onLinkBroke(link, text))),
    }
  }

  /** This control link has another connection. */
  wentOn(link: Link): void {
    this.#told(() => this.#session.onLinkBroke(link, undefined))
  }

  /** As ReceiverSession says; the last coordinator, perhaps only silent, is told so. */
  succeed(link: Link, term: Term, nodeId: string): Failure | null {
    const before = this.#link
    const failure = this.#session.succeed(link, term, nodeId)
    if (failure !== null) return failure
    this.#link = link
    before.send({ type: 'stale', term, epoch: 0 })
    before.close()
    return null
  }

  #takeOver(term: Term, silenceMs: number): void {
    this.#world.terms.take(term, this.node)
    const { plan, replica } = this.#session.machine.neighbours
    const { bytes, blockBytes } = this.file
    const { strategy, shape } = plan as PlanFrame
    const { entries: roster } = replica.roster as RosterFrame
    const edges = (...ends: [number, number]) => {
      const { id, secret } = edgeOf(pretended, pretendedAuthor.publicKey, ends)
      return { id, secret: hexOf(secret) }
    }
    const about = { transfer: '5'.repeat(32), term, roster, bytes, blockBytes, silenceMs }
    const session = new SuccessorSession(
      { ...about, strategy, shape, edgeOf: edges },
      {
        clock: this.#host,
        net: this.#net(),
        engine: this.#engine,
        log: (_, event) => this.#world.noted(this.node, event),
        ended: () => {},
        crashed: (error) => {
          throw error
        },
      },
    )
    session.start()
  }

  post(fact: NodeFact): void {
    this.#host.run(() => this.#told(() => this.#session.post(fact)))
  }

  get publications(): number {
    return this.#disk.publications
  }

  get place(): number {
    return this.node
  }

  get held(): Holdings {
    return this.#session.machine.held
  }

  get isSlow(): boolean {
    return this.#world.isSlow
  }

  isVerified(block: number): boolean {
    return this.held.isBlockVerified(block)
  }

  get verified(): RangeSet {
    const { bytes, blockBytes } = this.file
    const verified = new RangeSet()
    for (let at = 0; at < bytes; at += blockBytes)
      if (this.isVerified(at / blockBytes)) verified.add(at, Math.min(blockBytes, bytes - at))
    return verified
  }

  get isMirror(): boolean {
    return this.#scenario.isMirror === true
  }

  get hasPlan(): boolean {
    return this.#session.hasPlan
  }

  /** What it knows as a standby. */
  get replica(): Replica {
    return this.#session.machine.neighbours.replica
  }

  get pulledBytes(): number {
    return this.#session.machine.pulls.pulledBytes
  }

  get scratchBytes(): number {
    return this.#engine.scratchBytes
  }

  get phase(): string {
    return this.#session.machine.phase
  }

  get runs(): boolean {
    return this.#host.runs && !this.hasEnded
  }

  hangDisk(forMs: number): void {
    this.#disk.hang(forMs)
  }

  /**
   * Somebody dials: answered at once, or when this node has heard of it or has waited for long
   * enough (the parked connections of agent/node-service.ts).
   */
  accept(
    from: Caller,
    target: Target,
    connection: (lacking?: Lacking) => SimConnection,
    told: Parameters<Acceptor['accept']>[3],
  ): void {
    const { timeline } = this.#world
    const waitMs = this.#session.hasPlan ? limits.earlyDataMs : limits.acceptMs
    const untilMs = timeline.nowMs + waitMs
    const look = (): void => {
      const expected = this.#expects(from, target)
      if (expected === null && timeline.nowMs < untilMs) return void this.#strangers.push({ look })
      if (!expected) return told(expected === null ? 'ERR_FR_TIMEOUT' : 'ERR_FR_PROTOCOL')
      if (target.channel === 'data') {
        const lacking = this.#session.greets(from.number)
        this.#session.addFeed(from.number, connection(lacking))
      } else this.#session.addPull(from.number, connection())
      told(null)
    }
    timeline.at(untilMs, () => this.#host.run(() => this.#lookAtStrangers()))
    look()
  }

  #expects({ place, number }: Caller, target: Target): boolean | null {
    if (this.hasEnded) return false
    if (target.channel === 'pull') {
      if (!this.#session.isOpen) return null
      return this.#session.expectsPull(number, this.#world.idOf(place), target.to)
    }
    if (target.channel === 'control') return false
    const edge = this.#session.expects(number, target.edge.id, target.to)
    return edge && edge.secret.join() === target.edge.secret.join()
  }

  #lookAtStrangers(): void {
    for (const { look } of this.#strangers.splice(0)) look()
  }

  /** What comes of a turn must leave only right blocks held. */
  #told(turn: () => void): void {
    if (this.hasEnded) return
    turn()
    if (!this.#world.isUnchecked) this.#invariants.turned()
  }

  /** Nobody whom it waits for is behind the floor. */
  #checkFloor(bytes: number): void {
    if (this.#world.isLevel(this.node) && this.reachedBytes < bytes)
      throw new Error(`the floor is at ${bytes}, and node ${this.node} at ${this.reachedBytes}`)
  }

  /** A connection to a living member is never closed. */
  #checkClose(to: number): void {
    // Who takes over has members of its own.
    const isFollowing = this.succession !== undefined
    if (!this.hasEnded && !isFollowing && this.#world.isMember(to))
      throw new Error(`node ${this.node} closes its connection to node ${to}, a member`)
  }

  /** Whoever coordinates says that all is over, after saying who is gone. */
  #checkFarewells(): void {
    for (const to of this.#engine.receivers)
      if (this.#isGone(to))
        throw new Error(`node ${this.node} still serves node ${to}, which is gone`)
  }

  /** Whoever has taken over judges by itself who takes part, whatever the origin thinks. */
  #isGone(place: number): boolean {
    if (this.succession === undefined) return this.#world.isOut(place)
    const { members = [] } = this.#session.machine.neighbours.plan ?? {}
    return !members.some(({ number }) => this.#world.placeOfMember(number) === place)
  }

  /** What was there is part of the file from now on. */
  hold(offset: number, length: number): void {
    this.#disk.hold(offset, length)
  }
}

function meet({ offset, length }: DigestSpec, [at, bytes]: RangePair): boolean {
  return at < offset + length && offset < at + bytes
}
