/**
 * Who is in which group, and which group feeds which, while nodes come and go.
 *
 * Groups that are laid out are the primary tree. Whoever comes later, or is too slow for them
 * (tree.ts), is in a secondary group: it is fed by one of those once that is complete, so that it
 * takes nothing from the tree before.
 */
import { limits } from '../../base/limits.js'
import { type ColumnSpan, columnsFor } from './columns.js'
import type { Placed, TreeWish } from './layout.js'
import { planTree, type SlowNode } from './tree.js'

export interface Group {
  /** In the order in which they were given; those that have left are not among them. */
  readonly members: readonly number[]
  readonly site: string | undefined
  /** The group that feeds it; null: the coordinator does. */
  readonly parent: Group | null
  readonly children: readonly Group[]
  readonly isSecondary: boolean
}

interface OpenGroup extends Group {
  readonly members: number[]
  parent: OpenGroup | null
  children: OpenGroup[]
  isSecondary: boolean
}

export class Groups {
  readonly #wish: TreeWish
  /** The one that the coordinator feeds is the first. */
  #all: OpenGroup[] = []
  readonly #secondary: OpenGroup[] = []
  readonly #of = new Map<number, OpenGroup>()
  /** Of those who have left, the group that they were in. */
  readonly #left = new Map<number, OpenGroup>()
  /** Those who have no place in the layout: they only send. */
  readonly #senders = new Set<number>()
  /** Nodes that are too slow for the tree, as it was planned. */
  slow: readonly SlowNode[] = []
  /** Nodes of the largest group at the start. */
  #width = 0

  constructor(wish: TreeWish) {
    this.#wish = wish
  }

