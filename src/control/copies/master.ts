/**
 * The master: it knows what every node holds and is to hold, and has the difference copied.
 *
 * The idea: nodes say what they hold, whenever that changes; sets say what they are to hold. What
 * is missing are demands, of which the scheduler makes copies, and each copy is an instruction to
 * its target. The master is on no way that bytes take: while it is away, what was instructed goes
 * on, and when it is back nodes tell it all it has to know. Nothing that a node says is believed
 * for longer than it works: a source that lacks what it said it had is no holder of it any more.
 *
 * A node whose link broke may well go on copying: what its copies use stays theirs until it is
 * back and says what runs, or has said nothing for too long. A master that follows another one
 * listens first, so that nothing is begun twice.
 */
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import type { Blamed, CopyOrder, Ended, Said } from '../messages/mastering.js'
import { allBlamed, ComponentAccounts, componentsOf } from './components.js'
import type { FileId } from './demand.js'
import { Doubts } from './doubts.js'
import { forgotten, silent } from './endings.js'
import type { MasterFact, MasterNote, MasterSpec, MasterWish } from './facts.js'
import { behind, bytesOf, type SaidToHave } from './held.js'
import { forget, heldUnder, isPut, keep, type Member, newMember } from './member.js'
import { Network, type NodeId } from './network.js'
import { Patience } from './patience.js'
import { Plans } from './plans.js'
import { Refusals } from './refusals.js'
import { type Copy, CopyScheduler } from './scheduler.js'
import { scoreBy, usualWeights, type Weights } from './score.js'
import { areSourcesSaid, type FileSet, isSameSet, mayComeFrom, setOf } from './sets.js'
import { ResourceUses } from './uses.js'
import { type Version, Versions } from './versions.js'
import { wantedAt } from './wanted.js'
import { wishOf } from './wish-of.js'

export type { MasterFact, MasterNote, MasterSpec, MasterWish } from './facts.js'

/** What is known of a node. */
export type MasterMember = Readonly<Member>

export class Master {
  readonly network: Network
  readonly components: ComponentAccounts
  readonly versions = new Versions()
  readonly scheduler: CopyScheduler
  readonly uses: ResourceUses
  readonly refusals = new Refusals()
  /** Null: a function of somebody's own decides. */
  readonly weights: Weights | null
  readonly #plans: Plans
  readonly #members = new Map<string, Member>()
  /** Those that may want something else than before. */
  readonly #stale = new Set<Member>()
  /** Those where copies run that nobody has allocated anything for yet. */
  readonly #found = new Set<Member>()
  readonly #patience = new Patience()
  readonly #doubts = new Doubts()
  #sets: readonly FileSet[] = []
  readonly #wishes: MasterWish[] = []
  #nowMs = 0
  /** When some link carries another part of the day's budget, so that schedules may be others. */
  #budgetsMs = Number.POSITIVE_INFINITY
  /** Until then nodes tell what they copy already, and nothing new is begun. */
  #listensUntilMs = Number.NEGATIVE_INFINITY

  constructor(spec: MasterSpec = {}) {
    const { weights = usualWeights } = spec
    this.weights = spec.score === undefined ? weights : null
    this.network = new Network(spec.topology)
    this.components = new ComponentAccounts(spec.faults)
    const { network, components } = this
    this.#budgetsMs = network.resources.changesAt(0)
    this.uses = new ResourceUses(network.resources)
    this.scheduler = new CopyScheduler({
      ...{ network, components, score: spec.score ?? scoreBy(weights) },
      ...{ view: spec.view ?? 'near', objective: spec.objective ?? { kind: 'all' } },
      ...(spec.firstCopy !== undefined && { firstCopy: spec.firstCopy }),
    })
    const fileOf = (id: FileId) => this.scheduler.files.get(id)
    this.#plans = new Plans({ network, components, fileOf, slack: spec.slack ?? limits.planSlack })
  }

  /** All versions, the latest of each name last. */
  get heard(): readonly Said[] {
    return this.versions.inOrder
  }

  get sets(): readonly FileSet[] {
    return this.#sets
  }

