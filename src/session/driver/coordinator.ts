/**
 * One push, carried out: control/coordinator/machine.ts decides, this file does, over the ports it
 * is handed. What both ends do alike is the executor's; here offers are made, and digests and
 * ranges handed to the engine.
 */
import { FrError } from '../../base/errors.js'
import type { OriginFact, OriginWish } from '../../control/coordinator/events.js'
import type { OriginMachine } from '../../control/coordinator/machine.js'
import type { Peer } from '../../control/members/peer.js'
import type { MemberWish, RedialWish, UnfeedOutWish } from '../../control/messages/facts.js'
import type { Frame, Role } from '../../control/messages/types.js'
import type { DigestSpec, EngineEvent, TransferHandle } from '../../ports.js'
import { type DigestPlace, signDigests } from '../../protocol/digest-record.js'
import type { Signer } from '../../protocol/primitives.js'
import type { Edge } from '../../protocol/ticket.js'
import type { Content, Contents } from './contents.js'
import { Executor } from './executor.js'
import type { FeedPlaces } from './feed-places.js'
import { Loop, type Machine } from './loop.js'
import { Neighbours } from './neighbours.js'
import type { Clock, FeedEngine, Net, Place } from './ports.js'
import { Samples } from './samples.js'

type Own =
  | (MemberWish | RedialWish | UnfeedOutWish)['type']
  | ('pace' | 'offer' | 'list' | 'sendDigests')

/** Wishes about the source and the caller, which are carried out by whoever made the session. */
export type CallerWish = Exclude<OriginWish, { readonly type: Own }>

export interface CoordinatorPorts {
  readonly clock: Clock
  readonly net: Net
  readonly engine: FeedEngine
  /** Data connections out of this process; absent: as many as are wanted. */
  readonly places?: FeedPlaces
  /** See FeedPorts. */
  readonly flows?: number | undefined
  /** What a data connection to this node is opened with. */
  readonly edgeTo: (node: number) => Edge
  /** Signs the digests that `signed` has not. */
  readonly author: Signer
  /** Digest records that the author of the content has signed. */
  readonly signed?: readonly DigestSpec[]
  readonly contents: Contents
  /** What is said to a node first: the offer, then the pages of the manifest. */
  readonly offer: (planned: boolean, role: Role) => readonly Frame[]
  readonly execute: (wish: CallerWish) => void
  /** A defect of this program. */
  readonly crashed: (error: unknown) => void
}

export class CoordinatorSession {
  readonly #machine: OriginMachine
  readonly #ports: CoordinatorPorts
  readonly #shown: Machine<OriginFact, OriginWish> & { start(): OriginWish[] }
  readonly #loop: Loop<OriginFact, OriginWish>
  readonly #neighbours: Neighbours
  readonly #samples: Samples
  readonly #executor: Executor
  readonly #transfer: TransferHandle
  /** The digest records that are signed so far, by the offset of what they cover. */
  readonly #records = new Map<number, DigestSpec>()
  /** That of the last block of a content that grows, or of its beginning. */
  #cut: (DigestSpec & { readonly isFinal: boolean }) | undefined

  /** Nothing more comes of a content that was still written. */
  #isWhole = false

