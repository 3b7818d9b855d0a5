/**
 * What a gateway does for pushes whose nodes the others cannot dial: it joins connections of
 * members to connections that it makes to these nodes. The engine carries the bytes, which are
 * between the two ends: a link is encrypted under a secret that the gateway is no party to.
 *
 * A gateway is no open door. It connects to an address only if a peer that holds the key has named
 * it as a node of a transfer, and as long as that peer's link is open; only if whoever listens
 * there has proved the key to the gateway itself; and only for whoever shows a ticket, once, soon
 * after it was given to a peer that holds the key.
 */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import type { Logger } from '../base/log.js'
import { Waiting } from '../base/time/patience.js'
import type { BridgeFrame, ReachFrame } from '../control/messages/bridging.js'
import type { Frame } from '../control/messages/types.js'
import { requireAddress } from '../net/address.js'
import { type Dialler, linkOver } from '../net/dial.js'
import type { Crossing } from '../net/greet-bridge.js'
import { dial, directly, type Established } from '../net/handshake.js'
import { ignore, stopReading } from '../net/hello-stream.js'
import type { ControlLink } from '../net/link.js'
import type { DataEngine } from '../ports.js'
import { unexpectedFrame } from '../protocol/fields.js'

/** A transfer whose nodes may be connected to. */
interface Told {
  readonly owner: string
  /** Its links to the owner. */
  readonly links: Set<ControlLink>
  /** By address: whoever listens there holds the key; undefined: nobody has asked yet. */
  readonly targets: Map<string, Promise<void> | undefined>
}

interface Ticket {
  /** 64 hex digits. */
  readonly secret: string
  readonly target: string
}

export interface BridgesSpec {
  readonly engine: DataEngine
  readonly dialler: () => Dialler
  readonly log: Logger
}

export class Bridges {
  readonly #spec: BridgesSpec
  readonly #links = new Set<ControlLink>()
  readonly #told = new Map<string, Told>()
  readonly #tickets = new Waiting<Ticket>()
  /** Requests that wait for the word of an origin, or for the answer of a node. */
  #asking = 0
  /** Connections whose other half is being made. */
  #crossing = 0
  /** Called, each by its request, when an origin has named nodes. */
  readonly #awaiting = new Waiting<() => void>()
  /** Connections that JavaScript carries; a native engine has taken over its own. */
  readonly #joined = new Set<Socket>()
  readonly #over = new AbortController()

  constructor(spec: BridgesSpec) {
    this.#spec = spec
  }

  /** A link on which bridges are asked for. */
  serve(established: Established): void {
    const owner = established.peer?.nodeId ?? ''
    // A peer that is gone must not keep its place: nothing else is said on an idle link.
    established.tune((socket) => socket.setKeepAlive(true, limits.silenceMs))
    const link = linkOver(
      established,
      {
        onFrame: (frame) => this.#said(link, owner, frame),
        onClose: () => this.#forget(link),
        lastWord: refusal,
      },
      this.#spec.engine,
    )
    if (this.#links.size >= limits.bridgeLinks) {
      link.send(refusal('ERR_FR_LIMIT', 'the gateway has too many links'))
      return void link.close()
    }
    this.#links.add(link)
  }

