/** The ports of a session over sockets, and the clock of this process. */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { hexOf } from '../base/bytes.js'
import { FrError, type FrErrorCode } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import { awakeMs, nowMs, unwatch, watch } from '../base/time/awake.js'
import { Turns } from '../base/time/turns.js'
import { requireAddress } from '../net/address.js'
import { dialController } from '../net/connect.js'
import { adopt, type Dialler, goOnOver, linkOver } from '../net/dial.js'
import { EarlyConnections } from '../net/early-connections.js'
import { Unwelcome } from '../net/established.js'
import { type Door, Gateways } from '../net/gateways.js'
import type { LastingLink } from '../net/greet-link.js'
import { dial, directly, type Established } from '../net/handshake.js'
import type { ControlLink } from '../net/link.js'
import type { DataEngine, FeedHandle, TransferHandle } from '../ports.js'
import { isSaidByPeer, Moved } from '../protocol/greeting.js'
import type {
  Clock,
  Connection,
  DialEvents,
  Link,
  LinkEvents,
  Net,
  Place,
  Target,
} from './driver/ports.js'
import { holderFault } from './holders.js'

export const processClock: Clock = {
  awakeMs,
  nowMs,
  at: (dueMs, run) => {
    const timer = setTimeout(run, Math.max(1, Math.ceil(dueMs - awakeMs())))
    return () => clearTimeout(timer)
  },
  watch: () => {
    watch()
    return unwatch
  },
}

/** Round trips from the first packet to the word `go`. */
const handshakeTrips = 3
/** The same without those of the connection. */
const greetingTrips = 2

export interface Part {
  readonly transfer: string
  /** The number of this side among the members, known by the time the first of them is dialled. */
  readonly from: () => number
  /** This side decides whom gateways connect to. */
  readonly isOrigin: boolean
  /** The gateway behind which this side is. */
  readonly via?: string | undefined
  /** Criteria: nobody else is a member. */
  readonly only?: string | undefined
  /** No data connection follows a link. */
  readonly isLinksOnly?: boolean
}

interface Dialled {
  readonly established: Established
  readonly rttMs: number
}

export class SocketNet implements Net {
  readonly #dialler: Dialler
  readonly #engine: DataEngine
  readonly #part: Part
  readonly #transfer: () => TransferHandle
  readonly #dialling = dialController()
  readonly #early = new EarlyConnections()
  readonly #gateways: Gateways
  /** The gateway of each connection that goes through one. */
  readonly #vias = new WeakMap<Established, Door>()
  readonly #links = new WeakMap<Link, ControlLink>()
  /** Members that another node has named, by their numbers, and where they are. */
  readonly #moved = new Map<number, string>()
  /** Of links: thousands of handshakes at once would all time out. */
  readonly #turns = new Turns(limits.dialsAtOnce)

  /**
   * `transfer`: what the engine calls it, known by the time the first connection is adopted.
   */
  constructor(dialler: Dialler, engine: DataEngine, part: Part, transfer: () => TransferHandle) {
    this.#dialler = dialler
    this.#engine = engine
    this.#part = part
    this.#transfer = transfer
    this.#gateways = new Gateways(dialler, part, this.#dialling.signal)
  }