  /** `shown`: the machine, perhaps with a trace around it. */
  constructor(
    machine: OriginMachine,
    transfer: TransferHandle,
    silenceMs: number,
    ports: CoordinatorPorts,
    shown: Machine<OriginFact, OriginWish> & { start(): OriginWish[] } = machine,
  ) {
    this.#machine = machine
    this.#transfer = transfer
    this.#ports = ports
    this.#shown = shown
    this.#neighbours = new Neighbours(ports)
    this.#samples = new Samples(
      ports.engine,
      this.#neighbours,
      () => 0,
      () => false,
    )
    this.#samples.opened(transfer)
    for (const record of ports.signed ?? [])
      this.#records.set(ports.contents.space.offsetOf(record) as number, record)
    this.#executor = new Executor(ports, this.#neighbours, this.#samples, silenceMs, {
      post: (fact) => this.post(fact),
      targetOf: (to) => {
        const isFedSoon = machine.feeds.isForeseen(to)
        return { channel: 'control', to, ...this.#placeOf(to), isFedSoon }
      },
      wayTo: (to) => {
        const edge = { ...ports.edgeTo(to), isSealed: machine.exchange.plans.sealing.ofOrigin(to) }
        return { ...this.#placeOf(to), edge }
      },
    })
    this.#loop = new Loop<OriginFact, OriginWish>(shown, ports.clock, {
      execute: (wish) => this.#execute(wish),
      crashed: ports.crashed,
    })
  }

  start(): void {
    this.#loop.start(this.#shown.start())
  }

  post(...facts: readonly OriginFact[]): void {
    this.#loop.post(...facts)
  }

  /**
   * There are so many bytes of a content that is still written, from the first on, and they can be
   * read. `isFinal`: nothing more comes. Never less than before; void once that was said.
   */
  grew(bytes: number, isFinal: boolean): void {
    if (this.#isWhole) return
    this.#isWhole = isFinal
    this.#ports.engine.grow(this.#transfer, { stream: 0, size: bytes, isFinal })
    this.post({ type: 'grew', bytes, isFinal })
  }

  /** Payload sent by all feeds there ever were. */
  get sentBytes(): number {
    return this.#samples.totals.sentBytes
  }

  onEngine(events: readonly EngineEvent[]): void {
    for (const event of events) {
      if (event.type === 'feedClosed') this.#executor.closed(event.feed, event.code)
      else if (event.type === 'fileFailed') {
        const text = `reading the source failed: ${event.text}`
        this.post({ type: 'fileFailed', code: event.code, text })
      }
    }
  }

  /** Drops all; `released` once what was said is out, or never will be. */
  release(released = (): void => {}): void {
    this.#loop.stop()
    this.#samples.closed()
    this.#executor.release(released)
  }

  #execute(wish: OriginWish): void {
    const { engine, contents } = this.#ports
    switch (wish.type) {
      case 'say':
      case 'connect':
      case 'feed':
      case 'hangUp':
      case 'redial':
      case 'unfeedOut':
      case 'pace':
      case 'sample':
        return this.#executor.execute(wish)
      case 'offer': {
        const { link } = this.#neighbours.of(wish.member)
        const { role } = this.#machine.peers[wish.member] as Peer
        for (const frame of this.#ports.offer(wish.planned, role)) link?.send(frame)
        return
      }
      case 'list': {
        const { member, offset, length, route, scratch } = wish
        const how = { route, scratch }
        return this.#onFeed(member, (feed) => contents.send(engine, feed, [offset, length], how))
      }
      case 'sendDigests': {
        const { member, route } = wish
        const record = { ...this.#signed(wish), route }
        return this.#onFeed(member, (feed) => engine.sendDigests(feed, record))
      }
      default:
        return this.#ports.execute(wish)
    }
  }

  /** Runs are cut once for all, of one content each, so that each is signed once. */
  #signed(wish: OriginWish & { type: 'sendDigests' }): DigestSpec {
    const { offset, length, digests, isFinal } = wish
    if (isFinal !== undefined) return this.#signedCut({ offset, length, digests, isFinal })
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

  /** Of the only content. Only the newest counts, so that no other is kept. */
  #signedCut(run: DigestPlace & { digests: Uint8Array; isFinal: boolean }): DigestSpec {
    const { offset, length, digests, isFinal } = run
    const known = this.#cut
    const isSame = known?.offset === offset && known.length === length
    if (known !== undefined && isSame && known.isFinal === isFinal) return known
    const content = this.#ports.contents.of(0) as Content
    const place = { offset, length }
    const payload = signDigests(this.#ports.author, content, place, digests, isFinal)
    this.#cut = { stream: 0, ...place, payload, isFinal }
    return this.#cut
  }

  #placeOf(member: number): Place {
    const { address, via } = (this.#machine.peers[member] as Peer).link
    return { address, via }
  }

  /** A feed that takes no more fails its node with a named error code. */
  #onFeed(to: number, work: (feed: number) => void): void {
    const member = this.#neighbours.of(to)
    const failing = (act: () => void): void => {
      try {
        act()
      } catch (error) {
        if (!(error instanceof FrError)) throw error
        this.#executor.unfed(member, true, error.code, error.message)
      }
    }
    failing(() => this.#neighbours.onFeed(member, (feed) => failing(() => work(feed))))
  }
}
