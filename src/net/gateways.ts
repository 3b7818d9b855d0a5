/**
 * Connections to nodes behind gateways, as one member of a transfer makes them: over one link to
 * each gateway it asks for a ticket, shows it on a new connection, and has the node at the other
 * end of that. What is said on it then is between this side and the node.
 *
 *     no link -> opening   somebody wants to reach a node
 *     opening -> open      asked by all who want to
 *     opening, open -> no link   it failed or broke: whoever waited is told ERR_FR_GATEWAY, and the
 *                          next one opens another
 */
import type { Socket } from 'node:net'
import { FrError, type FrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { Patience } from '../base/time/patience.js'
import type { BridgedFrame } from '../control/messages/bridging.js'
import { isSaidByPeer, saidBy } from '../protocol/greeting.js'
import { requireAddress } from './address.js'
import { type Dialler, linkOver } from './dial.js'
import { crossBridge } from './greet-bridge.js'
import { dial, directly } from './handshake.js'
import { within } from './hello-stream.js'
import type { ControlLink } from './link.js'

interface Asked {
  readonly answered: (frame: BridgedFrame) => void
  readonly lost: (error: FrError) => void
}

/** A gateway, and the one between it and this side; HOST:PORT each. */
export interface Door {
  readonly via: string
  readonly through?: string | undefined
}

interface Gateway extends Door {
  /** Nodes that it is to connect others to, by the word of this side. */
  readonly told: Set<string>
  readonly asked: Map<number, Asked>
  opening: Promise<ControlLink> | undefined
  /** Called when the link breaks. */
  readonly watchers: Set<() => void>
}

export interface BridgePart {
  /** 32 hex digits. */
  readonly transfer: string
  /** This side is the origin: whom it dials, the gateway may connect it to. */
  readonly isOrigin: boolean
}

/** Milliseconds in which a gateway that is gone is found to be. */
const verdictMs = 250

export class Gateways {
  readonly #dialler: Dialler
  readonly #part: BridgePart
  readonly #signal: AbortSignal
  readonly #gateways = new Map<string, Gateway>()
  #requests = 0

  constructor(dialler: Dialler, part: BridgePart, signal: AbortSignal) {
    this.#dialler = dialler
    this.#part = part
    this.#signal = signal
  }

  /**
   * The origin's word: members may be connected to these nodes, HOST:PORT each. A gateway hears it
   * before whatever this side asks of it next.
   */
  reach(door: Door, targets: readonly string[]): void {
    const gateway = this.#of(door)
    const fresh = targets.filter((target) => !gateway.told.has(target))
    for (const target of fresh) gateway.told.add(target)
    const { opening } = gateway
    // A link that is opened begins with all there is to tell.
    if (opening === undefined) void this.#linkTo(gateway).catch(ignored)
    else if (fresh.length > 0) void opening.then((link) => this.#tell(link, fresh), ignored)
  }

  /** A connection to the node behind the gateway, on which nothing was said. */
  async connect(door: Door, target: string): Promise<Socket> {
    if (this.#part.isOrigin) this.reach(door, [target])
    const gateway = this.#of(door)
    const { via } = door
    const ticket = await this.#ticket(gateway, target)
    const socket = await this.#connectTo(gateway).catch((error: unknown) => {
      throw gone(via, error)
    })
    // The gateway has limits.connectMs to reach the node, and gives up before this.
    const patienceMs = this.#dialler.connectMs + limits.helloMs
    await within(socket, patienceMs, this.#signal, () => crossBridge(socket, ticket)).catch(
      (error: unknown) => {
        throw crossed(via, error)
      },
    )
    return socket
  }

  #connectTo({ via, through }: Gateway): Promise<Socket> {
    if (through !== undefined) return this.connect({ via: through }, via)
    const { keys, resolver, connectMs } = this.#dialler
    const how = { keys, resolver, connectMs, signal: this.#signal }
    return directly(how, requireAddress(via, 'via'))()
  }

  /** Whether the gateway is gone: a connection through it broke, by whose fault is not known. */
  async isGone(door: Door): Promise<boolean> {
    const gateway = this.#of(door)
    if (gateway.opening === undefined) return true
    return new Promise((resolve) => {
      const tell = (isGone: boolean): void => {
        patience.end()
        gateway.watchers.delete(lost)
        resolve(isGone)
      }
      const lost = (): void => tell(true)
      const patience = new Patience(verdictMs, () => tell(false))
      gateway.watchers.add(lost)
    })
  }

  /** Nothing is asked any more. What was connected stays. */
  end(): void {
    for (const gateway of this.#gateways.values()) {
      void gateway.opening?.then((link) => link.close(), ignored)
      this.#lose(gateway, new FrError('ERR_FR_ABORTED', 'the transfer is over'))
    }
  }

  #of({ via, through }: Door): Gateway {
    const key = `${through ?? ''} ${via}`
    let gateway = this.#gateways.get(key)
    if (gateway === undefined) {
      const fresh = { told: new Set<string>(), asked: new Map(), watchers: new Set<() => void>() }
      gateway = { via, through, ...fresh, opening: undefined }
      this.#gateways.set(key, gateway)
    }
    return gateway
  }

  async #ticket(gateway: Gateway, target: string): Promise<string> {
    const link = await this.#linkTo(gateway)
    const request = this.#requests++
    const { connectMs } = this.#dialler
    let patience: Patience | undefined
    try {
      const answer = await new Promise<BridgedFrame>((answered, lost) => {
        gateway.asked.set(request, { answered, lost })
        // The gateway gives up before this.
        patience = new Patience(limits.bridgeMs + connectMs, () =>
          lost(gone(gateway.via, 'it does not answer')),
        )
        if (!link.send({ type: 'bridge', request, transfer: this.#part.transfer, target }))
          lost(gone(gateway.via, 'its link is closed'))
      })
      if (answer.code === null) return answer.ticket
      throw saidBy(new FrError(answer.code, `the gateway ${gateway.via}: ${answer.text}`))
    } finally {
      patience?.end()
      gateway.asked.delete(request)
    }
  }

  #linkTo(gateway: Gateway): Promise<ControlLink> {
    gateway.opening ??= this.#open(gateway)
    return gateway.opening
  }

  async #open(gateway: Gateway): Promise<ControlLink> {
    const { via: address } = gateway
    try {
      const established = await dial({
        ...this.#dialler,
        ...{ address, channel: 'bridge', signal: this.#signal },
        connect: () => this.#connectTo(gateway),
      })
      const lose = (code: FrErrorCode, text: string): void =>
        this.#lose(gateway, gone(address, new FrError(code, text)))
      const link = linkOver(established, {
        onFrame: (frame) => {
          if (frame.type === 'refuse') {
            // Its end must not be taken for that of the link that comes next.
            void link.close()
            return lose(frame.code, frame.text)
          }
          if (frame.type !== 'bridged')
            throw new FrError('ERR_FR_PROTOCOL', `unexpected frame '${frame.type}' of a gateway`)
          gateway.asked.get(frame.request)?.answered(frame)
        },
        onClose: lose,
      })
      this.#tell(link, [...gateway.told])
      return link
    } catch (error) {
      gateway.opening = undefined
      throw gone(address, error)
    }
  }

  #tell(link: ControlLink, targets: readonly string[]): void {
    const { transfer } = this.#part
    for (let at = 0; at < targets.length; at += limits.bridgeTargets) {
      const some = targets.slice(at, at + limits.bridgeTargets)
      link.send({ type: 'reach', transfer, targets: some })
    }
  }

  #lose(gateway: Gateway, error: FrError): void {
    gateway.opening = undefined
    for (const { lost } of gateway.asked.values()) lost(error)
    for (const watcher of [...gateway.watchers]) watcher()
  }
}

/** The gateway itself is the trouble, unless somebody has cancelled or it says why it refuses. */
function gone(via: string, cause: unknown): FrError {
  if (!(cause instanceof FrError))
    return new FrError('ERR_FR_GATEWAY', `the gateway ${via} is gone: ${String(cause)}`)
  const { code, message } = cause
  const isLost = code === 'ERR_FR_UNREACHABLE' || code === 'ERR_FR_NODE_LOST'
  return new FrError(isLost ? 'ERR_FR_GATEWAY' : code, `the gateway ${via}: ${message}`, { cause })
}

/** What the gateway says of the node behind it is no trouble of its own. */
function crossed(via: string, error: unknown): unknown {
  if (!(error instanceof FrError)) return error
  if (!isSaidByPeer(error)) return gone(via, error)
  return new FrError(error.code, `the gateway ${via}: ${error.message}`, { cause: error })
}

function ignored(): void {}
