/**
 * A simulated node: the shipping session (session/driver/receiver.ts) over a simulated engine,
 * network and disk, with the checks of what must never happen.
 */

import { hexOf } from '../base/bytes.js'
import { type Failure, FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { type RangePair, RangeSet } from '../base/ranges.js'
import type { Frame, Lacking, PlanFrame, RosterFrame, Term } from '../control/messages/types.js'
import type { Found, NodeFact } from '../control/receiver/events.js'
import type { Replica } from '../control/receiver/replica.js'
import type { DigestSpec } from '../ports.js'
import { edgeOf } from '../protocol/ticket.js'
import type { Link, LinkEvents, Target } from '../session/driver/ports.js'
import { type ReceiverFiles, ReceiverSession } from '../session/driver/receiver.js'
import { SuccessorSession } from '../session/driver/successor.js'
import { contentsOf, pretended, pretendedAuthor, signedRecords } from './codec.js'
import type { Connections, SimConnection } from './connections.js'
import { digestBytes, SimFile, sumOf } from './content.js'
import { SimEngine } from './engine.js'
import type { SimHost } from './host.js'
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
  /** The origin has given this node up. */
  isOut(node: number): boolean
  /** The origin is connected to this node, and has not given it up. */
  isMember(node: number): boolean
  /** Something holds up what was listed: an asker may take it for lost. */
  readonly isSlow: boolean
  readonly hasForger: boolean
  /** Nobody looks for what must never happen. */
  readonly isUnchecked: boolean
}

/** A dialler that this node has not heard of. */
interface Stranger {
  readonly look: () => void
}

export class SimNode {
  readonly node: number
  readonly file: SimFile
  readonly scratch: SimFile
  /** What lies in the file before anything lands. */
  readonly #before: SimFile
  publications = 0
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
  #diskFreeMs = 0
  #checkedBytes = 0

