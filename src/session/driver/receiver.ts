/**
 * One transfer at a node, carried out: control/receiver/machine.ts decides, this file does, over
 * the ports it is handed. What happens on connections is posted to the machine as facts.
 *
 * The engine moves payload from feed to file to feed by itself, and passes digest records on once
 * they are checked here; one that is not the author's is dropped and counted, and its feed lives.
 */
import { type Failure, FrError, type FrErrorCode } from '../../base/errors.js'
import type { LogFields } from '../../base/log.js'
import type { RangePair } from '../../base/ranges.js'
import {
  type Frame,
  type Lacking,
  lacksNothing,
  originNumber,
  type Term,
} from '../../control/messages/types.js'
import type { NodeConfig, NodeFact, NodeWish } from '../../control/receiver/events.js'
import { NodeMachine } from '../../control/receiver/machine.js'
import type { DigestSpec, EngineEvent, TransferHandle } from '../../ports.js'
import type { Primitives } from '../../protocol/primitives.js'
import type { Edge } from '../../protocol/ticket.js'
import type { Contents } from './contents.js'
import { Executor } from './executor.js'
import type { FeedPlaces } from './feed-places.js'
import { grow } from './growing.js'
import { Loop } from './loop.js'
import { Neighbours } from './neighbours.js'
import { PassedOn } from './passed-on.js'
import type { Clock, Connection, FeedEngine, Link, Net } from './ports.js'
import { prove, readRecord, saysNothingNew } from './proofs.js'
import { Pulls } from './pulls.js'
import type { ReceiverFiles } from './receiver-files.js'
import { Samples } from './samples.js'
import { type Admits, edgeOf, pullTargetOf, type Ways, waysOf } from './ways.js'

export type { ReceiverFiles }

export interface ReceiverPorts {
  readonly clock: Clock
  readonly net: Net
  readonly engine: FeedEngine
  /** Data connections out of this process; absent: as many as are wanted. */
  readonly places?: FeedPlaces
  /** See FeedPorts. */
  readonly flows?: number | undefined
  readonly files: ReceiverFiles
  /** To the coordinator. */
  readonly link: Pick<Link, 'send'>
  readonly primitives: Primitives
  readonly log: (
    level: 'debug' | 'info' | 'warn',
    event: string,
    fields: Readonly<LogFields>,
  ) => void
  /** A record of digests came that is not the author's. */
  readonly misannounced: () => void
  /** All before `bytes` is verified of a content that is still written, or ends there. */
  readonly reached?: (bytes: number, isFinal: boolean) => void
  /** A record of digests that the author signed came; absent: nobody keeps them. */
  readonly signed?: (record: DigestSpec) => void
  /** What is signed here of the digests of these ranges; absent: nobody keeps them. */
  readonly signedFor?: (ranges: readonly RangePair[]) => readonly DigestSpec[]
  /** This node is to coordinate from now on. */
  readonly takeOver: (term: Term) => void
  /** Somebody is known now who was not: connections that wait are to be looked at again. */
  readonly introduced: () => void
  readonly admits?: Admits
  /** Once, the last thing it does. */
  readonly ended: (wish: NodeWish & { readonly type: 'end' }) => void
  /** A defect of this program; `ended` follows. */
  readonly crashed: (error: unknown) => void
}

export interface ReceiverSpec extends NodeConfig {
  readonly contents: Contents
}

export class ReceiverSession {
  readonly machine: NodeMachine
  readonly samples: Samples
  readonly #spec: ReceiverSpec
  readonly #ports: ReceiverPorts
  readonly #neighbours: Neighbours
  readonly #ways: Ways
  readonly #pulls: Pulls
  readonly #executor: Executor
  readonly #loop: Loop<NodeFact, NodeWish>
  /** Members to whom no data connection could be opened, or none is any more. */
  readonly #unreached = new Set<number>()
  /** Routes that have a table. */
  readonly #routed = new Set<number>()
  /** To whoever coordinates. */
  #link: Pick<Link, 'send'>
  /** Of what digests were passed on, by route: what one lost is brought again on another. */
  readonly #passedOn = new PassedOn()
  #transfer: TransferHandle | undefined
  /** All before this is verified of a content that is still written. */
  #reached = 0
  #isEnded = false

