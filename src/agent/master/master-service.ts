/**
 * A master as a running process: one port, and the reign of the master while it leads (reign.ts).
 *
 * Every connection is authenticated first. Then it is the link of a node, which needs the right to
 * be a member, or a question. One of several masters that does not lead says who does.
 *
 * The service owns its listener and all links; `close` is idempotent.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import type { Master, MasterFact, MasterSpec } from '../../control/copies/master.js'
import type { MasterToNode } from '../../control/messages/mastering.js'
import { type Address, boundAddress, requireServable } from '../../net/address.js'
import { linkOver } from '../../net/dial.js'
import { accept, type Established, remoteAddressOf, type Self } from '../../net/handshake.js'
import type { Key } from '../../net/keys.js'
import { PreAuthGuard } from '../../net/pre-auth-guard.js'
import { Authority } from '../authority.js'
import { hasSpareDescriptor } from '../descriptors.js'
import { bind } from '../listening.js'
import type { Peers } from '../peers.js'
import { Strangers } from '../strangers.js'
import { MasterQuestions, type QuestionTable } from './master-questions.js'
import { type Leads, Reign } from './reign.js'

export interface MasterServiceSpec extends MasterSpec {
  readonly listen: Address
  readonly keys: readonly Key[]
  readonly self: Self
  /** Who may speak to it, and what each may ask; absent: whoever holds the key may do all. */
  readonly peers?: Peers | undefined
  readonly log: Logger
  readonly questions: QuestionTable
  /** Milliseconds of silence after which a node has left. */
  readonly silenceMs?: number
  /** HOST:PORT of the one of several masters that leads; absent: it is the only one, and leads. */
  readonly leader?: () => string | null
}

export class MasterService {
  readonly log: Logger
  readonly authority: Authority
  readonly counters = { connections: 0, refusedConnections: 0, authFailures: 0 }
  readonly #spec: MasterServiceSpec
  readonly #server: Server
  readonly #guard = new PreAuthGuard()
  readonly #strangers: Strangers
  readonly #questions: MasterQuestions
  #reign: Reign | null
  #closing: Promise<void> | undefined

  constructor(spec: MasterServiceSpec) {
    this.#spec = spec
    this.log = spec.log
    this.authority = new Authority(spec.peers, spec.log)
    this.#strangers = new Strangers(spec.log, this.counters)
    this.#questions = new MasterQuestions(spec.questions, this.authority, () =>
      this.#reign === null || this.#reign.isOver ? this.#elsewhere : null,
    )
    this.#reign = spec.leader === undefined ? this.#newReign(null) : null
    this.#server = createServer(
      { pauseOnConnect: false, noDelay: true },
      (socket) => void this.#serve(socket),
    )
  }

  /** HOST:PORT, valid after `listen`. */
  get address(): string {
    return boundAddress(this.#server.address() as AddressInfo)
  }

  /** Null: another master leads, or none. */
  get reign(): Reign | null {
    return this.#reign
  }

  get master(): Master {
    return this.#leading.master
  }

  /** Names of nodes whose links are open and that have said what they hold. */
  get nodes(): string[] {
    return this.#reign?.nodes ?? []
  }

  /** Unix milliseconds that never go back, which is the time of the master. */
  get nowMs(): number {
    return this.#leading.nowMs
  }

  /** Called for each fact after the master has taken it. Returns what ends that. */
  onFact(listener: (fact: MasterFact) => void): () => void {
    return this.#leading.onFact(listener)
  }

  post(fact: MasterFact): void {
    this.#leading.post(fact)
  }

  /** From now on it leads; nodes are taken from when `isReady` is called. */
  newReign(leads: Leads): { readonly reign: Reign; readonly isReady: () => void } {
    const reign = this.#newReign(leads)
    const isReady = (): void => {
      if (!reign.isOver && this.#closing === undefined) this.#reign = reign
    }
    return { reign, isReady }
  }

  /** It leads no more. */
  endReign(reign: Reign): void {
    if (this.#reign === reign) this.#reign = null
    reign.end(this.#elsewhere.address)
  }

  /** Rejects with ERR_FR_LISTEN, or with ERR_FR_OPEN beyond loopback without a key. */
  async listen(): Promise<void> {
    const { listen, keys } = this.#spec
    requireServable(listen, keys[0] as Key)
    await bind(this.#server, listen)
    this.#server.on('error', (error) => {
      this.log({ level: 'error', event: 'listener-error', fields: { text: error.message } })
    })
  }

  async reload(): Promise<void> {
    await this.#spec.peers?.reload()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#guard.destroyAll()
    this.#questions.destroyAll()
    this.#reign?.end(null)
    await closed
  }

  // --- connections ---

  async #serve(socket: Socket): Promise<void> {
    this.counters.connections++
    const remote = remoteAddressOf(socket)
    try {
      const { keys, self } = this.#spec
      const isLast = !hasSpareDescriptor()
      const admitted = await accept(socket, { keys, self, guard: this.#guard })
      if (isLast) return this.#strangers.exhausted(admitted, remote)
      if (this.#closing !== undefined)
        return admitted.refuse('ERR_FR_NODE_CLOSED', 'the master is closing')
      if (admitted.channel !== 'master' && admitted.channel !== 'status')
        return admitted.refuse('ERR_FR_UNSUPPORTED', 'this is a master, and no node')
      const established = await (admitted as { go: () => Promise<Established> }).go()
      if (admitted.channel === 'status') this.#questions.serve(established)
      else this.#take(established)
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_PROTOCOL')
      this.#strangers.refused(code, text)
      if (code === 'ERR_FR_AUTH') this.#strangers.wrongKey(remote, text)
    }
  }

  /** The link of a node, or where it finds who takes it. */
  #take(established: Established): void {
    const reign = this.#reign
    if (reign !== null && !reign.isOver) return reign.take(established)
    const link = linkOver(established, { onFrame: () => {}, onClose: () => {} })
    link.send(this.#elsewhere)
    void link.close()
  }

  get #elsewhere(): Extract<MasterToNode, { type: 'elsewhere' }> {
    return { type: 'elsewhere', address: this.#spec.leader?.() ?? null }
  }

  get #leading(): Reign {
    if (this.#reign === null)
      throw new FrError('ERR_FR_NOT_LEADING', 'this master does not lead at the moment')
    return this.#reign
  }

  #newReign(leads: Leads | null): Reign {
    const silenceMs = this.#spec.silenceMs ?? limits.masterSilenceMs
    const { authority, log } = this
    const strangers = this.#strangers
    return new Reign({ ...this.#spec, authority, log, strangers, silenceMs, leads })
  }
}
