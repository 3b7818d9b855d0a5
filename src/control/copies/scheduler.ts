/**
 * Who copies what from whom: the decisions of the master.
 *
 * The idea: each node that lacks something is *ready* as long as it may begin another copy. Of all
 * that are ready the one with the most urgent demand is next; the best copy for it is allocated on
 * every resource of its route and begun. A demand that cannot be served waits for what it lacks,
 * a source or room on one resource, and is looked at again when there is some: a decision never
 * looks at all demands. A copy takes seconds, so whatever was decided is soon decided anew.
 *
 * Nobody waits for ever: a demand that has waited for room for too long keeps the room of its
 * route for itself, one at a time.
 *
 * Invariants: no resource has more allocated than it may carry; of a file no byte is on its way to
 * a node twice, nor into a site twice.
 */
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { type Choice, cheapestRoute, choose, copyMsFor, copyOf, type Scored } from './choice.js'
import type { Copy, Decision, Found } from './copy.js'
import { type DemandSpec, type FileId, orderOf } from './demand.js'
import { type Demand, type FileSpec, FileState, openState, rankOf, sourceState } from './files.js'
import { fitted } from './fitted.js'
import { IdleWays } from './idle-ways.js'
import type { NodeId, SiteId } from './network.js'
import { Parked } from './parked.js'
import { ReadyNodes } from './ready.js'
import type { ResourceId } from './resources.js'
import { RisingCopies } from './rising.js'
import type { SchedulerSpec } from './scheduler-spec.js'
import { type View, viewOf } from './views.js'

export type { Copy, Decision, Found } from './copy.js'

export class CopyScheduler {
  readonly #spec: SchedulerSpec
  readonly #view: View
  readonly #files = new Map<FileId, FileState>()
  readonly #ready = new ReadyNodes<Copy>()
  readonly #parked = new Parked()
  readonly #copies = new Map<number, Copy>()
  readonly #rising: RisingCopies
  readonly #idle = new IdleWays()
  #nextId: number
  /** Demands that are there, and how often one was looked at. */
  #wanting = 0
  #looked = 0
  readonly #decisions: Decision[] = []

  constructor(spec: SchedulerSpec) {
    this.#spec = spec
    this.#view = viewOf(spec.view, spec.network)
    this.#rising = new RisingCopies(spec.network.resources)
    this.#nextId = spec.firstCopy ?? 1
  }

  get copies(): ReadonlyMap<number, Copy> {
    return this.#copies
  }

  /** How often it was decided what a demand gets. */
  get looked(): number {
    return this.#looked
  }

  get files(): ReadonlyMap<FileId, FileState> {
    return this.#files
  }

  /** Throws RangeError for a number that no file has. */
  fileOf(id: FileId): FileState {
    const file = this.#files.get(id)
    if (file === undefined) throw new RangeError(`no file has the number ${id}`)
    return file
  }

