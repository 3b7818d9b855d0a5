/**
 * One push, carried out: control/coordinator/machine.ts decides, this file does, over the ports it
 * is handed. It dials the nodes, offers, opens their feeds, and hands digests and ranges to the
 * engine.
 */
import { type Failure, FrError } from '../../base/errors.js'
import type { FeedCount, OriginCommand, OriginEvent } from '../../control/coordinator/events.js'
import type { OriginMachine } from '../../control/coordinator/machine.js'
import type { Peer } from '../../control/members/peer.js'
import { type Frame, groupRoute } from '../../control/messages/types.js'
import type { DigestSpec, EngineEvent, TransferHandle } from '../../ports.js'
import { signDigests } from '../../protocol/digest-record.js'
import type { Signer } from '../../protocol/primitives.js'
import type { Edge } from '../../protocol/ticket.js'
import type { Contents } from './contents.js'
import { Loop, type Machine } from './loop.js'
import { type Neighbour, Neighbours } from './neighbours.js'
import type { Clock, FeedEngine, LinkEvents, Net } from './ports.js'

type Own = 'dial' | 'offer' | 'send' | 'list' | 'digests' | 'sample' | 'drop'

/** Wishes about the source and the caller, which are carried out by whoever made the session. */
export type CallerCommand = Exclude<OriginCommand, { readonly type: Own }>

export interface CoordinatorPorts {
  readonly clock: Clock
  readonly net: Net
  readonly engine: FeedEngine
  /** What a data connection to this node is opened with. */
  readonly edgeTo: (node: number) => Edge
  /** This side is the author. */
  readonly author: Signer
  readonly contents: Contents
  /** What is said to a node first: the offer, then the pages of the manifest. */
  readonly offer: (planned: boolean) => readonly Frame[]
  readonly execute: (command: CallerCommand) => void
  /** A defect of this program. */
  readonly crashed: (error: unknown) => void
}

function routeOf(relay: boolean): number {
  return relay ? groupRoute : 0
}

export class CoordinatorSession {
  readonly #machine: OriginMachine
  readonly #ports: CoordinatorPorts
  readonly #transfer: TransferHandle
  readonly #silenceMs: number
  readonly #shown: Machine<OriginEvent, OriginCommand> & { start(): OriginCommand[] }
  readonly #loop: Loop<OriginEvent, OriginCommand>
  readonly #neighbours: Neighbours
  /** The digest records sent so far, by the offset of what they cover. */
  readonly #records = new Map<number, DigestSpec>()
  /** Links that still say what was left to say. */
  #closing = 0
  #released: (() => void) | undefined
  #sentBytes = 0

