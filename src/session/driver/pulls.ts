/**
 * What mates ask of this node, carried out: their pull links, and what is listed for them. What may
 * be promised the machine decides.
 *
 * The idea: requests and answers travel on a link of their own, the bytes on the one data
 * connection that goes from the holder to the asker anyway. Where there is none (none was wanted,
 * or it broke) the holder dials one, which relays nothing. At most one link per asker, and a
 * bounded number of requests that are not served yet; whoever breaks a rule loses the link and
 * nothing else is touched.
 */
import { type Failure, FrError, type FrErrorCode } from '../../base/errors.js'
import type { LogFields } from '../../base/log.js'
import type { RangePair } from '../../base/ranges.js'
import type { Fact } from '../../control/messages/facts.js'
import { bytesOf, type HeldRequest, Serving } from '../../control/pulling/serving.js'
import { Taken } from '../../control/pulling/taken.js'
import { isReport } from '../../control/receiver/group-reports.js'
import type { FeedHandle, FeedStats } from '../../ports.js'
import type { Servant } from './executor.js'
import type { Neighbour, Neighbours } from './neighbours.js'
import type { Connection, Net } from './ports.js'
import type { Way } from './way.js'

export interface PullHooks {
  readonly post: (fact: Fact) => void
  readonly warn: (event: string, fields: Readonly<LogFields>) => void
  readonly nowMs: () => number
  /** Has the range sent on this feed. Throws FrError when the feed is full. */
  readonly list: (feed: FeedHandle, range: RangePair, how: { readonly scratch?: true }) => void
  readonly wayTo: (member: number) => Way
  /** The counters of a feed, while it is open. */
  readonly statsOf: (feed: FeedHandle) => FeedStats | undefined
}

const emptyFeed = { payloadBytes: 0, queuedBytes: 0 }

export class Pulls implements Servant {
  /** Promised to mates. */
  servedBytes = 0
  readonly #net: Net
  readonly #neighbours: Neighbours
  readonly #hooks: PullHooks
  readonly #serving = new Serving()
  readonly #taken = new Taken()

  constructor(net: Net, neighbours: Neighbours, hooks: PullHooks) {
    this.#net = net
    this.#neighbours = neighbours
    this.#hooks = hooks
  }

  /** A mate's link; a newer one takes the place of the last. */
  accept(mate: Neighbour, connection: Connection): void {
    // It may have become so while the link was being opened.
    if (this.#neighbours.isEnded || mate.isRefused) return connection.close()
    const { number: member } = mate
    const refused = (code: FrErrorCode, text: string): void =>
      this.#hooks.warn('pull-refused', { from: member, code, text })
    const link = this.#net.link(connection, {
      onFrame: (frame) => {
        // Whoever is asked whether it lives says so.
        if (frame.type === 'beat') return void link.send(frame)
        if (frame.type !== 'pull' && frame.type !== 'needDigests' && !isReport(frame))
          throw new FrError('ERR_FR_PROTOCOL', `unexpected frame '${frame.type}' on a pull link`)
        this.#hooks.post({ type: 'said', member, frame })
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
  reject(member: number, request: number, { code, text }: Failure): void {
    const mate = this.#neighbours.of(member)
    const { asked } = mate
    if (asked === undefined) return
    mate.asked = undefined
    this.#hooks.warn('pull-refused', { from: member, code, text })
    asked.link.send({ type: 'pullRefused', request, code, text })
    asked.link.close()
  }

  /** Lists held ranges for the mate and replies with `holding`. */
  serve(member: number, request: number, ranges: readonly RangePair[]): void {
    const mate = this.#neighbours.of(member)
    if (mate.asked === undefined) return
    const { out } = mate
    if (ranges.length > 0 && this.#taken.isStill(member)) {
      const text = 'nothing is taken of what was listed before'
      return this.#refuse(mate, request, { code: 'ERR_FR_TIMEOUT', text })
    }
    const fill = out.state === 'open' ? (this.#hooks.statsOf(out.feed) ?? emptyFeed) : undefined
    const opening = out.state === 'dialling' && out.isWished ? 'opening' : undefined
    const held = { request, ranges }
    const verdict = this.#serving.asked(member, held, fill ?? opening, this.#hooks.nowMs())
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

  /**
   * As repairs, over the data connection that is there, or over one that is opened for it. Where
   * none opens, or it is full, the mate asks the coordinator again.
   */
  mend(member: number, ranges: readonly RangePair[]): void {
    const mate = this.#neighbours.of(member)
    if (mate.out.state === 'none') this.#open(mate)
    try {
      this.#neighbours.onFeed(mate, (feed) => this.#repair(feed, ranges))
    } catch (error) {
      if (!(error instanceof FrError)) throw error
    }
  }

  #repair(feed: FeedHandle, ranges: readonly RangePair[]): void {
    try {
      for (const range of ranges) this.#hooks.list(feed, range, { scratch: true })
    } catch (error) {
      if (!(error instanceof FrError)) throw error
    }
  }

  /** Of the bytes that wait on the feed to this mate, those it has pulled. */
  queuedBytes(member: number, feed: FeedStats): number {
    this.#taken.look(member, feed, this.#hooks.nowMs())
    return this.#serving.queuedBytes(member, feed, this.#hooks.nowMs())
  }

  // --- data connections ---

  fedOut(mate: Neighbour, feed: FeedHandle): void {
    for (const held of this.#serving.opened(mate.number)) this.#list(mate, feed, held)
  }

  /** What waits needs another one. */
  unfed(mate: Neighbour): void {
    this.#taken.forget(mate.number)
    if (this.#serving.closed(mate.number)) this.#open(mate)
  }

  gone({ number }: Neighbour): void {
    this.#serving.gone(number)
  }

  #open(mate: Neighbour): void {
    this.#neighbours.open(mate, this.#hooks.wayTo(mate.number), false, {
      opened: (feed) => this.fedOut(mate, feed),
      failed: (failure) => {
        const waiting = this.#serving.failed(mate.number)
        if (this.#neighbours.isEnded) return
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
      for (const range of ranges) this.#hooks.list(feed, range, {})
    } catch (error) {
      if (!(error instanceof FrError)) throw error
      return this.#refuse(mate, request, { code: error.code, text: error.message })
    }
    this.servedBytes += bytesOf(held)
    mate.asked?.link.send({ type: 'holding', request, ranges, backlogBytes })
  }
}
