/**
 * One transfer at a node, carried out: control/receiver/machine.ts decides, this file does, over
 * the ports it is handed. What happens on connections is posted to the machine as facts.
 *
 * The engine moves payload from feed to file to feed by itself. Here digests are checked and passed
 * on; a record that is not the author's is dropped and counted, and its feed lives.
 */
import { bytesOfHex } from '../../base/bytes.js'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { LogFields } from '../../base/log.js'
import { isBlockRun } from '../../control/holdings/ledger.js'
import { type Frame, groupRoute, type Mate } from '../../control/messages/types.js'
import type { NodeCommand, NodeConfig, NodeEvent } from '../../control/receiver/events.js'
import { KeptDigests } from '../../control/receiver/kept-digests.js'
import { NodeMachine } from '../../control/receiver/machine.js'
import type { DigestSpec, EngineEvent, TransferHandle } from '../../ports.js'
import { readDigests } from '../../protocol/digest-record.js'
import type { Primitives } from '../../protocol/primitives.js'
import type { Edge } from '../../protocol/ticket.js'
import type { Contents } from './contents.js'
import { Loop } from './loop.js'
import { type Neighbour, Neighbours, type Way } from './neighbours.js'
import type { Clock, Connection, FeedEngine, Link, Net } from './ports.js'
import { Pulls } from './pulls.js'
import { Samples } from './samples.js'

/** What is done to the files. Each is answered by a fact, given to `post`. */
export interface ReceiverFiles {
  /** -> claimed, then prepared, or prepareFailed. */
  prepare(): void
  /** -> hashed or storageFailed. */
  hash(scratch: boolean, offset: number, length: number): void
  /** -> copied or storageFailed. */
  copyIn(offset: number, length: number): void
  /** The file digest of all block digests. */
  sum(digests: Uint8Array): string
  /** -> published or storageFailed. */
  publish(): void
}

export interface ReceiverPorts {
  readonly clock: Clock
  readonly net: Net
  readonly engine: FeedEngine
  readonly files: ReceiverFiles
  /** To the coordinator. */
  readonly link: Pick<Link, 'send'>
  readonly primitives: Primitives
  readonly log: (level: 'info' | 'warn', event: string, fields: Readonly<LogFields>) => void
  /** A record of digests came that is not the author's. */
  readonly misannounced: () => void
  /** Somebody is known now who was not: connections that wait are to be looked at again. */
  readonly introduced: () => void
  /** Once, the last thing it does. */
  readonly ended: (command: NodeCommand & { readonly type: 'end' }) => void
  /** A defect of this program; `ended` follows. */
  readonly crashed: (error: unknown) => void
}

export interface ReceiverSpec extends NodeConfig {
  readonly contents: Contents
  /** Public key of the author. */
  readonly author: Uint8Array
}

export class ReceiverSession {
  readonly machine: NodeMachine
  readonly samples: Samples
  readonly #spec: ReceiverSpec
  readonly #ports: ReceiverPorts
  readonly #neighbours: Neighbours
  readonly #pulls: Pulls
  readonly #kept = new KeptDigests<DigestSpec>()
  readonly #loop: Loop<NodeEvent, NodeCommand>
  #transfer: TransferHandle | undefined
  #isEnded = false