  /** All that ever joined, by name, by what was said last. */
  get members(): ReadonlyMap<string, MasterMember> {
    for (const member of this.#stale) this.#demand(member)
    return this.#members
  }

  /** Nodes still tell what they copy by the word of the master before. */
  get isListening(): boolean {
    return this.#nowMs < this.#listensUntilMs
  }

  /** When `advance` has something to do although nothing else happens. */
  get dueMs(): number {
    if (this.#wishes.length > 0) return this.#nowMs
    if (this.isListening) return this.#listensUntilMs
    if (!this.#plans.isCurrent || this.#found.size > 0 || this.#stale.size > 0) return this.#nowMs
    const dueMs = Math.min(this.scheduler.dueMs(this.#nowMs), this.#patience.dueMs)
    return Math.min(dueMs, this.#doubts.dueMs, this.refusals.dueMs, this.components.retryAtMs)
  }

  post(fact: MasterFact, nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs)
    switch (fact.type) {
      case 'joined':
        return this.#joined(fact)
      case 'left':
        return this.#leave(this.#members.get(fact.node))
      case 'state':
        return this.#state(fact)
      case 'copied':
        return this.#copied(fact.node, fact.copy, fact.ended)
      case 'heard':
        this.#listensUntilMs = this.#nowMs + limits.masterListensMs
        for (const said of fact.versions) this.#learn(said, () => true)
        return
      case 'sets':
        if (areSourcesSaid([...this.#sets, ...fact.sets])) this.#planAnew()
        this.#sets = fact.sets
        for (const member of this.#members.values()) this.#stale.add(member)
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
    if (this.isListening) return this.#wishes.splice(0)
    for (const [i, member] of [...this.#stale].entries())
      if (i < limits.membersAtOnce) this.#demand(member)
    for (const member of this.#found) this.#adopt(member)
    this.#endUnheard()
    for (const { file, node } of this.#doubts.over(this.#nowMs)) this.#believe(file, node)
    for (const refusing of this.refusals.over(this.#nowMs)) this.#stale.add(refusing)
    for (const component of this.components.retried(this.#nowMs)) {
      this.#note({ about: 'retried', component })
      if (component.kind === 'resource') this.scheduler.hasRoom(component.id)
      this.#planAnew()
    }
    if (this.#nowMs >= this.#budgetsMs) {
      this.#budgetsMs = this.network.resources.changesAt(this.#nowMs)
      this.#planAnew()
    }
    if (!this.#plans.isCurrent) {
      const { files, ahead } = this.#plans.revise(this.#nowMs)
      for (const [i, { id }] of files.entries()) this.scheduler.planned(id, ahead.slices[i] ?? [])
    }
    for (const decision of this.scheduler.advance(this.#nowMs, limits.decisionsAtOnce)) {
      this.#patience.decided(decision, this.#nowMs)
      this.#wishes.push(wishOf(decision, this))
    }
    return this.#wishes.splice(0)
  }

  /** What a node is to hold, and lacks. */
  lacking(node: string): Version[] {
    return [...(this.members.get(node)?.wants ?? [])].map((id) => this.versions.of(id))
  }

  #joined({ node, site, attributes, up, down }: MasterFact & { type: 'joined' }): void {
    const known = this.#members.get(node)
    this.#leave(known)
    const id = this.network.addNode({ name: node, site, up, down })
    const member = known ?? newMember(id, node, attributes)
    Object.assign(member, { attributes, isHere: true, judgedBy: null })
    this.refusals.forget(member)
    this.#members.set(node, member)
  }

  /** What it holds is of no use to anybody until it says it again. */
  #leave(member: Member | undefined): void {
    if (member === undefined) return
    this.scheduler.gone(member.id, new Set([...member.held.keys(), ...member.wants]))
    for (const id of member.held.keys()) this.#plans.changed(id)
    this.#found.delete(member)
    forget(member)
  }

  #state(fact: MasterFact & { type: 'state' }): void {
    const { node, files, gone, isAll, freeBytes, running } = fact
    const member = this.#members.get(node)
    if (member === undefined || !member.isHere) return
    member.freeBytes = freeBytes
    this.uses.said(fact, member.id, this.scheduler.copies, this.#nowMs)
    const said = new Set<FileId>()
    for (const file of files) {
      const coming = this.scheduler.into(member.id)
      const version = this.#learn(file, ({ id }) => !isAll && isPut(member, id, file, coming))
      if (version === null) {
        this.#note({ about: 'refused', node, name: file.name })
        continue
      }
      said.add(version.id)
      if (file.contentId === version.contentId) member.heldAs.delete(version.id)
      else member.heldAs.set(version.id, file.contentId)
      this.#holds(member, version, file)
    }
    for (const one of gone) {
      const id = heldUnder(member, one, this.versions)
      if (id !== undefined) this.#holdsNot(member, id)
    }
    if (isAll) {
      for (const id of [...member.held.keys()]) if (!said.has(id)) this.#holdsNot(member, id)
    }
    for (const copy of this.scheduler.into(member.id))
      if (said.has(copy.file))
        this.#patience.spoken(copy, this.scheduler.fileOf(copy.file), this.#nowMs)
    member.hasSpoken ||= isAll
    // Otherwise it wants what it wanted, less what it has by now.
    if (isAll || member.isShort) this.#stale.add(member)
    if (running !== undefined) this.#runs(member, running)
  }

  /** What it copies, all of it. */
  #runs(member: Member, running: readonly CopyOrder[]): void {
    const told = new Map(running.map(({ copy, bytesPerSecond }) => [copy, bytesPerSecond]))
    for (const copy of [...this.scheduler.into(member.id)]) {
      const rate = told.get(copy.id)
      if (rate === undefined) this.#ended(member, copy.id, forgotten)
      // What it was told while nothing reached it.
      else if (rate !== copy.rate) this.#wishes.push({ type: 'rate', node: member.name, copy })
    }
    member.found = running.filter(({ copy }) => !this.scheduler.copies.has(copy))
    if (member.found.length > 0) this.#found.add(member)
  }

  /** What a node copies by the word of an earlier master, or that it was thought to have lost. */
  #adopt(member: Member): void {
    const { found, name: node, id: target } = member
    this.#demand(member)
    this.#found.delete(member)
    member.found = []
    for (const { copy: id, range, source: from, bytesPerSecond: rate, ...said } of found) {
      const [offset, length] = range
      const [file, source] = [this.#learn(said)?.id, this.network.nodeId(from.name)]
      const copy = { id, offset, length, target, rate, file: file ?? -1, source: source ?? -1 }
      const isDrained = this.#members.get(from.name)?.isDrained !== false
      if (!isDrained && this.scheduler.adopt(copy, this.#nowMs))
        this.#patience.begins(this.scheduler.copies.get(id) as Copy, this.#nowMs)
      else this.#wishes.push({ type: 'stop', node, copy })
    }
  }

  /**
   * Whoever is to hold the latest of a name, or this one, is to hold it from now on. Null: it
   * cannot be, or there are too many. `isNews`: what is known under another id was published again.
   */
  #learn(said: Said, isNews?: (version: Version) => boolean): Version | null {
    const isOther = this.versions.isOther(said)
    const version = this.versions.learn(said, this.#nowMs)
    if (version === null) return null
    if (isOther && isNews?.(version) === true) this.#renew(version, said.contentId)
    const known = this.scheduler.files.get(version.id)
    if (known?.isGrowing) this.#grew(version)
    if (known !== undefined) return version
    this.scheduler.addFile({
      ...{ file: version.id, size: version.size, isGrowing: version.isGrowing },
      mayCopy: (from) => mayComeFrom(this.#sets, version.name, this.network.siteName(from)),
    })
    this.#wantedAnew(version)
    return version
  }

  #wantedAnew({ name, digest: is }: Version): void {
    for (const member of this.#members.values()) {
      const digest = member.set.wanted.get(name)?.digest
      if (digest === null || digest === is) this.#stale.add(member)
    }
  }

  /** It was published again, and is the latest of its name. */
  #renew(version: Version, contentId: string): void {
    for (const { held, heldAs } of this.#members.values())
      if (held.has(version.id) && !heldAs.has(version.id)) heldAs.set(version.id, version.contentId)
    this.versions.renew(version, contentId)
    this.#wantedAnew(version)
  }

  /** There is more of it, or it has ended: of that who had all of it has not heard yet. */
  #grew(version: Version): void {
    const { id, size, isGrowing } = version
    this.scheduler.growFile(id, size, false)
    if (isGrowing) return
    for (const [member, held] of behind(this.#members.values(), version))
      this.#holds(member, version, held)
    this.scheduler.growFile(id, size, true)
    // Its digest is known from now on, which some may have been waiting for.
    this.#wantedAnew(version)
  }

  #holds(member: Member, version: Version, said: SaidToHave): void {
    const { id, size } = version
    const had = bytesOf(member.held.get(id), size)
    const ranges = keep(member, version, said)
    this.#doubts.end({ file: id, node: member.id })
    if (member.isDrained) return
    this.#counts(member, id)
    const now = bytesOf(ranges, size)
    if (now < had) this.#stale.add(member)
    if (now === size && !version.isGrowing && member.wants.delete(id))
      this.scheduler.wantsNoMore(id, member.id)
    // A site that has all of it, or no more, is another case for the schedule.
    if (had < size && now === size) this.#plans.changed(id)
  }

  /** What it has said of a content counts again. */
  #believe(id: FileId, node: NodeId): void {
    const member = this.#members.get(this.network.nodeName(node))
    if (member === undefined || !member.held.has(id) || member.isDrained) return
    this.#counts(member, id)
    this.#plans.changed(id)
  }

  #counts({ held, id: node, unended }: Member, id: FileId): void {
    const ranges = held.get(id) ?? [[0, this.versions.of(id).size]]
    this.scheduler.holds(id, node, ranges, unended.has(id))
  }

  #holdsNot(member: Member, id: FileId): void {
    member.held.delete(id)
    member.heldAs.delete(id)
    member.unended.delete(id)
    this.scheduler.holds(id, member.id, [])
    this.#stale.add(member)
    this.#plans.changed(id)
  }

  /** What it is to hold, less what it has, are its demands. */
  #demand(member: Member): void {
    this.#stale.delete(member)
    if (!member.hasSpoken) return
    if (member.judgedBy !== this.#sets) this.#judge(member)
    const { wanted, lacksRoom } = wantedAt(member, this, this.#nowMs)
    for (const name of lacksRoom) this.#note({ about: 'full', node: member.name, name })
    for (const id of [...member.wants]) {
      if (wanted.has(id)) continue
      member.wants.delete(id)
      this.scheduler.wantsNoMore(id, member.id)
      this.#plans.changed(id)
    }
    for (const [id, priority] of wanted) {
      if (member.wants.has(id)) continue
      member.wants.add(id)
      this.scheduler.wants({ file: id, node: member.id, priority, sinceMs: this.#nowMs })
      this.#plans.changed(id)
    }
  }

  /** What it is to hold by the sets that there are now; it is told what it does not know. */
  #judge(member: Member): void {
    const set = setOf(this.#sets, member.attributes)
    const isTold = member.judgedBy !== null && isSameSet(set, member.set)
    Object.assign(member, { set, judgedBy: this.#sets })
    if (!isTold) this.#wishes.push({ type: 'required', node: member.name, set })
  }

  #copied(node: string, id: number, ended: Ended): void {
    const member = this.#members.get(node)
    if (member === undefined || !member.isHere) return
    member.found = member.found.filter(({ copy }) => copy !== id)
    this.#ended(member, id, ended)
  }

  #ended(member: Member, id: number, ended: Ended): void {
    const { bytes, cause, blames } = ended
    const copy = this.scheduler.copies.get(id)
    if (copy === undefined || copy.target !== member.id) return
    this.#patience.ends(id)
    // Of several copies that found at one time that it lacks the content, the first one counts.
    const doubt = { file: copy.file, node: copy.source }
    if (cause !== 'absent' || !this.#doubts.has(doubt)) this.#account(copy, cause, blames)
    if (cause === 'absent') {
      const range: RangePair = [copy.offset + bytes, copy.length - bytes]
      if (range[1] > 0) this.scheduler.lacks(copy.file, copy.source, range)
      this.#doubts.begin(doubt, this.#nowMs)
    }
    if (cause === null && copy.length === 0) this.scheduler.holds(copy.file, member.id, [[0, 0]])
    this.scheduler.ended(id, Math.min(copy.length, Math.max(0, bytes)))
    const held = this.scheduler.files.get(copy.file)?.holders
    if (!member.isHere || held === undefined) return
    // Until it says how much is left.
    member.freeBytes = Math.max(0, member.freeBytes - bytes)
    const isAll = held.hasAll(copy.target) && !this.versions.of(copy.file).isGrowing
    // The last copy ends when the file has its name.
    const isThere = member.held.get(copy.file) === null || (isAll && cause === null)
    member.held.set(copy.file, isThere ? null : held.present(copy.target, [0, held.size]))
    if (isAll) member.wants.delete(copy.file)
    if (!this.refusals.ended(copy.file, member, ended, this.#nowMs)) return
    const about = { about: 'declined', node: member.name, cause: String(cause) } as const
    this.#note({ ...about, name: this.versions.of(copy.file).name })
    this.#demand(member)
  }

  #account(copy: Copy, cause: string | null, blames: readonly Blamed[]): void {
    if (cause === null) return this.components.worked(componentsOf(copy, allBlamed))
    const failed = this.components.failed(componentsOf(copy, blames), cause, this.#nowMs)
    for (const component of failed) this.#note({ about: 'failed', component })
    if (failed.length > 0) this.#planAnew()
  }

  #endUnheard(): void {
    for (const id of this.#patience.over(this.#nowMs)) {
      const copy = this.scheduler.copies.get(id)
      const member = copy && this.#members.get(this.network.nodeName(copy.target))
      this.#patience.ends(id)
      if (copy === undefined || member === undefined) continue
      this.#wishes.push({ type: 'stop', node: member.name, copy })
      this.#ended(member, id, member.isHere ? silent : forgotten)
    }
  }

  #drain(node: string, isDrained: boolean): void {
    const member = this.#members.get(node)
    if (member === undefined || member.isDrained === isDrained) return
    member.isDrained = isDrained
    if (isDrained)
      this.scheduler.retire(member.id, new Set([...member.held.keys(), ...member.wants]))
    if (!member.isHere) return
    for (const id of member.held.keys()) {
      if (!isDrained) this.#counts(member, id)
      this.#plans.changed(id)
    }
    member.wants.clear()
    this.#stale.add(member)
  }

  #planAnew(): void {
    for (const { id, demands } of this.scheduler.files.values())
      if (demands.size > 0) this.#plans.changed(id)
  }

  #note(note: MasterNote): void {
    this.#wishes.push({ type: 'note', note })
  }
}
