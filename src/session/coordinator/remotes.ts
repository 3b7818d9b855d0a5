/**
 * What the coordinator has open to all nodes of a push: it dials, offers, opens feeds, hands on
 * what is to be sent, and counts. What happens is posted to the machine as facts.
 *
 * A node keeps its number for ever; those of added nodes and later attempts come behind the others.
 */
import { hexOf } from '../../base/bytes.js'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import type { FeedCount, OriginCommand, OriginEvent } from '../../control/coordinator/events.js'
import type { Send } from '../../control/dealing/dealer.js'
import type { Peer } from '../../control/members/peer.js'
import { type Frame, originNumber } from '../../control/messages/types.js'
import { requireAddress } from '../../net/address.js'
import { dialController } from '../../net/connect.js'
import { dialControl, dialData } from '../../net/dial.js'
import type { DataEngine, FeedHandle, TransferHandle } from '../../ports.js'
import { type SignedContent, signDigests } from '../../protocol/digest-record.js'
import type { ManifestPage, ManifestSummary } from '../../protocol/manifest.js'
import type { Edge } from '../../protocol/ticket.js'
import type { PushSpec } from './push-spec.js'
import { Remote } from './remote.js'

/** What is offered to every node. */
export interface Offered {
  readonly pages: readonly ManifestPage[]
  readonly summary: ManifestSummary
  readonly content: SignedContent
}

/** What the ends of a data connection between two members prove themselves by. */
export type EdgeOf = (member: number, other: number) => Edge

export interface RemotesHooks {
  readonly post: (event: OriginEvent) => void
  /** What the machine knows of a node. */
  readonly peer: (node: number) => Peer
  /** Work that must have ended before the transfer can be closed. */
  readonly track: (task: Promise<unknown>) => void
}

export class Remotes {
  readonly #engine: DataEngine
  readonly #transfer: TransferHandle
  readonly #spec: PushSpec
  readonly #offered: Offered
  readonly #hooks: RemotesHooks
  /** Payloads of the digest records sent so far, by the offset of what they cover. */
  readonly #signed = new Map<number, Uint8Array>()
  readonly #edgeOf: EdgeOf
  readonly #remotes = new Map<number, Remote>()
  readonly #dialling = dialController()
  readonly #closing: Promise<void>[] = []
  #isReleased = false
  /** Payload sent by all feeds there ever were, as last counted. */
  #sentBytes = 0

  constructor(
    engine: DataEngine,
    transfer: TransferHandle,
    spec: PushSpec,
    offered: Offered,
    edgeOf: EdgeOf,
    hooks: RemotesHooks,
  ) {
    this.#engine = engine
    this.#transfer = transfer
    this.#spec = spec
    this.#offered = offered
    this.#edgeOf = edgeOf
    this.#hooks = hooks
  }

  get sentBytes(): number {
    return this.#sentBytes
  }

  dial(node: number): void {
    this.#hooks.track(this.#dial(node))
  }

