/**
 * A master and its nodes on a virtual clock.
 *
 * The idea: the shipping master decides, and whatever it wishes is carried out here: words take
 * their time and are lost with their links, bytes flow over lines that may be slower than anybody
 * was told, nodes and masters die and come back. What must hold is looked at after every event.
 */
import type { RangePair } from '../../base/ranges.js'
import { Master, type MasterFact, type MasterWish } from '../../control/copies/master.js'
import type { Copy } from '../../control/copies/scheduler.js'
import type { FileSet } from '../../control/copies/sets.js'
import type { Said } from '../../control/messages/mastering.js'
import { Random } from '../random.js'
import { Timeline } from '../timeline.js'
import { WanContents } from './contents.js'
import { type Line, rescale } from './flows.js'
import { WanInvariants } from './invariants.js'
import { linesOf } from './lines.js'
import { type Order, WanNode } from './node.js'
import type { LinkTrouble, NodeTrouble, WanScenario } from './scenario.js'
import { isSettled } from './verdict.js'

/** Turns of the master at one moment in which it wishes nothing, and wants another one. */
const idleTurns = 64
/** How often it is looked whether all is over, at first. */
const lookMs = 1_000
/** The numbers of copies of one master begin so far from those of the one before. */
const numbersOfOne = 2 ** 32

export interface WanCounts {
  copies: number
  failed: number
  stopped: number
  slowed: number
  advances: number
  /** Bytes that came into a site from another one. */
  crossedBytes: number
  landedBytes: number
  notes: Map<string, number>
}

export class WanWorld {
  readonly scenario: WanScenario
  readonly timeline = new Timeline()
  readonly contents = new WanContents()
  readonly random: Random
  readonly nodes = new Map<string, WanNode>()
  readonly lines = new Map<string, Line>()
  readonly drained = new Set<string>()
  readonly counts: WanCounts = {
    ...{ copies: 0, failed: 0, stopped: 0, slowed: 0, advances: 0 },
    ...{ crossedBytes: 0, landedBytes: 0, notes: new Map() },
  }
  /** When each node had all of what it wanted, by node and content. */
  readonly doneMs = new Map<string, number>()
  readonly invariants: WanInvariants
  /** Null: it is dead. */
  master: Master | null = null
  sets: readonly FileSet[] = []
  readonly #isWatched: boolean
  #masters = 0
  /** Versions that masters have heard of, in that order. */
  #heard: readonly Said[] = []
  #dueMs = Number.POSITIVE_INFINITY
  #idle = 0
  /** What nodes write once they are back. */
  readonly #unmade = new Map<string, Set<string>>()
  /** The link of each node by which it joined last, as far as the master has heard. */
  readonly #joined = new Map<WanNode, number>()
  #lookMs: number

  /** `isWatched`: what must hold is looked at after every event, which takes most of the time. */
  constructor(scenario: WanScenario, isWatched = true) {
    this.scenario = scenario
    this.#isWatched = isWatched
    // The last words about trouble are under way then.
    this.#lookMs = scenario.calmMs + lookMs
    this.random = new Random(scenario.seed ^ 0x3a7)
    this.lines = linesOf(scenario)
    for (const spec of scenario.nodes) this.nodes.set(spec.name, new WanNode(spec, this))
    this.invariants = new WanInvariants(this)
    this.#startMaster()
    this.#plan()
  }

  get nowMs(): number {
    return this.timeline.nowMs
  }

