/**
 * The pull links of a transfer at a node, carried out: those on which this node asks mates for
 * bytes, and those on which mates ask it. What is asked and what is promised the machine decides.
 *
 * The idea: requests and answers travel on a link of their own, the bytes on the one data
 * connection that goes from the holder to the asker anyway. Where there is none (none was wanted,
 * or it broke) the holder dials one, which relays nothing. At most one link each way per mate, and
 * a bounded number of requests that are not served yet; whoever breaks a rule loses the link and
 * nothing else is touched.
 */
import { type Failure, FrError, type FrErrorCode } from '../../base/errors.js'
import type { LogFields } from '../../base/log.js'
import type { RangePair } from '../../base/ranges.js'
import type { Frame, Mate } from '../../control/messages/types.js'
import type { PullEvent } from '../../control/pulling/events.js'
import { bytesOf, type HeldRequest, Serving } from '../../control/pulling/serving.js'
import type { FeedHandle, FeedStats } from '../../ports.js'
import type { Neighbour, Neighbours, Way } from './neighbours.js'
import type { Connection, Net } from './ports.js'

export interface PullHooks {
  readonly post: (event: PullEvent) => void
  readonly warn: (event: string, fields: Readonly<LogFields>) => void
  /** The file is published: links that end are not logged then. */
  readonly isComplete: () => boolean
  readonly nowMs: () => number
  /** Has the range sent on this feed. Throws FrError when the feed is full. */
  readonly list: (feed: FeedHandle, range: RangePair) => void
  readonly wayTo: (index: number) => Way
  /** The counters of a feed, while it is open. */
  readonly statsOf: (feed: FeedHandle) => FeedStats | undefined
}

const emptyFeed = { payloadBytes: 0, queuedBytes: 0 }

export class Pulls {
  /** Promised to mates. */
  servedBytes = 0
  readonly #net: Net
  readonly #neighbours: Neighbours
  readonly #hooks: PullHooks
  readonly #serving = new Serving()
  #isEnded = false

  constructor(net: Net, neighbours: Neighbours, hooks: PullHooks) {
    this.#net = net
    this.#neighbours = neighbours
    this.#hooks = hooks
  }

  // --- this node asks ---

  dial({ number: index, address, nodeId }: Mate): void {
    const mate = this.#neighbours.of(index)
    const failed = ({ code, text }: Failure): void => {
      if (!mate.isRefused) this.#closed(index, code, text)
    }
    this.#net.dial(
      { channel: 'pull', to: index, address, nodeId },
      {
        opened: (connection, rttMs) => {
          if (this.#isEnded || mate.isRefused) return connection.close()
          const onFrame = (frame: Frame): void => this.#answered(index, frame)
          const onClose = (code: FrErrorCode, text: string): void => {
            mate.asking = undefined
            this.#closed(index, code, text)
          }
          mate.asking = this.#neighbours.link(connection, { onFrame, onClose }, failed)
          if (mate.asking === undefined) return
          this.#hooks.post({ type: 'pullOpened', index, rttMs })
        },
        failed,
      },
    )
  }

  ask(index: number, frame: Frame & { type: 'pull' }): void {
    this.#neighbours.of(index).asking?.send(frame)
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
  accept(mate: Neighbour, connection: Connection): void {
    // It may have become so while the link was being opened.
    if (this.#isEnded || mate.isRefused) return connection.close()
    const index = mate.number
    const refused = (code: FrErrorCode, text: string): void =>
      this.#hooks.warn('pull-refused', { from: index, code, text })
    const link = this.#net.link(connection, {
      onFrame: (frame) => {
        if (frame.type !== 'pull')
          throw new FrError('ERR_FR_PROTOCOL', `unexpected frame '${frame.type}' on a pull link`)
        this.#hooks.post({ type: 'pullAsked', index, frame })
      },
      onClose: (code, text) => {
        if (mate.asked?.link === link) mate.asked = undefined
        if (code !== 'ERR_FR_NODE_LOST') refused(code, text)
      },
    })
    mate.asked?.link.destroy()
    mate.asked = { link, isLogged: false }
  }

