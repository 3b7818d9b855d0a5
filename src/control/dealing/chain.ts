/**
 * Dealing to groups in a chain (plan/chain.ts): the heads of its columns are dealt units as
 * the nodes of one group are, and what holds a column up anywhere holds up its head.
 *
 * The idea: a head's queue is the worst backlog along its column, so that the windows of the dealer
 * (group.ts) steer by the slowest place, wherever it is. Who lags is voted upon in each group by
 * its own members: a group further down has a dealer of its own with nothing to deal.
 */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Strategy } from '../messages/types.js'
import type { Chain } from '../plan/chain.js'
import type { TreeShape } from '../plan/layout.js'
import { Columns } from './columns.js'
import type { Dealer, DealerFact, Send } from './dealer.js'
import { GroupDealer } from './group.js'
import { Pool } from './pool.js'

type Reported = DealerFact & { type: 'reported' }

export class ChainDealer implements Dealer {
  readonly shape: TreeShape
  readonly chain: Chain
  readonly #heads: GroupDealer
  readonly #columns: Columns
  /** Nodes that are dealt units, or were. */
  readonly #begun = new Set<number>()
  /** Of the groups further down, by any of their nodes. */
  readonly #fed = new Map<number, GroupDealer>()
  /** Those of them at which something has happened since they were looked at last. */
  readonly #stirred = new Set<GroupDealer>()
  /** Those of them that may exclude others than before. */
  readonly #unasked = new Set<GroupDealer>()
  /** Whom each group excludes, where it excludes anybody; all of those in order. */
  readonly #excludedBy = new Map<GroupDealer, readonly number[]>()
  #excluded: readonly number[] = []
  /**
   * By column, what was ever dealt to it: what was taken back may be under way on it, and whoever
   * has it from there passes it on there, and on no other column.
   */
  readonly #along = new Map<number, RangeSet>()
  /** Of what all heads are sent, what one of them passes on already. */
  readonly #past = new RangeSet()

  /** `heads`: deals the content to the heads. */
  constructor(shape: TreeShape, chain: Chain, heads: GroupDealer) {
    this.shape = shape
    this.chain = chain
    this.#heads = heads
    this.#columns = new Columns(chain)
  }

  get strategy(): Strategy {
    return this.#heads.strategy
  }

  get reportMs(): number {
    return this.#heads.reportMs
  }

  get directBytes(): number {
    return this.#heads.directBytes
  }

  get openBytes(): number {
    return this.#heads.openBytes
  }

  mayRelay(node: number): boolean {
    return !this.chain.isHead(node) || this.#heads.mayRelay(node)
  }

  share(node: number): RangePair | null {
    return this.chain.isHead(node) ? this.#heads.share(node) : [0, 0]
  }

  /** Of all columns that the node passes on, and of what goes past them. */
  dealt(node: number): readonly RangePair[] {
    const ranges = new RangeSet()
    for (const column of this.chain.columnsOver(node))
      for (const range of this.along(column)) ranges.add(...range)
    return ranges.toArray()
  }

  along(column: number): readonly RangePair[] {
    return this.#along.get(column)?.toArray() ?? []
  }

  dealtBytes(node: number): number {
    return this.#heads.dealtBytes(node)
  }

  queueBytes(node: number): number | null {
    return this.chain.isHead(node) ? this.#heads.queueBytes(node) : this.#columns.backlog(node)
  }

  claimedBytes(node: number): number | null {
    return this.chain.isHead(node) ? this.#heads.claimedBytes(node) : null
  }

  get demoted(): readonly number[] {
    return this.#heads.demoted
  }

