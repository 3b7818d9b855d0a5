/**
 * What a client has open to each holder: a link on which it asks, a data connection on which bytes
 * come. After `hangUp` nothing is told of what was open before.
 *
 * A data connection gets more flows beside its first one: as many as the caller says at once, else
 * as many as the holder says would fill the way. One that breaks while it has several is opened
 * again with one, and keeps that.
 */
import { bytesOfHex } from '../../base/bytes.js'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { blockBytesFor, limits } from '../../base/limits.js'
import { awakeMs } from '../../base/time/awake.js'
import type { FetchFact } from '../../control/fetching/events.js'
import type { FetchHolder } from '../../control/fetching/holders.js'
import type { Frame } from '../../control/messages/types.js'
import { requireAddress } from '../../net/address.js'
import { dialController } from '../../net/connect.js'
import { nodePrimitives } from '../../net/crypto.js'
import { adopt, type Dialler, linkOver } from '../../net/dial.js'
import { dial } from '../../net/handshake.js'
import type { ControlLink } from '../../net/link.js'
import type { DataEngine, EngineEvent, FeedHandle, TransferHandle } from '../../ports.js'
import { type ReadDigests, readDigests } from '../../protocol/digest-record.js'
import type { DigestRun } from '../../store/catalogue/record.js'

export interface HolderSpec {
  readonly dialler: Dialler
  /** Flows of each data connection; undefined: as many as fill its way. */
  readonly flows: number | undefined
  /** Of the only holder: whoever else is at its address is refused. */
  readonly nodeId?: string
}

export interface HolderHooks {
  readonly post: (fact: FetchFact) => void
  /** A record that the author of what its bearer offers has signed. */
  readonly signed?: (run: DigestRun) => void
}

/** What is open to one holder; another one takes its place after each `hangUp`. */
interface Way {
  readonly member: number
  link?: ControlLink
  feed?: FeedHandle
  /** Connections of its feed, those that are being opened included. */
  flows: number
  isOver: boolean
}

/** Of a record that is not the author's. */
const nothingRead = { digests: null, isFinal: false }

/** Round trips from the first packet to the word `go`: TCP, TLS, greetings. */
const handshakeTrips = 3

export class HolderLinks {
  readonly #engine: DataEngine
  readonly #transfer: TransferHandle
  readonly #dialler: Dialler & { readonly expectedNodeId?: string }
  readonly #holders: readonly FetchHolder[]
  readonly #hooks: HolderHooks
  readonly #flows: number | undefined
  /** Members that get no more flows. */
  readonly #narrow = new Set<number>()
  readonly #ways = new Map<number, Way>()
  readonly #byFeed = new Map<FeedHandle, Way>()
  readonly #dialling = dialController()
  readonly #authors = new Map<string, Uint8Array>()

  constructor(
    engine: DataEngine,
    transfer: TransferHandle,
    { dialler, flows, nodeId }: HolderSpec,
    holders: readonly FetchHolder[],
    hooks: HolderHooks,
  ) {
    this.#engine = engine
    this.#transfer = transfer
    this.#dialler = { ...dialler, ...(nodeId !== undefined && { expectedNodeId: nodeId }) }
    this.#flows = flows
    this.#holders = holders
    this.#hooks = hooks
  }

  connect(member: number): void {
    const way: Way = { member, flows: 0, isOver: false }
    this.#ways.set(member, way)
    this.#connect(way).catch((error: unknown) => this.#lost(way, error))
  }

  say(member: number, frame: Frame): void {
    const way = this.#ways.get(member)
    if (way?.feed !== undefined && (frame.type === 'pull' || frame.type === 'need'))
      for (const [offset, length] of frame.ranges) {
        const scratch = frame.type === 'need'
        this.#engine.ask(way.feed, { stream: 0, offset, length, scratch })
      }
    way?.link?.send(frame)
  }

  feed(member: number): void {
    const way = this.#ways.get(member)
    if (way !== undefined) this.#feed(way).catch((error: unknown) => this.#lost(way, error))
  }

  hangUp(member: number): void {
    const way = this.#ways.get(member)
    if (way !== undefined) this.#end(way)
  }

