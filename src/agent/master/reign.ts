/**
 * One time for which a master leads: the places of the nodes that have dialled it, and the machine
 * that decides (control/copies) with the time of the day.
 *
 * What is decided is said at once to those who are there; who is not says all that it holds and
 * copies when it is back. Of several masters one leads for a term: each of its links begins with
 * that, and nothing is said on them once it may not lead any more.
 */
import { randomInt } from 'node:crypto'
import { attributeOf } from '../../base/attributes.js'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { Logger } from '../../base/log.js'
import { nowMs } from '../../base/time/awake.js'
import { Master, type MasterFact, type MasterSpec } from '../../control/copies/master.js'
import type { Established } from '../../net/handshake.js'
import type { Authority } from '../authority.js'
import { memberRights } from '../requests.js'
import type { Strangers } from '../strangers.js'
import { Seat, type SeatHost } from './seat.js'
import { carryOut, noteLine, type Place } from './wishes.js'

/** Of one of several masters. */
export interface Leads {
  /** What the masters keep together. */
  readonly state: string
  readonly term: number
  readonly mayLead: boolean
}

export interface ReignSpec extends MasterSpec {
  readonly authority: Authority
  readonly strangers: Pick<Strangers, 'refused'>
  readonly log: Logger
  readonly silenceMs: number
  /** Null: it is the only master, and leads as long as it runs. */
  readonly leads: Leads | null
}

/** The site of nodes that name none. */
const onlySite = 'default'

export class Reign {
  readonly master: Master
  readonly log: Logger
  readonly authority: Authority
  readonly #spec: ReignSpec
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
  #isOver = false

  constructor(spec: ReignSpec) {
    this.#spec = spec
    this.log = spec.log
    this.authority = spec.authority
    this.master = new Master({ firstCopy: firstCopy(), ...spec })
    this.#wake()
  }

  /** Names of nodes whose links are open and that have said what they hold. */
  get nodes(): string[] {
    return [...this.#seats].filter(([, seat]) => seat.isSeated).map(([name]) => name)
  }

  /** It may not lead any more: nothing is decided. */
  get isOver(): boolean {
    return this.#isOver || this.#spec.leads?.mayLead === false
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
    if (this.isOver) return
    this.master.post(fact, this.nowMs)
    for (const listener of this.#listeners) listener(fact)
    this.#wake()
  }

  /** The link of a node, from its first word on. */
  take(established: Established): void {
    const seat = new Seat(established, this.#host, this.#spec.silenceMs)
    this.#unnamed.add(seat)
    const { leads } = this.#spec
    if (leads !== null) seat.say({ type: 'leads', state: leads.state, term: leads.term })
  }

  /** All links end: nodes are told where they find who leads, or null, that nobody knows. */
  end(leader: string | null): void {
    if (this.#isOver) return
    this.#isOver = true
    clearImmediate(this.#turn)
    clearTimeout(this.#timer)
    for (const seat of [...this.#unnamed, ...this.#seats.values()]) {
      if (this.#spec.leads === null) seat.destroy()
      else seat.leave({ type: 'elsewhere', address: leader })
    }
  }

  // --- nodes ---

  readonly #host: SeatHost = {
    enlisted: (seat) => {
      this.#admit(seat)
      this.#unnamed.delete(seat)
    },
    seated: (seat, told) => {
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
      this.post({ type: 'state', node: name, gone: [], isAll: true, ...told })
    },
    changed: (seat, { held: files, gone, carried, freeBytes }) => {
      const said = { files, gone, carried, freeBytes }
      this.post({ type: 'state', node: seat.name, isAll: false, ...said })
    },
    copied: (seat, copy, ended) => {
      this.post({ type: 'copied', node: seat.name, copy, ended })
    },
    over: (seat, { code, message: text }) => {
      if (this.#isOver) return
      this.#unnamed.delete(seat)
      const { name } = seat
      if (this.#seats.get(name) !== seat) return this.#spec.strangers.refused(code, text)
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
    if (!this.#isOver) this.#turn ??= setImmediate(() => this.#decide())
  }

  #decide(): void {
    this.#turn = undefined
    clearTimeout(this.#timer)
    if (this.isOver) return
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
