/** The wishes of a receiver's machine, and shorter words for the most frequent ones. */
import { Outbox } from '../messages/outbox.js'
import { type Frame, originNumber } from '../messages/types.js'
import type { NodeWish } from './events.js'

export class NodeOutbox extends Outbox<NodeWish> {
  /** The control link is gone: nobody hears this node. */
  isAlone = false
  /** Its connection broke, and what is said waits for another one. */
  isKept = false

  /** To the coordinator, or to a mate. */
  tell(member: number, frame: Frame): void {
    if (member === originNumber) this.say(frame)
    else this.wish({ type: 'say', member, frame })
  }

  say(...frames: readonly Frame[]): void {
    if (this.isAlone && !this.isKept) return
    for (const frame of frames) this.wish({ type: 'say', member: originNumber, frame })
  }

  feed(member: number): void {
    this.wish({ type: 'feed', member })
  }

  note(event: string, fields: Readonly<Record<string, string | number>>): void {
    this.wish({ type: 'note', level: 'info', event, fields })
  }

  warn(event: string, fields: Readonly<Record<string, string | number>>): void {
    this.wish({ type: 'note', level: 'warn', event, fields })
  }
}
