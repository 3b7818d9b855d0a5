/**
 * Connections between simulated processes: who dials whom, how long it takes, and the links that
 * carry frames. Every frame is written by the shipping codec and read again where it arrives.
 *
 * A link whose host died, or that is hung up, breaks at the other end after what was said on it.
 */
import type { FrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Lacking } from '../control/messages/types.js'
import type { Identity } from '../protocol/greeting.js'
import type { Connection, DialEvents, Target } from '../session/driver/ports.js'
import type { SimFeed } from './feed.js'
import type { SimHost } from './host.js'
import { originIndex } from './network.js'
import type { Random } from './random.js'
import type { Scenario } from './scenario.js'
import { type LinkEnd, type LinksWorld, type Resumed, SimLink } from './sim-link.js'

/** Who dials: from where, and as which member of the transfer. */
export interface Caller {
  readonly place: number
  readonly number: number
}

/** Who listens at a place. */
export interface Acceptor {
  readonly host: SimHost
  readonly identity: Identity
  /** Calls back once: why the dialler is refused, or null; then the acceptor has its end. */
  accept(
    from: Caller,
    target: Target,
    connection: (lacking?: Lacking) => SimConnection,
    told: Told,
  ): void
}

type Told = (refusal: FrErrorCode | null) => void

export interface ConnectionsWorld extends LinksWorld {
  readonly scenario: Scenario
  acceptor(place: number): Acceptor
  /** Where this is, HOST:PORT. */
  placeOf(address: string): number
}

/** One end of what was dialled: of a link, or of a feed. */
export class SimConnection implements Connection {
  readonly link: SimLink | undefined
  readonly feed: SimFeed | undefined
  readonly lacking: Lacking | undefined
  /** A link that broke goes on with it. */
  readonly resumed: Resumed | undefined
  readonly #close: () => void

  constructor(
    of: { link?: SimLink; feed?: SimFeed; lacking?: Lacking | undefined; resumed?: Resumed },
    close: () => void,
  ) {
    this.link = of.link
    this.feed = of.feed
    this.lacking = of.lacking
    this.resumed = of.resumed
    this.#close = close
  }

  close(): void {
    this.#close()
  }
}

export class Connections {
  readonly #world: ConnectionsWorld
  readonly #links = new Map<number, SimLink[]>()
  #dialled = 0

  constructor(world: ConnectionsWorld) {
    this.#world = world
  }

  /** `from` dials, as the member of this number; the answer comes in a turn of its host. */
  dial(from: LinkEnd, number: number, target: Target, events: DialEvents): void {
    const { timeline, network, scenario } = this.#world
    const { channel } = target
    const to = this.#world.placeOf(target.address)
    const { latencyMs, cannotDial, breaksAtMs } = network.edge(from.place, to)
    const node = scenario.nodes[to] as Scenario['nodes'][number]
    const isFromOrigin = from.place === originIndex
    const failed = (code: FrErrorCode, isFinal = false): void =>
      from.host.run(() => events.failed({ code, text: 'as simulated', isFinal }))
    // The link to the own node of who takes over needs no network.
    const isCut = cannotDial && !isFromOrigin && from.place !== to
    if (isCut && timeline.nowMs >= (breaksAtMs ?? 0))
      return timeline.after(limits.connectMs, () => failed('ERR_FR_UNREACHABLE'))
    const trips = channel === 'data' && !isFromOrigin ? 3 : 6
    const takesMs = channel === 'control' ? node.connectMs : trips * latencyMs
    const opensMs = network.opensMs(from.place, to, takesMs)
    if (opensMs > timeline.nowMs + takesMs + limits.connectMs)
      return timeline.after(limits.connectMs, () => failed('ERR_FR_UNREACHABLE'))
    timeline.at(opensMs, () => {
      const acceptor = this.#world.acceptor(to)
      const { host } = acceptor
      if (host.isHung) return timeline.after(limits.helloMs, () => failed('ERR_FR_TIMEOUT'))
      if (host.isDead || node.trouble === 'unreachable') return failed('ERR_FR_UNREACHABLE', true)
      host.run(() => {
        const { identity } = acceptor
        if (channel === 'control' && target.resumes !== undefined) {
          const link = target.resumes as SimLink
          if (target.takesOver?.() === false) return failed('ERR_FR_CLOSED')
          link.pause()
          const resumed = link.far.answer()
          if (resumed === undefined) return failed('ERR_FR_NO_TRANSFER', true)
          const connection = new SimConnection({ resumed }, () => link.hangUp(resumed))
          return from.host.run(() => events.opened(connection, 2 * latencyMs, identity))
        }
        const ends = this.#ends(from, { place: to, host }, channel)
        acceptor.accept({ place: from.place, number }, target, ends.accepted, (refusal) => {
          if (refusal !== null) return failed(refusal)
          const peer = channel === 'data' ? null : identity
          const opened = (): void => events.opened(ends.dialled(), 2 * latencyMs, peer)
          if (from.host.runs) from.host.run(opened)
          else ends.dialled().close()
        })
      })
    })
  }

  /** A host died: its links break. */
  killed(place: number): void {
    for (const link of this.#links.get(place) ?? []) link.destroy()
  }

  /** The connection of a control link breaks, if one is open that would go on; true: it did. */
  cut(random: Random): boolean {
    const open = [...this.#links.values()].flat().filter((link) => link.canBreak)
    if (open.length === 0) return false
    random.pick(open).cut(() => random.between(0, 100))
    return true
  }

  /** Both ends of what is being dialled, made when it is accepted. */
  #ends(
    from: LinkEnd,
    to: LinkEnd,
    channel: Target['channel'],
  ): { dialled: () => SimConnection; accepted: (lacking?: Lacking) => SimConnection } {
    const { network } = this.#world
    if (channel === 'data') {
      let feed: SimFeed | undefined
      let said: Lacking | undefined
      const end = (lacking = said): SimConnection => {
        feed ??= network.open(from.place, to.place)
        const open = feed
        said = lacking
        return new SimConnection({ feed: open, lacking }, () => network.hangUp(open))
      }
      return { dialled: end, accepted: end }
    }
    const name = `${channel} ${this.#dialled++}`
    const [dialled, accepted] = SimLink.pair(this.#world, name, from, to)
    for (const [place, link] of [
      [from.place, dialled],
      [to.place, accepted],
    ] as const)
      this.#links.set(place, [...(this.#links.get(place) ?? []), link])
    const connectionOf = (link: SimLink) => (): SimConnection =>
      new SimConnection({ link }, () => link.destroy())
    return { dialled: connectionOf(dialled), accepted: connectionOf(accepted) }
  }
}
