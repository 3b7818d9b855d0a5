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
 * between is asked for by those whom the node would have fed (`Gap`).
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
  #spread: Way | undefined
  #routes = groupRoute

  /** `size`: nodes in a group; the last one has what is left. */
  constructor(size: number) {
    this.#size = size
  }

  start(nodes: readonly number[]): void {
    for (let at = 0; at < nodes.length; at += this.#size) {
      const group = { members: nodes.slice(at, at + this.#size) }
      this.#groups.push(group)
      for (const node of group.members) this.#groupOf.set(node, group)
    }
    this.#begin()
  }

  get isOne(): boolean {
    return this.#groups.length <= 1
  }

  /** The first one first. */
  get groups(): number[][] {
    return this.#groups.map(({ members }) => [...members])
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
    for (const { next } of this.#ways) {
      for (const to of next.get(node) ?? []) known.add(to)
      for (const [from, to] of next) if (to.includes(node)) known.add(from)
    }
    return [...known].filter((other) => other !== node && this.#groupOf.has(other))
  }

  /** What this node passes on, and to whom: into the next group first. */
  routes(node: number): Route[] {
    const mates = this.mates(node).map((member) => ({ member, next: 0 }))
    const rows = this.#ways.flatMap(({ route, head, next }) => {
      const children = next.get(node)?.filter((to) => this.#groupOf.has(to))
      if (children === undefined) return []
      const down = children.map((member) => ({ member, next: route }))
      const to = [...down, ...(head === null ? [] : mates)]
      return to.length === 0 ? [] : [{ route, to }]
    })
    return rows.slice(-limits.routesPerPlan)
  }

  /**
   * A node more: a mate in the last group, or in a new one behind it. The only group has a column
   * for it, too.
   */
  join(node: number): void {
    const before = this.#groups.at(-1)
    const isFull = before !== undefined && before.members.length >= limits.nodesPerGroup
    const last = before === undefined || isFull ? { members: [] } : before
    if (last !== before) this.#groups.push(last)
    last.members.push(node)
    this.#groupOf.set(node, last)
    if (isFull) {
      for (const head of this.heads)
        this.#columns.set(head, this.#add(head, linked([...this.columnOf(head), node]), 0))
    }
    if (this.isOne) this.#columns.set(node, this.#add(node, new Map([[node, []]]), groupRoute))
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
    for (const [head, way] of this.#columns) if (way.next.has(node)) this.#reroute(head, node)
    const begun = this.#columns.size === 0 ? this.#begin() : []
    if (this.isOne || gaps.some(({ head }) => head === null)) this.#spreadAnew()
    return { gaps, begun }
  }

  /** The node lives and says nothing: its columns pass it by, but for one that begins at it. */
  avoid(node: number): ChainNews {
    const gaps = this.#gapsBelow(node)
    for (const [head, way] of this.#columns)
      if (head !== node && way.next.has(node)) this.#reroute(head, node)
    return { gaps, begun: [] }
  }

  /** What one node sends does not reach another one in the next group: who takes its place. */
  cut(from: number, to: number): ChainNews {
    const gaps: Gap[] = []
    for (const { route, head, next } of this.#ways)
      if (next.get(from)?.includes(to)) gaps.push({ to, route, head })
    for (const [head, way] of this.#columns)
      if (way.next.get(from)?.includes(to)) this.#reroute(head, to)
    return { gaps, begun: [] }
  }

  /** Columns from the first group on, one for each of its nodes. */
  #begin(): number[] {
    const [first, ...rest] = this.#groups
    const heads = [...(first?.members ?? [])]
    for (const [i, head] of heads.entries()) {
      const column = [head, ...rest.map(({ members }) => members[i % members.length] as number)]
      this.#columns.set(head, this.#add(head, linked(column), rest.length === 0 ? groupRoute : 0))
    }
    this.#spreadAnew()
    return heads
  }

  /** The same column with a mate in the place of the node, where it has one. */
  #reroute(head: number, node: number): void {
    const column = [...this.columnOf(head)]
    const at = column.indexOf(node)
    const instead = this.#idlest(this.#mateGroup(column, at, node), node)
    column.splice(at, 1, ...(instead === undefined ? [] : [instead]))
    this.#columns.set(head, this.#add(head, linked(column), 0))
  }

  /** The members of the group in which the column enters at this place. */
  #mateGroup(column: readonly number[], at: number, node: number): readonly number[] {
    const own = this.#groupOf.get(node)
    if (own !== undefined) return own.members
    // It is gone: its group follows that of the one before.
    const before = this.#groupOf.get(column[at - 1] as number)
    const after = this.#groupOf.get(column[at + 1] as number)
    const group = this.#groups[this.#groups.indexOf(before as Group) + 1]
    return group === undefined || group === after ? [] : group.members
  }

  /** The one that the fewest columns enter at. */
  #idlest(members: readonly number[], but: number): number | undefined {
    const entered = new Map<number, number>()
    for (const { next } of this.#columns.values())
      for (const node of next.keys()) entered.set(node, (entered.get(node) ?? 0) + 1)
    const load = (node: number): number => entered.get(node) ?? 0
    return members
      .filter((node) => node !== but)
      .reduce<number | undefined>(
        (best, node) => (best === undefined || load(node) < load(best) ? node : best),
        undefined,
      )
  }

  #gapsBelow(node: number): Gap[] {
    return this.#ways.flatMap(({ route, head, next }) =>
      (next.get(node) ?? [])
        .filter((to) => this.#groupOf.has(to))
        .map((to) => ({ to, route, head })),
    )
  }

  /** What goes to everybody: each node has one in the group before that feeds it. */
  #spreadAnew(): void {
    this.#spread = undefined
    if (this.isOne) return
    const next = new Map<number, number[]>()
    for (const [i, { members }] of this.#groups.entries()) {
      for (const node of members) next.set(node, [])
      const before = this.#groups[i - 1]?.members
      if (before === undefined) continue
      for (const [j, node] of members.entries())
        next.get(before[j % before.length] as number)?.push(node)
    }
    this.#spread = this.#add(null, next, 0)
  }

  #add(head: number | null, next: Way['next'], route: number): Way {
    const way = { route: route === 0 ? ++this.#routes : route, head, next }
    this.#ways.push(way)
    // What is still under way on the oldest ones lands where it is, and others ask for it.
    const spare = this.#ways.length - limits.routesPerPlan - this.#columns.size
    if (spare > 0) {
      const kept = new Set<Way | undefined>([...this.#columns.values(), this.#spread, way])
      const gone = this.#ways.filter((old) => !kept.has(old)).slice(0, spare)
      for (const old of gone) this.#ways.splice(this.#ways.indexOf(old), 1)
    }
    return way
  }
}

function linked(column: readonly number[]): Map<number, number[]> {
  return new Map(column.map((node, i) => [node, column.slice(i + 1, i + 2)]))
}
