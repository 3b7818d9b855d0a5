/**
 * Groups in a chain: who is in which group, and along which ways bytes go from group to group.
 *
 * The idea (theory: pipelined groups): a group of k nodes carries k columns. The coordinator feeds
 * the first group, each of its nodes the head of a column. The node at which a column enters a
 * group sends what arrives on to the node where it enters the next group, and to all its mates,
 * while it arrives. So each byte crosses once from group to group, and each node sends k copies of
 * a k-th of the file. One group is a chain of one.
 *
 * A way is what one route number stands for, and never changes: a node that leaves is passed by on
 * a new way with a new number, so that nobody is sent again what came on the old one. What was lost
 * between is asked for by those whom the node would have fed (`Gap`). What does not reach another
 * node, and who is avoided, is remembered: no later way leads there.
 */
import { limits } from '../../base/limits.js'
import type { Route } from '../messages/types.js'

/** The one route of a push of one group. */
const groupRoute = 1

/** Nodes in the order in which they were given; those that have left are not in it. */
interface Group {
  readonly members: number[]
}

interface Way {
  readonly route: number
  /** The head of the column; null: what all are sent past the columns. */
  readonly head: number | null
  /** Whom each node feeds in the next group. */
  readonly next: ReadonlyMap<number, readonly number[]>
  /** Who feeds each node that is fed. */
  readonly from: ReadonlyMap<number, number>
}

/** Somebody is fed no more by a node that has left, or does not reach it. */
export interface Gap {
  readonly to: number
  /** What `to` finds elsewhere it passes on with this route. */
  readonly route: number
  /** Of the way; null: the one past the columns. */
  readonly head: number | null
}

/** What follows from a change for whoever deals. */
export interface ChainNews {
  readonly gaps: readonly Gap[]
  /** Nodes that begin a column now. */
  readonly begun: readonly number[]
}

export class Chain {
  readonly #size: number
  readonly #groups: Group[] = []
  readonly #groupOf = new Map<number, Group>()
  readonly #ways: Way[] = []
  /** By head. */
  readonly #columns = new Map<number, Way>()
  readonly #mirrors = new Set<number>()
  readonly #avoided = new Set<number>()
  /** Whom a node does not reach. */
  readonly #unreached = new Map<number, Set<number>>()
  #spread: Way | undefined
  #unspread: readonly number[] = []
  #routes = groupRoute

  /** `size`: nodes in a group; the last one has what is left. */
  constructor(size: number) {
    this.#size = size
  }

