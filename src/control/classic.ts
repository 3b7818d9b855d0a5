/**
 * FastReplica's own deal: equal, contiguous, block-aligned shares, one per node, all at once.
 *
 * Bytes that a node asks for are sent to it directly. What was listed for it and is still queued
 * on its feed is not listed again: it will arrive, or the feed breaks and the node fails by name.
 * Repairs (scratch) are always sent: each is a new try.
 */
import type { Dealer, DealerFact, Send } from './dealer.js'
import { equalShares } from './plan.js'
import { RangeSet } from './ranges.js'
import type { RangePair } from './types.js'

/** A feed counts as drained when it was seen empty this long after the last listing. */
const drainedMs = 500

interface Direct {
  readonly ranges: RangeSet
  listedMs: number
}

export class ClassicDealer implements Dealer {
  readonly #bytes: number
  readonly #blockBytes: number
  readonly #dealt = new Map<number, RangePair[]>()
  readonly #direct = new Map<number, Direct>()
  #isAllDealt = false

  constructor(bytes: number, blockBytes: number) {
    this.#bytes = bytes
    this.#blockBytes = blockBytes
  }

  get isAllDealt(): boolean {
    return this.#isAllDealt
  }

  dealt(node: number): readonly RangePair[] {
    return this.#dealt.get(node) ?? []
  }

  deadlineMs(): number | null {
    return null
  }

  handle(fact: DealerFact): Send[] {
    switch (fact.type) {
      case 'started':
        return this.#deal(fact.nodes)
      case 'counted':
        return this.#forgetDrained(fact.node, fact.queuedBytes, fact.nowMs)
      case 'needed':
        return this.#answer(fact)
      case 'nodeFailed':
        this.#direct.delete(fact.node)
        return []
      case 'reported':
      case 'ticked':
        return []
      default:
        return fact satisfies never
    }
  }

  #deal(nodes: readonly number[]): Send[] {
    const sends: Send[] = []
    const shares = equalShares(this.#bytes, this.#blockBytes, nodes.length)
    for (const [i, node] of nodes.entries()) {
      const [offset, length] = shares[i] as RangePair
      if (length === 0) continue
      this.#dealt.set(node, [[offset, length]])
      sends.push({ node, stream: 0, offset, length, relay: nodes.length > 1, scratch: false })
    }
    this.#isAllDealt = true
    return sends
  }

  #answer(fact: DealerFact & { type: 'needed' }): Send[] {
    const wanted = RangeSet.of(fact.ranges)
    if (!fact.scratch) {
      const direct = this.#directOf(fact.node)
      wanted.subtract(direct.ranges)
      for (const [offset, length] of wanted) direct.ranges.add(offset, length)
      direct.listedMs = fact.nowMs
    }
    const { node, stream, scratch } = fact
    return wanted
      .toArray()
      .map(([offset, length]) => ({ node, stream, offset, length, relay: false, scratch }))
  }

  #forgetDrained(node: number, queuedBytes: number, nowMs: number): Send[] {
    const direct = this.#direct.get(node)
    if (direct !== undefined && queuedBytes === 0 && nowMs - direct.listedMs >= drainedMs)
      direct.ranges.clear()
    return []
  }

  #directOf(node: number): Direct {
    let direct = this.#direct.get(node)
    if (direct === undefined) {
      direct = { ranges: new RangeSet(), listedMs: 0 }
      this.#direct.set(node, direct)
    }
    return direct
  }
}