  constructor(spec: ReceiverSpec, ports: ReceiverPorts) {
    this.#spec = spec
    this.#ports = ports
    this.#link = ports.link
    const { clock, net, engine } = ports
    this.machine = new NodeMachine(spec, clock.awakeMs())
    // What is stored nowhere goes on one flow: it is sent as it comes.
    const { flows } = spec.isGateway ? { flows: 1 } : ports
    this.#neighbours = new Neighbours({ ...ports, flows }, (feed, { ranges }) => {
      // A gateway has nothing to send again; of what grows more may come than is here.
      const end = spec.blockBytes === 'sections' ? this.#reached : undefined
      if (!spec.isGateway) spec.contents.skip(engine, feed, ranges, end)
      this.#route()
    })
    this.#ways = waysOf(this.machine.neighbours, ports.admits)
    this.#pulls = new Pulls(net, this.#neighbours, {
      post: (fact) => this.post(fact),
      warn: (event, fields) => ports.log('warn', event, fields),
      list: (feed, range, how) => spec.contents.send(engine, feed, range, how),
      nowMs: () => clock.nowMs(),
      wayTo: this.#ways.to,
      statsOf: (feed) => this.samples.statsOf(feed),
    })
    this.samples = new Samples(
      engine,
      this.#neighbours,
      (member, feed) => this.#pulls.queuedBytes(member, feed),
      (member) => this.machine.neighbours.isParent(member),
    )
    const hooks = {
      post: (fact: NodeFact) => this.post(fact),
      targetOf: (member: number) => pullTargetOf(this.machine.neighbours, member),
      wayTo: this.#ways.to,
    }
    const parts = [this.#neighbours, this.samples, spec.silenceMs, hooks, this.#pulls] as const
    this.#executor = new Executor(ports, ...parts)
    this.#loop = new Loop<NodeFact, NodeWish>(this.machine, clock, {
      execute: (wish) => this.#execute(wish),
      crashed: (error) => {
        ports.crashed(error)
        const failure = { code: 'ERR_FR_INTERNAL', text: String(error) } as const
        this.#end({ type: 'end', failure, keepPartial: false })
      },
    })
  }

  start(): void {
    this.#loop.start(this.machine.start())
  }

  post(...facts: readonly NodeFact[]): void {
    for (const fact of facts) {
      if (fact.type !== 'unfed' || fact.direction === 'in') continue
      this.#unreached.add(fact.member)
      this.#route()
    }
    this.#loop.post(...facts)
  }

  get hasPlan(): boolean {
    return this.machine.neighbours.isRunning
  }

  /** Promised to mates that asked. */
  get servedBytes(): number {
    return this.#pulls.servedBytes
  }

  /** HOST:PORT of a mate that this node has heard of. */
  addressOf(member: number): string | undefined {
    return this.machine.neighbours.member(member)?.address
  }

  /** From here on the engine takes connections, those first that came before. */
  opened(transfer: TransferHandle): void {
    this.#transfer = transfer
    this.samples.opened(transfer)
    for (const member of this.#neighbours.all) {
      const { fedBy } = member
      if (fedBy.state !== 'held') continue
      try {
        this.addFeed(member.number, fedBy.connection)
      } catch (error) {
        if (!(error instanceof FrError)) throw error
        const { code, message: text } = error
        this.#ports.log('debug', 'feed-lost', { from: member.number, code, text })
      }
    }
  }

  get isOpen(): boolean {
    return this.#transfer !== undefined && !this.#isEnded
  }

  // --- what comes from outside ---

  /** Of the coordinator; nobody is listened to any more after another has taken over. */
  onFrame(link: Pick<Link, 'send'>, frame: Frame): void {
    if (link !== this.#link) return
    this.post({ type: 'said', member: originNumber, frame })
    // Whoever is known now may have dialled already.
    if (frame.type === 'plan') this.#ports.introduced()
  }

  onLinkClosed(link: Pick<Link, 'send'>, code: FrErrorCode, text: string): void {
    if (link === this.#link) this.post({ type: 'unlinked', member: originNumber, code, text })
  }

  /** Its connection broke; undefined: it has another one. */
  onLinkBroke(link: Pick<Link, 'send'>, text: string | undefined): void {
    if (link !== this.#link) return
    if (text === undefined) return this.post({ type: 'linkBack', member: originNumber })
    this.post({ type: 'linkBroke', member: originNumber, text })
  }

  /**
   * A member takes over, and speaks on this link from now on. Why it is not followed; null: it is,
   * and what comes on the link is given to `onFrame`.
   */
  succeed(link: Pick<Link, 'send'>, term: Term, nodeId: string): Failure | null {
    const failure = this.#isEnded ? isOver : this.machine.takeover.refusal(term, nodeId)
    if (failure !== null) return failure
    this.#link = link
    this.post({ type: 'succeeded', term, nodeId })
    return null
  }

  /**
   * The edge of a data connection that belongs here; false: it does not; null: this node has not
   * heard of the sender yet, which may have joined. `to` is the number that the sender means, which
   * may be that of an earlier attempt of this node.
   */
  expects(member: number, edgeId: string, to: number): Edge | false | null {
    const isMember = this.#isMember(member, to)
    if (!isMember) return isMember
    if (this.machine.edges.refuses(member) || !this.#ways.admits(member)) return false
    const edge = edgeOf(this.machine.neighbours, member)
    if (edge === undefined) return null
    return edge.id === edgeId ? edge : false
  }

  /**
   * What this node says where a data connection of the member opens, which takes the place of any
   * earlier one from here on, or is one more flow of it. Throws FrError where it has none.
   */
  greets(number: number, isBeside = false): Lacking {
    const member = this.#neighbours.of(number)
    if (isBeside) {
      this.#neighbours.checkFlow(member)
      return lacksNothing
    }
    this.#executor.replaces(member)
    return { ranges: this.machine.lacks, receivedBytes: this.samples.receivedFrom(member) }
  }

  /** Others may take part from now on: what is open to those who may not is closed. */
  admitAgain(): void {
    for (const { number } of [...this.#neighbours.all])
      if (!this.#ways.admits(number)) this.#executor.part(this.#neighbours.of(number))
  }

  /** Whether a mate may ask for bytes here; null as in `expects`. */
  expectsPull(member: number, nodeId: string, to: number): boolean | null {
    const isMember = this.#isMember(member, to)
    return isMember && this.machine.neighbours.mate(member)?.nodeId === nodeId
  }

  #isMember(member: number, to: number): boolean | null {
    const { neighbours } = this.machine
    const { you } = neighbours
    if (you === undefined) return null
    if (to !== you || member === you || neighbours.isGone(member)) return false
    return neighbours.member(member) === undefined ? null : true
  }

  /** A pull link that `expectsPull` said yes to; so is `addFeed`. Throws FrError when it broke. */
  addPull(member: number, connection: Connection): void {
    this.#pulls.accept(this.#neighbours.of(member), connection)
  }

  addFeed(number: number, connection: Connection, isBeside = false): void {
    const member = this.#neighbours.of(number)
    if (isBeside) return this.#neighbours.feedBeside(member, connection)
    if (!this.isOpen) return this.#neighbours.hold(member, connection)
    this.#neighbours.feed(member, connection)
    this.post({ type: 'fedIn', member: number })
  }

  /** Storage failures are the caller's, who knows the paths. */
  onEngine(events: readonly Exclude<EngineEvent, { type: 'fileFailed' }>[]): void {
    // Together: the machine then looks once at what follows from all of them.
    const landed: NodeFact[] = []
    for (const event of events) {
      if (this.#isEnded) return
      if (event.type === 'landed') {
        const { scratch, length, digests } = event
        const offset = this.#spec.contents.space.offsetOf(event)
        if (offset !== null) landed.push({ type: 'landed', scratch, offset, length, digests })
        continue
      }
      if (landed.length > 0) this.post(...landed.splice(0))
      if (event.type === 'digests') this.#onDigests(event)
      else this.#executor.closed(event.feed, event.code)
    }
    if (landed.length > 0) this.post(...landed)
  }

  #onDigests(event: EngineEvent & { type: 'digests' }): void {
    const sender = this.#neighbours.byFeed(event.feed)
    if (sender === undefined) return
    const { length } = event
    const { contents } = this.#spec
    const relay = event.route !== 0
    const offset = contents.space.offsetOf(event) ?? 0
    // What is known already, and passed on where it is to be, needs no proof.
    const isDone = !relay || this.#passedOn.has(event.route, offset, length)
    if (isDone && saysNothingNew(contents, this.machine.held, this.#reached, event)) return
    try {
      const said = readRecord(contents, this.#ports.primitives, sender, event)
      this.#ports.signed?.(event)
      if (relay) {
        this.#ports.engine.relayDigests(this.#transfer as TransferHandle, event)
        this.#passedOn.add(event.route, offset, length)
      }
      this.post({ type: 'digests', offset, length, ...said })
    } catch (error) {
      if (!(error instanceof FrError)) throw error
      this.#ports.misannounced()
      const from = sender.number
      if (sender.fedBy.state === 'open' && sender.fedBy.wrongDigests === 1)
        this.#ports.log('warn', 'wrong-digests', { from, offset, length, text: error.message })
      this.post({ type: 'digests', offset, length, digests: null })
    }
  }

  // --- what the machine wants ---

  #execute(wish: NodeWish): void {
    const { files } = this.#ports
    switch (wish.type) {
      case 'say':
        // The link to the coordinator was there before this session.
        if (wish.member === originNumber) return void this.#link.send(wish.frame)
        return this.#executor.execute(wish)
      case 'connect':
      case 'feed':
      case 'hangUp':
      case 'readmit':
      case 'pace':
      case 'sample':
        return this.#executor.execute(wish)
      case 'hold':
        for (const range of wish.ranges)
          this.#spec.contents.hold(this.#ports.engine, this.#transfer as TransferHandle, range)
        return
      case 'assign':
        for (const range of wish.ranges) {
          const transfer = this.#transfer as TransferHandle
          this.#spec.contents.assign(this.#ports.engine, transfer, range, wish.route)
        }
        return
      case 'route':
        return this.#route()
      case 'mend':
        return this.#pulls.mend(wish.member, wish.ranges)
      case 'unfeed':
        return this.#executor.unfeed(this.#neighbours.of(wish.member))
      case 'serve':
        return this.#pulls.serve(wish.member, wish.request, wish.ranges)
      case 'reject':
        return this.#pulls.reject(wish.member, wish.request, wish.failure)
      case 'prove':
        return this.#prove(wish.member, this.#ports.signedFor?.(wish.ranges) ?? [])
      case 'grow':
      case 'cut':
      case 'forget':
        return grow(this.#ports.engine, this.#transfer as TransferHandle, wish)
      case 'reach':
        this.#reached = wish.bytes
        return this.#ports.reached?.(wish.bytes, wish.isFinal)
      case 'takeOver':
        return this.#ports.takeOver(wish.term)
      case 'prepare':
        return files.prepare()
      case 'bring':
        return files.bring(wish.ranges)
      case 'fill':
        return files.fill(wish)
      case 'hash':
        return files.hash(wish)
      case 'copyIn':
        return files.copyIn(wish.offset, wish.length)
      case 'sum':
        return this.post({ type: 'summed', fileDigest: files.sum(wish.digests) })
      case 'publish':
        return files.publish()
      case 'note':
        return this.#ports.log(wish.level, wish.event, wish.fields)
      case 'end':
        return this.#end(wish)
      default:
        return wish satisfies never
    }
  }

  #prove(to: number, records: readonly DigestSpec[]): void {
    const mate = [this.#neighbours.of(to), this.#ways.to(to)] as const
    prove(this.#neighbours, this.#ports.engine, mate, records, (code) =>
      this.#ports.log('debug', 'digests-lost', { to, code }),
    )
  }

  /**
   * What came with a route goes where the plan says, as far as feeds are open. Where nothing is
   * kept, who is not there misses it: a route waits for all that can be reached.
   */
  #route(): void {
    const transfer = this.#transfer
    if (transfer === undefined || this.#isEnded) return
    for (const { route, to } of this.machine.neighbours.plan?.routes ?? []) {
      const isReady = to.every(({ member }) => this.#isSettled(member))
      if (this.#spec.isGateway && !isReady && !this.#routed.has(route)) continue
      this.#routed.add(route)
      const targets = to.flatMap(({ member, next }) => {
        const { out } = this.#neighbours.of(member)
        const isOpen = out.state === 'open' && out.isWished
        return isOpen ? [{ feed: out.feed, next, first: next !== 0 }] : []
      })
      this.#ports.engine.setRoute(transfer, route, targets)
    }
  }

  #isSettled(member: number): boolean {
    const { state } = this.#neighbours.of(member).out
    return state === 'open' || state === 'refused' || this.#unreached.has(member)
  }

  #end(wish: NodeWish & { type: 'end' }): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#loop.stop()
    this.#neighbours.end()
    this.#ports.net.end()
    this.samples.closed()
    this.#ports.ended(wish)
  }
}

const isOver: Failure = { code: 'ERR_FR_NO_TRANSFER', text: 'the transfer is over' }
