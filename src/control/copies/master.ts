/**
 * The master: it knows what every node holds and is to hold, and has the difference copied.
 *
 * The idea: nodes say what they hold, whenever that changes; sets say what they are to hold. What
 * is missing are demands, of which the scheduler makes copies, and each copy is an instruction to
 * its target. The master is on no way that bytes take: while it is away, what was instructed goes
 * on, and when it is back nodes tell it all it has to know. Nothing that a node says is believed
 * for longer than it works: a source that lacks what it said it had is no holder of it any more.
 *
 * A copy that its target does not speak of for too long is over, as one that failed.
 */
import type { Attributes } from '../../base/attributes.js'
import { matchesCriteria } from '../../base/criteria.js'
import { LeastFirst } from '../../base/least-first.js'
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import type { Blamed, Ended, HeldThere, Said } from '../messages/mastering.js'
import { type Component, ComponentAccounts } from './components.js'
import type { FileId, Objective } from './demand.js'
import { type Carries, Network, type NodeId, type SiteId, type TopologySpec } from './network.js'
import { Plans } from './plans.js'
import { type Copy, CopyScheduler } from './scheduler.js'
import { type Score, scoreBy, usualWeights, type Weights } from './score.js'
import { type FileSet, type NodeSet, setOf } from './sets.js'
import { ResourceUses } from './uses.js'
import { type Version, Versions } from './versions.js'
import type { ViewKind } from './views.js'

export type MasterFact =
  | {
      readonly type: 'joined'
      readonly node: string
      readonly site: string
      readonly attributes: Attributes
      readonly up: Carries
      readonly down: Carries
    }
  /** It said nothing for too long, or its link broke. */
  | { readonly type: 'left'; readonly node: string }
  /** `isAll`: it holds nothing else. `freeBytes`: beside what it has. */
  | {
      readonly type: 'state'
      readonly node: string
      readonly files: readonly HeldThere[]
      readonly gone: readonly Pick<Said, 'name' | 'contentId'>[]
      readonly isAll: boolean
      readonly freeBytes: number
    }
  | { readonly type: 'copied'; readonly node: string; readonly copy: number; readonly ended: Ended }
  | { readonly type: 'sets'; readonly sets: readonly FileSet[] }
  | { readonly type: 'drain'; readonly node: string; readonly isDrained: boolean }

export type MasterWish =
  | { readonly type: 'copy'; readonly node: string; readonly copy: Copy; readonly version: Version }
  | { readonly type: 'rate'; readonly node: string; readonly copy: Copy }
  | { readonly type: 'stop'; readonly node: string; readonly copy: Copy }
  /** What the node is to hold has changed. */
  | { readonly type: 'required'; readonly node: string; readonly set: NodeSet }
  | { readonly type: 'note'; readonly note: MasterNote }

export type MasterNote =
  | { readonly about: 'failed' | 'retried'; readonly component: Component }
  /** A node says of a content what cannot be, or there are too many contents. */
  | { readonly about: 'refused'; readonly node: string; readonly name: string }
  /** There is no room for it. */
  | { readonly about: 'full'; readonly node: string; readonly name: string }

export interface MasterSpec {
  readonly topology?: TopologySpec
  readonly score?: Score
  /** Of the score, unless a function is given. */
  readonly weights?: Weights
  readonly view?: ViewKind
  readonly objective?: Objective
  readonly slack?: number
  /** Failures that make a component fail. */
  readonly faults?: number
}

/** What is known of a node. */
export type MasterMember = Readonly<Member>

interface Member {
  readonly id: NodeId
  readonly name: string
  attributes: Attributes
  isHere: boolean
  isDrained: boolean
  set: NodeSet
  freeBytes: number
  /** What it said last. */
  readonly held: Map<FileId, readonly RangePair[] | null>
  /** Files that it has demands for. */
  readonly wants: Set<FileId>
}

const emptySet: NodeSet = { wanted: new Map(), contradictions: [] }

export class Master {
  readonly network: Network
  readonly components: ComponentAccounts
  readonly versions = new Versions()
  readonly scheduler: CopyScheduler
  readonly uses: ResourceUses
  /** Null: a function of somebody's own decides. */
  readonly weights: Weights | null
  readonly #plans: Plans
  readonly #members = new Map<string, Member>()
  /** Copies that are under way, by when their targets have to have spoken of them. */
  readonly #patience = new LeastFirst<number>()
  #sets: readonly FileSet[] = []
  #wishes: MasterWish[] = []
  #nowMs = 0

