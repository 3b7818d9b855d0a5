/**
 * The network of a node that coordinates a transfer which it receives itself: its own reception is
 * a member like all others, but the link to it stays within the process.
 */
import { type Failure, FrError, type FrErrorCode } from '../../base/errors.js'
import type { Frame, Term } from '../../control/messages/types.js'
import type { Neighbourhood } from '../../control/receiver/neighbourhood.js'
import type { Identity } from '../../protocol/greeting.js'
import type { Connection, DialEvents, Link, LinkEvents, Net, Target } from '../driver/ports.js'

/** To whoever coordinates. */
export interface CoordinatorLink extends Pick<Link, 'send' | 'waitFor'> {
  close(): unknown
}

/** A reception, as far as whoever takes over has to do with it. */
export interface Follower {
  readonly session: { readonly machine: { readonly neighbours: Neighbourhood } }
  succeed(link: CoordinatorLink, term: Term, nodeId: string): Failure | null
  onFrame(link: CoordinatorLink, frame: Frame): void
  onLinkClosed(link: CoordinatorLink, code: FrErrorCode, text: string): void
}

/** One end; what is said at the other comes in a later turn, in order. */
class OwnLink implements Link {
  peer: OwnLink | undefined
  events: LinkEvents | undefined
  isOpen = true

  send(frame: Frame): boolean {
    const { peer } = this
    if (this.isOpen)
      queueMicrotask(() => {
        if (peer?.isOpen) peer.events?.onFrame(frame)
      })
    return this.isOpen
  }

  waitFor(): void {}

  /** Within a process no link breaks. */
  goOn(): void {}

  giveUp(): void {}

  close(closed?: () => void): void {
    this.destroy()
    closed?.()
  }

  destroy(): void {
    if (!this.isOpen) return
    this.isOpen = false
    const { peer } = this
    queueMicrotask(() => {
      if (!peer?.isOpen) return
      peer.isOpen = false
      peer.events?.onClose('ERR_FR_NODE_LOST', 'this node closed its own link')
    })
  }
}

export class OwnNet implements Net {
  readonly #net: Net
  readonly #member: number
  readonly #self: Identity
  readonly #reception: Follower

  /** `member`: the number of this node. `net`: to all others. */
  constructor(net: Net, member: number, self: Identity, reception: Follower) {
    this.#net = net
    this.#member = member
    this.#self = self
    this.#reception = reception
  }

  dial(target: Target, events: DialEvents): void {
    if (target.to !== this.#member) return this.#net.dial(target, events)
    const [near, far] = [new OwnLink(), new OwnLink()]
    near.peer = far
    far.peer = near
    far.events = this.#eventsOf(far)
    queueMicrotask(() => events.opened(near, 0, this.#self))
  }

  link(connection: Connection, events: LinkEvents): Link {
    if (!(connection instanceof OwnLink)) return this.#net.link(connection, events)
    connection.events = events
    return connection
  }

  adopt(): never {
    throw new FrError('ERR_FR_INTERNAL', 'who takes over has no data connections')
  }

  reach(via: string, addresses: readonly string[]): void {
    this.#net.reach(via, addresses)
  }

  end(): void {
    this.#net.end()
  }

  #eventsOf(link: OwnLink): LinkEvents {
    const reception = this.#reception
    const succeed = (term: Term): void => {
      const failure = reception.succeed(link, term, this.#self.nodeId)
      if (failure !== null) link.send({ type: 'refuse', ...failure })
    }
    return {
      onFrame: (frame) => {
        if (frame.type === 'succeed') succeed(frame.term)
        else reception.onFrame(link, frame)
      },
      onClose: (code, text) => reception.onLinkClosed(link, code, text),
    }
  }
}