  addFile(spec: FileSpec): void {
    if (this.#files.size >= limits.masterFiles) throw new RangeError('too many files')
    if (!this.#files.has(spec.file)) this.#files.set(spec.file, new FileState(spec))
  }

  /** More of it has come; `isFinal`: nothing comes after it. */
  growFile(id: FileId, size: number, isFinal: boolean): void {
    const file = this.fileOf(id)
    file.holders.grow(size)
    if (isFinal) file.isGrowing = false
    for (const demand of [...file.demands.values()]) this.#reopen(file, demand)
  }

  /** All that a node holds of a file now; `lacksEnd`: it has not heard that this is all. */
  holds(id: FileId, node: NodeId, ranges: Iterable<RangePair>, lacksEnd = false): void {
    const file = this.fileOf(id)
    if (lacksEnd) file.unended.add(node)
    else file.unended.delete(node)
    file.holders.set(node, this.#siteOf(node), ranges)
    this.#hasChanged(file, node)
  }

  /** The node wants all of the file. A later demand has the priority that it says. */
  wants(spec: DemandSpec): void {
    const file = this.fileOf(spec.file)
    const known = file.demands.get(spec.node)
    const site = this.#siteOf(spec.node)
    const isTooMany = known === undefined && this.#wanting >= limits.masterDemands
    if (isTooMany) throw new RangeError('too many demands')
    if (known !== undefined) this.#drop(file, known)
    const coming = new RangeSet()
    for (const copy of this.into(spec.node))
      if (copy.file === spec.file) coming.add(copy.offset, copy.length)
    const around = { site, coming: coming.isEmpty ? null : coming }
    const demand: Demand = { ...spec, ...around, order: 0, state: openState }
    file.addDemand(demand)
    this.#wanting += 1
    this.#open(file, demand)
  }

  /** What comes already is stopped, or, where all of it is there, ends by itself. */
  wantsNoMore(id: FileId, node: NodeId): void {
    const file = this.fileOf(id)
    const demand = file.demands.get(node)
    if (demand !== undefined) this.#drop(file, demand)
    if (file.holders.hasAll(node)) return
    for (const copy of [...this.into(node)]) if (copy.file === id) this.#stop(copy)
  }

  /** Copies of which the node is the target. */
  into(node: NodeId): ReadonlySet<Copy> {
    return this.#ready.into(node)
  }

  /** It is neither to send nor to receive anything: whatever it does is stopped. */
  retire(node: NodeId, files: Iterable<FileId>): void {
    for (const copy of [...this.#copies.values()])
      if (copy.source === node || copy.target === node) this.#stop(copy)
    this.gone(node, files)
  }

  /**
   * Nobody hears of it any more: no copy begins from it or to it. What it wanted has to be said
   * again. Copies that are under way may well go on, so what they use stays theirs.
   */
  gone(node: NodeId, files: Iterable<FileId>): void {
    for (const id of files) {
      const file = this.fileOf(id)
      const demand = file.demands.get(node)
      if (demand !== undefined) this.#drop(file, demand)
      file.holders.drop(node, this.#siteOf(node))
      file.unended.delete(node)
      this.#hasChanged(file, node)
    }
  }

  /** The schedule of a file is another one. */
  planned(id: FileId, slices: FileState['slices']): void {
    const file = this.fileOf(id)
    file.slices = slices
    for (const demand of [...file.demands.values()])
      if (demand.state.kind === 'source') this.#reopen(file, demand)
  }

  /** The copy is over: so much from its beginning on has come. */
  ended(id: number, length: number): void {
    const copy = this.#copies.get(id)
    if (copy === undefined) return
    this.#end(copy)
    const file = this.#files.get(copy.file)
    if (file === undefined) return
    if (length > 0) {
      const site = this.#siteOf(copy.target)
      file.holders.add(copy.target, site, [copy.offset, Math.min(length, copy.length)])
    }
    this.#hasChanged(file, copy.target)
    const demand = file.demands.get(copy.target)
    if (demand !== undefined) this.#reopen(file, demand)
  }

  /** The source does not hold this, whatever it has said. */
  lacks(id: FileId, node: NodeId, range: RangePair): void {
    this.fileOf(id).holders.remove(node, this.#siteOf(node), range)
    this.#view.changed(node)
  }

  /** A resource may carry more than before, or has not failed any more. */
  hasRoom(resource: ResourceId): void {
    this.#wake(resource, Number.POSITIVE_INFINITY)
    this.#rising.freed(resource)
  }

  /**
   * A copy that runs already is taken over with what is left for it on its route. False: nobody
   * wants it, or there is no room or no way for it.
   */
  adopt(found: Found, nowMs: number): boolean {
    const { network } = this.#spec
    const file = this.#files.get(found.file)
    const demand = file?.demands.get(found.target)
    const way = network.route(found.source, found.target)
    if (demand === undefined || way === undefined || this.#copies.has(found.id)) return false
    const range: RangePair = [found.offset, found.length]
    if ((demand.coming?.present(...range) ?? []).length > 0) return false
    let rate = found.rate
    for (const id of way.resources) rate = Math.min(rate, network.resources.spare(id, nowMs))
    if (rate < 1) return false
    const copy: Copy = {
      ...{ ...found, rate, route: way.resources, crosses: way.hops > 0, into: demand.site },
      startedMs: nowMs,
    }
    this.#allocate(copy, demand, nowMs)
    if (rate < found.rate) this.#decisions.push({ kind: 'rate', copy })
    return true
  }

  /** When `advance` has something to do although nothing else happens. */
  dueMs(nowMs: number): number {
    const { resources } = this.#spec.network
    if (!this.#ready.isEmpty || this.#decisions.length > 0 || resources.hasChanged) return nowMs
    if (this.#rising.isDue || !this.#idle.isEmpty || this.#parked.areLeft) return nowMs
    return Math.min(resources.changesAt(nowMs), this.#parked.oldestMs + limits.starvedMs)
  }

  /** At most `most` decisions; more may be left, see `dueMs`. */
  advance(nowMs: number, most = Number.POSITIVE_INFINITY): Decision[] {
    this.#fit(nowMs)
    this.#keepRoom(nowMs)
    for (let decided = 0; decided < most; decided++) {
      if (this.#ready.isEmpty && !this.#wakeMore(nowMs)) break
      this.#decideFor(this.#ready.next(), nowMs)
    }
    if (this.#ready.isEmpty) this.#takeOver(nowMs)
    if (this.#ready.isEmpty) this.#raise(nowMs)
    return this.#decisions.splice(0)
  }

  /** All that could be begun for a demand now. */
  explain(id: FileId, node: NodeId, nowMs: number): Choice | null {
    const file = this.fileOf(id)
    const demand = file.demands.get(node)
    return demand === undefined ? null : this.#choose(file, demand, nowMs)
  }

  #decideFor(node: NodeId, nowMs: number): void {
    for (let looked = 0; looked < limits.demandsLooked; looked++) {
      const id = this.#ready.firstOf(node)
      if (id === undefined) return
      const file = this.fileOf(id)
      const demand = file.demands.get(node) as Demand
      if (this.#isDone(file, demand)) {
        this.wantsNoMore(id, node)
        continue
      }
      this.#looked += 1
      const { candidates, blockedBy } = this.#choose(file, demand, nowMs)
      const [best] = candidates
      if (best === undefined) this.#park(file, demand, blockedBy, nowMs)
      else return this.#begin(best, demand, nowMs)
    }
  }

  #choose(file: FileState, demand: Demand, nowMs: number, isIdle = false): Choice {
    const { network, score, components } = this.#spec
    return choose(file, demand, {
      ...{ network, score, nowMs, view: this.#view, copyMs: copyMsFor(this.#wanting), isIdle },
      serving: (node) => this.#ready.outOf(node),
      faults: (source, route) => components.heldAgainst(source, demand.node, route),
      isUsable: (node) => !components.isFailed({ kind: 'node', id: node }),
      isComing: () => [...this.into(demand.node)].some((copy) => copy.file === file.id),
      isKept: (resource) => this.#parked.isKept(resource, demand),
    })
  }

  #begin(best: Scored, demand: Demand, nowMs: number): void {
    const copy = copyOf(this.#nextId++, best, demand, nowMs)
    this.#allocate(copy, demand, nowMs)
    this.#decisions.push({ kind: 'start', copy })
    this.#isServed(demand)
  }

  #allocate(copy: Copy, demand: Demand, nowMs: number): void {
    const { resources } = this.#spec.network
    const taken = copy.rate === Number.POSITIVE_INFINITY ? 0 : copy.rate
    if (!resources.take(copy.route, taken, nowMs)) throw new RangeError('a copy has no room')
    const range: RangePair = [copy.offset, copy.length]
    demand.coming ??= new RangeSet()
    demand.coming.add(...range)
    this.fileOf(copy.file).begins(copy)
    this.#copies.set(copy.id, copy)
    this.#ready.begins(copy)
    this.#rising.begins(copy)
    this.#view.changed(copy.source)
  }

  #stop(copy: Copy): void {
    this.#end(copy)
    this.#decisions.push({ kind: 'stop', copy })
    const file = this.fileOf(copy.file)
    this.#hasChanged(file, copy.target)
    const demand = file.demands.get(copy.target)
    if (demand !== undefined) this.#reopen(file, demand)
  }

  #end(copy: Copy): void {
    if (!this.#copies.delete(copy.id)) return
    const { resources } = this.#spec.network
    resources.give(copy.route, copy.rate === Number.POSITIVE_INFINITY ? 0 : copy.rate)
    const file = this.#files.get(copy.file)
    const range: RangePair = [copy.offset, copy.length]
    const demand = file?.demands.get(copy.target)
    demand?.coming?.remove(...range)
    if (demand?.coming?.isEmpty === true) demand.coming = null
    file?.ends(copy)
    this.#ready.ends(copy)
    this.#rising.ends(copy)
    this.#idle.ends(copy)
    this.#view.changed(copy.source)
    // Others of the site may have it from there now.
    if (file?.isGrowing === true && !copy.crosses) this.#hasChanged(file, copy.source)
    for (const resource of copy.route) this.#wake(resource, limits.wokenPerRelease)
  }

  /**
   * Where a resource carries more, who waits for it is looked at; where less, copies are slowed
   * down, and those that nothing is left for are stopped.
   */
  #fit(nowMs: number): void {
    const { resources } = this.#spec.network
    const { over, wider } = resources.changed(nowMs)
    for (const resource of wider) this.hasRoom(resource)
    for (const [copy, rate] of fitted(over, this.#copies, resources, nowMs)) {
      if (rate < 1) this.#stop(copy)
      else {
        resources.give(copy.route, copy.rate - rate)
        copy.rate = rate
        this.#decisions.push({ kind: 'rate', copy })
        for (const id of copy.route) this.#wake(id, limits.wokenPerRelease)
      }
    }
  }

  /** A way that has nothing more to bring by the schedule brings a part of what others would. */
  #takeOver(nowMs: number): void {
    for (const [file, demand] of this.#idle.take(this.#files)) {
      if (this.into(demand.node).size >= limits.copiesInto) continue
      const { candidates } = this.#choose(file, demand, nowMs, true)
      const best = candidates.find(({ route }) => route.hops > 0)
      if (best === undefined) continue
      this.#begin(best, demand, nowMs)
      this.#reopen(file, demand)
    }
  }

  /** What nobody waits for goes to those who copy. A copy that was begun just now is told once. */
  #raise(nowMs: number): void {
    const isKept = (id: ResourceId, { file, target }: Copy) =>
      this.#parked.isKept(id, this.#files.get(file)?.demands.get(target))
    for (const copy of this.#rising.raise(nowMs, isKept))
      if (!this.#decisions.some((one) => one.copy === copy && one.kind === 'start'))
        this.#decisions.push({ kind: 'rate', copy })
  }

  /** Of those that have waited for room too long the first keeps what its route needs. */
  #keepRoom(nowMs: number): void {
    const starved = this.#parked.starved(nowMs)
    if (starved === undefined) return
    const file = this.fileOf(starved.file)
    this.#parked.keep(starved, cheapestRoute(file, starved, this.#view, this.#spec.network))
    this.#reopen(file, starved)
  }

  #park(file: FileState, demand: Demand, resource: ResourceId | null, nowMs: number): void {
    this.#ready.close(demand.node, file.id)
    if (resource === null) {
      demand.state = sourceState
      file.wait(demand)
      return this.#isServed(demand)
    }
    demand.state = { kind: 'room', resource }
    this.#parked.add(demand, resource, nowMs)
  }

  /** What a node holds is more or less than before. */
  #hasChanged(file: FileState, node: NodeId): void {
    this.#view.changed(node)
    const site = this.#siteOf(node)
    for (const waiting of [...file.waitingFor(site)])
      for (const other of [...(file.waiting.get(waiting) ?? [])])
        this.#reopen(file, file.demands.get(other) as Demand)
  }

  #wake(resource: ResourceId, most: number): void {
    for (const demand of this.#parked.released(resource, most))
      this.#reopen(this.fileOf(demand.file), demand)
  }

  /** Where those who were woken have left room, the next ones. False: nobody is ready. */
  #wakeMore(nowMs: number): boolean {
    const { resources } = this.#spec.network
    const isEnough = (id: ResourceId) =>
      resources.spare(id, nowMs) >= Math.max(1, resources.capability(id, nowMs) * limits.leastShare)
    while (this.#ready.isEmpty) {
      const more = this.#parked.more(isEnough, limits.wokenPerRelease)
      if (more.length === 0) return false
      for (const demand of more) this.#reopen(this.fileOf(demand.file), demand)
    }
    return true
  }

  #reopen(file: FileState, demand: Demand): void {
    this.#takeOut(file, demand)
    this.#open(file, demand)
  }

  #open(file: FileState, demand: Demand): void {
    if (this.#isDone(file, demand)) return this.#drop(file, demand)
    demand.state = openState
    const missing = file.holders.size - file.holders.bytesAt(demand.node)
    const { objective } = this.#spec
    const rank = objective.kind === 'first' ? rankOf(file, missing) : 0
    demand.order = orderOf(demand, objective, missing, rank)
    this.#ready.open(demand.node, file.id, demand.order)
  }

  #drop(file: FileState, demand: Demand): void {
    this.#takeOut(file, demand)
    this.#isServed(demand)
    file.dropDemand(demand)
    this.#wanting -= 1
    if (file.demands.size === 0) this.#view.forget(file)
  }

  /** What it kept others may have. */
  #isServed(demand: Demand): void {
    for (const resource of this.#parked.served(demand)) this.#wake(resource, limits.wokenPerRelease)
  }

  #takeOut(file: FileState, demand: Demand): void {
    this.#ready.close(demand.node, file.id)
    this.#parked.delete(demand)
    file.waitNoMore(demand)
  }

  /** It holds all there is, and no more comes. */
  #isDone({ holders, isGrowing }: FileState, { node }: Demand): boolean {
    return !isGrowing && holders.hasAll(node)
  }

  #siteOf(node: NodeId): SiteId {
    return this.#spec.network.siteOf(node)
  }
}