  /** `shown`: the machine, perhaps with a trace around it. */
  constructor(
    machine: OriginMachine,
    transfer: TransferHandle,
    silenceMs: number,
    ports: CoordinatorPorts,
    shown: Machine<OriginEvent, OriginCommand> & { start(): OriginCommand[] } = machine,
  ) {
    this.#machine = machine
    this.#transfer = transfer
    this.#silenceMs = silenceMs
    this.#ports = ports
    this.#shown = shown
    this.#neighbours = new Neighbours(ports.net, ports.engine)
    this.#loop = new Loop<OriginEvent, OriginCommand>(shown, ports.clock, {
      execute: (command) => this.#execute(command),
      ticked: () => ({ type: 'ticked' }),
      crashed: ports.crashed,
    })
  }

  start(): void {
    this.#loop.start(this.#shown.start())
  }

  post(...events: readonly OriginEvent[]): void {
    this.#loop.post(...events)
  }

  /** Payload sent by all feeds there ever were, as last counted. */
  get sentBytes(): number {
    return this.#sentBytes
  }

  count(): FeedCount[] {
    // Links may still be closing when somebody asks for the progress.
    if (this.#released !== undefined) return []
    const { sentBytes, feeds } = this.#ports.engine.stats(this.#transfer)
    this.#sentBytes = sentBytes
    return feeds.flatMap(({ feed, payloadBytes, queuedBytes, unackedBytes }) => {
      const node = this.#neighbours.byFeed(feed)?.number
      return node === undefined ? [] : [{ node, payloadBytes, queuedBytes, unackedBytes }]
    })
  }

  onEngine(events: readonly EngineEvent[]): void {
    for (const event of events) {
      if (event.type === 'feedClosed') {
        const node = this.#neighbours.closed(event.feed)?.member.number
        if (node === undefined) continue
        const code = event.code ?? 'ERR_FR_NODE_LOST'
        if (code === 'ERR_FR_SOURCE_CHANGED')
          this.post({ type: 'sourceFailed', code, text: 'it changed while it was sent' })
        else this.post({ type: 'feedClosed', node, code, text: 'the data connection broke' })
      } else if (event.type === 'fileFailed') {
        const text = `reading the source failed: ${event.text}`
        this.post({ type: 'readFailed', code: event.code, text })
      }
    }
  }

  /** Drops all; `released` once what was said is out, or never will be. */
  release(released = (): void => {}): void {
    this.#loop.stop()
    this.#neighbours.end()
    for (const node of this.#neighbours.all) this.#drop(node)
    this.#released = released
    if (this.#closing === 0) released()
  }

  #execute(command: OriginCommand): void {
    const { engine, contents } = this.#ports
    switch (command.type) {
      case 'dial':
        return this.#dial(command.node)
      case 'offer':
        return this.#offer(command.node, command.planned)
      case 'send':
        return void this.#neighbours.of(command.node).link?.send(command.frame)
      case 'list': {
        const { node, offset, length, relay, scratch } = command
        const how = { route: routeOf(relay), scratch }
        return this.#onFeed(node, (feed) => contents.send(engine, feed, [offset, length], how))
      }
      case 'digests': {
        const { node, relay } = command
        const record = { ...this.#signed(command), route: routeOf(relay) }
        return this.#onFeed(node, (feed) => engine.sendDigests(feed, record))
      }
      case 'sample': {
        const atMs = this.#ports.clock.nowMs()
        return this.post({ type: 'sampled', atMs, feeds: this.count() })
      }
      case 'drop':
        return this.#drop(this.#neighbours.of(command.node))
      default:
        return this.#ports.execute(command)
    }
  }

  /** Runs are cut once for all, of one content each, so that each is signed once. */
  #signed({ offset, length, digests }: OriginCommand & { type: 'digests' }): DigestSpec {
    const known = this.#records.get(offset)
    if (known !== undefined) return known
    const { author, contents } = this.#ports
    const [run] = contents.space.runs([offset, length])
    const content = run && contents.of(run.stream)
    if (run === undefined || content === undefined) throw new TypeError('digests of no content')
    const record = { ...run, payload: signDigests(author, content, run, digests) }
    this.#records.set(offset, record)
    return record
  }

  #addressOf(node: number): string {
    return (this.#machine.peers[node] as Peer).link.address
  }

  /** The node's time to connect starts when its address is known. */
  #dial(to: number): void {
    const node = this.#neighbours.of(to)
    const address = this.#addressOf(to)
    const closed = ({ code, text }: Failure): void =>
      this.post({ type: 'linkClosed', node: to, code, text })
    this.#ports.net.dial(
      { channel: 'control', to, address },
      {
        lookUpBegan: () => this.post({ type: 'lookUpBegan', node: to }),
        lookUpEnded: () => this.post({ type: 'lookUpEnded', node: to }),
        opened: (connection, rttMs, peer) => {
          if (node.isRefused) return connection.close()
          const events: LinkEvents = {
            onFrame: (frame) => this.post({ type: 'frameArrived', node: to, frame }),
            onClose: (code, text) => closed({ code, text }),
            lastWord: (code, text) => ({ type: 'abort', code, text }),
          }
          node.link = this.#neighbours.link(connection, events, closed)
          if (node.link === undefined) return
          node.link.waitFor(this.#silenceMs)
          this.post({ type: 'linkOpened', node: to, rttMs, nodeId: '', ...peer })
        },
        failed: closed,
      },
    )
  }

  /** `planned`: the exchange has begun at others. */
  #offer(to: number, planned: boolean): void {
    const node = this.#neighbours.of(to)
    for (const frame of this.#ports.offer(planned)) node.link?.send(frame)
    const way = { address: this.#addressOf(to), edge: this.#ports.edgeTo(to) }
    this.#neighbours.open(node, way, false, {
      opened: () => this.post({ type: 'feedOpened', node: to }),
      failed: ({ code, text }) => this.post({ type: 'feedClosed', node: to, code, text }),
    })
  }

  /** A feed that takes no more fails its node with a named error code. */
  #onFeed(to: number, work: (feed: number) => void): void {
    const feed = this.#neighbours.of(to).feedOut
    if (feed === undefined) return
    try {
      work(feed)
    } catch (error) {
      if (!(error instanceof FrError)) throw error
      this.post({ type: 'feedClosed', node: to, code: error.code, text: error.message })
    }
  }

  /** Nothing is opened to this node any more. */
  #drop(node: Neighbour): void {
    // The last look at its counters.
    this.count()
    this.#neighbours.refuse(node)
    const { link } = node
    node.link = undefined
    if (link === undefined) return
    this.#closing++
    link.close(() => {
      this.#closing--
      if (this.#closing === 0) this.#released?.()
    })
  }
}