  constructor(spec: ReceiverSpec, ports: ReceiverPorts) {
    this.#spec = spec
    this.#ports = ports
    const { clock, net, engine } = ports
    this.machine = new NodeMachine(spec, clock.awakeMs())
    this.#neighbours = new Neighbours(net, engine, () => this.#routeToMates())
    this.#pulls = new Pulls(net, this.#neighbours, {
      post: (event) => this.post(event),
      warn: (event, fields) => ports.log('warn', event, fields),
      list: (feed, range) => spec.contents.send(engine, feed, range, {}),
      isComplete: () => this.isComplete,
      nowMs: () => clock.nowMs(),
      wayTo: (index) => this.#wayTo(index),
      statsOf: (feed) => this.samples.statsOf(feed),
    })
    this.samples = new Samples(
      engine,
      this.#neighbours,
      (index, feed) => this.#pulls.queuedBytes(index, feed),
      (index) => this.machine.neighbours.isParent(index),
    )
    this.#loop = new Loop<NodeEvent, NodeCommand>(this.machine, clock, {
      execute: (command) => this.#execute(command),
      ticked: () => ({ type: 'ticked' }),
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

  post(...events: readonly NodeEvent[]): void {
    this.#loop.post(...events)
  }

  get isComplete(): boolean {
    return this.machine.phase === 'complete'
  }

  get hasPlan(): boolean {
    return this.machine.neighbours.isRunning
  }

  /** Promised to mates that asked. */
  get servedBytes(): number {
    return this.#pulls.servedBytes
  }

  /** HOST:PORT of a mate that this node has heard of. */
  addressOf(index: number): string | undefined {
    return this.machine.neighbours.member(index)?.address
  }

  /** From here on connections can be adopted. */
  opened(transfer: TransferHandle): void {
    this.#transfer = transfer
    this.samples.opened(transfer)
  }

  /** True while data connections can be adopted. */
  get isOpen(): boolean {
    return this.#transfer !== undefined && !this.#isEnded
  }

  // --- what comes from outside ---

  onFrame(frame: Frame): void {
    this.post({ type: 'frameArrived', frame })
    if (frame.type !== 'plan') return
    if (this.hasPlan) this.#kept.planned()
    // Whoever is known now may have dialled already.
    this.#ports.introduced()
  }

  #edgeOf(index: number): Edge | undefined {
    const { id, secret } = this.machine.neighbours.edge(index) ?? {}
    const bytes = bytesOfHex(secret ?? '')
    return id === undefined || bytes === null ? undefined : { id, secret: bytes }
  }

  #wayTo(index: number): Way {
    return { address: this.addressOf(index) ?? '', edge: this.#edgeOf(index) }
  }

  /**
   * The edge of a data connection that belongs here; false: it does not; null: this node has not
   * heard of the sender yet, which may have joined. `to` is the number that the sender means, which
   * may be that of an earlier attempt of this node.
   */
  expects(index: number, edgeId: string, to: number): Edge | false | null {
    const sender = this.#neighbours.of(index)
    if (this.#neighbours.isFed(sender, this.machine.pulls.isAsking(index))) return false
    const isMember = this.#isMember(index, to)
    if (!isMember) return isMember
    const edge = this.#edgeOf(index)
    if (edge === undefined) return null
    return edge.id === edgeId ? edge : false
  }

  /** Whether a mate may ask for bytes here; null as in `expects`. */
  expectsPull(index: number, nodeId: string, to: number): boolean | null {
    const isMember = this.#isMember(index, to)
    return isMember && this.machine.neighbours.mate(index)?.nodeId === nodeId
  }

  #isMember(index: number, to: number): boolean | null {
    const { you } = this.machine.neighbours
    if (you === undefined) return null
    if (to !== you || index === you) return false
    return this.machine.neighbours.member(index) === undefined ? null : true
  }

  /** A pull link that `expectsPull` said yes to. Throws FrError when it broke meanwhile. */
  addPull(index: number, connection: Connection): void {
    this.#pulls.accept(this.#neighbours.of(index), connection)
  }

  /** A data connection that `expects` said yes to. Throws FrError when it broke meanwhile. */
  addFeed(index: number, connection: Connection): void {
    this.#neighbours.feed(this.#neighbours.of(index), connection)
    this.post({ type: 'feedOpened', index })
  }

  /** Storage failures are the caller's, who knows the paths. */
  onEngine(events: readonly Exclude<EngineEvent, { type: 'fileFailed' }>[]): void {
    // Together: the machine then looks once at what follows from all of them.
    const landed: NodeEvent[] = []
    for (const event of events) {
      if (this.#isEnded) return
      if (event.type === 'landed') {
        const { scratch, length } = event
        const offset = this.#spec.contents.space.offsetOf(event)
        if (offset !== null) landed.push({ type: 'landed', scratch, offset, length })
        continue
      }
      if (landed.length > 0) this.post(...landed.splice(0))
      if (event.type === 'digests') this.#onDigests(event)
      else this.#onFeedClosed(event.feed, event.code)
    }
    if (landed.length > 0) this.post(...landed)
  }

  #onDigests(event: EngineEvent & { type: 'digests' }): void {
    const sender = this.#neighbours.byFeed(event.feed)
    if (sender === undefined) return
    const { length } = event
    const relay = event.route === groupRoute
    const offset = this.#spec.contents.space.offsetOf(event) ?? 0
    // What is known already needs no proof.
    if (!relay && this.machine.held.unannounced(offset, length).isEmpty) return
    try {
      const digests = this.#read(sender, event)
      if (relay) this.#forward({ ...event, route: 0, payload: event.payload.slice() })
      this.post({ type: 'announced', offset, length, digests })
    } catch (error) {
      if (!(error instanceof FrError)) throw error
      this.#ports.misannounced()
      const from = sender.number
      if (sender.fedBy.state === 'open' && sender.fedBy.wrongDigests === 1)
        this.#ports.log('warn', 'wrong-digests', { from, offset, length, text: error.message })
      this.post({ type: 'misannounced', offset, length })
    }
  }

  /**
   * The digests of a record, found authentic. Throws ERR_FR_PROTOCOL otherwise: whoever sends on
   * the feed may only have passed it on. After many of them the feed's records are not looked at.
   */
  #read({ fedBy }: Neighbour, record: EngineEvent & { type: 'digests' }): Uint8Array {
    const { stream, offset, length, payload } = record
    const { author } = this.#spec
    const content = this.#spec.contents.of(stream)
    try {
      if (fedBy.state !== 'open' || fedBy.wrongDigests >= limits.wrongDigestsPerFeed)
        throw new FrError('ERR_FR_PROTOCOL', 'this feed has brought too many wrong digests')
      if (content === undefined || !isBlockRun(offset, length, content.blockBytes, content.size))
        throw new FrError('ERR_FR_PROTOCOL', 'digests of no whole blocks of this file')
      const { primitives } = this.#ports
      return readDigests(primitives, author, content, { offset, length }, payload)
    } catch (error) {
      if (fedBy.state === 'open') fedBy.wrongDigests++
      throw error
    }
  }

  #onFeedClosed(feed: number, code: FrErrorCode | null): void {
    const isIn = this.#neighbours.byFeed(feed)?.feedOut !== feed
    if (isIn) this.#sample()
    const closed = this.#neighbours.closed(feed)
    if (closed === undefined) return
    const { member, out } = closed
    if (out === undefined) return this.post({ type: 'feedClosed', index: member.number, code })
    this.#pulls.feedClosed(member)
    if (out.relay) this.#relayClosed(member, code, 'the feed broke')
  }

  // --- what the machine wants ---

  #execute(command: NodeCommand): void {
    const { files, link } = this.#ports
    switch (command.type) {
      case 'prepare':
        return files.prepare()
      case 'send':
        return void link.send(command.frame)
      case 'sample':
        return this.#sample()
      case 'dialMate':
        return this.#dialRelay(command.mate)
      case 'greetMate': {
        const { number } = command.mate
        return this.#neighbours.prepare(this.#neighbours.of(number), this.#wayTo(number))
      }
      case 'closeFeed':
        return this.#closeIn(this.#neighbours.of(command.index))
      case 'dialPull':
        return this.#pulls.dial(command.mate)
      case 'askMate':
        return this.#pulls.ask(command.index, command.frame)
      case 'drop':
        return this.#pulls.drop(command.index)
      case 'serve':
        return this.#pulls.serve(command.index, command.request, command.ranges)
      case 'rejectPull':
        return this.#pulls.reject(command.index, command.request, command.failure)
      case 'hash':
        return files.hash(command.scratch, command.offset, command.length)
      case 'copyIn':
        return files.copyIn(command.offset, command.length)
      case 'sum':
        return this.post({ type: 'summed', fileDigest: files.sum(command.digests) })
      case 'publish':
        return files.publish()
      case 'log':
        return this.#ports.log('warn', command.event, command.fields)
      case 'end':
        return this.#end(command)
      default:
        return command satisfies never
    }
  }

  #sample(): void {
    const sample = this.samples.take(this.#ports.clock.nowMs())
    if (sample !== undefined) this.post({ type: 'sampled', sample })
  }

  #closeIn(sender: Neighbour): void {
    this.#sample()
    this.#neighbours.unfeed(sender)
  }

  #dialRelay({ number: index }: Mate): void {
    const mate = this.#neighbours.of(index)
    this.#kept.dialling(index)
    this.#neighbours.open(mate, this.#wayTo(index), true, {
      opened: (feed) => {
        this.#pulls.feedOpened(mate, feed)
        this.post({ type: 'relayOpened', index })
        for (const record of this.#kept.records) this.#sendDigests(mate, record)
        this.#kept.settled(index)
      },
      failed: ({ code, text }) => {
        this.#kept.settled(index)
        this.#pulls.feedClosed(mate)
        this.#relayClosed(mate, code, text)
      },
    })
  }

  /** What is for the group goes to every mate, and stays there. */
  #routeToMates(): void {
    const targets = [...this.#neighbours.all].flatMap(({ out }) =>
      out.state === 'open' && out.relay ? [{ feed: out.feed, next: 0 }] : [],
    )
    this.#ports.engine.setRoute(this.#transfer as TransferHandle, groupRoute, targets)
  }

  #relayClosed({ number: index }: Neighbour, code: FrErrorCode | null, text: string): void {
    if (this.#isEnded) return
    // Mates that finish first hang up; once this node is complete that is not logged.
    const isNews = code !== null && !this.isComplete
    if (isNews) this.#ports.log('warn', 'relay-closed', { to: index, code, text })
    this.post({ type: 'relayClosed', index, code })
  }

  /** Digests that came marked for relay. */
  #forward(record: DigestSpec): void {
    for (const mate of this.#neighbours.all)
      if (mate.out.state === 'open' && mate.out.relay) this.#sendDigests(mate, record)
    this.#kept.keep(record, record.offset, record.payload.length)
  }

  #sendDigests(mate: Neighbour, record: DigestSpec): void {
    const feed = mate.feedOut
    if (feed === undefined) return
    try {
      this.#ports.engine.sendDigests(feed, record)
    } catch (error) {
      const { code, message } = asFrError(error, 'ERR_FR_INTERNAL')
      this.#neighbours.unopen(mate)
      this.#relayClosed(mate, code, message)
    }
  }

  #end(command: NodeCommand & { type: 'end' }): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#loop.stop()
    this.#pulls.end()
    this.#neighbours.end()
    this.samples.closed()
    this.#ports.ended(command)
  }
}
