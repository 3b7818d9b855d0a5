/**
 * The data connections of a reception: which may come in, what comes on them besides payload, and
 * the relay feeds to mates. What happens to them is posted to the machine as facts.
 *
 * The engine moves payload from feed to file to feed by itself. Here digests are checked and passed
 * on. A record that is not the author's is dropped and counted, and the feed goes on.
 */
import { bytesOfHex } from '../../base/bytes.js'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import type { Mate } from '../../control/messages/types.js'
import type { NodeEvent } from '../../control/receiver/events.js'
import type { Neighbourhood } from '../../control/receiver/neighbourhood.js'
import type { IncomingCount } from '../../control/receiver/reports.js'
import { Senders } from '../../control/receiver/senders.js'
import { dialController } from '../../net/connect.js'
import { adopt, adoptOut } from '../../net/dial.js'
import type { Established } from '../../net/handshake.js'
import { Resolver } from '../../net/resolver.js'
import type { EngineEvent, FeedHandle, FeedStats, TransferHandle } from '../../ports.js'
import type { Edge } from '../../protocol/ticket.js'
import { type ExpectedContent, InFeeds } from './in-feeds.js'
import type { NodeHost } from './node-host.js'
import { ReceptionPulls } from './pulls.js'
import { Relays } from './relays.js'
import type { ReceptionSpec } from './spec.js'

export interface ReceptionFeedsHooks {
  /** The file is published. */
  readonly isComplete: () => boolean
  /** Whether something is asked of this mate (a pull). */
  readonly isAsking: (index: number) => boolean
  /** An incoming feed is about to be forgotten, with what it has counted. */
  readonly closing: () => void
  /** Whether the digests of all these bytes of the file are here. */
  readonly isAnnounced: (offset: number, length: number) => boolean
  readonly post: (event: NodeEvent) => void
  readonly warn: (event: string, fields: Readonly<Record<string, string | number | null>>) => void
}

export class ReceptionFeeds {
  readonly relays: Relays
  readonly pulls: ReceptionPulls
  readonly senders: Senders
  readonly neighbours: Neighbourhood
  readonly #host: NodeHost
  readonly #spec: ReceptionSpec
  readonly #hooks: ReceptionFeedsHooks
  readonly #incoming: InFeeds
  readonly #dialling = dialController()
  readonly #resolver = new Resolver()
  #transfer: TransferHandle | undefined
  /** Dialled before the plan. */
  readonly #greeted = new Map<number, Promise<Established>>()

  constructor(
    host: NodeHost,
    spec: ReceptionSpec,
    content: ExpectedContent,
    neighbours: Neighbourhood,
    hooks: ReceptionFeedsHooks,
  ) {
    this.#host = host
    this.#spec = spec
    this.#hooks = hooks
    this.neighbours = neighbours
    this.senders = new Senders(neighbours)
    this.#incoming = new InFeeds(this.senders, content)
    this.relays = new Relays(host.engine, {
      open: (mate) => this.#openRelay(mate),
      opened: (index, feed) => {
        this.pulls.relayOpened(index, feed)
        hooks.post({ type: 'relayOpened', index })
      },
      closed: (index, code, text) => this.#relayClosed(index, code, text),
    })
    this.pulls = new ReceptionPulls(host, neighbours, {
      post: hooks.post,
      warn: hooks.warn,
      isComplete: hooks.isComplete,
      transfer: () => this.#transfer,
      relayTo: (index) => this.relays.feedTo(index),
      dial: (index, channel) =>
        channel === 'data' ? this.#dialData(index) : this.#dial(index, channel),
    })
  }

  /** HOST:PORT of a mate that this node has heard of. */
  addressOf(index: number): string | undefined {
    return this.neighbours.member(index)?.address
  }

  /** From here on connections can be adopted. */
  opened(transfer: TransferHandle): void {
    this.#transfer = transfer
  }

