/**
 * Links between simulated processes. Every frame is written by the shipping codec and read again
 * where it arrives, and numbered as on a real link.
 *
 * A link whose host died, or that is hung up, breaks at the other end after what was said on it.
 * One whose connection breaks loses what is under way, and goes on once it is dialled again.
 */

import type { FrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Frame } from '../control/messages/types.js'
import { FrameNumbers } from '../protocol/frame-numbers.js'
import type { Connection, Link, LinkEvents } from '../session/driver/ports.js'
import { SimChannel } from './codec.js'
import type { SimHost } from './host.js'
import type { Network } from './network.js'
import type { Timeline } from './timeline.js'
import type { Words } from './words.js'

export interface LinksWorld {
  readonly timeline: Timeline
  readonly network: Network
  readonly isUnchecked: boolean
  heard(from: number, to: number, frame: Frame): void
  readonly words: Words
}

/** A process at its place. */
export interface LinkEnd {
  readonly place: number
  readonly host: SimHost
}

/** A connection, as both ends see it. */
interface Wire {
  /** What is said on it arrives. */
  isUp: boolean
}

/** What a link goes on with, as the other end has said. */
export interface Resumed {
  readonly wire: Wire
  readonly heard: number
}

/** One end. */
export class SimLink implements Link {
  readonly #world: LinksWorld
  readonly #channel: SimChannel
  readonly #end: LinkEnd
  readonly #direction: string
  readonly #numbers = new FrameNumbers<Frame>()
  #peer: SimLink | undefined
  #events: LinkEvents | undefined
  #saying = (_: Frame): void => {}
  #wentOn = (): void => {}
  #state: 'open' | 'closing' | 'closed' = 'open'
  /** Undefined: it broke, and what is said waits. */
  #wire: Wire | undefined
  #waiting: Frame[] = []
  #closed = (): void => {}

  /** Both ends. */
  static pair(world: LinksWorld, name: string, a: LinkEnd, b: LinkEnd): [SimLink, SimLink] {
    const there = new SimLink(world, a, `${name}>`)
    const back = new SimLink(world, b, `${name}<`)
    there.#peer = back
    back.#peer = there
    there.#wire = back.#wire = { isUp: true }
    return [there, back]
  }

  private constructor(world: LinksWorld, end: LinkEnd, direction: string) {
    this.#world = world
    this.#end = end
    this.#direction = direction
    this.#channel = new SimChannel((bytes) => {
      world.words.said(end.place, this.#other.#end.place, bytes)
    }, world.isUnchecked)
  }

  get #other(): SimLink {
    return this.#peer as SimLink
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Both ends have a connection, and would go on with another one. */
  get canBreak(): boolean {
    const wire = this.#wire
    return [this, this.#other].every((end) => {
      const isUsed = end.#state === 'open' && end.#events?.onBroken !== undefined
      return isUsed && end.#wire === wire && wire?.isUp === true
    })
  }

  /** `saying`: shown each frame before it is sent. `wentOn`: it was dialled again. */
  hear(events: LinkEvents, saying = (_: Frame): void => {}, wentOn = (): void => {}): void {
    this.#events = events
    this.#saying = saying
    this.#wentOn = wentOn
  }

  send(frame: Frame): boolean {
    if (this.#state !== 'open') return false
    this.#saying(frame)
    if (this.#wire === undefined) this.#waiting.push(frame)
    else this.#write(frame, this.#wire)
    return true
  }

  #write(frame: Frame, wire: Wire): void {
    if (frame.type !== 'heard') this.#numbers.sent(frame, 0)
    const arrive = this.#channel.write(frame)
    this.#travel(() => {
      const read = arrive()
      if (!wire.isUp) return
      const other = this.#other
      this.#world.heard(this.#end.place, other.#end.place, read)
      if (other.#wire === wire && other.#state === 'open') other.#take(read, wire)
    })
  }

  #take(frame: Frame, wire: Wire): void {
    if (frame.type === 'heard') return this.#numbers.wereHeard(frame.frames)
    this.#numbers.took(0)
    this.#events?.onFrame(frame)
    if (this.#state === 'open' && this.#numbers.isDue)
      this.#write({ type: 'heard', frames: this.#numbers.tell() }, wire)
  }

  waitFor(): void {}

  close(closed = (): void => {}): void {
    this.#closed = closed
    if (this.#state !== 'open' || this.#wire !== undefined) return this.destroy()
    this.#state = 'closing'
    this.#world.timeline.after(limits.resumeMs, () => this.destroy())
  }

  /** Also when the host dies. */
  destroy(): void {
    const wire = this.#wire
    if (this.#state !== 'closed' && wire !== undefined) this.#travel(() => this.#other.#lose(wire))
    this.#over()
  }

  #over(): void {
    this.#state = 'closed'
    const closed = this.#closed
    this.#closed = () => {}
    closed()
  }

  giveUp(code: FrErrorCode, text: string): void {
    if (this.#state === 'open') this.#events?.onClose(code, text)
    this.#over()
  }

  /** The connection breaks; each end notices in its own time, in milliseconds. */
  cut(noticeMs: () => number): void {
    const wire = this.#wire as Wire
    wire.isUp = false
    for (const end of [this, this.#other])
      this.#world.timeline.after(noticeMs(), () => end.#end.host.run(() => end.#lose(wire)))
  }

  #lose(wire: Wire): void {
    if (this.#state === 'closed' || this.#wire !== wire) return
    const text = 'the peer closed it'
    this.#wire = undefined
    if (this.#events?.onBroken !== undefined) this.#events.onBroken('ERR_FR_NODE_LOST', text)
    else this.giveUp('ERR_FR_NODE_LOST', text)
  }

  /** The end that dials again does without its last connection. */
  pause(): void {
    this.#wire = undefined
  }

  /** The other end has dialled again; undefined: nothing is known of the link here any more. */
  answer(): Resumed | undefined {
    if (this.#state === 'closed' || this.#events?.onBroken === undefined) return undefined
    if (this.#wire !== undefined) this.#lose(this.#wire)
    const [wire, { heard }] = [{ isUp: true }, this.#numbers]
    this.#resume({ wire, heard: this.#other.#numbers.heard })
    this.#wentOn()
    return { wire, heard }
  }

  /** At whoever has dialled again. */
  goOn(connection: Connection & { readonly resumed?: Resumed }): void {
    const { resumed } = connection
    if (resumed === undefined) throw new TypeError('the connection is of another link')
    this.#resume(resumed)
  }

  /** The end of this connection that dialled does without it. */
  hangUp({ wire }: Resumed): void {
    this.#travel(() => this.#other.#lose(wire))
  }

  #resume({ wire, heard }: Resumed): void {
    this.#wire = wire
    const frames = [...this.#numbers.resume(heard), ...this.#waiting]
    this.#waiting = []
    for (const frame of frames) this.#write(frame, wire)
    if (this.#state === 'closing') this.destroy()
  }

  /** It arrives in the order of what was sent, and when the other host has its turn. */
  #travel(arrived: () => void): void {
    const { place, host } = this.#other.#end
    this.#world.network.travel(this.#direction, this.#end.place, place, () => host.run(arrived))
  }

  /** The end that was dialled, of the one that dialled. */
  get far(): SimLink {
    return this.#other
  }
}
