/**
 * A node: one port, one or several data directories (disks.ts), up to limits.transfersPerNode
 * transfers.
 *
 * Every connection is authenticated first (net/handshake.ts). Then it is a control link with an
 * offer, a data connection or pull link of a transfer, or a question about the status.
 *
 * The service owns its listener, its receptions and its parked connections; `close` ends them in
 * that order and is idempotent. The caller owns the engine, the pool and the data directories.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import { blockBytesFor, limits } from '../base/limits.js'
import type { Logger } from '../base/log.js'
import { requireBlockASecond } from '../base/rate-limits.js'
import { nowMs } from '../base/time/awake.js'
import { Waiting } from '../base/time/patience.js'
import type { NodeLink } from '../control/messages/copying.js'
import type { Frame } from '../control/messages/types.js'
import { boundAddress, requireServable } from '../net/address.js'
import { type Dialler, type LinkEvents, linkOver } from '../net/dial.js'
import {
  type Admitted,
  accept,
  type Established,
  remoteAddressOf,
  type Ticketed,
} from '../net/handshake.js'
import type { Key } from '../net/keys.js'
import type { ControlLink } from '../net/link.js'
import { ParkedConnections } from '../net/parked.js'
import { PreAuthGuard } from '../net/pre-auth-guard.js'
import { Resolver } from '../net/resolver.js'
import type { TreeFiles } from '../ports/tree-files.js'
import type { DataEngine } from '../ports.js'
import { FeedPlaces } from '../session/driver/feed-places.js'
import { Serves } from '../session/fetch/serves.js'
import type { AttributesOf } from '../session/holders.js'
import type { Audience } from '../session/receiver/acceptance.js'
import { Consents } from '../session/receiver/consents.js'
import { PoolWork } from '../session/receiver/held-work.js'
import type { Guest } from '../session/receiver/node-host.js'
import { Reception } from '../session/receiver/reception.js'
import type { NodeStore } from '../store/node-store.js'
import { admitAgain, placeEarly } from './adopting.js'
import { Authority } from './authority.js'
import { Bridges } from './bridges.js'
import { refusedChannel, requireMember } from './channels.js'
import { SwitchesTold } from './commit-told.js'
import { Commits } from './commits.js'
import { Copies } from './copies.js'
import { hasSpareDescriptor } from './descriptors.js'
import { NodeDirectory } from './directory/node-directory.js'
import type { Disk } from './disk.js'
import { answersOf } from './disk-answers.js'
import { hostAt, type NodeParts } from './disk-host.js'
import { Disks } from './disks.js'
import { EndedTransfers, endingOf } from './ended.js'
import { openTreeFiles } from './engines.js'
import { followedOf } from './growing-of.js'
import { Instructed } from './instructed.js'
import { LastingLinks } from './lasting-links.js'
import { bind } from './listening.js'
import { NameClaims } from './name-claims.js'
import { countEnd, freshCounters, withPayload } from './node-counters.js'
import { LimitedEngine } from './node-limits.js'
import type { NodeServiceSpec } from './node-spec.js'
import { type Caller, type CompleteOffer, OfferReader, receptionSpecOf } from './offers.js'
import { Published } from './published.js'
import { publishingAt } from './publishing.js'
import { type Answers, noCopies, noFiles, Questions } from './questions.js'
import { memberRights, wantedByFetch, wantedByOffer } from './requests.js'
import { Sha256s } from './sha256s.js'
import { Strangers } from './strangers.js'
import { awaitEnd, follow } from './succession.js'

export class NodeService {
  readonly engine: DataEngine
  readonly log: Logger
  readonly counters = freshCounters()
  readonly consents = new Consents()
  readonly disks: Disks
  readonly sha256s: Sha256s
  readonly authority: Authority
  readonly #spec: NodeServiceSpec
  readonly #server: Server
  readonly #guard = new PreAuthGuard()
  readonly #strangers: Strangers
  readonly #parked = new ParkedConnections()
  readonly #receptions = new Map<string, Reception>()
  readonly #names = new NameClaims<Guest>((name) => this.#commits.inDoubt(name))
  readonly published = new Published()
  readonly #ended = new EndedTransfers()
  /** Links without a transfer. */
  readonly #idleLinks = new Waiting<ControlLink>()
  readonly #lasting = new LastingLinks()
  readonly #serves: Serves
  readonly #questions: Questions
  readonly #commits: Commits
  readonly #copies: Copies
  readonly instructed: Instructed
  readonly directory: NodeDirectory
  /** Of a node that pulls contents. */
  removed: Answers['removed'] = () => {}
  swarm: Answers['swarm'] = () => Promise.reject(new FrError('ERR_FR_NOT_HELD'))
  readonly #bridges: Bridges
  /** What every transfer sees of the node. */
  readonly #parts: NodeParts
  readonly limited: LimitedEngine
  readonly #attributesOf: AttributesOf = (peer) => this.authority.attributesOf(peer)
  #closing: Promise<void> | undefined

  constructor(spec: NodeServiceSpec) {
    this.#spec = spec
    this.engine = spec.engine
    this.log = spec.log
    this.authority = new Authority(spec.peers, spec.log)
    this.#strangers = new Strangers(spec.log, this.counters)
    const { engine, router, pool, maxServes: most, isRelayOnly, log } = spec
    const { consents, counters } = this
    const names = this.#names
    const work = new PoolWork(engine, pool, spec.self.signer)
    this.sha256s = new Sha256s(engine, pool)
    const files = (): Promise<TreeFiles> => openTreeFiles(engine.kind)
    const commits = {
      prepared: (store: NodeStore) => this.#commits.preparedAt(store),
      moved: () => this.#commits.load(),
    }
    const disks = new Disks({ engine, router, work, names, files, commits }, spec)
    this.disks = disks
    const places = new FeedPlaces(spec.limits.maxFeeds)
    const told = new SwitchesTold(spec.audience)
    const audience: Audience = {
      ...spec.audience,
      ready: (publication) => told.ready(publication, nowMs()),
    }
    this.#parts = {
      ...{ engine, places, router, pool, log, work, consents, audience, counters },
      claim: (guest) => names.claim(guest),
      unclaim: (guest) => names.release(guest),
      ended: () => names.changed(),
      opened: (guest) => this.#replace(guest),
      introduced: (guest) => {
        names.changed()
        this.#replace(guest)
      },
      dialler: () => this.dialler(),
    }
    this.limited = new LimitedEngine(engine, spec.limits, {
      reception: (transfer) => this.#receptions.get(transfer),
      isOrigin: (transfer) => this.#copies.isRunning(transfer),
      log,
    })
    this.#copies = new Copies({
      ...{ engine, router, pool, files, log, places },
      sources: (name) => disks.likely(name).map(({ copied }) => copied),
      ownRates: () => this.limited.stated,
      dialler: (connectMs) => ({ ...this.dialler(), connectMs }),
      ended: this.#ended,
    })
    const dialler = () => this.dialler()
    this.instructed = new Instructed({
      ...{ engine, router, pool, log, disks, dialler, isReadOnly: spec.isReadOnly },
      hostAt: (disk) => hostAt(this.#parts, disk),
    })
    this.directory = new NodeDirectory({
      ...{ nodeId: spec.self.nodeId, attributes: spec.self.attributes ?? {}, log, dialler },
      ...{ keptIn: spec.announcementsIn ?? null, place: spec.directory },
      require: (asking, as) => this.authority.require(asking, as, memberRights),
    })
    this.#bridges = new Bridges({ engine, dialler, log })
    this.#commits = new Commits({ nodeId: spec.self.nodeId, disks, names, dialler, log, told })
    const sources = (name: Uint8Array) => disks.likely(name).map(({ served }) => served)
    this.#serves = new Serves({
      ...{ engine, sources, log, most, places, isSealed: spec.self.seal !== undefined },
      growing: (name) => followedOf(disks.likely(name), name),
      attributesOf: this.#attributesOf,
      admit: (who, frame) => this.authority.require(who, 'fetch', wantedByFetch(frame)),
    })
    const answers: Answers = {
      ...{ statusJson: spec.statusJson, describe: spec.describe },
      add: (transfer, node) => this.#add(transfer, node),
      limit: (transfer, change) => this.limited.change(transfer, change),
      ...(isRelayOnly ? noFiles : answersOf(disks, this.#commits, { ...spec, dialler })),
      ...{ copies: isRelayOnly ? noCopies : this.#copies, publishing: publishingAt(this, spec) },
      ...{ removed: (...of) => this.removed(...of), swarm: (...asked) => this.swarm(...asked) },
      where: (criteria, found) => this.directory.where(criteria, found),
    }
    this.#questions = new Questions(answers, this.authority)
    admitAgain(spec, this.#receptions)
    this.#server = createServer(
      { pauseOnConnect: false, noDelay: true },
      (socket) => void this.#serve(socket),
    )
  }

  /** HOST:PORT, valid after `listen`. */
  get address(): string {
    return boundAddress(this.#server.address() as AddressInfo)
  }

  /** The same, as others dial it. */
  get reached(): string {
    return this.#spec.self.advertise ?? this.address
  }

  get views() {
    const receptions = [...this.#receptions.values()]
    const transfers = [...receptions.map((each) => each.view()), ...this.#copies.views]
    const counters = withPayload(this.counters, receptions)
    return { transfers, ended: this.#ended.views, decisions: this.#commits.views, counters }
  }

  /** Rejects with ERR_FR_LISTEN, or with ERR_FR_OPEN beyond loopback without a key. */
  async listen(): Promise<void> {
    const { listen, keys, isReadOnly, isRelayOnly } = this.#spec
    requireServable(listen, keys[0] as Key)
    await this.disks.start()
    if (!isReadOnly && !isRelayOnly) await this.#commits.load()
    this.limited.start()
    await bind(this.#server, listen, this.#spec.privileges)
    this.#server.on('error', (error) => {
      this.log({ level: 'error', event: 'listener-error', fields: { text: error.message } })
    })
    this.disks.adopt()
    this.directory.start(this.reached)
    const transfers = (): number => this.#receptions.size
    await this.#spec.cluster?.start({ address: () => this.reached, transfers })
  }

  /** Reads again what may have changed in files. Rejects with ERR_FR_PEERS. */
  async reload(): Promise<void> {
    await this.#spec.peers?.reload()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#spec.cluster?.close()
    this.disks.stop()
    this.limited.stop()
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#guard.destroyAll()
    this.#parked.refuseAll()
    for (const link of this.#idleLinks.takeAll()) link.destroy()
    this.#questions.destroyAll()
    this.#bridges.destroyAll()
    await this.#serves.close()
    await Promise.all([...this.#receptions.values()].map((reception) => reception.stop()))
    await this.#commits.close()
    await this.directory.close()
    await Promise.all([closed, this.disks.settle(), this.#copies.stop()])
    await this.disks.close()
  }

  // --- connections ---

  async #serve(socket: Socket): Promise<void> {
    this.counters.connections++
    const remote = remoteAddressOf(socket)
    try {
      const { keys, self, isRelayOnly: isGateway, cluster } = this.#spec
      const isLast = !hasSpareDescriptor()
      // Whoever was handed over tells others where this process is.
      const reached = cluster && { advertise: this.reached }
      const stating = { ...self, ...reached, limits: () => this.limited.stated }
      const admitted = await accept(socket, { keys, self: stating, guard: this.#guard, isGateway })
      if (isLast) return this.#strangers.exhausted(admitted, remote)
      if (this.#closing !== undefined)
        return admitted.refuse('ERR_FR_NODE_CLOSED', 'the node is closing')
      if (admitted.channel === 'crossing') return await this.#bridges.cross(admitted)
      const { channel } = admitted
      if (channel === 'pull' || channel === 'bridge')
        requireMember(this.authority, admitted, channel)
      if (admitted.channel === 'data' || admitted.channel === 'pull') return this.#place(admitted)
      const refused = refusedChannel(channel, isGateway)
      if (refused !== null) return admitted.refuse(refused.code, refused.message)
      if (channel === 'control' && cluster?.handsOver === true)
        return await cluster.handOver(admitted)
      if (admitted.link?.heard !== undefined) return await this.#lasting.resume(admitted)
      await this.disks.refresh()
      const established = await admitted.go()
      if (admitted.channel === 'control') this.#serveControl(established)
      else if (admitted.channel === 'bridge') this.#bridges.serve(established)
      else if (admitted.channel === 'fetch') this.#serves.serve(established)
      else if (admitted.channel === 'directory') this.directory.serve(established)
      else this.#questions.serve(established)
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_PROTOCOL')
      this.#strangers.refused(code, text)
      if (code === 'ERR_FR_AUTH') this.#strangers.wrongKey(remote, text)
    }
  }

  #serveControl(established: Established): void {
    let reception: Reception | undefined
    const taken = (by: Reception): void => {
      reception = by
      this.#idleLinks.delete(link)
    }
    const broke = (text?: string): void => reception?.session.onLinkBroke(link, text)
    const events: LinkEvents = {
      onFrame: (frame) => {
        if (reception !== undefined) return reception.onFrame(link, frame)
        if (frame.type !== 'succeed') return this.#offered(frame, caller)
        this.#orRefuse(link, () => {
          this.authority.require(established, frame.type, memberRights)
          follow(this.#receptions.get(frame.transfer), frame, caller)
        })
      },
      onClose: (code, text) => {
        this.#idleLinks.delete(link)
        if (reception === undefined) this.#strangers.refused(code, text)
        else reception.onLinkClosed(link, code, text)
      },
      onBroken: (_, text) => broke(text),
      lastWord: (code, text) =>
        reception === undefined ? { type: 'refuse', code, text } : { type: 'failed', code, text },
    }
    const link = linkOver(established, events, this.engine)
    const caller = { established, link, reader: new OfferReader(), taken }
    this.#lasting.add(link, established, this.engine, broke)
    // Also drops a refused link: `onClose` is not called for a link that this side closes.
    this.#idleLinks.add(link, limits.acceptMs, () => link.destroy())
  }

  #offered(frame: Frame, caller: Caller): void {
    const { link, established, reader } = caller
    this.#orRefuse(link, () => {
      const complete = reader.take(frame)
      if (complete === undefined) return
      const running = this.#receptions.get(complete.offer.transfer)
      const isOrigin = running?.spec.originId === established.peer?.nodeId
      if (running?.succession === undefined || !isOrigin) return this.#take(complete, caller)
      awaitEnd(running, link, this.#idleLinks, () =>
        this.#orRefuse(link, () => this.#take(complete, caller)),
      )
    })
  }

  /** A refused offer gets the error; its link closes. */
  #orRefuse(link: ControlLink, action: () => void): void {
    try {
      action()
    } catch (error) {
      const { code, message: text } = asFrError(error, 'ERR_FR_PROTOCOL')
      this.#strangers.refused(code, text)
      link.send({ type: 'refuse', code, text })
      void link.close()
    }
  }

  /** What comes behind the offer meanwhile is kept by the reader. */
  #take(complete: CompleteOffer, caller: Caller): void {
    const { established, link } = caller
    const { offer, entry } = complete
    this.authority.require(established, offer.role, wantedByOffer(offer, entry))
    const refuse = (error: unknown): void =>
      this.#orRefuse(link, () => {
        throw error
      })
    void this.disks.placeFor(complete).then((disk) => {
      if (link.isOpen) this.#orRefuse(link, () => this.#begin(complete, caller, disk))
    }, refuse)
  }

  #begin(complete: CompleteOffer, caller: Caller, disk: Disk): void {
    const { established, link, reader } = caller
    const { offer, entry } = complete
    if (this.#closing !== undefined) throw new FrError('ERR_FR_NODE_CLOSED', 'the node is closing')
    if (this.#spec.isRelayOnly && offer.role !== 'gateway') throw new FrError('ERR_FR_RELAY_ONLY')
    if (offer.role === 'receiver') disk.store.requireWritable()
    requireBlockASecond(this.limited.stated, blockBytesFor(entry.size))
    if (this.#receptions.size >= limits.transfersPerNode) {
      throw new FrError('ERR_FR_LIMIT', `the node has ${this.#receptions.size} transfers running`)
    }
    const before = this.#receptions.get(offer.transfer)
    if (before !== undefined && before.spec.originId !== established.peer?.nodeId)
      throw new FrError('ERR_FR_BUSY', 'this transfer is running here')
    const { number: place } = disk
    // The origin has given up the earlier attempt, and this node has not heard of it yet.
    const stopped = before?.stop()
    // What hangs with another disk is waited for by nobody.
    const after = before?.spec.place === place ? stopped : undefined
    const spec = receptionSpecOf(complete, established, this, { ...(after && { after }), place })
    const reception = new Reception(hostAt(this.#parts, disk), link, spec)
    this.#start(reception, disk)
    caller.taken(reception)
    reception.start()
    for (const frame of reader.takeRest()) reception.onFrame(link, frame)
  }

  #start(reception: Reception, disk: Disk): void {
    const { transfer, role } = reception.spec
    const { receptions, store } = disk
    this.#receptions.set(transfer, reception)
    receptions.add(reception)
    this.counters.transfersStarted++
    reception.log.offered()
    this.instructed.held.grows(reception)
    void reception.done.then((failure) => {
      // Parked connections may belong to the next attempt.
      if (this.#receptions.get(transfer) === reception) {
        this.#receptions.delete(transfer)
        for (const late of this.#parked.take(transfer))
          late.refuse('ERR_FR_CLOSED', 'the transfer is over')
      }
      receptions.delete(reception)
      this.published.over(reception)
      this.#ended.add(endingOf(reception, failure))
      countEnd(this.counters, reception, failure)
      void store.count()
      if (failure === null && role === 'receiver') {
        disk.ended.keep(reception.growing)
        this.disks.published(reception.name, disk)
      }
      if (failure !== null) reception.log.over(failure)
    })
  }

  async #add(transfer: string, node: NodeLink): Promise<void> {
    const reception = this.#receptions.get(transfer)
    const added = this.#copies.add(transfer, node) ?? reception?.joins.ask(node)
    if (added === undefined)
      throw new FrError('ERR_FR_NO_TRANSFER', `no transfer ${transfer} is running at this node`)
    await added
  }

  #place(early: Admitted | Ticketed): void {
    const places = { parked: this.#parked, log: this.log, attributesOf: this.#attributesOf }
    const reception = this.#receptions.get(early.transfer ?? '')
    if (reception !== undefined) return placeEarly(early, reception, places)
    if (early.channel === 'data' && this.#serves.take(early)) return
    this.#parked.park(early, limits.earlyDataMs)
  }

  dialler(): Dialler {
    const { keys, self } = this.#spec
    const reach = { connectMs: limits.connectMs, resolver: new Resolver() }
    return { keys, self, ...reach, attributesOf: this.#attributesOf }
  }

  #replace(guest: Guest): void {
    for (const admitted of this.#parked.take(guest.spec.transfer)) this.#place(admitted)
  }
}
