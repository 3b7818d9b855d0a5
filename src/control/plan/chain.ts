/**
 * Groups that feed groups: who is in which group, and along which ways bytes go from one to the
 * next. A chain, unless the layout (layout.ts) is another tree.
 *
 * The idea (theory: pipelined groups): a group of k nodes carries k columns. The coordinator feeds
 * the first group, each of its nodes the head of a column. The node at which a column enters a
 * group sends what arrives on to the node where it enters the next group, and to all its mates,
 * while it arrives. So each byte crosses once from group to group, and each node sends k copies of
 * a k-th of the file. There are at least as many columns as the largest group has nodes; a smaller
 * group has several at one node. One group is a chain of one.
 *
 * A way is what one route number stands for, and never changes: a node that leaves is passed by on
 * a new way with a new number, so that nobody is sent again what came on the old one. `Gap`: who
 * asks for what was lost between. No later way leads to who is avoided or not reached.
 */
import { limits } from '../../base/limits.js'
import type { Role, Route } from '../messages/types.js'
import { placeIn } from './columns.js'
import { type Gap, gapOf, gapsBelow } from './gaps.js'
import { type Group, Groups } from './groups.js'
import type { Placed, TreeWish } from './layout.js'
import { type Column, type ColumnWish, Entries, Pairs, type Way, wayOf } from './ways.js'

/** The one route of a push of one group. */
const groupRoute = 1
const noNodes: ReadonlySet<number> = new Set()

export class Chain {
  readonly #groups: Groups
  readonly wish: TreeWish
  readonly #ways: Way[] = []
  readonly #columns = new Map<number, Column>()
  readonly #entries = new Entries()
  /** By head, the columns that begin there. */
  readonly #heads = new Map<number, number[]>()
  readonly #avoided = new Set<number>()
  /** Whom a node does not reach. */
  readonly #unreached = new Pairs()
  /** They keep nothing: each has a way of its own, and when somebody joins a new one. */
  readonly #gateways = new Set<number>()
  newestRoute = groupRoute
  #columnsEver = 0
  #columnsPlanned = 0
  /** Whose neighbours or routes may be others than before. */
  #touched = new Set<number>()

  constructor(wish: TreeWish) {
    this.#groups = new Groups(wish)
    this.wish = wish
  }

  /** `mirrors`, `gateways`: those of the nodes that only send. */
  start(nodes: readonly Placed[], mirrors = noNodes, gateways = noNodes): void {
    const senders = new Set([...mirrors, ...gateways])
    this.#groups.start(nodes, senders)
    for (const node of senders) this.#groups.addSender(node)
    for (const node of gateways) this.#gateways.add(node)
    this.#touch(nodes.map(({ node }) => node))
    this.#begin()
  }

  get isOne(): boolean {
    return this.#groups.isOne
  }

  /** The first one first. */
  get groups(): number[][] {
    return this.#groups.all.map(({ members }) => [...members])
  }

  /** Of each group the index of the one that feeds it; null: the coordinator does. */
  get parents(): (number | null)[] {
    return this.#groups.parents
  }

  /** The groups without those who only send. */
  get receivers(): number[][] {
    return this.#groups.all.map((group) => this.#groups.receivers(group))
  }

  /** Those who are fed later since they are slow, as it was planned. */
  get slow(): Groups['slow'] {
    return this.#groups.slow
  }

