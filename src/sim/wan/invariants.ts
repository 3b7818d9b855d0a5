/**
 * What must hold at every moment of a simulated run of a master, whatever goes wrong. Throws with
 * what does not, which fails the seed.
 *
 * Everything is counted here a second time, from what was said and what has flowed: nothing that
 * the master counts itself is believed.
 */

import { matchesCriteria } from '../../base/criteria.js'
import { limits } from '../../base/limits.js'
import type { RangePair } from '../../base/ranges.js'
import type { Master, MasterFact, MasterWish } from '../../control/copies/master.js'
import type { ResourceId } from '../../control/copies/resources.js'
import type { Copy } from '../../control/copies/scheduler.js'
import { type FileSet, setOf } from '../../control/copies/sets.js'
import type { WanContents } from './contents.js'
import type { Line } from './flows.js'
import { allowedNow } from './lines.js'
import type { Order, WanNode } from './node.js'

/** The world, as far as it is looked at. */
export interface Watched {
  readonly nowMs: number
  readonly master: Master | null
  readonly nodes: ReadonlyMap<string, WanNode>
  readonly lines: ReadonlyMap<string, Line>
  readonly contents: WanContents
  readonly sets: readonly FileSet[]
}

/** Milliseconds in which a word that a rate is lower reaches everybody. */
const wordMs = 500

interface Told {
  readonly node: string
  rate: number
}

export class WanInvariants {
  readonly #world: Watched
  /** What the nodes of this master were told to copy, and have not said the end of. */
  readonly #told = new Map<number, Told>()
  readonly #drained = new Set<string>()
  #isFollowed = false
  #listensUntilMs = 0
  /** Since when more is sent over a line than may be. */
  readonly #overMs = new Map<Line, number>()

  constructor(world: Watched) {
    this.#world = world
  }

  /** `hasHeard`: it knew contents, so nodes may copy some of them by its word. */
  masterGone(hasHeard: boolean): void {
    this.#told.clear()
    // The next one has to hear first what nodes copy already.
    this.#isFollowed = hasHeard
  }

