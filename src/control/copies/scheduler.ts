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
import { LeastFirst } from '../../base/least-first.js'
import { limits } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { type Choice, choose } from './choice.js'
import type { ComponentAccounts } from './components.js'
import { type DemandSpec, type FileId, type Objective, orderOf } from './demand.js'
import { type Demand, type FileSpec, FileState, openState, sourceState } from './files.js'
import type { Network, NodeId, SiteId } from './network.js'
import { Parked } from './parked.js'
import type { ResourceId } from './resources.js'
import type { Score } from './score.js'
import { type View, type ViewKind, viewOf } from './views.js'

export interface Copy {
  readonly id: number
  readonly file: FileId
  readonly source: NodeId
  readonly target: NodeId
  readonly offset: number
  readonly length: number
  /** Bytes a second that are allocated to it; infinite: nothing has to be. */
  rate: number
  readonly route: readonly ResourceId[]
  /** Between sites. */
  readonly crosses: boolean
  readonly startedMs: number
}

export type Decision =
  | { readonly kind: 'start'; readonly copy: Copy }
  /** From now on at this rate. */
  | { readonly kind: 'rate'; readonly copy: Copy }
  | { readonly kind: 'stop'; readonly copy: Copy }

export interface SchedulerSpec {
  readonly network: Network
  readonly score: Score
  readonly view: ViewKind
  readonly objective: Objective
  readonly components: ComponentAccounts
}

interface NodeState {
  /** Files that can be looked at for it, the most urgent first. */
  readonly open: LeastFirst<FileId>
  into: number
  outOf: number
}

export class CopyScheduler {
  readonly #spec: SchedulerSpec
  readonly #view: View
  readonly #files = new Map<FileId, FileState>()
  readonly #nodes = new Map<NodeId, NodeState>()
  readonly #ready = new LeastFirst<NodeId>()
  readonly #parked = new Parked()
  readonly #copies = new Map<number, Copy>()
  #nextId = 1
  /** Demands that are there. */
  #wanting = 0
  #decisions: Decision[] = []

  constructor(spec: SchedulerSpec) {
    this.#spec = spec
    this.#view = viewOf(spec.view, spec.network)
  }

  get copies(): ReadonlyMap<number, Copy> {
    return this.#copies
  }

  get files(): ReadonlyMap<FileId, FileState> {
    return this.#files
  }