  /** Whom the coordinator feeds. */
  get heads(): number[] {
    return [...this.#heads.keys()]
  }

  isHead(node: number): boolean {
    return this.#heads.has(node)
  }

  columnsFrom(head: number): readonly number[] {
    return this.#heads.get(head) ?? []
  }

  widthOf(column: number): number {
    return this.#columns.get(column)?.width ?? 0
  }

  headOf(column: number): number | undefined {
    return this.#columns.get(column)?.head
  }

  /** The route of what is dealt to this column. */
  routeOf(column: number): number {
    return this.#columns.get(column)?.way.route ?? 0
  }

  /** A route that reaches everybody from this head; 0: it is none. */
  routeFrom(head: number): number {
    const [column] = this.columnsFrom(head)
    return column === undefined ? 0 : this.routeOf(column)
  }

  /** The route that what fills a gap goes on with now: on the one of the gap others are gone. */
  routeFor({ to, route, column }: Gap): number {
    return route !== 0 && this.entriesOf(column).includes(to) ? this.routeOf(column) : route
  }

  /** What carries on from this head what all heads are sent. */
  pastsFrom(head: number): number[] {
    return this.columnsFrom(head).flatMap((column) => this.#columns.get(column)?.twin ?? [])
  }

  /** Nodes at which this column enters a group, its head first. */
  entriesOf(column: number): readonly number[] {
    return [...(this.#columns.get(column)?.way.next.keys() ?? [])]
  }

  /** Nodes of groups that this column passes by: nobody there can be reached who passes it on. */
  skipped(column: number): number[] {
    const next = this.#columns.get(column)?.way.next
    const { all } = this.#groups
    if (next === undefined || next.size === all.length) return []
    return all.flatMap(({ members }) => (members.some((node) => next.has(node)) ? [] : members))
  }

  /** Columns that enter its group at this node. */
  columnsAt(node: number): number[] {
    return this.#entries.at(node)
  }

  /** Columns that this node passes on, or has passed on. */
  columnsOver(node: number): number[] {
    const columns = this.#ways.flatMap(({ column, next, head, isPast }) =>
      next.has(node) && !(isPast && head === node) ? [column] : [],
    )
    return [...new Set(columns)]
  }

  /** The others of its group. */
  mates(node: number): number[] {
    return this.#groups.of(node)?.members.filter((other) => other !== node) ?? []
  }

  /** It is fed once those `above` it are complete; those `below` a node are fed so by its group. */
  isSecondary(node: number): boolean {
    return this.#groups.isSecondary(node)
  }

  above(node: number): number[] {
    return this.#groups.above(node)
  }

  below(node: number): number[] {
    return this.#groups.below(node)
  }

  /** The others of its group, as far as they have from it what enters there. */
  matesFedBy(node: number): number[] {
    if (this.isSecondary(node)) return []
    const isFeeder = this.wish.handover !== 'every' || this.#groups.of(node) === this.#groups.first
    return isFeeder ? this.mates(node) : []
  }

  /** Whom this node has to know: its mates, whom it feeds, and who feeds it. */
  neighbours(node: number): number[] {
    const mates = this.mates(node)
    const known = new Set([...mates, ...this.above(node), ...this.below(node)])
    for (const way of this.#ways) {
      for (const to of way.next.get(node) ?? []) {
        known.add(to)
        for (const end of this.#endsBelow(to)) known.add(end)
      }
      // What enters at a mate may come from above to this node as well.
      for (const entry of this.wish.handover === 'every' ? [node, ...mates] : [node])
        known.add(way.from.get(entry) ?? node)
    }
    return [...known].filter((other) => other !== node && this.#groups.has(other))
  }

  /** Those with whom what this column brings to the node ends, sent by the node itself. */
  endsOf(column: number, node: number): number[] {
    const way = this.#columns.get(column)?.way
    return way === undefined ? [] : this.#endsOf(way, node)
  }

  /** Nodes whose `neighbours` or `routes` may have changed since the last time. */
  takeTouched(): ReadonlySet<number> {
    const touched = this.#touched
    this.#touched = new Set()
    return touched
  }

  /** What this node passes on, and to whom: into the next group first. */
  routes(node: number): Route[] {
    const [now, before]: [Route[], Route[]] = [[], []]
    for (const way of this.#ways) {
      const { route, next } = way
      const children = next.get(node)?.filter((to) => this.#groups.has(to))
      if (children === undefined) continue
      const down = children.map((member) => ({ member, next: route }))
      const ends = this.#endsOf(way, node).map((member) => ({ member, next: 0 }))
      const to = [...down, ...ends].filter(({ member }) => !this.#unreached.has(node, member))
      if (to.length > 0) (this.#isInUse(way) ? now : before).push({ route, to })
    }
    const spare = now.length + before.length - limits.routesPerPlan
    return [...before.slice(Math.max(0, spare)), ...now]
  }

  /**
   * A node more: in the only group, with a column for it, or in a secondary group, which is fed
   * nothing here. Who only sends has a column wherever it joins.
   */
  join(placed: Placed, role: Role = 'receiver'): void {
    const { node } = placed
    if (role === 'gateway') this.#gateways.add(node)
    if (role !== 'receiver') {
      if (this.#groups.addSender(node)) this.#beginAt(node, [])
      return this.#touch(this.#groups.first?.members ?? [])
    }
    this.#groups.join(placed)
    this.#touchBeside(node)
    if (this.isSecondary(node)) return
    this.#beginAt(node, [])
    for (const [column, { head }] of [...this.#columns])
      if (this.#gateways.has(head)) this.#reroute(column)
  }

  /** The node is gone. */
  leave(node: number): Gap[] {
    if (!this.#groups.has(node)) return []
    const gaps = this.#gapsBelow(node)
    this.#touchBeside(node)
    this.#groups.leave(node)
    for (const column of [...this.columnsFrom(node)]) this.#rehead(column)
    for (const [column, { way }] of [...this.#columns])
      if (way.next.has(node)) this.#reroute(column)
    if (this.#columns.size === 0) this.#begin()
    return gaps
  }

  /** The node lives and says nothing: columns pass it by, but for those that begin at it. */
  avoid(node: number): Gap[] {
    const gaps = this.#gapsBelow(node)
    this.#avoided.add(node)
    for (const [column, { head, way }] of [...this.#columns])
      if (head !== node && way.next.has(node)) this.#reroute(column)
    return gaps
  }

  /** It speaks again: columns that were planned to enter at it do. */
  back(node: number): void {
    if (this.#avoided.delete(node)) this.#rehome(node)
  }

  /** One node does not reach another; who takes its place is fed by those who have the rest. */
  cut(from: number, to: number): Gap[] {
    const cut = this.#ways.filter(({ next }) => next.get(from)?.includes(to) === true)
    this.#unreached.add(from, to)
    this.#touch([from, to])
    for (const way of cut) if (this.#isInUse(way)) this.#reroute(way.column)
    return cut.flatMap((way) => {
      const now = this.#columns.get(way.column)?.way
      const entry = this.mates(to).find((one) => now?.from.has(one))
      return now === undefined || entry === undefined || this.wish.handover === 'every'
        ? [gapOf(to, way), ...this.#gapsBeside(to, way)]
        : [gapOf(entry, now)]
    })
  }

  /** It is tried whether one node reaches another again. */
  mend(from: number, to: number): void {
    this.#unreached.delete(from, to)
    this.#touch([from, to])
    this.#rehome(to)
  }

  /** Columns that were planned to enter at it do again, where they can. */
  #rehome(node: number): void {
    for (const [column, { home, way }] of [...this.#columns])
      if (home.has(node) && !way.next.has(node)) this.#reroute(column)
  }

  /** Columns from the first group on: one for each of its nodes, and for each of the largest. */
  #begin(): void {
    const { first, all } = this.#groups
    const columns = this.#groups.columns()
    this.#columnsPlanned = columns.length
    const places = all.map((group) => this.#groups.receivers(group))
    for (const span of columns) {
      const [head, ...wished] = places.map((nodes) => nodes[placeIn(span, nodes.length)])
      if (head !== undefined) this.#beginAt(head, wished, span.to - span.from)
    }
    const others = first?.members.filter((node) => this.isOne || this.#groups.isSender(node)) ?? []
    for (const node of others) this.#beginAt(node, [], 1 / others.length)
  }

  #beginAt(head: number, wished: readonly (number | undefined)[], width = 0): void {
    this.#setColumns(this.#columnsEver++, { head, home: new Set(wished), width, twin: null })
  }

  /** A column and its twin. */
  #setColumns(column: number, wish: Omit<ColumnWish, 'isPast'>): void {
    const twin = this.isOne ? null : (wish.twin ?? this.#columnsEver++)
    this.#setColumn(column, { ...wish, twin, isPast: false })
    if (twin !== null) this.#setColumn(twin, { ...wish, twin: null, isPast: true })
  }

  /** The same column, but for places that it cannot go through any longer. */
  #reroute(column: number): void {
    const known = this.#columns.get(column) as Column
    const { twin, way } = known
    if (!way.isPast && twin === null) this.#setColumns(column, known)
    else this.#setColumn(column, { ...known, isPast: way.isPast })
  }

  /**
   * The node that the column began at is gone. It begins at another one of the first group now; it
   * ends where there are enough without it, and where each node of one group has its own.
   */
  #rehead(column: number): void {
    const { width, twin, home } = this.#columns.get(column) as Column
    const wished = new Set(this.entriesOf(column))
    this.#drop(column)
    const { first } = this.#groups
    if (
      first === undefined ||
      this.isOne ||
      [...this.#heads.values()].flat().length >= this.#columnsPlanned
    )
      return
    const able = this.#groups.receivers(first)
    const awake = this.#entries.idlest(able.filter((node) => this.#passes(node)))
    const head = able.find((node) => wished.has(node)) ?? awake ?? able[0]
    if (head !== undefined) this.#setColumns(column, { head, home, width, twin })
  }

  #setColumn(column: number, { head, home, width, twin, isPast }: ColumnWish): void {
    const isNew = this.#columns.get(column)?.head !== head
    const way = this.#add(column, head, isPast, this.#lay(head, home, column))
    this.#entries.move(column, this.#columns.get(column)?.way, way)
    this.#columns.set(column, { head, way, width, twin, home })
    if (isNew && !isPast) this.#heads.set(head, [...this.columnsFrom(head), column])
  }

  #drop(column: number): void {
    const { head, twin } = this.#columns.get(column) as Column
    for (const one of twin === null ? [column] : [column, twin]) {
      this.#entries.move(one, this.#columns.get(one)?.way, undefined)
      this.#columns.delete(one)
    }
    const others = this.columnsFrom(head).filter((other) => other !== column)
    if (others.length > 0) this.#heads.set(head, others)
    else this.#heads.delete(head)
  }

  /** Into each group by the node that is planned, by the one now, or by the idlest. */
  #lay(head: number, home: Column['home'], column: number): Map<number, number[]> {
    const now = new Set(this.entriesOf(column))
    const next = new Map<number, number[]>([[head, []]])
    const reached: [Group, number][] = this.#groups.all.slice(0, 1).map((group) => [group, head])
    for (const [group, from] of reached) {
      for (const child of group.children) {
        const able = child.members.filter(
          (node) => this.#passes(node) && !this.#unreached.has(from, node),
        )
        const planned = able.find((one) => home.has(one)) ?? able.find((one) => now.has(one))
        const node = planned ?? this.#entries.idlest(able)
        if (node !== undefined) {
          next.get(from)?.push(node)
          next.set(node, [])
        }
        reached.push([child, node ?? from])
      }
    }
    return next
  }

  /** Bytes that it is fed go on from there. */
  #passes(node: number): boolean {
    return !this.#avoided.has(node) && !this.#groups.isSender(node)
  }

  /** Those with whom a way ends, sent by the node at which it enters a group. */
  #endsOf(way: Way, node: number): number[] {
    const below = (way.next.get(node) ?? []).flatMap((to) => this.#endsBelow(to))
    const mates = this.matesFedBy(node)
    const isSent = way.isPast && node === way.head
    return [...(isSent ? mates.filter((mate) => !this.isHead(mate)) : mates), ...below]
  }

  /** Mates of a node that is fed, who are fed together with it, and go on to be once it is gone. */
  #endsBelow(to: number): number[] {
    if (this.wish.handover !== 'every') return []
    return this.#groups.beside(to).filter((mate) => mate !== to && !this.#groups.isSender(mate))
  }

  /** What the mates of a node that is fed no more miss for the same reason. */
  #gapsBeside(to: number, way: Way): Gap[] {
    return this.#endsBelow(to).map((mate) => ({ ...gapOf(mate, way), route: 0 }))
  }

  #gapsBelow(node: number): Gap[] {
    const has = (one: number): boolean => this.#groups.has(one)
    return gapsBelow(node, this.#ways, has, (to, way) => this.#gapsBeside(to, way))
  }

  #add(column: number, head: number, isPast: boolean, next: Way['next']): Way {
    const isShared = this.isOne && !this.#gateways.has(head)
    const route = isShared ? groupRoute : ++this.newestRoute
    const way = wayOf({ route, column, head, isPast, next })
    // What is still under way on the oldest ones lands where it is, and others ask for it.
    const spare = this.#ways.length + 1 - limits.routesPerPlan - this.#columns.size
    const gone = this.#ways.filter((old) => !this.#isInUse(old)).slice(0, Math.max(0, spare))
    for (const old of gone) this.#ways.splice(this.#ways.indexOf(old), 1)
    this.#ways.push(way)
    for (const { next: nodes } of [way, ...gone])
      for (const node of nodes.keys()) this.#touch([node, ...this.#endsBelow(node)])
    return way
  }

  #touch(nodes: Iterable<number>): void {
    for (const node of nodes) this.#touched.add(node)
  }

  /** It comes or goes: its mates, and who feeds it, or them together with it. */
  #touchBeside(node: number): void {
    this.#touch([node, ...this.mates(node), ...this.neighbours(node)])
  }

  /** What is dealt now may go along it. */
  #isInUse(way: Way): boolean {
    return way === this.#columns.get(way.column)?.way
  }
}