  /** `planned`: the exchange has begun at others. */
  offer(node: number, planned: boolean): void {
    const { transfer, algorithm: digest, noClobber, strict, silenceMs } = this.#spec
    const author = hexOf(this.#spec.author.publicKey)
    const { pages, summary } = this.#offered
    const wishes = { transfer, author, digest, noClobber, strict, silenceMs, planned }
    this.send(node, { type: 'offer', ...wishes, ...summary })
    for (const page of pages) this.send(node, page)
    this.#hooks.track(this.#openFeed(node))
  }

  send(node: number, frame: Frame): void {
    this.#of(node).send(frame)
  }

  list(send: Send): void {
    this.#guard(send.node, (remote) => remote.list(send))
  }

  sendDigests(command: OriginCommand & { type: 'digests' }): void {
    const { node, offset, length, relay } = command
    const payload = this.#signed.get(offset) ?? this.#sign(command)
    const record = { stream: 0, offset, length, relay, payload }
    this.#guard(node, (remote) => remote.sendDigests(record))
  }

  /** Runs are cut once for all, so that each is signed once. */
  #sign({ offset, length, digests }: OriginCommand & { type: 'digests' }): Uint8Array {
    const place = { offset, length }
    const payload = signDigests(this.#spec.author, this.#offered.content, place, digests)
    this.#signed.set(offset, payload)
    return payload
  }

  count(): FeedCount[] {
    // Links may still be closing when somebody asks for the progress.
    if (this.#isReleased) return []
    const { sentBytes, feeds } = this.#engine.stats(this.#transfer)
    this.#sentBytes = sentBytes
    const byFeed = new Map(feeds.map((stats) => [stats.feed, stats]))
    const counts: FeedCount[] = []
    for (const [node, { feed }] of this.#remotes) {
      const stats = feed === undefined ? undefined : byFeed.get(feed)
      if (stats === undefined) continue
      const { payloadBytes, queuedBytes, unackedBytes } = stats
      counts.push({ node, payloadBytes, queuedBytes, unackedBytes })
    }
    return counts
  }

  /** The engine has closed a feed: the node it went to, undefined where it is known no more. */
  feedClosed(feed: FeedHandle): number | undefined {
    for (const [node, remote] of this.#remotes) {
      if (remote.feed !== feed) continue
      remote.feedClosed()
      return node
    }
    return undefined
  }

  drop(node: number): void {
    // The last look at its counters.
    this.count()
    this.#closing.push(this.#of(node).drop())
  }

  /** Drops all. Resolves when what was said is out, or never will be. */
  async release(): Promise<void> {
    this.#dialling.abort()
    for (const node of this.#remotes.keys()) this.drop(node)
    this.#isReleased = true
    await Promise.all(this.#closing)
  }

  #of(node: number): Remote {
    let remote = this.#remotes.get(node)
    if (remote === undefined) {
      remote = new Remote(this.#engine)
      this.#remotes.set(node, remote)
    }
    return remote
  }

  async #dial(node: number): Promise<void> {
    const remote = this.#of(node)
    const { address } = this.#hooks.peer(node).link
    const { post } = this.#hooks
    try {
      await this.#lookUp(node, requireAddress(address, 'address').host)
      const { link, peer, rttMs } = await dialControl(
        this.#spec.dialler,
        address,
        this.#dialling.signal,
        {
          onFrame: (frame) => post({ type: 'frameArrived', node, frame }),
          onClose: (code, text) => post({ type: 'linkClosed', node, code, text }),
          lastWord: (code, text) => ({ type: 'abort', code, text }),
        },
        this.#engine,
      )
      link.waitFor(this.#spec.silenceMs)
      if (remote.opened(link)) post({ type: 'linkOpened', node, rttMs, ...peer })
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_UNREACHABLE')
      post({ type: 'linkClosed', node, code, text })
    }
  }

  /** The node's time to connect starts when its address is known. */
  async #lookUp(node: number, host: string): Promise<void> {
    const { resolver } = this.#spec.dialler
    if (resolver.knows(host)) return
    this.#hooks.post({ type: 'lookUpBegan', node })
    await resolver.resolve(host, this.#dialling.signal)
    this.#hooks.post({ type: 'lookUpEnded', node })
  }

  async #openFeed(node: number): Promise<void> {
    const remote = this.#of(node)
    const { post } = this.#hooks
    try {
      const { address } = this.#hooks.peer(node).link
      const { transfer } = this.#spec
      const target = {
        address,
        transfer,
        from: originNumber,
        to: node,
        edge: this.#edgeOf(node, originNumber),
      }
      const established = await dialData(this.#spec.dialler, target, this.#dialling.signal)
      if (remote.adopt(this.#transfer, established)) post({ type: 'feedOpened', node })
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_UNREACHABLE')
      post({ type: 'feedClosed', node, code, text })
    }
  }

  /** A feed that takes no more fails its node with a named error code. */
  #guard(node: number, work: (remote: Remote) => void): void {
    try {
      work(this.#of(node))
    } catch (error) {
      if (!(error instanceof FrError)) throw error
      this.#hooks.post({ type: 'feedClosed', node, code: error.code, text: error.message })
    }
  }
}