  /**
   * Dials, so that a feed to this mate can open at once. A handshake that fails now is tried again
   * then; a connection that breaks later is a broken feed like any other.
   */
  greet(mate: Mate): void {
    const greeted = this.#dial(mate.number, 'data')
    greeted.catch(() => this.#greeted.delete(mate.number))
    this.#greeted.set(mate.number, greeted)
  }

  /** The edge of a data connection that belongs here; otherwise as Senders says. */
  expects(index: number, edgeId: string, to: number): Edge | false | null {
    const welcome = this.senders.expects(index, to, this.#hooks.isAsking(index))
    if (welcome !== true) return welcome
    const edge = this.#edge(index)
    if (edge === undefined) return null
    return edge.id === edgeId ? edge : false
  }

  #edge(index: number): Edge | undefined {
    const { id, secret } = this.neighbours.edge(index) ?? {}
    const bytes = bytesOfHex(secret ?? '')
    return id === undefined || bytes === null ? undefined : { id, secret: bytes }
  }

  /** Payload that has come, by the connection and its sender. */
  received(feeds: readonly FeedStats[]): IncomingCount[] {
    return feeds.flatMap(({ feed, payloadBytes: receivedBytes }) => {
      const index = this.#incoming.indexOf(feed)
      if (index === undefined) return []
      return [{ feed, index, isParent: this.neighbours.isParent(index), receivedBytes }]
    })
  }

  /** A connection that `expects` said yes to. Throws FrError when it broke meanwhile. */
  add(index: number, established: Established): void {
    const transfer = this.#transfer as TransferHandle
    const { recordSeed: seed } = established.feed
    const feed = adopt(this.#host.engine, established, { transfer, direction: 'in', seed })
    this.#incoming.add(index, feed)
    this.#hooks.post({ type: 'feedOpened', index })
  }

  onDigests(event: EngineEvent & { type: 'digests' }): void {
    const index = this.#incoming.indexOf(event.feed)
    if (index === undefined) return
    const { stream, offset, length, relay } = event
    // What is known already needs no proof.
    if (!relay && this.#hooks.isAnnounced(offset, length)) return
    try {
      const digests = this.#incoming.check(event)
      const payload = event.payload.slice()
      if (relay) this.relays.forward({ stream, offset, length, payload })
      this.#hooks.post({ type: 'announced', offset, length, digests })
    } catch (error) {
      const { message: text } = asFrError(error, 'ERR_FR_PROTOCOL')
      this.#host.counters.wrongDigests++
      if (this.#incoming.wrongDigests(event.feed) === 1)
        this.#hooks.warn('wrong-digests', { from: index, offset, length, text })
      this.#hooks.post({ type: 'misannounced', offset, length })
    }
  }

  onClosed(feed: FeedHandle, code: FrErrorCode | null): void {
    const from = this.#incoming.indexOf(feed)
    if (from !== undefined) {
      this.#hooks.closing()
      this.#incoming.forget(feed)
      return this.#hooks.post({ type: 'feedClosed', index: from, code })
    }
    if (this.pulls.feedClosed(feed)) return
    const index = this.relays.feedClosed(feed)
    if (index !== undefined) this.#relayClosed(index, code, 'the feed broke')
  }

  /** Closes the feed from this sender, if there is one. */
  close(index: number): void {
    this.#hooks.closing()
    const feed = this.#incoming.take(index)
    if (feed !== undefined) this.#host.engine.close(feed)
  }

  /** The transfer is over: nothing is dialled any more. Its feeds close with it. */
  end(): void {
    this.#dialling.abort()
    for (const index of this.#greeted.keys()) this.#forget(index)
    this.relays.close()
    this.pulls.end()
  }

  /** The mate is gone: no feed to it, now or later. */
  refuse(index: number): void {
    this.#forget(index)
    this.relays.refuse(index)
  }

  #forget(greeted: number): void {
    const connection = this.#greeted.get(greeted)
    this.#greeted.delete(greeted)
    connection?.then((established) => established.close()).catch(() => {})
  }

  #relayClosed(index: number, code: FrErrorCode | null, text: string): void {
    // Mates that finish first hang up; once this node is complete that is not logged.
    const isNews = code !== null && !this.#hooks.isComplete()
    if (isNews) this.#hooks.warn('relay-closed', { to: index, code, text })
    this.pulls.relayClosed(index)
    this.#hooks.post({ type: 'relayClosed', index, code })
  }

  async #dial(index: number, channel: 'data' | 'pull'): Promise<Established> {
    const mate = this.neighbours.mate(index)
    if (mate === undefined) throw new FrError('ERR_FR_CLOSED', 'the mate takes no part any more')
    const { address, nodeId } = mate
    const { transfer } = this.#spec
    const { signal } = this.#dialling
    const target = { address, transfer, from: this.neighbours.you as number, to: index }
    if (channel === 'pull')
      return this.#host.dialPull({ ...target, nodeId }, signal, this.#resolver)
    const edge = this.#edge(index)
    if (edge === undefined)
      throw new FrError('ERR_FR_PROTOCOL', 'the origin gave no ticket for this mate')
    return this.#host.dialMate({ ...target, edge }, signal, this.#resolver)
  }

  /** The connection that is there already, or a new one: a mate takes one. */
  #dialData(index: number): Promise<Established> {
    const greeted = this.#greeted.get(index)
    this.#greeted.delete(index)
    return greeted ?? this.#dial(index, 'data')
  }

  async #openRelay(mate: Mate): Promise<FeedHandle> {
    const established = await this.#dialData(mate.number)
    if (this.#dialling.signal.aborted) {
      established.close()
      throw new FrError('ERR_FR_CLOSED', 'the transfer is over')
    }
    return adoptOut(this.#host.engine, this.#transfer as TransferHandle, established, true)
  }
}
