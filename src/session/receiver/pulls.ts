/**
 * The pull links of a reception, carried out: those on which this node asks mates for bytes, and
 * those on which mates ask it. What is asked and what is promised the machine decides.
 *
 * The idea: requests and answers travel on a link of their own, the bytes on the one data
 * connection that goes from the holder to the asker anyway. Where there is none (none was wanted,
 * or it broke) the holder dials one, which relays nothing. At most one link each way per mate, and
 * a bounded number of requests that are not served yet; whoever breaks a rule loses the link and
 * nothing else is touched.
 */
import { type Failure, FrError, type FrErrorCode } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import type { RangePair } from '../../base/ranges.js'
import { awakeMs, nowMs } from '../../base/time/awake.js'
import type { Frame, Mate } from '../../control/messages/types.js'
import { bytesOf, type HeldRequest, Serving } from '../../control/pulling/serving.js'
import type { NodeEvent } from '../../control/receiver/events.js'
import type { Neighbourhood } from '../../control/receiver/neighbourhood.js'
import { adoptOut, handshakeTrips, linkOver } from '../../net/dial.js'
import type { Established } from '../../net/handshake.js'
import type { ControlLink } from '../../net/link.js'
import type { FeedHandle, FeedStats, TransferHandle } from '../../ports.js'
import type { NodeHost } from './node-host.js'

export interface PullHooks {
  readonly post: (event: NodeEvent) => void
  readonly warn: (event: string, fields: Readonly<Record<string, string | number | null>>) => void
  /** The file is published: links that end are not logged then. */
  readonly isComplete: () => boolean
  /** Known once bytes can land. */
  readonly transfer: () => TransferHandle | undefined
  /** The relay feed to this mate; null: it is being opened. */
  readonly relayTo: (index: number) => FeedHandle | null | undefined
  readonly dial: (index: number, channel: 'data' | 'pull') => Promise<Established>
}

interface AskedLink {
  readonly link: ControlLink
  /** A refusal on it is in the log; the others of an asker that is too eager would flood that. */
  isLogged: boolean
}

const emptyFeed = { payloadBytes: 0, queuedBytes: 0 }

export class ReceptionPulls {
  /** Promised to mates. */
  servedBytes = 0
  readonly #host: NodeHost
  readonly #hooks: PullHooks
  /** On which this node asks, and on which it is asked. */
  readonly #asking = new Map<number, ControlLink>()
  readonly #asked = new Map<number, AskedLink>()
  readonly #serving = new Serving()
  readonly #neighbours: Neighbourhood
  /** Feeds that were opened for pulls alone. */
  readonly #feeds = new Map<number, FeedHandle>()
  #isEnded = false

  constructor(host: NodeHost, neighbours: Neighbourhood, hooks: PullHooks) {
    this.#host = host
    this.#neighbours = neighbours
    this.#hooks = hooks
  }

  // --- this node asks ---

