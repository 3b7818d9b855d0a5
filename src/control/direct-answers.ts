/**
 * Bytes that a node asks for are sent to it directly. What was listed for it and is still queued
 * on its feed is not listed again: it will arrive, or the feed breaks and the node fails by name.
 * Repairs (scratch) are always sent: each is a new try.
 */
import type { DealerFact, Send } from './dealer.js'
import { RangeSet } from './ranges.js'
import type { RangePair } from './types.js'

/** A feed counts as drained when it was seen empty this long after the last listing. */
const drainedMs = 500

interface Listed {
  readonly ranges: RangeSet
  atMs: number
}

export class DirectAnswers {
  readonly #listed = new Map<number, Listed>()

  /** All that concerns a dealer which deals everything at the start, once it has. */
  handle(fact: Exclude<DealerFact, { type: 'started' }>): Send[] {
    switch (fact.type) {
      case 'counted':
        this.counted(fact.node, fact.queuedBytes, fact.nowMs)
        return []
      case 'needed':
        return this.answer(fact)
      case 'nodeJoined':
        return this.bring(fact.node, fact.missing, fact.nowMs)
      case 'nodeFailed':
        this.forget(fact.node)
        return []
      case 'reported':
      case 'edgeLost':
      case 'ticked':
        return []
      default:
        return fact satisfies never
    }
  }

  /** What a node that joins gets from nobody else. */
  bring(node: number, ranges: readonly RangePair[], nowMs: number): Send[] {
    const fact = { node, stream: 0, scratch: false, ranges, nowMs } as const
    return this.answer({ type: 'needed', ...fact }).map((send) => ({ ...send, why: 'level' }))
  }

  answer(fact: DealerFact & { type: 'needed' }): Send[] {
    const wanted = RangeSet.of(fact.ranges)
    if (!fact.scratch) {
      const listed = this.#listed.get(fact.node) ?? { ranges: new RangeSet(), atMs: 0 }
      this.#listed.set(fact.node, listed)
      wanted.subtract(listed.ranges)
      for (const [offset, length] of wanted.toArray()) listed.ranges.add(offset, length)
      listed.atMs = fact.nowMs
    }
    const { node, stream, scratch } = fact
    return wanted.toArray().map(([offset, length]) => {
      return { node, stream, offset, length, relay: false, scratch, why: 'answer' }
    })
  }

  counted(node: number, queuedBytes: number, nowMs: number): void {
    const listed = this.#listed.get(node)
    if (listed !== undefined && queuedBytes === 0 && nowMs - listed.atMs >= drainedMs)
      listed.ranges.clear()
  }

  forget(node: number): void {
    this.#listed.delete(node)
  }
}
