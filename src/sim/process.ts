/**
 * The process of a simulated node, as those who dial it see it (agent/node-service.ts): it answers
 * offers, lets data connections in, and hides from nobody whom it follows. Where it dies another
 * one may come in its place, with what is left on the disk or without.
 */
import { limits } from '../base/limits.js'
import type { Frame } from '../control/messages/types.js'
import type { Identity } from '../protocol/greeting.js'
import type { Target } from '../session/driver/ports.js'
import { readOffer } from './codec.js'
import type { Acceptor, Caller, SimConnection } from './connections.js'
import type { Left } from './disk.js'
import { SimHost } from './host.js'
import type { Scenario } from './scenario.js'
import type { SimLink } from './sim-link.js'
import { type NodeWorld, SimNode } from './sim-node.js'

export interface ProcessWorld extends NodeWorld {
  readonly scenario: Scenario
  /** The place takes part in the transfer from now on, or anew. */
  offered(place: number, node: SimNode): void
}

type Offered = NonNullable<ReturnType<typeof readOffer>>
type Look = (node: SimNode | undefined) => void

export class SimProcess implements Acceptor {
  readonly host: SimHost
  readonly identity: Identity
  readonly #place: number
  readonly #world: ProcessWorld
  /** What lies on its disk from before this process. */
  readonly #left: Left | undefined
  #node: SimNode | undefined
  /** Who dials a node that has no offer yet. */
  readonly #early: Look[] = []

  constructor(place: number, world: ProcessWorld, identity: Identity, left?: Left) {
    this.host = new SimHost(world.timeline, (place + 1) * 3_600_000)
    this.identity = identity
    this.#place = place
    this.#world = world
    this.#left = left
  }

  /** What a process that comes after this one finds. */
  get left(): Left | undefined {
    return this.#node === undefined ? this.#left : this.#node.left
  }

  accept(
    from: Caller,
    target: Target,
    connection: Parameters<Acceptor['accept']>[2],
    told: Parameters<Acceptor['accept']>[3],
  ): void {
    if (target.channel !== 'control')
      return this.#whenOffered((node) => {
        if (node === undefined) told('ERR_FR_TIMEOUT')
        else node.accept(from, target, connection, told)
      })
    told(null)
    this.#serve(from, connection())
  }

  /** A connection may be there before the offer, and waits for it; undefined: too long. */
  #whenOffered(look: Look): void {
    if (this.#node?.hasEnded === false) return look(this.#node)
    this.#early.push(look)
    this.#world.timeline.after(limits.earlyDataMs, () => {
      const at = this.#early.indexOf(look)
      if (at >= 0) this.host.run(() => this.#early.splice(at, 1)[0]?.(undefined))
    })
  }

  /** First comes an offer, or the word of a member that takes over. */
  #serve(from: Caller, { link }: SimConnection): void {
    if (link === undefined) return
    const frames: Frame[] = []
    let node: SimNode | undefined
    let offered: Offered | undefined
    const taken = (by: SimNode): void => {
      node = by
      for (const frame of frames.splice(0)) by.events(link).onFrame(frame)
    }
    link.hear(
      {
        onFrame: (frame) => {
          if (node !== undefined) return node.events(link).onFrame(frame)
          if (frame.type === 'succeed') {
            const failure = this.#node?.succeed(link, frame.term, this.#world.idOf(from.place))
            if (failure === null) node = this.#node
            else link.send({ type: 'refuse', ...(failure ?? noTransfer) })
            return
          }
          if (frame.type === 'beat') return
          frames.push(frame)
          // What comes behind the offer waits with it.
          if (offered !== undefined) return
          offered = readOffer(frames)
          if (offered === undefined) return
          frames.length = 0
          this.#offered(link, offered, taken)
        },
        onClose: (code, text) => node?.events(link).onClose(code, text),
        onBroken: (code, text) => node?.events(link).onBroken?.(code, text),
      },
      (frame) => node?.says(frame),
      () => node?.wentOn(link),
    )
  }

  /** Who follows another coordinator says so until that is over; else the last attempt is. */
  #offered(link: SimLink, offered: Offered, taken: (by: SimNode) => void): void {
    const running = this.#node
    if (running?.succession === undefined || running.hasEnded) {
      running?.stop()
      return taken(this.#take(link, offered))
    }
    const tell = (): void => {
      const term = running.succession
      if (running.hasEnded || term === undefined) return
      if (!link.send({ type: 'stale', term, epoch: 0 })) return
      this.#world.timeline.after(limits.beatMs, () => this.host.run(tell))
    }
    tell()
    running.whenEnded(() => {
      if (link.isOpen) taken(this.#take(link, offered))
    })
  }

  #take(link: SimLink, { offer, entry }: Offered): SimNode {
    const { host } = this
    const { nodes, blockBytes, bytes } = this.#world.scenario
    const scenario = nodes[this.#place] as Scenario['nodes'][number]
    const before = this.#node
    if (before?.hasEnded === false)
      throw new Error(`node ${this.#place} takes an offer before it has ended the last attempt`)
    const about = { place: this.#place, offer, host, link, scenario, blockBytes, left: this.left }
    const sizes = entry.growing ? { bytes, offeredBytes: entry.size } : { bytes: entry.size }
    const node = new SimNode({ ...about, ...sizes }, this.#world)
    this.#node = node
    this.#world.offered(this.#place, node)
    node.start()
    for (const look of this.#early.splice(0)) look(node)
    return node
  }
}

const noTransfer = { code: 'ERR_FR_NO_TRANSFER', text: 'no offer has come' } as const

/** Of the first process at a place. */
export function identityOf(place: number): Identity {
  return { nodeId: String(place).padStart(32, '0'), incarnation: 1 }
}

/** Of the process that comes after one; the id of a node lies on its disk. */
export function nextOf({ nodeId, incarnation }: Identity, isOther: boolean): Identity {
  const next = isOther ? `${incarnation}${nodeId.slice(1)}` : nodeId
  return { nodeId: next, incarnation: incarnation + 1 }
}
