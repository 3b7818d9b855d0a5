/**
 * A master as a running process: one port, a place for each node that has dialled it, and the
 * machine that decides (control/copies) with the time of the day.
 *
 * Every connection is authenticated first. Then it is the link of a node, which needs the right to
 * be a member, or a question.
 *
 * What is decided is said at once to those who are there; who is not says all that it holds and
 * copies when it is back. The service owns its listener and all links; `close` is idempotent.
 */
import { randomInt } from 'node:crypto'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { attributeOf } from '../../base/attributes.js'
import { FrError } from '../../base/errors.js'
import { asFrError } from '../../base/failures.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { nowMs } from '../../base/time/awake.js'
import { Master, type MasterFact, type MasterSpec } from '../../control/copies/master.js'
import { type Address, boundAddress, requireServable } from '../../net/address.js'
import { accept, type Established, remoteAddressOf, type Self } from '../../net/handshake.js'
import type { Key } from '../../net/keys.js'
import { PreAuthGuard } from '../../net/pre-auth-guard.js'
import { Authority } from '../authority.js'
import { hasSpareDescriptor } from '../descriptors.js'
import { bind } from '../listening.js'
import type { Peers } from '../peers.js'
import { memberRights } from '../requests.js'
import { Strangers } from '../strangers.js'
import { MasterQuestions, type QuestionTable } from './master-questions.js'
import { Seat, type SeatHost } from './seat.js'
import { carryOut, noteLine, type Place } from './wishes.js'

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
}

/** The site of nodes that name none. */
const onlySite = 'default'

export class MasterService {
  readonly master: Master
  readonly log: Logger
  readonly authority: Authority
  readonly counters = { connections: 0, refusedConnections: 0, authFailures: 0 }
  readonly #spec: MasterServiceSpec
  readonly #server: Server
  readonly #guard = new PreAuthGuard()
  readonly #strangers: Strangers
  readonly #questions: MasterQuestions
  /** Nodes whose link is open, by name. */
  readonly #seats = new Map<string, Seat>()
  /** Nodes that the machine takes for here: one whose link is made anew is, until that breaks. */
  readonly #joined = new Set<string>()
  /** Links that have not named their node, or not been refused to the end. */
  readonly #unnamed = new Set<Seat>()
  /** Where each node that was ever here is reached. */
  readonly #places = new Map<string, Place>()
  readonly #listeners = new Set<(fact: MasterFact) => void>()
  /** The time of the day, as it was at the start. */
  readonly #epochMs = Date.now() - nowMs()
  #turn: NodeJS.Immediate | undefined
  #timer: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined

  constructor(spec: MasterServiceSpec) {
    this.#spec = spec
    this.log = spec.log
    this.master = new Master({ firstCopy: firstCopy(), ...spec })
    this.authority = new Authority(spec.peers, spec.log)
    this.#strangers = new Strangers(spec.log, this.counters)
    this.#questions = new MasterQuestions(spec.questions, this.authority)
    this.#server = createServer(
      { pauseOnConnect: false, noDelay: true },
      (socket) => void this.#serve(socket),
    )
  }

  /** HOST:PORT, valid after `listen`. */
  get address(): string {
    return boundAddress(this.#server.address() as AddressInfo)
  }

  /** Names of nodes whose links are open and that have said what they hold. */
  get nodes(): string[] {
    return [...this.#seats].filter(([, seat]) => seat.isSeated).map(([name]) => name)
  }

  /** Unix milliseconds that never go back, which is the time of the master. */
  get nowMs(): number {
    return this.#epochMs + nowMs()
  }

  /** Called for each fact after the master has taken it. Returns what ends that. */
  onFact(listener: (fact: MasterFact) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  post(fact: MasterFact): void {
    this.master.post(fact, this.nowMs)
    for (const listener of this.#listeners) listener(fact)
    this.#wake()
  }

  /** Rejects with ERR_FR_LISTEN, or with ERR_FR_OPEN beyond loopback without a key. */
  async listen(): Promise<void> {
    const { listen, keys } = this.#spec
    requireServable(listen, keys[0] as Key)
    await bind(this.#server, listen)
    this.#server.on('error', (error) => {
      this.log({ level: 'error', event: 'listener-error', fields: { text: error.message } })
    })
    this.#wake()
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
    clearImmediate(this.#turn)
    clearTimeout(this.#timer)
    this.#guard.destroyAll()
    this.#questions.destroyAll()
    for (const seat of [...this.#unnamed, ...this.#seats.values()]) seat.destroy()
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
      else this.#unnamed.add(new Seat(established, this.#host, this.#silenceMs))
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_PROTOCOL')
      this.#strangers.refused(code, text)
      if (code === 'ERR_FR_AUTH') this.#strangers.wrongKey(remote, text)
    }
  }

  get #silenceMs(): number {
    return this.#spec.silenceMs ?? limits.masterSilenceMs
  }

  // --- nodes ---

  readonly #host: SeatHost = {
    enlisted: (seat) => {
      this.#admit(seat)
      this.#unnamed.delete(seat)
    },
    seated: (seat, { files, freeBytes, running }) => {
      const { name } = seat
      const { attributes, site } = this.#attributesOf(seat, name)
      const { up, down } = seat.enlisting
      const carries = (rate: number | null) => ({ bytesPerSecond: rate ?? Infinity })
      this.#places.set(name, { nodeId: seat.nodeId, address: seat.address })
      this.log({
        ...{ level: 'info', event: 'node-joined' },
        fields: { node: name, nodeId: seat.nodeId, site, address: seat.address },
      })
      this.#joined.add(name)
      this.post({
        ...{ type: 'joined', node: name, site, attributes },
        ...{ up: carries(up), down: carries(down) },
      })
      const told = { files, gone: [], isAll: true, freeBytes, running }
      this.post({ type: 'state', node: name, ...told })
    },
    changed: (seat, { held: files, gone, freeBytes }) => {
      this.post({ type: 'state', node: seat.name, files, gone, isAll: false, freeBytes })
    },
    copied: (seat, copy, ended) => {
      this.post({ type: 'copied', node: seat.name, copy, ended })
    },
    over: (seat, { code, message: text }) => {
      this.#unnamed.delete(seat)
      const { name } = seat
      if (this.#seats.get(name) !== seat) return this.#strangers.refused(code, text)
      this.#seats.delete(name)
      this.log({ level: 'info', event: 'node-left', fields: { node: name, code, text } })
      if (this.#joined.delete(name)) this.post({ type: 'left', node: name })
    },
  }

  /** Throws why the node cannot be taken. */
  #admit(seat: Seat): void {
    this.authority.require(seat.established, 'enlist', memberRights)
    const said = this.authority.attributesOf(seat.established.peer)
    const name = attributeOf(said, 'name') ?? seat.nodeId
    const { site } = this.#attributesOf(seat, name)
    const { network } = this.master
    const isKnown = network.siteId(site) !== undefined
    if (!isKnown && (this.#spec.topology?.sites.length ?? 0) > 0)
      throw new FrError('ERR_FR_CRITERIA', `the topology has no site ${JSON.stringify(site)}`)
    if (!isKnown && network.sites >= limits.masterSites)
      throw new FrError('ERR_FR_LIMIT', `there are ${limits.masterSites} sites already`)
    if (!this.#places.has(name) && this.#places.size >= limits.masterNodes)
      throw new FrError('ERR_FR_LIMIT', `there are ${limits.masterNodes} nodes already`)
    const other = this.#seats.get(name)
    if (other !== undefined && other.nodeId !== seat.nodeId)
      throw new FrError('ERR_FR_EXISTS', `another node here is called ${JSON.stringify(name)}`)
    other?.destroy()
    seat.name = name
    this.#seats.set(name, seat)
    this.#places.set(name, { nodeId: seat.nodeId, address: seat.address })
  }

  #attributesOf({ established }: Seat, name: string) {
    const said = this.authority.attributesOf(established.peer)
    const site = attributeOf(said, 'site') ?? onlySite
    return { attributes: { ...said, name, site }, site }
  }

  // --- deciding ---

  #wake(): void {
    if (this.#closing === undefined) this.#turn ??= setImmediate(() => this.#decide())
  }

  #decide(): void {
    this.#turn = undefined
    clearTimeout(this.#timer)
    const { master } = this
    const saying = {
      seatOf: (node: string) => {
        const seat = this.#seats.get(node)
        return seat?.isSeated ? seat : undefined
      },
      placeOf: (node: string) => this.#places.get(node),
      nameOf: (id: number) => master.network.nodeName(id),
    }
    for (const wish of master.advance(this.nowMs)) {
      if (wish.type === 'note') this.log(noteLine(wish.note, master.network))
      else carryOut(wish, saying)
    }
    const waitMs = master.dueMs - this.nowMs
    if (waitMs <= 0) this.#wake()
    else if (waitMs < Infinity)
      this.#timer = setTimeout(() => this.#wake(), Math.min(Math.ceil(waitMs), dayMs))
  }
}

const dayMs = 86_400_000

/** So far apart that no number is used twice: nodes may still copy what an earlier run said. */
function firstCopy(): number {
  return randomInt(1, 2 ** 33) * 2 ** 20
}