  /** `mirrors`: those of the nodes that hold everything, and only send. */
  start(nodes: readonly number[], mirrors: ReadonlySet<number> = new Set()): void {
    const receivers = nodes.filter((node) => !mirrors.has(node))
    for (let at = 0; at < receivers.length; at += this.#size) {
      const group = { members: receivers.slice(at, at + this.#size) }
      this.#groups.push(group)
      for (const node of group.members) this.#groupOf.set(node, group)
    }
    for (const node of mirrors) this.#addMirror(node)
    this.#begin()
  }

  get isOne(): boolean {
    return this.#groups.length <= 1
  }

  /** The first one first. */
  get groups(): number[][] {
    return this.#groups.map(({ members }) => [...members])
  }

  /** The same without mirrors. */
  get receivers(): number[][] {
    return this.#groups.map(({ members }) => members.filter((node) => !this.#mirrors.has(node)))
  }

  /** Nodes that a column begins at, whom the coordinator feeds. */
  get heads(): number[] {
    return [...this.#columns.keys()]
  }

  isHead(node: number): boolean {
    return this.#columns.has(node)
  }

  /** The route of what the coordinator deals to this head. */
  routeOf(head: number): number {
    return this.#columns.get(head)?.route ?? 0
  }

  /** The route of what goes to everybody and is no part of a column; 0: it ends where it lands. */
  get spreadRoute(): number {
    return this.#spread?.route ?? 0
  }

  /** Nodes behind the first group that nobody feeds what goes past the columns. */
  get unspread(): readonly number[] {
    return this.#unspread
  }

  /** Nodes at which this column enters a group, its head first. */
  columnOf(head: number): readonly number[] {
    return [...(this.#columns.get(head)?.next.keys() ?? [])]
  }

  /** Nodes of groups that this column passes by: nobody there can be reached who passes it on. */
  skipped(head: number): number[] {
    const next = this.#columns.get(head)?.next
    if (next === undefined || next.size === this.#groups.length) return []
    const skipped = this.#groups.filter(({ members }) => !members.some((node) => next.has(node)))
    return skipped.flatMap(({ members }) => members)
  }

  /** Heads of the columns that enter its group at this node. */
  headsAt(node: number): number[] {
    return [...this.#columns].flatMap(([head, { next }]) => (next.has(node) ? [head] : []))
  }

  /** Heads of the columns that this node passes on, or has passed on. */
  headsOver(node: number): number[] {
    const heads = this.#ways.flatMap(({ head, next }) =>
      head !== null && next.has(node) ? [head] : [],
    )
    return [...new Set(heads)]
  }

  /** The others of its group. */
  mates(node: number): number[] {
    return this.#groupOf.get(node)?.members.filter((other) => other !== node) ?? []
  }

  /** Whom this node has to know: its mates, whom it feeds, and who feeds it. */
  neighbours(node: number): number[] {
    const known = new Set(this.mates(node))
    for (const { next, from } of this.#ways) {
      for (const to of next.get(node) ?? []) known.add(to)
      known.add(from.get(node) ?? node)
    }
    return [...known].filter((other) => other !== node && this.#groupOf.has(other))
  }

  /** What this node passes on, and to whom: into the next group first. */
  routes(node: number): Route[] {
    const mates = this.mates(node).map((member) => ({ member, next: 0 }))
    const [now, before]: [Route[], Route[]] = [[], []]
    for (const way of this.#ways) {
      const { route, head, next } = way
      const children = next.get(node)?.filter((to) => this.#groupOf.has(to))
      if (children === undefined) continue
      const down = children.map((member) => ({ member, next: route }))
      const to = [...down, ...(head === null ? [] : mates)]
      if (to.length > 0) (this.#isInUse(way) ? now : before).push({ route, to })
    }
    const spare = now.length + before.length - limits.routesPerPlan
    return [...before.slice(Math.max(0, spare)), ...now]
  }

  /**
   * A node more: a mate in the last group, or in a new one behind it. The only group has a column
   * for it, too, and so has a mirror wherever it joins.
   */
  join(node: number, isMirror = false): void {
    if (isMirror) {
      if (this.#addMirror(node)) this.#beginAt(node, [])
      return
    }
    const before = this.#groups.at(-1)
    const isFull = before !== undefined && before.members.length >= this.#most
    const last = before === undefined || isFull ? { members: [] } : before
    if (last !== before) this.#groups.push(last)
    last.members.push(node)
    this.#groupOf.set(node, last)
    if (isFull) for (const head of this.heads) this.#reroute(head)
    if (this.isOne) this.#beginAt(node, [])
    else this.#spreadAnew()
  }

  /** The node is gone. */
  leave(node: number): ChainNews {
    const group = this.#groupOf.get(node)
    if (group === undefined) return { gaps: [], begun: [] }
    const gaps = this.#gapsBelow(node)
    group.members.splice(group.members.indexOf(node), 1)
    this.#groupOf.delete(node)
    this.#columns.delete(node)
    if (group.members.length === 0) this.#groups.splice(this.#groups.indexOf(group), 1)
    for (const [head, way] of this.#columns) if (way.next.has(node)) this.#reroute(head)
    const begun = this.#columns.size === 0 ? this.#begin() : []
    const isFeeder = gaps.some(({ head }) => head === null)
    if (this.isOne || isFeeder || this.#unspread.includes(node)) this.#spreadAnew()
    return { gaps, begun }
  }

  /** The node lives and says nothing: its columns pass it by, but for one that begins at it. */
  avoid(node: number): ChainNews {
    const gaps = this.#gapsBelow(node)
    this.#avoided.add(node)
    for (const [head, way] of this.#columns)
      if (head !== node && way.next.has(node)) this.#reroute(head)
    if (gaps.some(({ head }) => head === null)) this.#spreadAnew()
    return { gaps, begun: [] }
  }

  /** What one node sends does not reach another one in the next group: who takes its place. */
  cut(from: number, to: number): ChainNews {
    const gaps: Gap[] = []
    for (const { route, head, next } of this.#ways)
      if (next.get(from)?.includes(to)) gaps.push({ to, route, head })
    this.#unreached.set(from, (this.#unreached.get(from) ?? new Set()).add(to))
    for (const [head, way] of this.#columns)
      if (way.next.get(from)?.includes(to)) this.#reroute(head)
    if (this.#spread?.next.get(from)?.includes(to)) this.#spreadAnew()
    return { gaps, begun: [] }
  }

  /** Members of one group at most. */
  get #most(): number {
    return Math.max(this.#size, limits.nodesPerGroup)
  }

  /** It is fed nothing, so it is in the first group. False: that takes no more. */
  #addMirror(node: number): boolean {
    const [first = { members: [] }] = this.#groups
    if (first.members.length >= this.#most) return false
    if (this.#groups.length === 0) this.#groups.push(first)
    first.members.push(node)
    this.#groupOf.set(node, first)
    this.#mirrors.add(node)
    return true
  }

  /** Columns from the first group on, one for each of its nodes. */
  #begin(): number[] {
    const [first, ...rest] = this.#groups
    const heads = [...(first?.members ?? [])]
    for (const [i, head] of heads.entries())
      this.#beginAt(
        head,
        rest.map(({ members }) => members[i % members.length] as number),
      )
    this.#spreadAnew()
    return heads
  }

  #beginAt(head: number, wished: readonly number[]): void {
    const way = this.#add(head, linked(this.#lay(head, wished)), this.isOne ? groupRoute : 0)
    this.#columns.set(head, way)
  }

  /** The same column, but for places that it cannot go through any longer. */
  #reroute(head: number): void {
    this.#columns.set(head, this.#add(head, linked(this.#lay(head, this.columnOf(head))), 0))
  }

  /** A column: from group to group the node that is wished, or else the idlest one. */
  #lay(head: number, wished: readonly number[]): number[] {
    const wishes = new Set(wished)
    const column = [head]
    for (const { members } of this.#groups.slice(1)) {
      const from = column.at(-1) as number
      const able = members.filter((node) => this.#passes(node) && this.#reaches(from, node))
      const node = able.find((one) => wishes.has(one)) ?? this.#idlest(able)
      if (node !== undefined) column.push(node)
    }
    return column
  }

  /** Bytes that it is fed go on from there. */
  #passes(node: number): boolean {
    return !this.#avoided.has(node) && !this.#mirrors.has(node)
  }

  #reaches(from: number, to: number): boolean {
    return this.#unreached.get(from)?.has(to) !== true
  }

  /** The one that the fewest columns enter at. */
  #idlest(members: readonly number[]): number | undefined {
    if (members.length < 2) return members[0]
    const entered = new Map<number, number>()
    for (const { next } of this.#columns.values())
      for (const node of next.keys()) entered.set(node, (entered.get(node) ?? 0) + 1)
    const load = (node: number): number => entered.get(node) ?? 0
    return members.reduce((best, node) => (load(node) < load(best) ? node : best))
  }

  #gapsBelow(node: number): Gap[] {
    const gaps = new Map<string, Gap>()
    // What is found goes along one way, the newest: whom it fed on an older one is told as well.
    for (const { route, head, next } of [...this.#ways].reverse()) {
      for (const to of next.get(node) ?? []) {
        const isTold = gaps.has(`${head} ${to}`)
        for (const one of isTold ? (next.get(to) ?? []) : [to])
          if (this.#groupOf.has(one) && !gaps.has(`${head} ${one}`))
            gaps.set(`${head} ${one}`, { to: one, route, head })
      }
    }
    return [...gaps.values()]
  }

  /**
   * What goes to everybody: each node has one in the group before that feeds it, or a mate that is
   * fed. Nobody feeds the first group, nor those to whom there is no way.
   */
  #spreadAnew(): void {
    this.#spread = undefined
    this.#unspread = []
    if (this.isOne) return
    const next = new Map<number, number[]>()
    const unspread: number[] = []
    let before: readonly number[] | undefined
    for (const receivers of this.receivers) {
      for (const node of receivers) next.set(node, [])
      if (before !== undefined) unspread.push(...this.#feed(next, before, receivers))
      before = receivers
    }
    this.#unspread = unspread
    this.#spread = this.#add(null, next, 0)
  }

  /** Those of a group whom nobody can feed; `next` gets who feeds the others. */
  #feed(
    next: Map<number, number[]>,
    before: readonly number[],
    members: readonly number[],
  ): number[] {
    const fed: number[] = []
    const feeds = (from: readonly number[], at: number, node: number): boolean => {
      const turns = [...from.slice(at % from.length), ...from.slice(0, at % from.length)]
      const feeder = turns.find((one) => this.#passes(one) && this.#reaches(one, node))
      if (feeder === undefined) return false
      next.get(feeder)?.push(node)
      fed.push(node)
      return true
    }
    const left = members.filter((node, at) => !feeds(before, at, node))
    return left.filter((node, at) => !feeds([...fed], at, node))
  }

  #add(head: number | null, next: Way['next'], route: number): Way {
    const from = new Map([...next].flatMap(([one, fed]) => fed.map((to) => [to, one] as const)))
    const way = { route: route === 0 ? ++this.#routes : route, head, next, from }
    // What is still under way on the oldest ones lands where it is, and others ask for it.
    const spare = this.#ways.length + 1 - limits.routesPerPlan - this.#columns.size
    const gone = this.#ways.filter((old) => !this.#isInUse(old)).slice(0, Math.max(0, spare))
    for (const old of gone) this.#ways.splice(this.#ways.indexOf(old), 1)
    this.#ways.push(way)
    return way
  }

  /** What is dealt now may go along it. */
  #isInUse(way: Way): boolean {
    return way === (way.head === null ? this.#spread : this.#columns.get(way.head))
  }
}

function linked(column: readonly number[]): Map<number, number[]> {
  return new Map(column.map((node, i) => [node, column.slice(i + 1, i + 2)]))
}