  async dial({ number: index }: Mate): Promise<void> {
    const startMs = awakeMs()
    try {
      const established = await this.#hooks.dial(index, 'pull')
      const rttMs = (awakeMs() - startMs) / handshakeTrips
      if (this.#isEnded || this.#neighbours.isGone(index)) return established.close()
      const link = linkOver(established, {
        onFrame: (frame) => this.#answered(index, frame),
        onClose: (code, text) => {
          this.#asking.delete(index)
          this.#closed(index, code, text)
        },
      })
      this.#asking.set(index, link)
      this.#hooks.post({ type: 'pullOpened', index, rttMs })
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_UNREACHABLE')
      if (!this.#isEnded && !this.#neighbours.isGone(index)) this.#closed(index, code, text)
    }
  }

  ask(index: number, frame: Frame & { type: 'pull' }): void {
    this.#asking.get(index)?.send(frame)
  }

  #answered(index: number, frame: Frame): void {
    if (frame.type !== 'holding' && frame.type !== 'pullRefused')
      throw new FrError('ERR_FR_PROTOCOL', `unexpected frame '${frame.type}' on a pull link`)
    this.#hooks.post({ type: 'pullAnswered', index, frame })
  }

  #closed(index: number, code: FrErrorCode, text: string): void {
    if (this.#isEnded) return
    if (!this.#hooks.isComplete()) this.#hooks.warn('pull-closed', { to: index, code, text })
    this.#hooks.post({ type: 'pullClosed', index, code })
  }

  // --- this node is asked ---

  /** A mate's link; a newer one takes the place of the last. */
  accept(index: number, established: Established): void {
    // It may have become so while the link was being opened.
    if (this.#isEnded || this.#neighbours.isGone(index)) return established.close()
    const link = linkOver(established, {
      onFrame: (frame) => {
        if (frame.type !== 'pull')
          throw new FrError('ERR_FR_PROTOCOL', `unexpected frame '${frame.type}' on a pull link`)
        this.#hooks.post({ type: 'pullAsked', index, frame })
      },
      onClose: (code, text) => {
        if (this.#asked.get(index)?.link === link) this.#asked.delete(index)
        if (code !== 'ERR_FR_NODE_LOST')
          this.#hooks.warn('pull-refused', { from: index, code, text })
      },
    })
    this.#asked.get(index)?.link.destroy()
    this.#asked.set(index, { link, isLogged: false })
  }

  /** A request that no honest mate makes: replies with the error and closes the link. */
  reject(index: number, request: number, { code, text }: Failure): void {
    const asked = this.#asked.get(index)
    if (asked === undefined) return
    this.#asked.delete(index)
    this.#hooks.warn('pull-refused', { from: index, code, text })
    asked.link.send({ type: 'pullRefused', request, code, text })
    void asked.link.close()
  }

  /** Lists held ranges for the mate and replies with `holding`. */
  serve(index: number, request: number, ranges: readonly RangePair[]): void {
    const link = this.#asked.get(index)?.link
    if (link === undefined) return
    const relay = this.#hooks.relayTo(index)
    const feed = relay ?? this.#feeds.get(index)
    const fill = feed === undefined ? undefined : (this.#statsOf(feed) ?? emptyFeed)
    const opening = relay === null ? 'opening' : undefined
    const verdict = this.#serving.asked(index, { request, ranges }, fill ?? opening, nowMs())
    switch (verdict) {
      case 'full':
        return this.#refuse(index, request, 'ERR_FR_LIMIT', 'more is asked for than has been sent')
      case 'nothing':
        return void link.send({ type: 'holding', request, ranges, backlogBytes: 0 })
      case 'list':
        return this.#list(index, feed as FeedHandle, { request, ranges })
      case 'open':
        return void this.#open(index)
      case 'wait':
        return
      default:
        return verdict satisfies never
    }
  }

  /** Of the bytes that wait on the feed to this mate, those it has pulled. */
  queuedBytes(index: number, feed: FeedStats): number {
    return this.#serving.queuedBytes(index, feed, nowMs())
  }

  // --- feeds ---

  relayOpened(index: number, feed: FeedHandle): void {
    this.#listWaiting(index, feed)
  }

  /** The relay feed broke or could not be opened: what waits for it needs another one. */
  relayClosed(index: number): void {
    if (this.#serving.closed(index)) void this.#open(index)
  }

  /** True: it was a feed for pulls alone. */
  feedClosed(feed: FeedHandle): boolean {
    for (const [index, open] of this.#feeds) {
      if (open !== feed) continue
      this.#feeds.delete(index)
      this.#serving.closed(index)
      return true
    }
    return false
  }

  /** The mate takes no part any more. */
  close(index: number): void {
    this.#serving.gone(index)
    this.#asking.get(index)?.destroy()
    this.#asked.get(index)?.link.destroy()
    this.#asking.delete(index)
    this.#asked.delete(index)
    const feed = this.#feeds.get(index)
    this.#feeds.delete(index)
    if (feed !== undefined) this.#host.engine.close(feed)
  }

  /** The transfer is over. Feeds close with it. */
  end(): void {
    this.#isEnded = true
    for (const link of this.#asking.values()) link.destroy()
    for (const { link } of this.#asked.values()) link.destroy()
    this.#asking.clear()
    this.#asked.clear()
    this.#feeds.clear()
  }

  async #open(index: number): Promise<void> {
    try {
      const established = await this.#hooks.dial(index, 'data')
      const transfer = this.#hooks.transfer()
      if (this.#isEnded || transfer === undefined || this.#neighbours.isGone(index))
        return established.close()
      const feed = adoptOut(this.#host.engine, transfer, established, false)
      this.#feeds.set(index, feed)
      this.#listWaiting(index, feed)
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_UNREACHABLE')
      const waiting = this.#serving.failed(index)
      if (!this.#isEnded)
        for (const { request } of waiting) this.#refuse(index, request, code, text)
    }
  }

  #refuse(index: number, request: number, code: FrErrorCode, text: string): void {
    const asked = this.#asked.get(index)
    if (asked === undefined) return
    if (!asked.isLogged) this.#hooks.warn('pull-refused', { from: index, code, text })
    asked.isLogged = true
    asked.link.send({ type: 'pullRefused', request, code, text })
  }

  #listWaiting(index: number, feed: FeedHandle): void {
    for (const held of this.#serving.opened(index)) this.#list(index, feed, held)
  }

  #list(index: number, feed: FeedHandle, held: HeldRequest): void {
    const { request, ranges } = held
    const backlogBytes = this.#statsOf(feed)?.queuedBytes ?? 0
    try {
      for (const [offset, length] of ranges)
        this.#host.engine.send(feed, { stream: 0, offset, length })
    } catch (error) {
      if (!(error instanceof FrError)) throw error
      return this.#refuse(index, request, error.code, error.message)
    }
    this.servedBytes += bytesOf(held)
    this.#asked.get(index)?.link.send({ type: 'holding', request, ranges, backlogBytes })
  }

  #statsOf(feed: FeedHandle): FeedStats | undefined {
    const transfer = this.#hooks.transfer()
    if (transfer === undefined) return undefined
    return this.#host.engine.stats(transfer).feeds.find((stats) => stats.feed === feed)
  }
}