  /** A request that no honest mate makes: replies with the error and closes the link. */
  reject(index: number, request: number, { code, text }: Failure): void {
    const mate = this.#neighbours.of(index)
    const { asked } = mate
    if (asked === undefined) return
    mate.asked = undefined
    this.#hooks.warn('pull-refused', { from: index, code, text })
    asked.link.send({ type: 'pullRefused', request, code, text })
    asked.link.close()
  }

  /** Lists held ranges for the mate and replies with `holding`. */
  serve(index: number, request: number, ranges: readonly RangePair[]): void {
    const mate = this.#neighbours.of(index)
    if (mate.asked === undefined) return
    const { out } = mate
    const fill = out.state === 'open' ? (this.#hooks.statsOf(out.feed) ?? emptyFeed) : undefined
    const opening = out.state === 'dialling' && out.relay ? 'opening' : undefined
    const held = { request, ranges }
    const verdict = this.#serving.asked(index, held, fill ?? opening, this.#hooks.nowMs())
    switch (verdict) {
      case 'full':
        return this.#refuse(mate, request, {
          code: 'ERR_FR_LIMIT',
          text: 'more is asked for than has been sent',
        })
      case 'nothing':
        return void mate.asked.link.send({ type: 'holding', ...held, backlogBytes: 0 })
      case 'list':
        return this.#list(mate, mate.feedOut as FeedHandle, held)
      case 'open':
        return this.#open(mate)
      case 'wait':
        return
      default:
        return verdict satisfies never
    }
  }

  /** Of the bytes that wait on the feed to this mate, those it has pulled. */
  queuedBytes(index: number, feed: FeedStats): number {
    return this.#serving.queuedBytes(index, feed, this.#hooks.nowMs())
  }

  // --- feeds ---

  feedOpened(mate: Neighbour, feed: FeedHandle): void {
    for (const held of this.#serving.opened(mate.number)) this.#list(mate, feed, held)
  }

  /** The feed broke, or could not be opened for relaying: what waits needs another one. */
  feedClosed(mate: Neighbour): void {
    if (this.#serving.closed(mate.number)) this.#open(mate)
  }

  /** The mate takes no part any more. */
  drop(index: number): void {
    const mate = this.#neighbours.of(index)
    this.#serving.gone(index)
    mate.asking?.destroy()
    mate.asked?.link.destroy()
    mate.asking = undefined
    mate.asked = undefined
    this.#neighbours.refuse(mate)
  }

  end(): void {
    this.#isEnded = true
  }

  #open(mate: Neighbour): void {
    this.#neighbours.open(mate, this.#hooks.wayTo(mate.number), false, {
      opened: (feed) => this.feedOpened(mate, feed),
      failed: (failure) => {
        const waiting = this.#serving.failed(mate.number)
        if (this.#isEnded) return
        for (const { request } of waiting) this.#refuse(mate, request, failure)
      },
    })
  }

  #refuse(mate: Neighbour, request: number, { code, text }: Failure): void {
    const { asked } = mate
    if (asked === undefined) return
    if (!asked.isLogged) this.#hooks.warn('pull-refused', { from: mate.number, code, text })
    asked.isLogged = true
    asked.link.send({ type: 'pullRefused', request, code, text })
  }

  #list(mate: Neighbour, feed: FeedHandle, held: HeldRequest): void {
    const { request, ranges } = held
    const backlogBytes = this.#hooks.statsOf(feed)?.queuedBytes ?? 0
    try {
      for (const range of ranges) this.#hooks.list(feed, range)
    } catch (error) {
      if (!(error instanceof FrError)) throw error
      return this.#refuse(mate, request, { code: error.code, text: error.message })
    }
    this.servedBytes += bytesOf(held)
    mate.asked?.link.send({ type: 'holding', request, ranges, backlogBytes })
  }
}