  constructor(spec: MasterSpec = {}) {
    this.network = new Network(spec.topology)
    this.components = new ComponentAccounts(spec.faults)
    this.uses = new ResourceUses(this.network.resources)
    const weights = spec.weights ?? usualWeights
    this.weights = spec.score === undefined ? weights : null
    const { network, components } = this
    this.scheduler = new CopyScheduler({
      ...{ network, components, score: spec.score ?? scoreBy(weights) },
      ...{ view: spec.view ?? 'near', objective: spec.objective ?? { kind: 'all' } },
    })
    this.#plans = new Plans({
      network,
      fileOf: (id) => this.scheduler.files.get(id),
      isFailed: (id) => components.isFailed({ kind: 'resource', id }),
      slack: spec.slack ?? limits.planSlack,
    })
  }

  get sets(): readonly FileSet[] {
    return this.#sets
  }

  /** All that ever joined, by name. */
  get members(): ReadonlyMap<string, MasterMember> {
    return this.#members
  }

  /** When `advance` has something to do although nothing else happens. */
  get dueMs(): number {
    if (!this.#plans.isCurrent || this.#wishes.length > 0) return this.#nowMs
    const dueMs = Math.min(this.scheduler.dueMs(this.#nowMs), this.#patience.least)
    return Math.min(dueMs, this.components.retryAtMs)
  }

  post(fact: MasterFact, nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs)
    switch (fact.type) {
      case 'joined':
        return this.#joined(fact)
      case 'left':
        return this.#left(fact.node)
      case 'state':
        return this.#state(fact)
      case 'copied':
        return this.#copied(fact.node, fact.copy, fact.ended)
      case 'sets':
        this.#sets = fact.sets
        for (const member of this.#members.values()) this.#require(member)
        return
      case 'drain':
        return this.#drain(fact.node, fact.isDrained)
      default:
        return fact satisfies never
    }
  }

  /** A part of what is to be done; `dueMs` tells whether there is more. */
  advance(nowMs: number): MasterWish[] {
    this.#nowMs = Math.max(this.#nowMs, nowMs)
    this.#endUnheard()
    for (const component of this.components.retried(this.#nowMs)) {
      this.#note({ about: 'retried', component })
      if (component.kind === 'resource') this.scheduler.hasRoom(component.id)
      this.#planAnew()
    }
    if (!this.#plans.isCurrent) {
      const { files, ahead } = this.#plans.revise(this.#nowMs)
      for (const [i, { id }] of files.entries()) this.scheduler.planned(id, ahead.slices[i] ?? [])
    }
    for (const { kind, copy } of this.scheduler.advance(this.#nowMs, limits.decisionsAtOnce)) {
      const node = this.network.nodeName(copy.target)
      if (kind === 'stop') this.#patience.delete(copy.id)
      else this.#patience.set(copy.id, this.#nowMs + patienceOf(copy))
      if (kind === 'start')
        this.#wishes.push({ type: 'copy', node, copy, version: this.versions.of(copy.file) })
      else this.#wishes.push({ type: kind, node, copy })
    }
    const wishes = this.#wishes
    this.#wishes = []
    return wishes
  }

  /** What a node is to hold, and lacks. */
  lacking(node: string): Version[] {
    return [...(this.#members.get(node)?.wants ?? [])].map((id) => this.versions.of(id))
  }

  #joined({ node, site, attributes, up, down }: MasterFact & { type: 'joined' }): void {
    const known = this.#members.get(node)
    if (known !== undefined) this.#leave(known)
    const id = this.network.addNode({ name: node, site, up, down })
    const member: Member = known ?? {
      ...{ id, name: node, attributes, isHere: true, isDrained: false },
      ...{ set: emptySet, freeBytes: 0, held: new Map(), wants: new Set() },
    }
    Object.assign(member, { attributes, isHere: true })
    this.#members.set(node, member)
    this.#require(member)
  }

  #left(node: string): void {
    const member = this.#members.get(node)
    if (member !== undefined) this.#leave(member)
  }

  /** What it holds is of no use to anybody until it says it again. */
  #leave(member: Member): void {
    for (const copy of this.scheduler.copies.values())
      if (copy.source === member.id || copy.target === member.id) this.#patience.delete(copy.id)
    this.scheduler.gone(member.id, new Set([...member.held.keys(), ...member.wants]))
    for (const id of member.held.keys()) this.#plans.changed(id)
    member.held.clear()
    member.wants.clear()
    member.isHere = false
  }

  #state({ node, files, gone, isAll, freeBytes }: MasterFact & { type: 'state' }): void {
    const member = this.#members.get(node)
    if (member === undefined || !member.isHere) return
    member.freeBytes = freeBytes
    const said = new Set<FileId>()
    for (const file of files) {
      const version = this.versions.learn(file)
      if (version === null) {
        this.#note({ about: 'refused', node, name: file.name })
        continue
      }
      said.add(version.id)
      this.#learn(version)
      this.#holds(member, version, file.ranges)
    }
    for (const { name, contentId } of gone) {
      const id = [...member.held.keys()].find((one) => {
        const version = this.versions.of(one)
        return version.name === name && version.contentId === contentId
      })
      if (id !== undefined) this.#holdsNot(member, id)
    }
    if (isAll) {
      for (const id of [...member.held.keys()]) if (!said.has(id)) this.#holdsNot(member, id)
    }
    this.#require(member)
  }

  /** Whoever is to hold the latest of a name, or this one, is to hold it from now on. */
  #learn(version: Version): void {
    const known = this.scheduler.files.get(version.id)
    if (known !== undefined) {
      if (known.isGrowing) this.scheduler.growFile(version.id, version.size, !version.isGrowing)
      return
    }
    this.scheduler.addFile({
      ...{ file: version.id, size: version.size, isGrowing: version.isGrowing },
      mayCopy: (from, to) => this.#mayCopy(version, from, to),
    })
    for (const member of this.#members.values()) {
      const digest = member.set.wanted.get(version.name)?.digest
      if (digest === null || digest === version.digest) this.#require(member)
    }
  }

  #holds(member: Member, version: Version, ranges: readonly RangePair[] | null): void {
    const before = member.held.get(version.id)
    member.held.set(version.id, ranges)
    if (member.isDrained) return
    this.scheduler.holds(version.id, member.id, ranges ?? [[0, version.size]])
    // A site that has all of it, or no more, is another case for the schedule.
    if (before !== null && ranges === null) this.#plans.changed(version.id)
  }

  #holdsNot(member: Member, id: FileId): void {
    member.held.delete(id)
    this.scheduler.holds(id, member.id, [])
    this.#plans.changed(id)
  }

  /** What it is to hold, less what it has, are its demands. */
  #require(member: Member): void {
    if (!member.isHere) return
    const set = setOf(this.#sets, member.attributes)
    if (!isSameSet(set, member.set)) {
      member.set = set
      this.#wishes.push({ type: 'required', node: member.name, set })
    }
    const wanted = new Map<FileId, number>()
    if (!member.isDrained) {
      for (const { name, digest, set: from } of set.wanted.values()) {
        const version = this.versions.find(name, digest)
        if (version === undefined) continue
        const held = member.held.get(version.id)
        if (held === null && !version.isGrowing) continue
        if (this.#hasRoom(member, version, wanted)) wanted.set(version.id, from.priority)
      }
    }
    for (const id of [...member.wants]) {
      if (wanted.has(id)) continue
      member.wants.delete(id)
      this.scheduler.wantsNoMore(id, member.id)
    }
    for (const [id, priority] of wanted) {
      if (member.wants.has(id)) continue
      member.wants.add(id)
      this.scheduler.wants({ file: id, node: member.id, priority, sinceMs: this.#nowMs })
      this.#plans.changed(id)
    }
  }

  /** Beside what comes already. What is wanted already has its room. */
  #hasRoom(member: Member, version: Version, wanted: ReadonlyMap<FileId, number>): boolean {
    if (member.wants.has(version.id)) return true
    let needed = 0
    for (const id of new Set([version.id, ...member.wants, ...wanted.keys()])) {
      const { size } = this.versions.of(id)
      needed += size - bytesOf(member.held.get(id), size)
    }
    if (needed <= member.freeBytes) return true
    this.#note({ about: 'full', node: member.name, name: version.name })
    return false
  }

  #copied(node: string, id: number, { bytes, cause, blames }: Ended): void {
    const copy = this.scheduler.copies.get(id)
    if (copy === undefined || this.network.nodeName(copy.target) !== node) return
    this.#patience.delete(id)
    this.#account(copy, cause, blames)
    this.uses.carried(copy.route, Math.min(copy.length, bytes), this.#nowMs)
    if (cause === 'absent') {
      const range: RangePair = [copy.offset + bytes, copy.length - bytes]
      if (range[1] > 0) this.scheduler.lacks(copy.file, copy.source, range)
    }
    this.scheduler.ended(id, Math.min(copy.length, Math.max(0, bytes)))
    const member = this.#members.get(node)
    const held = this.scheduler.files.get(copy.file)?.holders
    if (member === undefined || held === undefined) return
    // Until it says how much is left.
    member.freeBytes = Math.max(0, member.freeBytes - bytes)
    const isAll = held.hasAll(copy.target)
    member.held.set(copy.file, isAll ? null : held.present(copy.target, [0, held.size]))
    if (isAll && !this.versions.of(copy.file).isGrowing) member.wants.delete(copy.file)
  }

  #account(copy: Copy, cause: string | null, blames: readonly Blamed[]): void {
    if (cause === null) return this.components.worked(this.#componentsOf(copy, all))
    const components = this.#componentsOf(copy, blames)
    const failed = this.components.failed(components, cause, this.#nowMs)
    for (const component of failed) this.#note({ about: 'failed', component })
    if (failed.length > 0) this.#planAnew()
  }

  #componentsOf({ source, target, route }: Copy, blames: readonly Blamed[]): Component[] {
    const of: Record<Blamed, readonly Component[]> = {
      links: route.slice(1, -1).map((id) => ({ kind: 'resource', id })),
      source: [{ kind: 'node', id: source }],
      disk: [{ kind: 'disk', id: target }],
    }
    return blames.flatMap((one) => of[one])
  }

  #endUnheard(): void {
    for (const id of this.#patience.upTo(this.#nowMs)) {
      const copy = this.scheduler.copies.get(id)
      this.#patience.delete(id)
      if (copy === undefined) continue
      const node = this.network.nodeName(copy.target)
      this.#wishes.push({ type: 'stop', node, copy })
      this.#copied(node, id, { bytes: 0, cause: 'silent', blames: all })
    }
  }

  #drain(node: string, isDrained: boolean): void {
    const member = this.#members.get(node)
    if (member === undefined || member.isDrained === isDrained) return
    member.isDrained = isDrained
    if (!member.isHere) return
    if (isDrained) this.scheduler.gone(member.id, new Set([...member.held.keys(), ...member.wants]))
    for (const [id, ranges] of member.held) {
      if (!isDrained)
        this.scheduler.holds(id, member.id, ranges ?? [[0, this.versions.of(id).size]])
      this.#plans.changed(id)
    }
    member.wants.clear()
    this.#require(member)
  }

  /** Whether a site may have it from the other, by the sets that want it. */
  #mayCopy({ name }: Version, from: SiteId, to: SiteId): boolean {
    if (from === to) return true
    const attributes = { site: this.network.siteName(from) }
    for (const set of this.#sets) {
      if (set.from === null || !set.files.some((file) => file.name === name)) continue
      if (!matchesCriteria(set.from, attributes)) return false
    }
    return true
  }

  #planAnew(): void {
    for (const { id, demands } of this.scheduler.files.values())
      if (demands.size > 0) this.#plans.changed(id)
  }

  #note(note: MasterNote): void {
    this.#wishes.push({ type: 'note', note })
  }
}

const all: readonly Blamed[] = ['links', 'source', 'disk']

/** Milliseconds in which the target of a copy has to have spoken of it. */
function patienceOf({ length, rate }: Copy): number {
  const usual = rate === Number.POSITIVE_INFINITY ? 0 : (length / rate) * 1_000
  return limits.copySilenceMs + 3 * usual
}

function bytesOf(held: readonly RangePair[] | null | undefined, size: number): number {
  if (held === null) return size
  return (held ?? []).reduce((sum, [, length]) => sum + length, 0)
}

function isSameSet(a: NodeSet, b: NodeSet): boolean {
  if (a.wanted.size !== b.wanted.size) return false
  for (const [name, { digest, set }] of a.wanted) {
    const other = b.wanted.get(name)
    if (other === undefined || other.digest !== digest) return false
    if (other.set.priority !== set.priority) return false
  }
  return a.contradictions.length === b.contradictions.length
}
