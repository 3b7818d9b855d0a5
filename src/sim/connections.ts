/**
 * Connections between simulated processes: who dials whom, how long it takes, and the links that
 * carry frames. Every frame is written by the shipping codec and read again where it arrives.
 *
 * A link whose host died, or that is hung up, breaks at the other end after what was said on it.
 */
import type { FrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Frame, Lacking } from '../control/messages/types.js'
import type { Identity } from '../protocol/greeting.js'
import type { Connection, DialEvents, Link, LinkEvents, Target } from '../session/driver/ports.js'
import { SimChannel } from './codec.js'
import type { SimFeed } from './feed.js'
import type { SimHost } from './host.js'
import { type Network, originIndex } from './network.js'
import type { Scenario } from './scenario.js'
import type { Timeline } from './timeline.js'

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

export interface ConnectionsWorld {
  readonly timeline: Timeline
  readonly network: Network
  readonly scenario: Scenario
  acceptor(place: number): Acceptor
  /** The node id of a place. */
  identity(place: number): Identity
  heard(from: number, to: number, frame: Frame): void
  /** A frame of this length was sent. */
  said(from: number, to: number, bytes: number): void
}

/** One end of what was dialled: of a link, or of a feed. */
export class SimConnection implements Connection {
  readonly link: SimLink | undefined
  readonly feed: SimFeed | undefined
  readonly lacking: Lacking | undefined
  readonly #close: () => void

  constructor(
    of: { link?: SimLink; feed?: SimFeed; lacking?: Lacking | undefined },
    close: () => void,
  ) {
    this.link = of.link
    this.feed = of.feed
    this.lacking = of.lacking
    this.#close = close
  }

  close(): void {
    this.#close()
  }
}

/** Who dials, or is dialled. */
export interface LinkEnd {
  readonly place: number
  readonly host: SimHost
}

export class SimLink implements Link {
  readonly #world: ConnectionsWorld
  readonly #channel: SimChannel
  readonly #end: LinkEnd
  readonly #direction: string
  #peer: SimLink | undefined
  #events: LinkEvents | undefined
  #saying = (_: Frame): void => {}
  #isOpen = true

  /** Both ends. */
  static pair(world: ConnectionsWorld, name: string, a: LinkEnd, b: LinkEnd): [SimLink, SimLink] {
    const there = new SimLink(world, a, `${name}>`)
    const back = new SimLink(world, b, `${name}<`)
    there.#peer = back
    back.#peer = there
    return [there, back]
  }

  private constructor(world: ConnectionsWorld, end: LinkEnd, direction: string) {
    this.#world = world
    this.#end = end
    this.#direction = direction
    this.#channel = new SimChannel((bytes) => {
      world.said(end.place, (this.#peer as SimLink).#end.place, bytes)
    }, world.scenario.isUnchecked ?? false)
  }

  /** `saying`: shown each frame before it is sent. */
  hear(events: LinkEvents, saying: (frame: Frame) => void = () => {}): void {
    this.#events = events
    this.#saying = saying
  }

  send(frame: Frame): boolean {
    if (!this.#isOpen) return false
    this.#saying(frame)
    const peer = this.#peer as SimLink
    const arrive = this.#channel.write(frame)
    this.#travel(() => {
      const read = arrive()
      this.#world.heard(this.#end.place, peer.#end.place, read)
      if (peer.#isOpen) peer.#events?.onFrame(read)
    })
    return true
  }

  waitFor(): void {}

  close(): void {
    this.destroy()
  }

  /** Also when the host dies. */
  destroy(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    const peer = this.#peer as SimLink
    this.#travel(() => {
      if (!peer.#isOpen) return
      peer.#isOpen = false
      peer.#events?.onClose('ERR_FR_NODE_LOST', 'the peer closed it')
    })
  }

  /** It arrives in the order of what was sent, and when the other host has its turn. */
  #travel(arrived: () => void): void {
    const { place, host } = (this.#peer as SimLink).#end
    this.#world.network.travel(this.#direction, this.#end.place, place, () => host.run(arrived))
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
    const failed = (code: FrErrorCode): void =>
      from.host.run(() => events.failed({ code, text: 'as simulated' }))
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
      if (host.isDead || node.trouble === 'unreachable') return failed('ERR_FR_UNREACHABLE')
      host.run(() => {
        const ends = this.#ends(from, target, host)
        acceptor.accept(from.place, target, ends.accepted, (isWelcome) => {
          if (!isWelcome) return failed('ERR_FR_PROTOCOL')
          const peer = channel === 'data' ? null : this.#world.identity(to)
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