  /** `senders`: those of the nodes that are fed nothing by others; they are in no layout. */
  start(nodes: readonly Placed[], senders: ReadonlySet<number>): void {
    const sites = new Map(nodes.map(({ node, site }) => [node, site]))
    const receivers = nodes.filter(({ node }) => !senders.has(node))
    const { groups, slow } = planTree(receivers, this.#wish)
    for (const { nodes: members, parent } of groups)
      this.#add(parent === null ? null : (this.#all[parent] as OpenGroup), members, sites)
    this.#width = Math.max(0, ...this.#all.map(({ members }) => members.length))
    this.slow = slow
    for (const { node } of slow) {
      const site = sites.get(node)
      this.#joinSecondary({ node, ...(site !== undefined && { site }) })
    }
  }

  get all(): readonly Group[] {
    return this.#all
  }

  /** Of each the index of the one that feeds it; null: the coordinator does. */
  get parents(): (number | null)[] {
    const index = new Map(this.#all.map((group, i) => [group, i]))
    return this.#all.map(({ parent }) => (parent === null ? null : (index.get(parent) ?? null)))
  }

  get first(): Group | undefined {
    return this.#all[0]
  }

  get isOne(): boolean {
    return this.#all.length <= 1
  }

  /** The columns of several groups, by their sizes now; none of one. */
  columns(): ColumnSpan[] {
    return this.isOne ? [] : columnsFor(this.#all.map((group) => this.receivers(group).length))
  }

  has(node: number): boolean {
    return this.#of.has(node)
  }

  of(node: number): Group | undefined {
    return this.#of.get(node)
  }

  /** Who is in the group that this node is in, or was in until it left; itself while it is. */
  beside(node: number): readonly number[] {
    return (this.#of.get(node) ?? this.#left.get(node))?.members ?? []
  }

  isSender(node: number): boolean {
    return this.#senders.has(node)
  }

  receivers({ members }: Group): number[] {
    return members.filter((node) => !this.#senders.has(node))
  }

  /** It is fed nothing, so it is in the first group. False: that takes no more. */
  addSender(node: number): boolean {
    const first = this.#all[0] ?? this.#add(null, [], new Map())
    if (first.members.length >= Math.max(this.#most, limits.nodesPerGroup)) return false
    this.#enter(node, first)
    this.#senders.add(node)
    return true
  }

  /** A node more: in the only group while that has room, or in a secondary one. */
  join(placed: Placed): void {
    const { node, site } = placed
    const [only] = this.#all
    const isRoom = this.isOne && (only === undefined || only.members.length < this.#most)
    if (!isRoom) this.#joinSecondary(placed)
    else this.#enter(node, only ?? this.#add(null, [], new Map([[node, site]])))
  }

  isSecondary(node: number): boolean {
    return this.#of.get(node)?.isSecondary === true
  }

  /** Those who feed a secondary group. */
  above(node: number): number[] {
    const { isSecondary = false, parent = null } = this.#of.get(node) ?? {}
    return isSecondary && parent !== null ? this.receivers(parent) : []
  }

  /** Those in secondary groups whom this node's own group feeds. */
  below(node: number): number[] {
    const group = this.#of.get(node)
    return group === undefined ? [] : this.#secondaryOf(group).flatMap(({ members }) => members)
  }

  leave(node: number): void {
    const group = this.#of.get(node)
    if (group === undefined) return
    group.members.splice(group.members.indexOf(node), 1)
    this.#of.delete(node)
    this.#left.set(node, group)
    if (group.members.length === 0) this.#dissolve(group)
  }

  /**
   * Members of one group at most. A group that is larger than there are columns sends more than it
   * receives.
   */
  get #most(): number {
    const { shape, groupSize } = this.#wish
    if (shape === 'group') return Number.POSITIVE_INFINITY
    return shape === 'binomial' ? 1 : Math.max(groupSize ?? limits.nodesPerGroup, this.#width)
  }

  #add(
    parent: OpenGroup | null,
    members: readonly number[],
    sites: ReadonlyMap<number, string | undefined>,
  ): OpenGroup {
    const site = sites.get(members[0] as number)
    const group: OpenGroup = { members: [], site, parent, children: [], isSecondary: false }
    parent?.children.push(group)
    this.#all.push(group)
    for (const node of members) this.#enter(node, group)
    return group
  }

  /**
   * Fed by the group that feeds the fewest so: one of its own site where there is one, of the
   * primary tree where there is room, since each of a group has to know those that it feeds.
   */
  #joinSecondary({ node, site }: Placed): void {
    const fed = new Map<OpenGroup | null, number>()
    for (const { parent, members } of this.#secondary)
      fed.set(parent, (fed.get(parent) ?? 0) + members.length)
    const load = (group: OpenGroup): number => fed.get(group) ?? 0
    const isNear = (group: OpenGroup): boolean => group.site === site
    const hasRoom = (group: OpenGroup): boolean => load(group) < limits.fedLater
    const all = [...this.#all, ...this.#secondary]
    const choices = [this.#all.filter(isNear), all.filter(isNear), this.#all, all]
    const able = choices.map((groups) => groups.filter(hasRoom)).find(({ length }) => length > 0)
    if (able === undefined) throw new TypeError('a group that feeds nobody has room')
    const parent = able.reduce((best, group) => (load(group) <= load(best) ? group : best))
    const open = this.#secondaryOf(parent).find(({ members }) => members.length < limits.groupSize)
    const group = open ?? { members: [], site, parent, children: [], isSecondary: true }
    if (open === undefined) this.#secondary.push(group)
    this.#enter(node, group)
  }

  #secondaryOf(group: OpenGroup): OpenGroup[] {
    return this.#secondary.filter(({ parent }) => parent === group)
  }

  #enter(node: number, group: OpenGroup): void {
    group.members.push(node)
    this.#of.set(node, group)
  }

  /** Nobody of it is left: those that it fed are fed by the one before, or the eldest is first. */
  #dissolve(group: OpenGroup): void {
    const { parent, children, isSecondary } = group
    const from = isSecondary ? this.#secondary : this.#all
    from.splice(from.indexOf(group), 1)
    const heir = parent ?? children[0] ?? this.#promoted()
    for (const later of this.#secondaryOf(group)) later.parent = heir
    if (isSecondary) return
    for (const child of children) if (child !== heir) child.parent = heir
    if (parent !== null) parent.children.splice(parent.children.indexOf(group), 1, ...children)
    else if (heir !== null) {
      heir.parent = null
      heir.children.push(...children.slice(1))
      this.#all = [heir, ...this.#all.filter((other) => other !== heir)]
    }
  }

  /** Nobody of the primary tree is left: the eldest secondary group is all of it. */
  #promoted(): OpenGroup | null {
    const group = this.#secondary.shift()
    if (group === undefined) return null
    group.isSecondary = false
    group.parent = null
    this.#all.push(group)
    return group
  }
}