  /** Runs until everything is where it is wanted and calm, or until then. */
  run(untilMs = this.scenario.horizonMs): void {
    while (this.timeline.nowMs < untilMs && this.timeline.step()) {
      if (this.#isWatched) this.invariants.check()
      if (this.nowMs < this.#lookMs) continue
      // Less often the longer it takes: what is left then waits for something to be tried again.
      this.#lookMs = this.nowMs + lookMs + (this.nowMs - this.scenario.calmMs) / 20
      if (isSettled(this)) return
    }
  }

  node(name: string): WanNode {
    const node = this.nodes.get(name)
    if (node === undefined) throw new Error(`there is no node ${name}`)
    return node
  }

  /** What a node says reaches the master if neither the link nor the master is another one then. */
  say(node: WanNode, fact: MasterFact): void {
    if (!node.isLinked || this.master === null) return
    const { master } = this
    const { link } = node
    this.timeline.travel(`${node.name} up ${link}`, node.spec.latencyMs, () => {
      if (this.master !== master || node.link !== link || !node.isLinked) return
      if (fact.type === 'joined') this.#joined.set(node, link)
      this.#post(fact)
      if (fact.type === 'joined' && this.drained.has(node.name)) this.#drain(node.name, true)
    })
  }

  ordered(node: WanNode, order: Order): void {
    this.invariants.ordered(node, order)
  }

  landed(node: WanNode, ranges: readonly RangePair[], order: Order): void {
    this.invariants.landed(node, ranges, order)
    const bytes = ranges.reduce((sum, [, length]) => sum + length, 0)
    this.counts.landedBytes += bytes
    if (order.crosses) this.counts.crossedBytes += bytes
  }

  published(node: WanNode, contentId: string): void {
    const key = `${node.name} ${contentId}`
    if (!this.doneMs.has(key)) this.doneMs.set(key, this.nowMs)
  }

  /** What all that has flowed costs, by the prices of the topology. */
  get cost(): number {
    let cost = 0
    for (const { bytes, spec } of this.lines.values()) cost += (bytes / 1e9) * (spec.costPerGb ?? 0)
    return cost
  }

  #plan(): void {
    const { timeline, scenario } = this
    for (const { atMs, sets } of scenario.sets)
      timeline.at(atMs, () => {
        this.sets = sets
        this.#post({ type: 'sets', sets })
      })
    for (const content of scenario.contents) {
      timeline.at(content.atMs, () => {
        this.contents.bear(content)
        this.#makes(content.node, content.contentId)
      })
      for (const [i, { atMs, size }] of content.growth.entries())
        timeline.at(atMs, () => {
          const born = this.contents.of(content.contentId)
          born.size = size
          born.isGrowing = i < content.growth.length - 1
          this.#makes(content.node, content.contentId)
        })
    }
    for (const { node, fromMs, untilMs } of scenario.drains) {
      timeline.at(fromMs, () => this.#drain(node, true))
      timeline.at(untilMs, () => this.#drain(node, false))
    }
    for (const trouble of scenario.linkTroubles) this.#planLink(trouble)
    for (const trouble of scenario.nodeTroubles) this.#planNode(trouble)
    for (const { fromMs, untilMs } of scenario.masterTroubles) {
      timeline.at(fromMs, () => this.#killMaster())
      timeline.at(untilMs, () => this.#startMaster())
    }
  }

  /** A dead machine writes nothing; it goes on when it is back. */
  #makes(name: string, contentId: string): void {
    const node = this.node(name)
    if (node.isUp) node.makes(contentId)
    else this.#unmade.set(name, (this.#unmade.get(name) ?? new Set()).add(contentId))
  }

  #planLink({ link, fromMs, untilMs, factor }: LinkTrouble): void {
    const line = this.lines.get(`link ${link}`)
    if (line === undefined) throw new Error(`there is no link ${link}`)
    const set = (to: number) => () => {
      line.factor = to
      rescale(line)
    }
    this.timeline.at(fromMs, set(factor))
    this.timeline.at(untilMs, set(1))
  }

  #planNode({ node: name, kind, fromMs, untilMs, losesDisk }: NodeTrouble): void {
    const node = this.node(name)
    this.timeline.at(fromMs, () => {
      if (kind === 'unlinked') return this.#unlink(node)
      node.killed(losesDisk)
      for (const other of this.nodes.values()) other.lost(name)
      this.#unlink(node)
    })
    this.timeline.at(untilMs, () => {
      node.started()
      for (const contentId of this.#unmade.get(name) ?? []) node.makes(contentId)
      this.#unmade.delete(name)
      this.#link(node)
    })
  }

  #unlink(node: WanNode): void {
    node.unlinked()
    const { link } = node
    const { master } = this
    this.timeline.after(this.random.between(10, 8_000), () => {
      if (this.master === master && node.link === link)
        this.#post({ type: 'left', node: node.name })
    })
  }

  /** It dials until it has a master. */
  #link(node: WanNode): void {
    if (!node.isUp || node.isLinked || this.master === null) return
    node.linked()
  }

  #killMaster(): void {
    this.#heard = this.master?.heard ?? []
    this.master = null
    this.#dueMs = Number.POSITIVE_INFINITY
    this.invariants.masterGone(this.#heard.length > 0)
    for (const node of this.nodes.values()) node.unlinked()
  }

  #startMaster(): void {
    const { topology, view, objective, slack } = this.scenario
    this.invariants.masterStarted()
    const firstCopy = 1 + this.#masters++ * numbersOfOne
    this.master = new Master({ topology, view, objective, slack, firstCopy })
    if (this.#heard.length > 0) this.#post({ type: 'heard', versions: this.#heard })
    if (this.sets.length > 0) this.#post({ type: 'sets', sets: this.sets })
    for (const node of this.nodes.values())
      this.timeline.after(this.random.between(0, 2_000), () => this.#link(node))
  }

  #drain(node: string, isDrained: boolean): void {
    if (isDrained) this.drained.add(node)
    else this.drained.delete(node)
    this.invariants.drained(node, isDrained)
    this.#post({ type: 'drain', node, isDrained })
  }

  #post(fact: MasterFact): void {
    const { master } = this
    if (master === null) return
    if (this.#isWatched) this.invariants.posted(fact)
    master.post(fact, this.nowMs)
    this.#wakeAt(master.dueMs)
  }

  #wakeAt(dueMs: number): void {
    const atMs = Math.max(dueMs, this.nowMs)
    if (atMs >= this.#dueMs) return
    this.#dueMs = atMs
    this.timeline.at(atMs, () => {
      // Another one was planned earlier than this one, or its master is dead.
      if (this.#dueMs === atMs) this.#advance()
    })
  }

  #advance(): void {
    const { master } = this
    this.#dueMs = Number.POSITIVE_INFINITY
    if (master === null) return
    const wishes = master.advance(this.nowMs)
    this.counts.advances += 1
    for (const wish of wishes) this.#carryOut(wish, master)
    if (this.#isWatched) this.invariants.advanced(wishes)
    const isIdle = wishes.length === 0 && master.dueMs <= this.nowMs
    this.#idle = isIdle ? this.#idle + 1 : 0
    if (this.#idle > idleTurns) throw new Error('the master wants turns, and does nothing in them')
    this.#wakeAt(master.dueMs)
  }

  #carryOut(wish: MasterWish, master: Master): void {
    if (wish.type === 'note') {
      const { about } = wish.note
      this.counts.notes.set(about, (this.counts.notes.get(about) ?? 0) + 1)
      return
    }
    const node = this.node(wish.node)
    if (wish.type === 'required') {
      const { set } = wish
      return this.#tell(node, () => {
        node.required = set
      })
    }
    switch (wish.type) {
      case 'copy': {
        this.counts.copies += 1
        const order = this.#orderOf(wish.copy, wish.version, master)
        return this.#tell(node, () => node.start(order))
      }
      case 'rate': {
        this.counts.slowed += 1
        const { id, rate } = wish.copy
        return this.#tell(node, () => node.setRate(id, rate))
      }
      case 'stop': {
        this.counts.stopped += 1
        const { id } = wish.copy
        return this.#tell(node, () => node.stop(id))
      }
      default:
        return wish satisfies never
    }
  }

  #orderOf(copy: Copy, version: Said, { network }: Master): Order {
    const lines = copy.route.map((id) => {
      const { kind, name } = network.resources.spec(id)
      return this.lines.get(`${kind} ${name}`) as Line
    })
    const { id, offset, length, crosses, rate } = copy
    const source = network.nodeName(copy.source)
    const { name, contentId, digest, size, isGrowing } = version
    const said = { name, contentId, digest, size, isGrowing }
    return { copy: id, contentId, said, offset, length, source, lines, crosses, rate }
  }

  /** What goes over a link that is broken, before the master hears of the next one, is lost. */
  #tell(node: WanNode, what: () => void): void {
    const { link } = node
    if (!node.isLinked || this.#joined.get(node) !== link) return
    this.timeline.travel(`${node.name} down ${link}`, node.spec.latencyMs, () => {
      if (node.isLinked && node.link === link) what()
    })
  }
}
