/** The wishes of the coordinator's machine, and shorter words for those about a node. */
import type { Peer } from '../members/peer.js'
import { Outbox } from '../messages/outbox.js'
import type { Frame } from '../messages/types.js'
import type { OriginWish } from './events.js'

export class OriginOutbox extends Outbox<OriginWish> {
  say({ node: member }: Peer, frame: Frame): void {
    this.wish({ type: 'say', member, frame })
  }

  note(level: 'info' | 'warn', event: string, { node: member }: Peer, text: string): void {
    this.wish({ type: 'note', level, event, member, fields: { text } })
  }
}