  dial(target: Target, events: DialEvents): void {
    this.#inTurn(target, events).then(
      ({ established, rttMs }) => {
        const fault = this.#faultOf(target, established)
        if (fault === null) return events.opened(established, rttMs, established.peer)
        established.close()
        events.failed({ code: fault.code, text: fault.message, isFinal: true })
      },
      (error: unknown) => {
        const { code, message: text } = asFrError(error, 'ERR_FR_UNREACHABLE')
        // Whoever named the place that failed names another one next.
        const wasMoved = isOpening(target) && this.#moved.has(target.to)
        events.failed({ code, text, isFinal: isFinal(error) && !wasMoved })
      },
    )
  }

  /** Whoever has no link is offered nothing, and is in no plan. */
  #faultOf({ channel }: Target, { peer }: Established): FrError | null {
    if (channel !== 'control') return null
    return holderFault(this.#part.only, peer, this.#dialler.attributesOf)
  }

  /** A link has its time to connect from its turn on. */
  async #inTurn(target: Target, events: DialEvents): Promise<Dialled> {
    if (target.channel !== 'control') return this.#dial(target, events)
    const isLate = !this.#turns.isFree
    if (isLate) events.lookUpBegan?.()
    await this.#turns.take()
    if (isLate) events.lookUpEnded?.()
    try {
      this.#dialling.signal.throwIfAborted()
      return await this.#dial(target, events)
    } finally {
      this.#turns.done()
    }
  }

  /**
   * Whoever is dialled for a link may name another node, which takes the place of the member from
   * there on: its data connections and later ones of the link lead to that one.
   */
  async #dial(target: Target, events: DialEvents): Promise<Dialled> {
    const isNew = isOpening(target)
    if (isNew) this.#moved.delete(target.to)
    for (let hops = 0; ; hops++) {
      try {
        const address = this.#moved.get(target.to) ?? target.address
        return await this.#dialAt({ ...target, address }, events)
      } catch (error) {
        const address = isNew && hops < limits.movedHops ? movedTo(error) : null
        if (address === null) throw error
        this.#moved.set(target.to, address)
        if (target.via !== undefined) this.reach(target.via, [address])
      }
    }
  }

  async #dialAt(target: Target, events: DialEvents): Promise<Dialled> {
    const { channel, address, via, through } = target
    const { signal } = this.#dialling
    // The name of a node behind a gateway is for that one to look up.
    if (via === undefined) await this.#lookUp(requireAddress(address, 'address').host, events)
    const isFedSoon = channel === 'control' && target.isFedSoon === true
    let startMs = awakeMs()
    let trips = handshakeTrips
    const connected = (): void => {
      if (isFedSoon) this.#early.open(placeText(target), () => this.#connect(target))
      if (via === undefined) return
      startMs = awakeMs()
      trips = greetingTrips
    }
    const { transfer, from } = this.#part
    const part = channel === 'control' ? {} : { transfer, from: from(), to: target.to }
    const isFirst = channel === 'data' && target.isBeside !== true
    const opened = isFirst ? await this.#early.take(placeText(target)) : undefined
    const established = await dial({
      ...this.#dialler,
      ...part,
      ...(channel === 'data' && { edge: target.edge, isBeside: target.isBeside }),
      ...(channel === 'pull' && { expectedNodeId: target.nodeId }),
      ...(channel === 'control' && { link: this.#lasting(target) }),
      ...{ address, channel, signal, opened, connected, connect: () => this.#connect(target) },
    }).catch((error: unknown) => {
      this.#early.drop(placeText(target))
      throw error
    })
    if (via !== undefined) this.#vias.set(established, { via, through })
    return { established, rttMs: (awakeMs() - startMs) / trips }
  }

  #lasting({ resumes, takesOver }: Target & { channel: 'control' }): LastingLink {
    const link = resumes && this.#links.get(resumes)
    if (link?.id === undefined) return { id: hexOf(randomBytes(16)) }
    const heard = (): number => {
      if (takesOver?.() === false) throw new FrError('ERR_FR_CLOSED', 'the link speaks again')
      return link.pause()
    }
    return { id: link.id, heard }
  }

  #connect({ address, via, through, ...target }: Place | Target): Promise<Socket> {
    if (via !== undefined) return this.#gateways.connect({ via, through }, address)
    const { signal } = this.#dialling
    // What is tried again and again waits for the second packet, and not for the third.
    const isMany = 'resumes' in target || ('channel' in target && target.channel === 'data')
    const part = isMany ? { signal, connectMs: limits.reconnectMs } : { signal }
    return directly({ ...this.#dialler, ...part }, requireAddress(address, 'address'))()
  }

  reach(via: string, addresses: readonly string[]): void {
    const own = this.#part.via
    this.#gateways.reach({ via, through: own === via ? undefined : own }, addresses)
  }

  async #lookUp(host: string, events: DialEvents): Promise<void> {
    const { resolver } = this.#dialler
    if (resolver.knows(host)) return
    events.lookUpBegan?.()
    await resolver.resolve(host, this.#dialling.signal)
    events.lookUpEnded?.()
  }

  link(connection: Connection, events: LinkEvents): Link {
    const established = connection as Established
    const door = this.#vias.get(established)
    const heard = door === undefined ? events : this.#behind(door, events)
    const control = linkOver(established, heard, this.#engine)
    const link: Link = {
      send: (frame) => control.send(frame),
      waitFor: (silenceMs) => control.waitFor(silenceMs),
      close: (closed) => void control.close().then(closed),
      destroy: () => control.destroy(),
      goOn: (next) => goOnOver(control, next as Established, this.#engine),
      giveUp: (code, text) => control.giveUp(code, text),
    }
    this.#links.set(link, control)
    return link
  }

  /** Where a link through a gateway breaks, the gateway may be what is gone. */
  #behind(door: Door, events: LinkEvents): LinkEvents {
    const { via } = door
    const onClose = async (code: FrErrorCode, text: string): Promise<void> => {
      const isGone = code === 'ERR_FR_NODE_LOST' && (await this.#gateways.isGone(door))
      if (isGone) events.onClose('ERR_FR_GATEWAY', `the gateway ${via} is gone: ${text}`)
      else events.onClose(code, `${text} (through the gateway ${via})`)
    }
    return { ...events, onClose: (code, text) => void onClose(code, text) }
  }

  adopt(connection: Connection, direction: 'in' | 'out', beside?: FeedHandle): FeedHandle {
    const spec = { transfer: this.#transfer(), direction }
    return adopt(this.#engine, connection as Established, spec, beside)
  }

  end(): void {
    this.#dialling.abort()
    this.#early.end()
    this.#gateways.end()
  }
}

/**
 * Nobody listens at the address, whoever does is unwelcome, or has said why not, and not that it is
 * busy.
 */
function isFinal(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ((at as NodeJS.ErrnoException).code === 'ECONNREFUSED') return true
    if (at instanceof Unwelcome) return true
    if (at instanceof FrError && isSaidByPeer(at) && !passing.has(at.code)) return true
  }
  return false
}

/** It is to be a new link to the member. */
function isOpening(target: Target): boolean {
  return target.channel === 'control' && target.resumes === undefined
}

const passing: ReadonlySet<FrErrorCode> = new Set([
  ...(['ERR_FR_LIMIT', 'ERR_FR_TIMEOUT', 'ERR_FR_MOVED'] as const),
])

/** HOST:PORT of the node that was named, over a link that has proved the key. */
function movedTo(error: unknown): string | null {
  for (let at = error; at instanceof Error; at = at.cause)
    if (at instanceof Moved && isSaidByPeer(at)) return at.address
  return null
}

function placeText({ address, via = '', through = '' }: Place): string {
  return `${through} ${via} ${address}`
}
