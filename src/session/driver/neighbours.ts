/**
 * What this side of a transfer has open to each other member, one record each: a link that carries
 * frames, one data connection out, one in, and a link on which this side is asked for bytes.
 *
 * The data connection out, by its states:
 *
 *     none -> dialling   somebody wants one, and this process may send on one more
 *     dialling -> open   the engine has it
 *     dialling, open -> none   it failed or broke; the next one who wants it dials again
 *     any -> refused     the member takes no part any more
 *
 * The one in: none -> open -> none, or none -> held -> open where it comes before the transfer is
 * open in the engine. One per member: a further one takes the place of the one before.
 *
 * Each may get more flows, connections beside the first that the engine uses as one: while it is
 * open or held, and as long as it lasts (control/members/flows.ts says when). One that breaks while
 * it has several is opened again with one, and keeps that.
 */
import { type Failure, FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { FlowCount } from '../../control/members/flows.js'
import type { Pace } from '../../control/messages/facts.js'
import { type Lacking, lacksAll } from '../../control/messages/types.js'
import type { FeedHandle, FeedStats } from '../../ports.js'
import { FeedPlaces, type FreePlace } from './feed-places.js'
import type { Connection, FeedEngine, Link, LinkEvents, Net } from './ports.js'
import { noTicket, type Way } from './way.js'

export interface OutEvents {
  /** Exactly one of the two, perhaps at once; neither once the member is refused. */
  readonly opened: (feed: FeedHandle, lacking: Lacking) => void
  readonly failed: (failure: Failure) => void
}

export interface FeedPorts {
  readonly net: Net
  readonly engine: FeedEngine
  /** Data connections out of this process; absent: as many as are wanted. */
  readonly places?: FeedPlaces
  /** Flows of each data connection out; absent: as many as fill its way. */
  readonly flows?: number | undefined
}

/** Flows beside the first one of a data connection out. */
class Beside {
  readonly count = new FlowCount()
  readonly frees = new Set<FreePlace>()

  /** The data connection is gone, and they are with it. */
  end(): void {
    for (const free of this.frees) free()
    this.frees.clear()
  }
}

/** What is done with a data connection out. */
export type Work = (feed: FeedHandle) => void

type Dialling = Out & { readonly state: 'dialling' }
type Opened = Out & { readonly state: 'open' }

type Out =
  | { readonly state: 'none' | 'refused' }
  | {
      readonly state: 'dialling'
      readonly wanted: OutEvents[]
      isWished: boolean
      /** What is to go on it first, in turn. */
      readonly waiting: Work[]
      readonly free: FreePlace
    }
  | {
      readonly state: 'open'
      readonly feed: FeedHandle
      readonly isWished: boolean
      readonly free: FreePlace
      readonly beside: Beside
      /** Of the member, when the connection was opened. */
      readonly lacking: Lacking
    }

type In =
  | { readonly state: 'none' }
  | {
      readonly state: 'held'
      readonly connection: Connection
      /** Those beside it. */
      readonly beside: Connection[]
    }
  | {
      readonly state: 'open'
      readonly feed: FeedHandle
      flows: number
      /** Records on it that the author has not signed. */
      wrongDigests: number
    }

export class Neighbour {
  readonly number: number
  out: Out = { state: 'none' }
  fedBy: In = { state: 'none' }
  /** The link that this side has dialled, which may have broken since. */
  link: Link | undefined
  /** On which this side is asked for bytes. `isLogged`: a refusal on it is in the log. */
  asked: { readonly link: Link; isLogged: boolean } | undefined
  constructor(number: number) {
    this.number = number
  }

  /** No more flows to it: one was refused, or a data connection with several has broken. */
  isNarrow = false

  /** It takes no part any more. */
  get isRefused(): boolean {
    return this.out.state === 'refused'
  }

  get feedOut(): FeedHandle | undefined {
    return this.out.state === 'open' ? this.out.feed : undefined
  }
}

export class Neighbours {
  readonly #net: Net
  readonly #engine: FeedEngine
  readonly #places: FeedPlaces
  readonly #flows: number | undefined
  readonly #fedOut: (feed: FeedHandle, lacking: Lacking) => void
  readonly #records = new Map<number, Neighbour>()
  readonly #byFeed = new Map<FeedHandle, Neighbour>()
  #isEnded = false
  #paces: readonly Pace[] = []

  /** `fedOut`: a data connection that the machine wished for is open. */
  constructor(
    { net, engine, places = new FeedPlaces(), flows }: FeedPorts,
    fedOut: (feed: FeedHandle, lacking: Lacking) => void = () => {},
  ) {
    this.#net = net
    this.#engine = engine
    this.#places = places
    this.#flows = flows
    this.#fedOut = fedOut
  }

  of(number: number): Neighbour {
    let record = this.#records.get(number)
    if (record === undefined) {
      record = new Neighbour(number)
      this.#records.set(number, record)
    }
    return record
  }

  /** The transfer is over: nothing is opened any more. */
  get isEnded(): boolean {
    return this.#isEnded
  }

  get all(): IterableIterator<Neighbour> {
    return this.#records.values()
  }

  /** Who is at the other end of a feed, either way. */
  byFeed(feed: FeedHandle): Neighbour | undefined {
    return this.#byFeed.get(feed)
  }

  /** A link over what this side has dialled; one that broke meanwhile has failed. */
  link(
    connection: Connection,
    events: LinkEvents,
    failed: (failure: Failure) => void,
  ): Link | undefined {
    try {
      return this.#net.link(connection, events)
    } catch (error) {
      failed(failureOf(error))
      return undefined
    }
  }

  // --- data connections out ---

  /** What may be sent to members together, on what is open now and later. */
  pace(paces: readonly Pace[]): void {
    const named = new Set(paces.flatMap(({ members }) => members))
    const free = this.#paces.flatMap(({ members }) => members.filter((one) => !named.has(one)))
    const feeds = this.#feedsTo(free)
    if (feeds.length > 0) this.#engine.limitFeeds(feeds, undefined)
    this.#paces = paces
    for (const pace of paces) this.#keepPace(pace)
  }

  #keepPace({ members, bytesPerSecond }: Pace): void {
    const feeds = this.#feedsTo(members)
    if (feeds.length > 0) this.#engine.limitFeeds(feeds, bytesPerSecond)
  }

  #feedsTo(members: readonly number[]): FeedHandle[] {
    return members.flatMap((member) => this.#records.get(member)?.feedOut ?? [])
  }

  /** One for all who want it. `isWished`: the machine is among them. */
  open(member: Neighbour, way: Way, isWished: boolean, events: OutEvents): void {
    const { out } = member
    switch (out.state) {
      case 'none':
        return this.#dial(member, way, events, isWished)
      case 'dialling':
        out.wanted.push(events)
        out.isWished ||= isWished
        return
      case 'open':
        if (isWished && !out.isWished) this.#open(member, { ...out, isWished: true })
        return events.opened(out.feed, out.lacking)
      case 'refused':
        return
      default:
        return out satisfies never
    }
  }

  /**
   * Does it with the data connection out, at once or as soon as that is open; never where there is
   * none. Throws FrError when too much waits already.
   */
  onFeed({ out }: Neighbour, work: Work): void {
    if (out.state === 'open') return work(out.feed)
    if (out.state !== 'dialling') return
    if (out.waiting.length >= limits.listedRanges)
      throw new FrError('ERR_FR_INBOX_FULL', 'too much waits for a data connection')
    out.waiting.push(work)
  }

  /** No data connection to this member, now or later. */
  refuse(member: Neighbour): void {
    const { out } = member
    leave(member, 'refused')
    if (out.state === 'open') this.close(out.feed)
  }

  #dial(member: Neighbour, way: Way, events: OutEvents, isWished: boolean): void {
    const { number: to } = member
    const { edge, refusal = noTicket, ...place } = way
    if (edge === undefined) return events.failed(refusal)
    let free: FreePlace
    try {
      free = this.#places.take()
    } catch (error) {
      return events.failed(failureOf(error))
    }
    const dialling: Dialling = { state: 'dialling', wanted: [events], isWished, waiting: [], free }
    member.out = dialling
    const failed = (failure: Failure): void => {
      if (member.out !== dialling) return
      leave(member, 'none')
      for (const events of dialling.wanted) events.failed(failure)
    }
    this.#net.dial(
      { channel: 'data', to, ...place, edge },
      {
        opened: (connection) => {
          if (this.#isEnded || member.out !== dialling) return connection.close()
          this.#adopt(member, connection, dialling)
        },
        failed,
      },
    )
  }

  #adopt(member: Neighbour, connection: Connection, dialled: Dialling): void {
    const { wanted, isWished, waiting, free } = dialled
    try {
      const { lacking = lacksAll } = connection
      const feed = this.#net.adopt(connection, 'out')
      this.#byFeed.set(feed, member)
      const beside = new Beside()
      this.#open(member, { state: 'open', feed, isWished, lacking, free, beside })
    } catch (error) {
      const failure = failureOf(error)
      leave(member, 'none')
      for (const events of wanted) events.failed(failure)
      return
    }
    for (const work of waiting) this.onFeed(member, work)
    for (const events of wanted) {
      const { out } = member
      if (out.state === 'open') events.opened(out.feed, out.lacking)
    }
  }

  #open(member: Neighbour, opened: Opened): void {
    member.out = opened
    for (const pace of this.#paces) if (pace.members.includes(member.number)) this.#keepPace(pace)
    if (opened.isWished) this.#fedOut(opened.feed, opened.lacking)
  }

  /** Opens more flows to members where the counters of their feeds say so. */
  widen(all: readonly FeedStats[], nowMs: number, wayTo: (member: number) => Way): void {
    for (const stats of all) {
      const member = stats.direction === 'out' ? this.#byFeed.get(stats.feed) : undefined
      const { out } = member ?? {}
      if (member === undefined || member.isNarrow || out?.state !== 'open') continue
      const wanted = out.beside.count.wanted({ ...stats, nowMs }, this.#flows)
      if (out.beside.frees.size + 1 < wanted) this.#widen(member, out, wanted, wayTo(member.number))
    }
  }

  #widen(member: Neighbour, out: Opened, wanted: number, { edge, ...place }: Way): void {
    const { number: to } = member
    const { beside, feed } = out
    while (edge !== undefined && beside.frees.size + 1 < wanted) {
      const free = this.#places.spare()
      if (free === undefined) return
      beside.frees.add(free)
      const failed = (): void => {
        member.isNarrow = true
        beside.frees.delete(free)
        free()
      }
      const opened = (connection: Connection): void => {
        if (!beside.frees.has(free) || this.#byFeed.get(feed) === undefined) connection.close()
        else if (this.#addFlow(feed, 'out', connection) !== null) failed()
      }
      this.#net.dial({ channel: 'data', to, ...place, edge, isBeside: true }, { opened, failed })
    }
  }

  /** What went wrong; null: nothing. */
  #addFlow(feed: FeedHandle, direction: 'in' | 'out', connection: Connection): Failure | null {
    try {
      this.#net.adopt(connection, direction, feed)
      return null
    } catch (error) {
      return failureOf(error)
    }
  }

  // --- data connections in ---

  /** Throws FrError when the connection broke meanwhile; another one may come then. */
  feed(member: Neighbour, connection: Connection): void {
    const beside = member.fedBy.state === 'held' ? member.fedBy.beside : []
    member.fedBy = { state: 'none' }
    try {
      const feed = this.#net.adopt(connection, 'in')
      member.fedBy = { state: 'open', feed, flows: 1 + beside.length, wrongDigests: 0 }
      this.#byFeed.set(feed, member)
      for (const flow of beside.splice(0)) this.#addFlow(feed, 'in', flow)
    } finally {
      for (const flow of beside) flow.close()
    }
  }

  /** Keeps a connection until `feed` can take it. */
  hold(member: Neighbour, connection: Connection): void {
    if (this.#isEnded) return connection.close()
    member.fedBy = { state: 'held', connection, beside: [] }
  }

  /** Throws FrError where the member has no data connection that could have one more flow. */
  checkFlow({ fedBy, number }: Neighbour): void {
    const text = `member ${number} has no data connection that takes one more`
    if (this.#isEnded || fedBy.state === 'none') throw new FrError('ERR_FR_PROTOCOL', text)
    const flows = fedBy.state === 'held' ? 1 + fedBy.beside.length : fedBy.flows
    if (flows >= limits.flowsPerFeed) throw new FrError('ERR_FR_LIMIT', text)
  }

  /** One more flow of the data connection from the member. Throws FrError. */
  feedBeside(member: Neighbour, connection: Connection): void {
    this.checkFlow(member)
    const { fedBy } = member
    if (fedBy.state === 'held') fedBy.beside.push(connection)
    if (fedBy.state !== 'open') return
    this.#net.adopt(connection, 'in', fedBy.feed)
    fedBy.flows++
  }

  /** This side closes the feed from this member, if there is one. */
  unfeed(member: Neighbour): void {
    const { fedBy } = member
    member.fedBy = { state: 'none' }
    closeHeld(fedBy)
    if (fedBy.state === 'open') this.close(fedBy.feed)
  }

  /** The engine has closed a feed, out where it was one; undefined: it is known no more. */
  closed(feed: FeedHandle): { member: Neighbour; out?: { isWished: boolean } } | undefined {
    const member = this.#byFeed.get(feed)
    if (member === undefined) return undefined
    this.#byFeed.delete(feed)
    const { out } = member
    if (out.state !== 'open' || out.feed !== feed) {
      member.fedBy = { state: 'none' }
      return { member }
    }
    member.isNarrow ||= out.beside.frees.size > 0
    leave(member, 'none')
    return { member, out }
  }

  /** The transfer is over. Feeds close with it; whoever has links closes the network. */
  end(): void {
    this.#isEnded = true
    for (const member of this.#records.values()) {
      const { fedBy, link, asked } = member
      leave(member, 'refused')
      closeHeld(fedBy)
      link?.destroy()
      asked?.link.destroy()
    }
  }

  /** This side closes a feed. */
  close(feed: FeedHandle): void {
    this.#byFeed.delete(feed)
    this.#engine.close(feed)
  }
}

function closeHeld(fedBy: In): void {
  if (fedBy.state !== 'held') return
  for (const connection of [fedBy.connection, ...fedBy.beside]) connection.close()
}

/** There is no data connection out, now or never again: its places are free. */
function leave(member: Neighbour, state: 'none' | 'refused'): void {
  const { out } = member
  if (out.state === 'open') out.beside.end()
  if (out.state === 'dialling' || out.state === 'open') out.free()
  member.out = { state }
}

/** Throws what is no FrError. */
function failureOf(error: unknown): Failure {
  if (!(error instanceof FrError)) throw error
  return { code: error.code, text: error.message }
}