  /** Payload that has come on each data connection. */
  received(): { member: number; bytes: number }[] {
    return this.#engine.stats(this.#transfer).feeds.flatMap(({ feed, payloadBytes: bytes }) => {
      const way = this.#byFeed.get(feed)
      return way === undefined ? [] : [{ member: way.member, bytes }]
    })
  }

  /** The engine has closed a data connection. */
  closed(feed: FeedHandle, code: FrErrorCode | null): void {
    const way = this.#byFeed.get(feed)
    this.#byFeed.delete(feed)
    if (way === undefined || way.isOver) return
    delete way.feed
    this.#end(way)
    const { member, flows } = way
    if (flows > 1) this.#narrow.add(member)
    this.#hooks.post({ type: 'unfed', member, direction: 'in', code, text: null })
  }

  /** A record of digests came; nothing of it is believed unless its author has signed it. */
  onDigests({ feed, offset, length, payload }: EngineEvent & { type: 'digests' }): void {
    const way = this.#byFeed.get(feed)
    if (way === undefined || way.isOver) return
    const { member } = way
    let read: Pick<ReadDigests, 'isFinal'> & { digests: Uint8Array | null } = nothingRead
    try {
      read = this.#read(member, { offset, length }, payload)
      this.#hooks.signed?.({ offset, length, payload })
    } catch (error) {
      if (!(error instanceof FrError)) throw error
    }
    this.#hooks.post({ type: 'digests', member, offset, length, ...read })
  }

  /** Resolves when the links are closed. */
  async close(): Promise<void> {
    this.#dialling.abort()
    for (const way of this.#ways.values()) this.#end(way)
  }

  #read(
    member: number,
    place: { readonly offset: number; readonly length: number },
    payload: Uint8Array,
  ): ReadDigests {
    const { offer } = this.#holders[member - 1] as FetchHolder
    if (offer === undefined) throw new FrError('ERR_FR_PROTOCOL', 'digests before an offer')
    const { digest: algorithm, entry } = offer
    const { author: key } = entry
    // One array for each key: it is parsed once.
    const author = this.#authors.get(key) ?? bytesOfHex(key) ?? new Uint8Array()
    this.#authors.set(key, author)
    const content = {
      contentId: entry.contentId,
      algorithm,
      blockBytes: entry.growing ? ('sections' as const) : blockBytesFor(entry.size),
    }
    return readDigests(nodePrimitives, author, content, place, payload)
  }

  async #connect(way: Way): Promise<void> {
    const { address } = this.#holders[way.member - 1] as FetchHolder
    const { signal } = this.#dialling
    await this.#dialler.resolver.resolve(requireAddress(address, 'from').host, signal)
    const startMs = awakeMs()
    const established = await dial({ ...this.#dialler, address, channel: 'fetch', signal })
    if (way.isOver) return established.close()
    const rttMs = (awakeMs() - startMs) / handshakeTrips
    const { member } = way
    const events = {
      onFrame: (frame: Frame): void => {
        if (way.isOver) return
        if (frame.type === 'flows') this.#widen(way, frame.count)
        else this.#hooks.post({ type: 'said', member, frame })
      },
      onClose: (code: FrErrorCode, text: string): void => this.#lost(way, new FrError(code, text)),
    }
    way.link = linkOver(established, events, this.#engine)
    const nodeId = established.peer?.nodeId ?? ''
    this.#hooks.post({ type: 'linked', member, nodeId, rttMs })
  }

  /** Opens the data connection, or one more flow `beside` it. */
  async #feed(way: Way, beside?: FeedHandle): Promise<void> {
    const { address, offer } = this.#holders[way.member - 1] as FetchHolder
    if (offer === undefined) return
    const { transfer, you: from, edge } = offer
    const secret = bytesOfHex(edge.secret) ?? new Uint8Array()
    const isSealed = edge.sealed === true
    if (this.#dialler.self.seal === 'required' && !isSealed)
      throw new FrError('ERR_FR_SEAL', 'the node does not seal what it sends', { node: address })
    const established = await dial({
      ...this.#dialler,
      ...{ address, channel: 'data', signal: this.#dialling.signal },
      ...{ transfer, from, to: 0, edge: { id: edge.id, secret, isSealed } },
      // Bytes may be waiting for one more flow.
      ...(beside !== undefined && { isBeside: true, hasLastWord: true }),
    })
    if (way.isOver) return established.close()
    const spec = { transfer: this.#transfer, direction: 'in', isAsked: true } as const
    const feed = adopt(this.#engine, established, spec, beside)
    if (beside === undefined) this.#fed(way, feed)
  }

  #fed(way: Way, feed: FeedHandle): void {
    way.feed = feed
    way.flows = 1
    this.#byFeed.set(feed, way)
    this.#hooks.post({ type: 'fedIn', member: way.member })
    this.#widen(way, this.#flows ?? 1)
  }

  /** Opens more flows of the data connection, until it has as many as are wanted. */
  #widen(way: Way, wanted: number): void {
    const { member, feed } = way
    if (feed === undefined || this.#narrow.has(member)) return
    const most = Math.min(wanted, this.#flows ?? limits.flowsPerFeed)
    for (; way.flows < most; way.flows++)
      this.#feed(way, feed).catch(() => {
        way.flows--
        this.#narrow.add(member)
      })
  }

  #lost(way: Way, error: unknown): void {
    if (way.isOver) return
    this.#end(way)
    const { code, message: text } = asFrError(error, 'ERR_FR_UNREACHABLE')
    this.#hooks.post({ type: 'unlinked', member: way.member, code, text })
  }

  #end(way: Way): void {
    way.isOver = true
    if (this.#ways.get(way.member) === way) this.#ways.delete(way.member)
    if (way.feed !== undefined) {
      this.#byFeed.delete(way.feed)
      this.#engine.close(way.feed)
    }
    way.link?.destroy()
  }
}
