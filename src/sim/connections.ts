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

/** Who listens at a place. */
export interface Acceptor {
  readonly host: SimHost
  /** Calls back once: whether the dialler is welcome. The acceptor has its end by then. */
  accept(
    from: number,
    target: Target,
    connection: (lacking?: Lacking) => SimConnection,
    told: Told,
  ): void
}

type Told = (isWelcome: boolean) => void

export interface ConnectionsWorld extends LinksWorld {
  readonly scenario: Scenario
  acceptor(place: number): Acceptor
  /** The node id of a place. */
  identity(place: number): Identity
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

  /** `from` dials; the answer comes in a turn of its host. */
  dial(from: LinkEnd, target: Target, events: DialEvents): void {
    const { timeline, network, scenario } = this.#world
    const { to, channel } = target
    const { latencyMs, cannotDial, breaksAtMs } = network.edge(from.place, to)
    const node = scenario.nodes[to] as Scenario['nodes'][number]
    const isFromOrigin = from.place === originIndex
    const identity = (place: number): Identity => this.#world.identity(place)
    const failed = (code: FrErrorCode, isFinal = false): void =>
      from.host.run(() => events.failed({ code, text: 'as simulated', isFinal }))
    if (cannotDial && !isFromOrigin && timeline.nowMs >= (breaksAtMs ?? 0))
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
        if (channel === 'control' && target.resumes !== undefined) {
          const link = target.resumes as SimLink
          const resumed = link.far.answer()
          if (resumed === undefined) return failed('ERR_FR_NO_TRANSFER', true)
          const connection = new SimConnection({ resumed }, () => link.hangUp(resumed))
          return from.host.run(() => events.opened(connection, 2 * latencyMs, identity(to)))
        }
        const ends = this.#ends(from, target, host)
        acceptor.accept(from.place, target, ends.accepted, (isWelcome) => {
          if (!isWelcome) return failed('ERR_FR_PROTOCOL')
          const peer = channel === 'data' ? null : identity(to)
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
    { to, channel }: Target,
    host: SimHost,
  ): { dialled: () => SimConnection; accepted: (lacking?: Lacking) => SimConnection } {
    const { network } = this.#world
    if (channel === 'data') {
      let feed: SimFeed | undefined
      let said: Lacking | undefined
      const end = (lacking = said): SimConnection => {
        feed ??= network.open(from.place, to)
        const open = feed
        said = lacking
        return new SimConnection({ feed: open, lacking }, () => network.hangUp(open))
      }
      return { dialled: end, accepted: end }
    }
    const name = `${channel} ${this.#dialled++}`
    const [dialled, accepted] = SimLink.pair(this.#world, name, from, { place: to, host })
    for (const [place, link] of [
      [from.place, dialled],
      [to, accepted],
    ] as const)
      this.#links.set(place, [...(this.#links.get(place) ?? []), link])
    const connectionOf = (link: SimLink) => (): SimConnection =>
      new SimConnection({ link }, () => link.destroy())
    return { dialled: connectionOf(dialled), accepted: connectionOf(accepted) }
  }
}