  masterStarted(): void {
    if (this.#isFollowed) this.#listensUntilMs = this.#world.nowMs + limits.masterListensMs
  }

  drained(node: string, isDrained: boolean): void {
    if (isDrained) this.#drained.add(node)
    else this.#drained.delete(node)
  }

  posted(fact: MasterFact): void {
    if (fact.type === 'copied') this.#told.delete(fact.copy)
    if (fact.type !== 'state' || fact.running === undefined) return
    for (const [copy, { node }] of this.#told) if (node === fact.node) this.#told.delete(copy)
    for (const { copy, bytesPerSecond } of fact.running)
      this.#told.set(copy, { node: fact.node, rate: bytesPerSecond })
  }

  /** The master has had its turn, and these are its wishes. */
  advanced(wishes: readonly MasterWish[]): void {
    const { master } = this.#world
    if (master === null) return
    for (const wish of wishes) {
      if (wish.type === 'copy') this.#begins(wish.copy, master)
      else if (wish.type === 'rate') this.#slows(wish.copy)
      else if (wish.type === 'stop') this.#told.delete(wish.copy.id)
    }
  }

  /** After every event. */
  check(): void {
    const { master, nowMs } = this.#world
    if (master !== null && master.dueMs > nowMs) {
      if (!master.isListening) this.#isTold(master)
      this.#isAllocated(master)
    }
    this.#isCarried()
  }

  /** A node gets the order: what two copies bring is not the same. */
  ordered(node: WanNode, { copy, contentId, offset, length, said }: Order): void {
    for (const { order } of node.running.values()) {
      if (order.contentId !== contentId) continue
      const [from, to] = [Math.max(offset, order.offset), Math.min(endOf(order), offset + length)]
      if (from < to)
        throw new Error(
          `${node.name} is to copy ${contentId} from ${from} to ${to} twice at a time: ` +
            `${order.copy}, ${copy}`,
        )
    }
    if (said.isGrowing && !node.spec.lies.includes(contentId))
      this.#isInOrder(node, contentId, offset)
    if (node.running.size >= limits.copiesInto)
      throw new Error(`${node.name} is to copy more than ${limits.copiesInto} at a time`)
  }

  /** What is still written comes without a gap, one copy after the other. */
  #isInOrder({ name, held, running }: WanNode, contentId: string, offset: number): void {
    const isTwice = [...running.values()].some(({ order }) => order.contentId === contentId)
    const { contents } = this.#world
    const isReplaced = [...held.keys()].some(
      (other) => contents.of(other).spec.name === contents.of(contentId).spec.name,
    )
    // The order and the word that another version is there have passed each other.
    if (!held.has(contentId) && isReplaced) return
    const missing = held.get(contentId)?.missing(0, offset) ?? [[0, offset]]
    if (isTwice || missing.some(([, length]) => length > 0))
      throw new Error(`${name} is to copy ${contentId} from ${offset} before what comes first`)
  }

  /** Bytes that a copy has brought: none of them was there. */
  landed(node: WanNode, ranges: readonly RangePair[], { contentId, copy }: Order): void {
    const held = node.held.get(contentId)
    const twice = ranges.flatMap((range) => held?.present(...range) ?? [])
    if (twice.length > 0)
      throw new Error(`${node.name} copies what it has of ${contentId} again by ${copy}: ${twice}`)
  }

  #begins(copy: Copy, master: Master): void {
    const { network, scheduler } = master
    const [source, target] = [network.nodeName(copy.source), network.nodeName(copy.target)]
    this.#told.set(copy.id, { node: target, rate: copy.rate })
    const what = `copy ${copy.id} from ${source} to ${target}`
    if (this.#world.nowMs < this.#listensUntilMs)
      throw new Error(`${what} begins before nodes have said what they copy already`)
    for (const node of [source, target])
      if (this.#drained.has(node)) throw new Error(`${what}: ${node} is drained`)
    this.#isRoute(copy, master, what)
    this.#mayBe(copy, master, what)
    if (scheduler.copies.get(copy.id) !== copy) throw new Error(`${what} is known to nobody`)
    if (!copy.crosses) return this.#isSpread(copy, master, what)
    const site = network.siteOf(copy.target)
    for (const other of scheduler.copies.values()) {
      if (other.id === copy.id || other.file !== copy.file || !other.crosses) continue
      if (network.siteOf(other.target) !== site) continue
      if (other.offset < endOf(copy) && copy.offset < endOf(other))
        throw new Error(`${what} and ${other.id} bring the same into ${network.siteName(site)}`)
    }
    const holders = scheduler.files.get(copy.file)?.holders
    for (const holder of holders?.in(site) ?? []) {
      if (master.components.isFailed({ kind: 'node', id: holder })) continue
      if (holders?.present(holder, [copy.offset, copy.length]).length === 0) continue
      throw new Error(`${what} brings into a site what ${network.nodeName(holder)} has there`)
    }
  }

  /** What is still written goes to some nodes of a site, and from these to the others. */
  #isSpread({ file, source }: Copy, { scheduler, versions }: Master, what: string): void {
    const given = [...scheduler.copies.values()].filter(
      (other) => other.file === file && other.source === source && !other.crosses,
    )
    if (versions.of(file).isGrowing && given.length > limits.growingMates)
      throw new Error(`${what}: it gives what is written to ${given.length} others of its site`)
  }

  /** Its resources lead from the source to the target, and none of them has failed. */
  #isRoute({ route, source, target }: Copy, master: Master, what: string): void {
    const { network, components } = master
    const failed = route.find((id) => components.isFailed({ kind: 'resource', id }))
    if (failed !== undefined) throw new Error(`${what} uses ${this.#nameOf(failed, master)}`)
    const [a, b] = [network.siteOf(source), network.siteOf(target)]
    const between = network.siteRoute(a, b)?.resources ?? []
    const wanted = [network.uplink(source), ...between, network.downlink(target)]
    if (wanted.join() !== route.join()) throw new Error(`${what} takes another way than its own`)
  }