  /** Joins the connection to another one, if its ticket is good. */
  async cross(crossing: Crossing): Promise<void> {
    const ticket = [...this.#tickets].find(({ secret }) => secret === crossing.ticket)
    if (ticket === undefined) {
      const text = 'the gateway knows no such ticket: it was used, or is too old'
      crossing.refuse('ERR_FR_BRIDGE', text)
      throw new FrError('ERR_FR_BRIDGE', text)
    }
    this.#tickets.delete(ticket)
    const { engine } = this.#spec
    if (engine.counters().openBridges + this.#crossing >= limits.bridgesPerNode)
      return crossing.refuse('ERR_FR_LIMIT', 'the gateway has too many bridges')
    this.#crossing++
    try {
      await this.#join(crossing, ticket)
    } finally {
      this.#crossing--
    }
  }

  async #join(crossing: Crossing, { target }: Ticket): Promise<void> {
    let far: Socket
    try {
      far = await this.#connect(target)
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_UNREACHABLE')
      return crossing.refuse(code, text)
    }
    let near: Socket | undefined
    try {
      const socket = await crossing.go()
      near = socket
      this.#spec.engine.bridge(socket, far)
      this.#joined.add(socket)
      socket.once('close', () => this.#joined.delete(socket))
    } catch (error) {
      near?.destroy()
      far.destroy()
      throw error
    }
  }

  destroyAll(): void {
    this.#over.abort()
    this.#tickets.takeAll()
    for (const look of this.#awaiting.takeAll()) look()
    for (const socket of this.#joined) socket.destroy()
    for (const link of [...this.#links]) {
      this.#forget(link)
      link.destroy()
    }
  }

  #said(link: ControlLink, owner: string, frame: Frame): void {
    if (frame.type === 'reach') return this.#reach(link, owner, frame)
    if (frame.type === 'bridge') return void this.#answer(link, frame)
    throw unexpectedFrame(frame)
  }

  #reach(link: ControlLink, owner: string, { transfer, targets }: ReachFrame): void {
    let told = this.#told.get(transfer)
    if (told === undefined) {
      if (this.#told.size >= limits.transfersPerNode)
        throw new FrError('ERR_FR_LIMIT', 'the gateway has too many transfers')
      told = { owner, links: new Set(), targets: new Map() }
      this.#told.set(transfer, told)
    }
    if (told.owner !== owner)
      throw new FrError('ERR_FR_BRIDGE', 'the nodes of this transfer are named by another')
    told.links.add(link)
    for (const target of targets) if (!told.targets.has(target)) told.targets.set(target, undefined)
    if (told.targets.size > limits.placesPerPush)
      throw new FrError('ERR_FR_LIMIT', 'too many nodes of one transfer')
    for (const look of this.#awaiting) look()
  }

  async #answer(link: ControlLink, { request, transfer, target }: BridgeFrame): Promise<void> {
    const answer = { type: 'bridged', request } as const
    try {
      const ticket = await this.#ticket(transfer, target)
      const isSent = link.send({ ...answer, code: null, text: '', ticket: ticket.secret })
      if (!isSent) this.#tickets.delete(ticket)
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_UNREACHABLE')
      link.send({ ...answer, code, text, ticket: '' })
      this.#spec.log({ level: 'info', event: 'bridge-refused', fields: { target, code, text } })
    }
  }

  async #ticket(transfer: string, target: string): Promise<Ticket> {
    if (this.#asking + this.#tickets.size >= limits.bridgeTickets)
      throw new FrError('ERR_FR_LIMIT', 'too many bridges are being made')
    this.#asking++
    try {
      await this.#proved(await this.#named(transfer, target), target)
    } finally {
      this.#asking--
    }
    if (this.#over.signal.aborted) throw new FrError('ERR_FR_NODE_CLOSED', 'the gateway is closing')
    const ticket = { secret: randomBytes(32).toString('hex'), target }
    this.#tickets.add(ticket, limits.bridgeTicketMs, () => {})
    return ticket
  }

  /** The plan of a member may be here before the word of the origin is: that comes elsewhere. */
  #named(transfer: string, target: string): Promise<Told> {
    const known = this.#told.get(transfer)
    if (known?.targets.has(target) === true) return Promise.resolve(known)
    return new Promise((named, refused) => {
      const over = (): void =>
        refused(new FrError('ERR_FR_BRIDGE', `${target} was not named as a node of this push`))
      const look = (): void => {
        const told = this.#told.get(transfer)
        if (told?.targets.has(target) === true) named(told)
        else if (this.#over.signal.aborted) over()
        else return
        this.#awaiting.delete(look)
      }
      this.#awaiting.add(look, limits.bridgeReachMs, over)
    })
  }

  /** Rejects with the FrError that says why nobody is connected to this address. */
  #proved({ targets }: Told, target: string): Promise<void> {
    const known = targets.get(target)
    if (known !== undefined) return known
    const { signal } = this.#over
    const proof = dial({ ...this.#spec.dialler(), address: target, channel: 'status', signal })
    const proved = proof.then((established) => established.close())
    targets.set(target, proved)
    proved.catch(() => targets.set(target, undefined))
    return proved
  }

  async #connect(target: string): Promise<Socket> {
    const { signal } = this.#over
    const socket = await directly(
      { ...this.#spec.dialler(), signal },
      requireAddress(target, 'target'),
    )()
    socket.on('error', ignore)
    await stopReading(socket)
    if (socket.readableLength === 0) return socket
    socket.destroy()
    throw new FrError('ERR_FR_PROTOCOL', `${target} spoke first`)
  }

  #forget(link: ControlLink): void {
    this.#links.delete(link)
    for (const [transfer, { links }] of this.#told)
      if (links.delete(link) && links.size === 0) this.#told.delete(transfer)
  }
}

function refusal(code: FrError['code'], text: string): Frame {
  return { type: 'refuse', code, text }
}
