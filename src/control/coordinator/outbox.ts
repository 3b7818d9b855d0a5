/** The wishes of the coordinator's machine, and shorter words for those about a node. */
import type { Peer } from '../members/peer.js'
import { Outbox } from '../messages/outbox.js'
import type { Frame, NodeSettled } from '../messages/types.js'
import type { OriginWish } from './events.js'

export class OriginOutbox extends Outbox<OriginWish> {
  say({ node: member }: Peer, frame: Frame): void {
    this.wish({ type: 'say', member, frame })
  }

  /** A data connection to it, unless there is one or was. */
  feed(peer: Peer): void {
    if (peer.wantsFeed()) this.wish({ type: 'feed', member: peer.node })
  }

  /**
   * What goes on its data connection waits until that is open. Where it broke nothing is listed:
   * what the node lacks by then goes on the next one.
   */
  send(peer: Peer, wish: OriginWish & { type: 'list' | 'sendDigests' }): void {
    this.feed(peer)
    if (peer.feed.is !== 'cut') this.wish(wish)
  }

  note(level: 'info' | 'warn', event: string, { node: member }: Peer, text: string): void {
    this.wish({ type: 'note', level, event, member, fields: { text } })
  }

  /** The outcome of a node; what becomes of those who only help is worth a line where they fail. */
  announce({ node: member, role }: Peer, outcome: NodeSettled): void {
    const { reason } = outcome
    if (role === 'receiver') return this.wish({ type: 'announceOutcome', member, outcome })
    const level = role === 'mirror' ? 'info' : 'warn'
    if (reason !== null)
      this.wish({ type: 'note', level, event: `no-${role}`, member, fields: { text: reason } })
  }
}