  /** The target is to hold it, and may have it from there. */
  #mayBe({ file, source, target, offset, length }: Copy, master: Master, what: string): void {
    const { network, versions } = master
    const { name, contentId } = versions.of(file)
    const [from, to] = [network.siteOf(source), network.siteOf(target)]
    const attributes = this.#world.nodes.get(network.nodeName(target))?.spec.attributes ?? {}
    const all = {
      ...{ ...attributes, name: network.nodeName(target), site: network.siteName(to) },
    }
    const meant = this.#world.sets.filter((set) => setOf([set], all).wanted.has(name))
    if (meant.length === 0) throw new Error(`${what} brings ${contentId}, which nobody wants there`)
    // Where all of it is there, or is said to be, only the end is told.
    const { held, spec } = this.#world.nodes.get(network.nodeName(target)) ?? {}
    const isThere = held?.get(contentId)?.contains(offset, length) === true
    if (from === to || isThere || spec?.lies.includes(contentId) === true) return
    for (const { from: criteria } of meant) {
      if (criteria === null) continue
      if (!matchesCriteria(criteria, { site: network.siteName(from) }))
        throw new Error(`${what} comes from where it may not come from`)
    }
  }

  #slows(copy: Copy): void {
    const told = this.#told.get(copy.id)
    if (told === undefined) throw new Error(`copy ${copy.id} is slowed down, and is not under way`)
    told.rate = copy.rate
  }

  /** What the master thinks is under way is what nodes were told, at those rates. */
  #isTold({ scheduler, network }: Master): void {
    for (const { id, rate, source, target } of scheduler.copies.values()) {
      const told = this.#told.get(id)
      for (const end of [source, target])
        if (this.#drained.has(network.nodeName(end)))
          throw new Error(`copy ${id} goes on: ${network.nodeName(end)} is drained`)
      if (told === undefined)
        throw new Error(`${network.nodeName(target)} was not told of copy ${id}`)
      if (told.rate !== rate)
        throw new Error(`${told.node} was told ${told.rate} of copy ${id}, which has ${rate}`)
    }
    if (scheduler.copies.size === this.#told.size) return
    for (const [id, { node }] of this.#told)
      if (!scheduler.copies.has(id))
        throw new Error(`the master has forgotten copy ${id}, which ${node} was told to make`)
  }

  /** What is allocated is the sum of all copies, and nowhere more than may be. */
  #isAllocated(master: Master): void {
    const { resources } = master.network
    const sums = new Map<ResourceId, number>()
    for (const { route, rate } of master.scheduler.copies.values())
      if (rate < Number.POSITIVE_INFINITY)
        for (const id of route) sums.set(id, (sums.get(id) ?? 0) + rate)
    for (let id = 0; id < resources.count; id++) {
      const sum = sums.get(id) ?? 0
      if (resources.allocated(id) !== sum)
        throw new Error(
          `${resources.allocated(id)} of ${this.#nameOf(id, master)} are allocated for ${sum}`,
        )
      const allowed = allowedNow(resources.spec(id), this.#world.nowMs)
      if (sum > allowed)
        throw new Error(`${this.#nameOf(id, master)} has ${sum} allocated of ${allowed}`)
    }
  }

  /** What nodes send over a line is no more than may be, once words have had time to come. */
  #isCarried(): void {
    const { nowMs, master, lines } = this.#world
    for (const line of lines.values()) {
      const allowed = allowedNow(line.spec, nowMs)
      const isOver = line.wanted > allowed * (1 + 1e-9) + 1e-3
      if (!isOver || master === null || this.#isUntold(line)) {
        this.#overMs.delete(line)
        continue
      }
      const sinceMs = this.#overMs.get(line) ?? nowMs
      this.#overMs.set(line, sinceMs)
      if (nowMs - sinceMs > wordMs)
        throw new Error(`${line.name} has ${line.wanted} sent over it of ${allowed}`)
    }
  }

  /** Somebody copies over it whom the master cannot reach. */
  #isUntold(line: Line): boolean {
    for (const node of this.#world.nodes.values()) {
      if (node.isLinked) continue
      for (const { order } of node.running.values()) if (order.lines.includes(line)) return true
    }
    return false
  }

  #nameOf(id: ResourceId, { network }: Master): string {
    const { kind, name } = network.resources.spec(id)
    return `${kind} ${name}`
  }
}

function endOf({ offset, length }: { readonly offset: number; readonly length: number }): number {
  return offset + length
}