  constructor(
    node: number,
    { silenceMs, detection, role }: Frame & { type: 'offer' },
    world: NodeWorld,
    host: SimHost,
    link: Link,
    scenario: NodeScenario,
    bytes: number,
    blockBytes: number,
  ) {
    this.node = node
    this.#world = world
    this.#host = host
    this.#scenario = scenario
    this.#link = link
    this.file = new SimFile(bytes, blockBytes)
    this.scratch = new SimFile(bytes, blockBytes)
    this.#before = new SimFile(bytes, blockBytes)
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
      closing: (to) => this.#checkClose(to),
    })
    const end = { place: node, host }
    const originId = world.idOf(originIndex)
    const contents = contentsOf(bytes, blockBytes)
    const about = { bytes, blockBytes, digestBytes }
    const isGateway = role === 'gateway'
    this.#net = () =>
      new SimNet(world.connections, end, this.#engine, (frame) => {
        if (!world.isUnchecked) this.#checkWord(frame)
      })
    this.#session = new ReceiverSession(
      { ...about, ...{ originId, silenceMs, detection, contents, isGateway, seed: node } },
      {
        clock: host,
        net: this.#net(),
        engine: this.#engine,
        files: this.#files(),
        link,
        primitives: pretended,
        misannounced: () => {
          if (!world.hasForger)
            throw new Error("an honest host passes on digests that are not the author's")
        },
        log: (_, event) => {
          if (event === 'asked-again') this.asks++
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

  /** What comes on this control link. */
  events(link: Link): LinkEvents {
    return {
      onFrame: (frame) => {
        if (frame.type === 'finish') this.#checkFarewells()
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

  /** As ReceiverSession says; the link of the last coordinator closes. */
  succeed(link: Link, term: Term, nodeId: string): Failure | null {
    const before = this.#link
    const failure = this.#session.succeed(link, term, nodeId)
    if (failure !== null) return failure
    this.#link = link
    before.close()
    return null
  }

  #takeOver(term: Term, silenceMs: number): void {
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

  get verifiedBytes(): number {
    return this.#session.machine.held.verifiedBytes
  }

  isVerified(block: number): boolean {
    return this.#session.machine.held.isBlockVerified(block)
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

  /** Whatever is asked of the disk takes until then. */
  hangDisk(forMs: number): void {
    this.#diskFreeMs = this.#world.timeline.nowMs + forMs
  }

  /**
   * Somebody dials: answered at once, or when this node has heard of it or has waited for long
   * enough (the parked connections of agent/node-service.ts).
   */
  accept(
    from: number,
    target: Target,
    connection: (lacking?: Lacking) => SimConnection,
    told: (isWelcome: boolean) => void,
  ): void {
    const { timeline } = this.#world
    const waitMs = this.#session.hasPlan ? limits.earlyDataMs : limits.acceptMs
    const untilMs = timeline.nowMs + waitMs
    const look = (): void => {
      const expected = this.#expects(from, target)
      if (expected === null && timeline.nowMs < untilMs) return void this.#strangers.push({ look })
      if (!expected) return told(false)
      if (target.channel === 'data') {
        const lacking = this.#session.greets(from)
        this.#session.addFeed(from, connection(lacking))
      } else this.#session.addPull(from, connection())
      told(true)
    }
    timeline.at(untilMs, () => this.#host.run(() => this.#lookAtStrangers()))
    look()
  }

  #expects(from: number, target: Target): boolean | null {
    if (this.hasEnded) return false
    if (target.channel === 'pull') {
      if (!this.#session.isOpen) return null
      return this.#session.expectsPull(from, this.#world.idOf(from), target.to)
    }
    if (target.channel === 'control') return false
    const edge = this.#session.expects(from, target.edge.id, target.to)
    return edge && edge.secret.join() === target.edge.secret.join()
  }

  #lookAtStrangers(): void {
    for (const { look } of this.#strangers.splice(0)) look()
  }

  /** What comes of a turn must leave only right blocks held. */
  #told(turn: () => void): void {
    if (this.hasEnded) return
    turn()
    if (!this.#world.isUnchecked) this.#check()
  }

  /** No honest node says these. */
  #checkWord(frame: Frame): void {
    const { node } = this
    if (frame.type === 'pull' && frame.ranges.some((range) => this.file.landed.contains(...range)))
      throw new Error(`node ${node} asks for what has landed`)
    if (frame.type === 'holding' && !frame.ranges.every((range) => this.#holds(range)))
      throw new Error(`node ${node} promises what it does not hold`)
    if (frame.type !== 'pullRefused') return
    if (frame.code === 'ERR_FR_PROTOCOL')
      throw new Error(`an honest node asks for what it may not: ${frame.text}`)
    // What was listed has not been sent; the asker may think it is lost.
    if (frame.code === 'ERR_FR_LIMIT' && !this.#world.isSlow)
      throw new Error('an honest node asks for too much')
  }

  #holds([offset, length]: RangePair): boolean {
    const { blockBytes } = this.file
    const last = Math.floor((offset + length - 1) / blockBytes)
    for (let block = Math.floor(offset / blockBytes); block <= last; block++)
      if (!this.#session.machine.held.isBlockVerified(block)) return false
    return true
  }

  /** A connection to a living member is never closed. */
  #checkClose(to: number): void {
    if (!this.hasEnded && this.#world.isMember(to))
      throw new Error(`node ${this.node} closes its connection to node ${to}, a member`)
  }

  /** The origin says that all is over, after it has said who is gone. */
  #checkFarewells(): void {
    for (const to of this.#engine.receivers)
      if (this.#world.isOut(to))
        throw new Error(`node ${this.node} still serves node ${to}, which is gone`)
  }

  #files(): ReceiverFiles {
    const { timeline } = this.#world
    return {
      prepare: () =>
        timeline.after(this.#scenario.prepareMs, () => {
          if (this.#scenario.trouble === 'refuses')
            return this.post({ type: 'fileFailed', code: 'ERR_FR_NO_SPACE', text: 'no space' })
          this.#host.run(() => {
            this.#session.opened(0)
            this.#lookAtStrangers()
          })
          this.post({ type: 'prepared', ...this.#found() })
        }),
      hash: ({ part, offset, length }) =>
        this.#afterDisk(this.#scenario.hashMs, () => {
          const digests = (part === 'scratch' ? this.scratch : this.file).digests(offset, length)
          if (part === 'scratch') this.scratch.clean(offset, length)
          this.post({ type: 'hashed', part, offset, length, digests })
        }),
      copyIn: (offset, length) =>
        this.#afterDisk(1, () => {
          this.file.clean(offset, length)
          this.post({ type: 'copied', offset, length })
        }),
      sum: sumOf,
      publish: () => this.#afterDisk(this.#scenario.publishMs, () => this.#publish()),
    }
  }

  /** What is in its file already, and the digests that it has of that. */
  #found(): Found {
    const { holds = [], found = 'held', stale = [] } = this.#scenario
    const { bytes, blockBytes } = this.file
    for (const block of stale) {
      const at = block * blockBytes
      this.#before.land(at, Math.min(blockBytes, bytes - at), true)
    }
    for (const run of holds) this.#before.land(...run, false)
    // Of unread blocks it is known what they should be.
    const read = found === 'unread' ? new SimFile(bytes, blockBytes) : this.#before
    const runs = holds.map(([offset, length]) => {
      return { offset, length, digests: read.digests(offset, length) }
    })
    // A mirror has them as their author has signed them.
    if (this.isMirror) this.#signed.push(...runs.flatMap((run) => signedRecords(this.file, run)))
    return { [found]: runs }
  }

  /** What was there is part of the file from now on. */
  hold(offset: number, length: number): void {
    const { blockBytes } = this.file
    for (let at = offset; at < offset + length; at += blockBytes) {
      const isWrong = this.#before.isWrong(at / blockBytes)
      this.file.land(at, Math.min(blockBytes, offset + length - at), isWrong)
    }
  }

  #afterDisk(ms: number, run: () => void): void {
    const { timeline } = this.#world
    timeline.at(Math.max(timeline.nowMs, this.#diskFreeMs) + ms, run)
  }

  #publish(): void {
    if (this.#host.isDead) return
    this.publications++
    if (!this.file.isRight)
      throw new FrError('ERR_FR_DIGEST', `node ${this.node} published a wrong file`)
    if (this.publications > 1)
      throw new FrError('ERR_FR_DIGEST', `node ${this.node} published twice`)
    this.post({ type: 'published', warnings: [] })
  }

  /** Nothing may be held that is not the origin's. */
  #check(): void {
    const { held } = this.#session.machine
    if (held.verifiedBytes === this.#checkedBytes) return
    this.#checkedBytes = held.verifiedBytes
    const { bytes, blockBytes, landed } = this.file
    const blocks = Math.ceil(bytes / blockBytes)
    for (let block = 0; block < blocks; block++) {
      if (!held.isBlockVerified(block)) continue
      const at = block * blockBytes
      const hasLanded = landed.contains(at, Math.min(blockBytes, bytes - at))
      if (this.file.isWrong(block) || !hasLanded) {
        const text = `node ${this.node} holds block ${block}, which is not right`
        throw new FrError('ERR_FR_BAD_BLOCK', text)
      }
    }
  }
}

function meet({ offset, length }: DigestSpec, [at, bytes]: RangePair): boolean {
  return at < offset + length && offset < at + bytes
}