  addFile(spec: FileSpec): void {
    if (this.#files.size >= limits.masterFiles) throw new RangeError('too many files')
    if (!this.#files.has(spec.file)) this.#files.set(spec.file, new FileState(spec))
  }

  /** More of it has come; `isFinal`: nothing comes after it. */
  growFile(id: FileId, size: number, isFinal: boolean): void {
    const file = this.#fileOf(id)
    file.holders.grow(size)
    if (isFinal) file.isGrowing = false
    for (const demand of [...file.demands.values()]) this.#reopen(file, demand)
  }

  /** All that a node holds of a file now. */
  holds(id: FileId, node: NodeId, ranges: Iterable<RangePair>): void {
    const file = this.#fileOf(id)
    file.holders.set(node, this.#siteOf(node), ranges)
    this.#hasChanged(file, node)
  }

  /** The node wants all of the file. A later demand has the priority that it says. */
  wants(spec: DemandSpec): void {
    const file = this.#fileOf(spec.file)
    const known = file.demands.get(spec.node)
    const site = this.#siteOf(spec.node)
    const isTooMany = known === undefined && this.#wanting >= limits.masterDemands
    if (isTooMany) throw new RangeError('too many demands')
    const coming = known?.coming ?? null
    if (known !== undefined) this.wantsNoMore(spec.file, spec.node)
    const demand: Demand = { ...spec, site, coming, order: 0, state: openState }
    file.addDemand(demand)
    this.#wanting += 1
    this.#open(file, demand)
  }

  wantsNoMore(id: FileId, node: NodeId): void {
    const file = this.#fileOf(id)
    const demand = file.demands.get(node)
    if (demand !== undefined) this.#drop(file, demand)
  }

  /** It can be used no more, as a source or a target. What it wanted has to be said again. */
  gone(node: NodeId, files: Iterable<FileId>): void {
    for (const copy of this.#copies.values())
      if (copy.source === node || copy.target === node) this.#end(copy)
    for (const id of files) {
      this.wantsNoMore(id, node)
      const file = this.#fileOf(id)
      file.holders.drop(node, this.#siteOf(node))
      this.#hasChanged(file, node)
    }
  }

  /** The schedule of a file is another one. */
  planned(id: FileId, slices: FileState['slices']): void {
    const file = this.#fileOf(id)
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
    this.#fileOf(id).holders.remove(node, this.#siteOf(node), range)
    this.#view.changed(node)
  }

  /** A resource may carry more than before, or has not failed any more. */
  hasRoom(resource: ResourceId): void {
    this.#wake(resource, Number.POSITIVE_INFINITY)
  }

  /** When `advance` has something to do although nothing else happens. */
  dueMs(nowMs: number): number {
    return Math.min(
      this.#spec.network.resources.changesAt(nowMs),
      this.#parked.oldestMs + limits.starvedMs,
      this.#ready.size > 0 ? nowMs : Number.POSITIVE_INFINITY,
    )
  }

  /** At most `most` decisions; more may be left, see `dueMs`. */
  advance(nowMs: number, most = Number.POSITIVE_INFINITY): Decision[] {
    this.#fit(nowMs)
    this.#keepRoom(nowMs)
    for (let decided = 0; decided < most && this.#ready.size > 0; decided++) {
      const [node] = this.#ready.upTo(this.#ready.least) as [NodeId]
      this.#decideFor(node, nowMs)
    }
    const decisions = this.#decisions
    this.#decisions = []
    return decisions
  }

  /** All that could be begun for a demand now. */
  explain(id: FileId, node: NodeId, nowMs: number): Choice | null {
    const file = this.#fileOf(id)
    const demand = file.demands.get(node)
    return demand === undefined ? null : this.#choose(file, demand, nowMs)
  }

  #decideFor(node: NodeId, nowMs: number): void {
    const state = this.#nodeOf(node)
    for (let looked = 0; looked < limits.demandsLooked; looked++) {
      if (state.open.size === 0 || state.into >= limits.copiesInto) break
      const [id] = state.open.upTo(state.open.least) as [FileId]
      const file = this.#fileOf(id)
      const demand = file.demands.get(node) as Demand
      if (this.#isDone(file, demand)) {
        this.wantsNoMore(id, node)
        continue
      }
      const { candidates, blockedBy } = this.#choose(file, demand, nowMs)
      const [best] = candidates
      if (best === undefined) this.#park(file, demand, blockedBy, nowMs)
      else {
        const { source, offset, length, rate } = best.candidate
        const { resources: route, hops } = best.route
        const crosses = hops > 0
        this.#begin(
          {
            ...{ id: this.#nextId++, file: id, source, target: node, offset, length },
            rate,
            route,
            crosses,
            startedMs: nowMs,
          },
          nowMs,
        )
        return this.#seeReady(node)
      }
    }
    this.#seeReady(node)
  }

  #choose(file: FileState, demand: Demand, nowMs: number): Choice {
    const { network, score, components } = this.#spec
    return choose(file, demand, {
      ...{ network, score, nowMs, view: this.#view, copyMs: this.#copyMs },
      serving: (node) => this.#nodeOf(node).outOf,
      faults: (source, route) => components.heldAgainst(source, demand.node, route),
      isKept: (resource) => this.#parked.isKept(resource, demand),
    })
  }

  get #copyMs(): number {
    const { copyMs, copyMsMin, copyMsPerDemand } = limits
    return Math.min(copyMs, copyMsMin + copyMsPerDemand * this.#wanting)
  }

  #begin(copy: Copy, nowMs: number): void {
    const { resources } = this.#spec.network
    const taken = copy.rate === Number.POSITIVE_INFINITY ? 0 : copy.rate
    if (!resources.take(copy.route, taken, nowMs)) throw new RangeError('a copy has no room')
    const file = this.#fileOf(copy.file)
    const range: RangePair = [copy.offset, copy.length]
    const demand = file.demands.get(copy.target) as Demand
    demand.coming ??= new RangeSet()
    demand.coming.add(...range)
    if (copy.crosses) file.crosses(demand.site, range)
    this.#copies.set(copy.id, copy)
    this.#nodeOf(copy.source).outOf += 1
    this.#nodeOf(copy.target).into += 1
    this.#view.changed(copy.source)
    this.#decisions.push({ kind: 'start', copy })
    this.#isServed(demand)
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
    if (copy.crosses) file?.crossesNoMore(this.#siteOf(copy.target), range)
    this.#nodeOf(copy.source).outOf -= 1
    this.#nodeOf(copy.target).into -= 1
    this.#view.changed(copy.source)
    for (const resource of copy.route) this.#wake(resource, limits.wokenPerRelease)
    this.#seeReady(copy.target)
  }

  /** Slows copies down, and stops those that nothing is left for, where a resource carries less. */
  #fit(nowMs: number): void {
    const { resources } = this.#spec.network
    for (const resource of resources.over(nowMs)) {
      const capability = resources.capability(resource, nowMs)
      const allocated = resources.allocated(resource)
      for (const copy of [...this.#copies.values()]) {
        if (!copy.route.includes(resource)) continue
        const rate = Math.floor((copy.rate * capability) / allocated)
        if (rate < 1) {
          this.#end(copy)
          this.#decisions.push({ kind: 'stop', copy })
          const file = this.#fileOf(copy.file)
          const demand = file.demands.get(copy.target)
          if (demand !== undefined) this.#reopen(file, demand)
        } else if (rate < copy.rate) {
          resources.give(copy.route, copy.rate - rate)
          copy.rate = rate
          this.#decisions.push({ kind: 'rate', copy })
          for (const id of copy.route) this.#wake(id, limits.wokenPerRelease)
        }
      }
    }
  }

  /** Of those that have waited for room too long the first keeps what its route needs. */
  #keepRoom(nowMs: number): void {
    const starved = this.#parked.starved(nowMs)
    if (starved === undefined) return
    const file = this.#fileOf(starved.file)
    this.#parked.keep(starved, this.#routesOf(file, starved))
    this.#reopen(file, starved)
  }

  /** The resources of its cheapest route, whether there is room or not. */
  #routesOf(file: FileState, demand: Demand): readonly ResourceId[] {
    const { network } = this.#spec
    let best: { cost: number; resources: readonly ResourceId[] } | undefined
    for (const source of this.#view.sources(file, demand)) {
      const route = source === demand.node ? undefined : network.route(source, demand.node)
      if (route === undefined) continue
      if (best === undefined || route.costPerGb < best.cost)
        best = { cost: route.costPerGb, resources: route.resources }
    }
    return best?.resources ?? []
  }

  #park(file: FileState, demand: Demand, resource: ResourceId | null, nowMs: number): void {
    this.#nodeOf(demand.node).open.delete(file.id)
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
    for (const demand of this.#parked.waitingFor(resource, most))
      this.#reopen(this.#fileOf(demand.file), demand)
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
    this.#nodeOf(demand.node).open.set(file.id, demand.order)
    this.#seeReady(demand.node)
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
    this.#nodeOf(demand.node).open.delete(file.id)
    this.#parked.delete(demand)
    file.waitNoMore(demand)
    this.#seeReady(demand.node)
  }

  #seeReady(node: NodeId): void {
    const { open, into } = this.#nodeOf(node)
    const isReady = open.size > 0 && into < limits.copiesInto
    // Of demands that are as urgent those of nodes to which less is under way come first.
    this.#ready.set(node, isReady ? open.least + into / 4 : Number.POSITIVE_INFINITY)
  }

  /** It holds all there is, and no more comes. */
  #isDone({ holders, isGrowing }: FileState, { node }: Demand): boolean {
    return !isGrowing && holders.hasAll(node)
  }

  #siteOf(node: NodeId): SiteId {
    return this.#spec.network.siteOf(node)
  }

  #nodeOf(node: NodeId): NodeState {
    const known = this.#nodes.get(node)
    if (known !== undefined) return known
    const state = { open: new LeastFirst<FileId>(), into: 0, outOf: 0 }
    this.#nodes.set(node, state)
    return state
  }

  #fileOf(id: FileId): FileState {
    const file = this.#files.get(id)
    if (file === undefined) throw new RangeError(`no file has the number ${id}`)
    return file
  }
}

/** How many that want the file lack less of it; those that hold it count. */
function rankOf(file: FileState, missing: number): number {
  let rank = file.holders.whole
  for (const { node } of file.demands.values())
    if (file.holders.size - file.holders.bytesAt(node) < missing) rank += 1
  return rank
}