  excluded(): readonly number[] {
    let isSame = true
    for (const group of [this.#heads, ...this.#unasked]) {
      const before = this.#excludedBy.get(group) ?? []
      const now = group.excluded()
      if (now.join() === before.join()) continue
      isSame = false
      if (now.length === 0) this.#excludedBy.delete(group)
      else this.#excludedBy.set(group, now)
    }
    this.#unasked.clear()
    if (!isSame)
      this.#excluded = [...new Set([...this.#excludedBy.values()].flat())].sort((a, b) => a - b)
    return this.#excluded
  }

  deadlineMs(): number | null {
    return this.#heads.deadlineMs()
  }

  handle(fact: DealerFact): Send[] {
    return this.#handle(fact).flatMap((send) => this.#withColumn(send))
  }

  /** With the column that carries it on from its head, in parts where only some of it has one. */
  #withColumn(send: Send): Send[] {
    const { node, offset, length, relay, why } = send
    if (relay) {
      return [this.#carried(send, this.#columns.idlest(this.chain.columnsFrom(node)) ?? 0)]
    }
    if (why !== 'everybody' && why !== 'hole') return [send]
    const column = this.#columns.idlest(this.chain.pastsFrom(node))
    if (column === undefined) return [send]
    const fresh = this.#past.missing(offset, length)
    const rest = RangeSet.of([[offset, length]])
    for (const [at, bytes] of fresh) {
      this.#past.add(at, bytes)
      rest.remove(at, bytes)
    }
    return [
      ...fresh.map(([at, bytes]) => this.#carried({ ...send, offset: at, length: bytes }, column)),
      ...[...rest].map(([at, bytes]) => ({ ...send, offset: at, length: bytes })),
    ]
  }

  #carried(send: Send, column: number): Send {
    this.#columns.deal(column, send.length)
    const along = this.#along.get(column) ?? new RangeSet()
    this.#along.set(column, along)
    along.add(send.offset, send.length)
    return { ...send, column }
  }

  #handle(fact: DealerFact): Send[] {
    switch (fact.type) {
      case 'started':
        return this.#start(fact)
      case 'nodeJoined':
        return this.#join(fact)
      case 'reported':
        return this.#reported(fact)
      case 'nodeFailed':
        this.#columns.left(fact.node)
        this.#ofGroup(fact.node)?.handle(fact)
        this.#fed.delete(fact.node)
        return [...this.#heads.handle(fact), ...this.#begin(fact.nowMs)]
      case 'ticked':
        for (const group of this.#stirred) {
          group.handle(fact)
          this.#unasked.add(group)
        }
        this.#stirred.clear()
        return this.#heads.handle(fact)
      case 'floored':
        for (const ranges of [this.#past, ...this.#along.values()]) ranges.remove(0, fact.bytes)
        return this.#heads.handle(fact)
      case 'grown':
      case 'counted':
      case 'needed':
      case 'bypassed':
      case 'edgeLost':
      case 'edgeBack':
      case 'rested':
      case 'confirmed':
      case 'distrusted':
        return this.#heads.handle(fact)
      default:
        return fact satisfies never
    }
  }

  /** The dealer of a node further down, where something happens. */
  #ofGroup(node: number): GroupDealer | undefined {
    const group = this.#fed.get(node)
    if (group === undefined) return undefined
    this.#stirred.add(group)
    this.#unasked.add(group)
    return group
  }

  #start(fact: DealerFact & { type: 'started' }): Send[] {
    const { leftOut = new RangeSet(), mirrors, gateways, isGrowing = false, nowMs } = fact
    for (const group of this.chain.groups.slice(1)) this.#watch(group, nowMs)
    const heads = this.chain.heads
    for (const head of heads) this.#begun.add(head)
    const senders = { ...(mirrors && { mirrors }), ...(gateways && { gateways }) }
    const start = { nodes: heads, leftOut, ...senders, isGrowing, nowMs }
    return this.#heads.handle({ type: 'started', ...start })
  }

  /** A group further down: who lags in it. */
  #watch(nodes: readonly number[], nowMs: number): void {
    const dealer = new GroupDealer(new Pool(0))
    dealer.handle({ type: 'started', nodes, nowMs })
    for (const node of nodes) this.#fed.set(node, dealer)
  }

  #join(fact: DealerFact & { type: 'nodeJoined' }): Send[] {
    if (this.chain.isHead(fact.node)) {
      this.#begun.add(fact.node)
      return this.#heads.handle(fact)
    }
    // It takes no part in the deal: it is fed once its group is complete.
    return []
  }

  #reported(fact: Reported): Send[] {
    const { node, backlogBytes } = fact
    const mates = new Set(this.chain.mates(node))
    const said = { ...fact, behind: fact.behind.filter((other) => mates.has(other)) }
    const isHead = this.chain.isHead(node)
    const sends = isHead ? this.#heads.handle(said) : (this.#ofGroup(node)?.handle(said) ?? [])
    for (const { head, beyondBytes } of this.#columns.reported(node, backlogBytes))
      this.#heads.beyond(head, beyondBytes)
    return sends
  }

  /** Heads that there are now and were not: the groups before them are gone. */
  #begin(nowMs: number): Send[] {
    const sends: Send[] = []
    for (const node of this.chain.heads) {
      if (this.#begun.has(node)) continue
      this.#begun.add(node)
      const group = this.#fed.get(node)
      if (group !== undefined) {
        this.#fed.delete(node)
        // From here on it is a matter of the heads who lags.
        group.handle({ type: 'nodeFailed', node, nowMs })
        this.#unasked.add(group)
      }
      sends.push(...this.#heads.handle({ type: 'nodeJoined', node, missing: [], nowMs }))
    }
    return sends
  }
}
