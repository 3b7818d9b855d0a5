/** The ports of a session over sockets, and the clock of this process. */
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import { awakeMs, nowMs, unwatch, watch } from '../base/time/awake.js'
import { Turns } from '../base/time/turns.js'
import { requireAddress } from '../net/address.js'
import { connect, dialController, onlyLoopback } from '../net/connect.js'
import { adopt, type Dialler, linkOver } from '../net/dial.js'
import { EarlyConnections } from '../net/early-connections.js'
import { dial, type Established } from '../net/handshake.js'
import type { DataEngine, FeedHandle, TransferHandle } from '../ports.js'
import type {
  Clock,
  Connection,
  DialEvents,
  Link,
  LinkEvents,
  Net,
  Target,
} from './driver/ports.js'

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

export interface Part {
  readonly transfer: string
  /** The number of this side among the members, known by the time the first of them is dialled. */
  readonly from: () => number
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
  }

  dial(target: Target, events: DialEvents): void {
    this.#inTurn(target, events).then(
      ({ established, rttMs }) => events.opened(established, rttMs, established.peer),
      (error: unknown) => {
        const { code, message: text } = asFrError(error, 'ERR_FR_UNREACHABLE')
        events.failed({ code, text })
      },
    )
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

  async #dial(target: Target, events: DialEvents): Promise<Dialled> {
    const { channel, address } = target
    const { signal } = this.#dialling
    await this.#lookUp(requireAddress(address, 'address').host, events)
    const startMs = awakeMs()
    const { transfer, from } = this.#part
    const part = channel === 'control' ? {} : { transfer, from: from(), to: target.to }
    const isFedSoon = channel === 'control' && target.isFedSoon === true
    const connected = isFedSoon ? () => this.#openEarly(address) : undefined
    const opened = channel === 'data' ? await this.#early.take(address) : undefined
    const established = await dial({
      ...this.#dialler,
      ...part,
      ...(channel === 'data' && { edge: target.edge }),
      ...(channel === 'pull' && { expectedNodeId: target.nodeId }),
      ...{ address, channel, signal, opened, connected },
    }).catch((error: unknown) => {
      this.#early.drop(address)
      throw error
    })
    return { established, rttMs: (awakeMs() - startMs) / handshakeTrips }
  }

  /** The data connection that will follow a link to this address. */
  #openEarly(text: string): void {
    const { keys, resolver, connectMs } = this.#dialler
    const { signal } = this.#dialling
    const address = requireAddress(text, 'address')
    this.#early.open(text, async () => {
      const found = await resolver.resolve(address.host, signal)
      const addresses = keys[0]?.isOpen ? onlyLoopback(address.host, found) : found
      return connect(address, addresses, { connectMs, signal })
    })
  }

  async #lookUp(host: string, events: DialEvents): Promise<void> {
    const { resolver } = this.#dialler
    if (resolver.knows(host)) return
    events.lookUpBegan?.()
    await resolver.resolve(host, this.#dialling.signal)
    events.lookUpEnded?.()
  }

  link(connection: Connection, events: LinkEvents): Link {
    const link = linkOver(connection as Established, events, this.#engine)
    return {
      send: (frame) => link.send(frame),
      waitFor: (silenceMs) => link.waitFor(silenceMs),
      close: (closed) => void link.close().then(closed),
      destroy: () => link.destroy(),
    }
  }

  adopt(connection: Connection, direction: 'in' | 'out'): FeedHandle {
    const established = connection as Established
    const { recordSeed: seed } = established.feed
    return adopt(this.#engine, established, { transfer: this.#transfer(), direction, seed })
  }

  end(): void {
    this.#dialling.abort()
    this.#early.end()
  }
}
