/**
 * A node of the directory: a tree in which each knows which attributes there are below it.
 *
 * *No loops.* A node that asks for a parent takes no children and approves nobody until it has an
 * answer. One that has others below it is taken only with the approval of all nodes up to the root
 * of the tree that it joins, each of which refuses if it is that node, or is asking itself. So
 * while a node asks, nothing that leads up to it can be joined to what lies below it: the request
 * would have to pass it. One without others below it needs no approval: nobody can get below it
 * while it asks.
 *
 * *Rising.* The same for a node that leaves its parent for a place nearer to the root.
 *
 * *Roll-ups* go upward when they change. One that a parent cannot read (bits of another dictionary)
 * counts as unknown, and rules nobody out.
 */
import { type Attributes, attributeOf } from '../../base/attributes.js'
import { type Criteria, matchesCriteria, parseCriteria } from '../../base/criteria.js'
import type { FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { DirectoryPeer, FoundNode, TreeFrame } from '../messages/directory.js'
import { Approvals, busy, type Judged } from './approvals.js'
import { type Child, Children, seen } from './children.js'
import { entriesOf, nobody } from './dictionary.js'
import type { DirectorySpec, DirectoryWish, LinkFrame } from './facts.js'
import { Findings } from './finding.js'
import { Lineage } from './lineage.js'
import { Meanings, pagesOf } from './meanings.js'
import { RollUps } from './roll-ups.js'

type Of<T extends TreeFrame['type']> = Extract<TreeFrame, { type: T }>

export interface TreeHost {
  readonly wish: (wish: DirectoryWish) => void
  /** A child or the parent; `left` when it is one no longer. */
  readonly joined: (link: number, nodeId: string) => void
  readonly left: (link: number) => void
  /** Nodes of the same site that are known of. */
  readonly kin: (mates: readonly DirectoryPeer[]) => void
}

export class Tree {
  readonly children: Children
  readonly lineage: Lineage
  readonly #spec: DirectorySpec
  readonly #host: TreeHost
  readonly #meanings: Meanings
  readonly #approvals = new Approvals()
  readonly #findings: Findings
  /** Those that wait for an approval, by link. */
  readonly #waiting = new Map<number, Child>()
  #attributes: Attributes
  /** Of this node alone, and of all below it. */
  readonly rollUps = new RollUps()
  #isStale = true
  #isKinStale = false
  /** Nodes of this site that the parent has told of. */
  kin: readonly DirectoryPeer[] = []
  #kinMs = Number.POSITIVE_INFINITY
  #noted = ''
  /** What all children know of the dictionary and of those above. */
  #said = ''

  constructor(spec: DirectorySpec, host: TreeHost, nowMs: number) {
    this.#spec = spec
    this.#host = host
    this.#attributes = spec.attributes
    this.children = new Children(spec.maxChildren)
    this.lineage = new Lineage(spec, host.wish, nowMs)
    this.#meanings = new Meanings(spec.run)
    this.#findings = new Findings({
      self: (criteria) => this.#matching(criteria),
      targets: (criteria, from) => this.#targets(criteria, from),
      say: (link, frame) => this.#say(link, frame),
    })
    this.settle(nowMs)
  }

  get attributes(): Attributes {
    return this.#attributes
  }

  get site(): string {
    return attributeOf(this.#attributes, 'site') ?? ''
  }

  get dictionary() {
    return this.#meanings.dictionary
  }

  get dueMs(): number {
    const { lineage } = this
    const isRootless = lineage.parent === null && !lineage.isAsking
    const rootMs = this.#meanings.isWanting && isRootless ? lineage.rootMs : Infinity
    return Math.min(
      ...[lineage.dueMs, this.#approvals.dueMs, this.#findings.dueMs],
      ...[rootMs, this.#kinMs, lineage.parent === null ? Infinity : this.rollUps.dueMs],
    )
  }

  due(nowMs: number): void {
    this.#approvals.due(nowMs)
    this.#findings.due(nowMs)
    this.lineage.due(nowMs)
    if (this.#kinMs <= nowMs) this.#tellKin()
  }

  setAttributes(attributes: Attributes, nowMs: number): void {
    const { site } = this
    this.#attributes = attributes
    this.#isStale = true
    this.#meanings.want(entriesOf(attributes))
    // The parent is told of the site when this node enrolls.
    if (this.site !== site && this.lineage.parent !== null)
      this.#lost('ERR_FR_CLOSED', 'this node has another site now', nowMs)
  }

  where(query: number, criteria: string, nowMs: number): void {
    this.#findings.begin(
      parseCriteria(criteria),
      criteria,
      limits.findMs,
      {
        ...{ link: null, query },
        nodes: (nodes) => this.#host.wish({ type: 'found', query, nodes }),
        over: (asked, isWhole) => this.#host.wish({ type: 'answered', query, asked, isWhole }),
      },
      nowMs,
    )
  }

  // --- links ---

  /** True: the link is of the tree. */
  has(link: number): boolean {
    return this.lineage.isOf(link) || this.children.get(link) !== undefined
  }

  opened(link: number, peer: DirectoryPeer, nowMs: number): void {
    const { id: dictionary, size: bits } = this.dictionary
    const below = this.children.count + this.#waiting.size
    this.#approvals.refuseAll()
    const depth = this.lineage.depthToLeave
    const said = { site: this.site, below, dictionary, bits, depth }
    const enroll = { type: 'enroll', address: this.#spec.address, ...said } as const
    const before = this.lineage.parent?.link
    this.lineage.opened(link, peer, enroll, nowMs)
    if (before !== undefined && this.lineage.parent === null) this.#orphaned(before)
  }

  called(link: number, nodeId: string, frame: Of<'enroll'>, nowMs: number): void {
    const { address, site, below, dictionary, bits, depth } = frame
    // Steps that it may be further down than a child of this node.
    const steps = depth === null ? null : depth - this.lineage.path.length - 2
    const refused = (steps ?? 0) < 0 ? busy : this.#refusal(nodeId)
    if (refused !== null) return this.#refuse(link, refused)
    const before = this.children.of(nodeId)
    if (before !== undefined) this.#hangUp(before.link)
    for (const [other, { nodeId: asking }] of this.#waiting)
      if (asking === nodeId) this.#hangUp(other)
    if (!this.children.hasRoom) {
      const below = this.children.roomFor(nodeId, site, steps)
      if (below === undefined) return this.#refuse(link, busy)
      this.#say(link, { type: 'passDown', nodeId: below.nodeId, address: below.address })
      return this.#host.wish({ type: 'hangUp', link })
    }
    const knows = { id: dictionary, bits, isFull: false }
    const summary = { ...nobody, count: below + 1, isWhole: false }
    const told = { dictionary: '', room: null, passed: 0, lineage: '', kin: '' }
    const child: Child = { link, nodeId, address, site, summary, knows, ...told }
    if (below === 0 || this.lineage.parent === null) return this.#take(child)
    this.#waiting.set(link, child)
    this.children.reserved += 1
    this.#ask(nodeId, nowMs, (judged) => this.#approved(child, judged))
  }

  said(link: number, frame: LinkFrame, nowMs: number): void {
    if (this.lineage.isOf(link)) return this.#fromParent(link, frame, nowMs)
    const child = this.children.get(link)
    if (child !== undefined) this.#fromChild(child, frame, nowMs)
    else this.#broken(link, frame)
  }

  failed(address: string, text: string, nowMs: number): void {
    this.lineage.failed(address, 'ERR_FR_UNREACHABLE', text, nowMs)
  }

  closed(link: number, nowMs: number): void {
    if (this.lineage.isOf(link)) return this.#lost('ERR_FR_NODE_LOST', 'the parent is gone', nowMs)
    this.#forget(link)
  }

  /** Says what follows from all that has happened. */
  settle(nowMs: number): void {
    const { lineage } = this
    const isSummed = this.#isStale
    if (isSummed) this.#sum()
    if (lineage.isRoot(nowMs) && this.#meanings.giveBits(this.#used(), nowMs)) this.#sum()
    if (isSummed) this.#noteFull()
    const parent = lineage.parent
    if (parent !== null) {
      const entries = this.#meanings.toAsk()
      if (entries.length > 0) this.#say(parent.link, { type: 'define', entries })
      const { room } = this.children
      const isDue = isSummed || this.rollUps.dueMs <= nowMs
      const rollUp = isDue ? this.rollUps.next(this.dictionary.id, room, nowMs) : null
      if (rollUp !== null) this.#say(parent.link, { type: 'rollUp', ...rollUp })
    }
    this.#tellChildren()
    if (this.#kinMs === Number.POSITIVE_INFINITY && this.#isKinStale)
      this.#kinMs = nowMs + limits.kinMs
    this.#isKinStale = false
  }

  // --- the parent ---

  #fromParent(link: number, frame: LinkFrame, nowMs: number): void {
    switch (frame.type) {
      case 'lineage':
        if (!this.lineage.said(frame, nowMs)) {
          if (!this.lineage.isOf(link)) this.#orphaned(link)
          return
        }
        this.rollUps.forget()
        this.#meanings.reparented()
        this.#isStale = true
        return this.#host.joined(link, this.lineage.parent?.nodeId ?? '')
      case 'passDown':
        return this.lineage.passedDown(frame, nowMs)
      case 'refuse':
        return this.#lost(frame.code, frame.text, nowMs)
      case 'dictionary': {
        const changed = this.#meanings.given(frame)
        if (changed === null) return this.#lost('ERR_FR_PROTOCOL', 'a page is missing', nowMs)
        this.#isStale ||= changed
        return
      }
      case 'kin':
        this.kin = frame.mates.filter(({ nodeId }) => nodeId !== this.#spec.nodeId)
        this.#isKinStale = true
        return this.#host.kin(this.kin)
      case 'enrollJudged':
        return this.#approvals.judged(frame.request, { code: frame.code, text: frame.text })
      case 'find':
        return this.#find(link, frame, nowMs)
      case 'found':
        return this.#findings.found(link, frame)
      default:
        return this.#lost('ERR_FR_PROTOCOL', `unexpected frame '${frame.type}'`, nowMs)
    }
  }

  #lost(code: FrErrorCode, text: string, nowMs: number): void {
    const link = this.lineage.parent?.link
    this.lineage.lost(code, text, nowMs)
    if (link !== undefined) this.#orphaned(link)
  }

  #orphaned(link: number): void {
    this.#approvals.refuseAll()
    this.#meanings.reparented()
    this.#findings.closed(link)
    this.kin = []
    this.#isKinStale = true
    this.#host.kin([])
    this.#host.left(link)
  }

  // --- children ---

  /** Why nobody of this id can be a child now; null: it can. */
  #refusal(nodeId: string): Judged | null {
    const text = 'the parent is below this node'
    if (nodeId === this.#spec.nodeId) return { code: 'ERR_FR_SAME_NODE', text: 'it is this node' }
    if (this.lineage.path.includes(nodeId)) return { code: 'ERR_FR_TREE_LOOP', text }
    if (this.lineage.isAsking) return busy
    if (this.lineage.path.length + 1 >= limits.treeDepth)
      return { code: 'ERR_FR_LIMIT', text: `${limits.treeDepth} nodes are above it already` }
    return null
  }

  /** Whether it may be below this node, which all nodes up to the root have to agree to. */
  #ask(nodeId: string, nowMs: number, answer: (judged: Judged) => void): void {
    const refused = this.#refusal(nodeId)
    const { parent } = this.lineage
    if (refused !== null) return answer(refused)
    if (parent === null) return answer({ code: null, text: '' })
    const request = this.#approvals.ask(nodeId, nowMs, answer)
    if (request === null) return answer(busy)
    this.#say(parent.link, { type: 'mayEnroll', request, nodeId })
  }

  #approved(child: Child, judged: Judged): void {
    if (!this.#waiting.delete(child.link)) return
    this.children.reserved -= 1
    const refused = judged.code === null ? this.#refusal(child.nodeId) : judged
    if (refused === null) this.#take(child)
    else this.#refuse(child.link, refused)
  }

  #take(child: Child): void {
    this.children.add(child)
    this.#said = ''
    this.#isStale = true
    this.#isKinStale = true
    this.#host.joined(child.link, child.nodeId)
  }

  #fromChild(child: Child, frame: LinkFrame, nowMs: number): void {
    const { link } = child
    switch (frame.type) {
      case 'rollUp':
        this.children.rolledUp(child, frame)
        this.#isStale = true
        return
      case 'define':
        return this.#meanings.want(frame.entries)
      case 'mayEnroll': {
        const { request } = frame
        return this.#ask(frame.nodeId, nowMs, (judged) => {
          if (this.children.get(link) !== undefined)
            this.#say(link, { type: 'enrollJudged', request, ...judged })
        })
      }
      case 'find':
        return this.#find(link, frame, nowMs)
      case 'found':
        return this.#findings.found(link, frame)
      default:
        return this.#broken(link, frame)
    }
  }

  #broken(link: number, { type }: LinkFrame): void {
    this.#forget(link)
    this.#refuse(link, { code: 'ERR_FR_PROTOCOL', text: `unexpected frame '${type}'` })
  }

  #hangUp(link: number): void {
    this.#forget(link)
    this.#host.wish({ type: 'hangUp', link })
  }

  #forget(link: number): void {
    if (this.#waiting.delete(link)) this.children.reserved -= 1
    if (!this.children.delete(link)) return
    this.#isStale = true
    this.#isKinStale = true
    this.#findings.closed(link)
    this.#host.left(link)
  }

  /** What they do not know yet. */
  #tellChildren(): void {
    const { dictionary, lineage, children } = this
    const { id, size, isFull } = dictionary
    const said = `${lineage.text} ${children.rooms} ${id} ${size} ${isFull}`
    if (said === this.#said) return
    this.#said = said
    for (const child of children.all) {
      const { link, knows } = child
      if (knows.id !== id || knows.bits !== size || knows.isFull !== isFull) {
        const from = knows.id === id && knows.bits < size ? knows.bits : 0
        for (const page of pagesOf(dictionary, from)) this.#say(link, page)
        child.knows = { id, bits: size, isFull }
      }
      const room = lineage.roomBeside(children.roomBeside(child))
      const text = `${lineage.text} ${room?.depth} ${room?.address}`
      if (child.lineage === text) continue
      child.lineage = text
      this.#say(link, lineage.saidTo(this.#spec.nodeId, room))
    }
  }

  #tellKin(): void {
    this.#kinMs = Number.POSITIVE_INFINITY
    const { nodeId, address } = this.#spec
    const self = { nodeId, address, site: this.site }
    for (const { link, mates } of this.children.kinChanged(self, this.kin))
      this.#say(link, { type: 'kin', mates })
  }

  // --- what is known of those below ---

  #sum(): void {
    this.#isStale = false
    const { dictionary } = this
    this.rollUps.below = this.children.below(dictionary.id)
    this.rollUps.own = dictionary.summaryOf(this.#attributes)
    if (!this.rollUps.own.isWhole && !dictionary.isFull)
      this.#meanings.want(entriesOf(this.#attributes))
  }

  /** Null: bits of some below are not known. */
  #used() {
    for (const { dictionary } of this.children.all)
      if (dictionary !== this.dictionary.id) return null
    return this.rollUps.all.some
  }

  #noteFull(): void {
    const { dictionary } = this
    if (!dictionary.isFull || this.rollUps.own.isWhole) {
      this.#noted = ''
      return
    }
    const entry = entriesOf(this.#attributes).find((one) => !dictionary.has(one)) ?? ''
    if (entry !== this.#noted) this.#host.wish({ type: 'note', note: { about: 'full', entry } })
    this.#noted = entry
  }

  // --- queries ---

  #find(link: number, { query, criteria, forMs }: Of<'find'>, nowMs: number): void {
    const last = (asked: number, isWhole: boolean): void =>
      this.#say(link, { type: 'found', query, nodes: [], asked, isLast: true, isWhole })
    const some = (nodes: readonly FoundNode[]): void =>
      this.#say(link, { type: 'found', query, nodes, asked: 0, isLast: false, isWhole: true })
    const asker = { link, query, nodes: some, over: last }
    this.#findings.begin(parseCriteria(criteria), criteria, forMs, asker, nowMs)
  }

  #matching(criteria: Criteria): FoundNode | null {
    if (!matchesCriteria(criteria, this.#attributes)) return null
    const { nodeId, address } = this.#spec
    return { nodeId, address, name: attributeOf(this.#attributes, 'name') ?? '' }
  }

  #targets(criteria: Criteria, from: number | null): number[] {
    const { dictionary } = this
    const links: number[] = []
    const { parent } = this.lineage
    if (parent !== null && parent.link !== from) links.push(parent.link)
    for (const child of this.children.all) {
      if (child.link === from) continue
      const verdict = dictionary.judge(criteria, seen(child, dictionary.id))
      if (verdict !== 'no') links.push(child.link)
    }
    return links
  }

  #refuse(link: number, { code, text }: Judged): void {
    const frame = { type: 'refuse', code: code ?? 'ERR_FR_INTERNAL', text } as const
    this.#host.wish({ type: 'say', link, frame })
    this.#host.wish({ type: 'hangUp', link })
  }

  #say(link: number, frame: TreeFrame): void {
    this.#host.wish({ type: 'say', link, frame })
  }
}
