/**
 * Bytes that one node gets from the origin past all relays: what it asked for, what it lacks of the
 * past when it joins, units that go to everybody, and those of columns that do not reach it.
 *
 * What was listed for it and is still queued on its feed is not listed again: it will arrive, or
 * the feed breaks and the node fails by name. Repairs (scratch) are always sent: each is a new try.
 * What is owed to a node is listed in parts, as its feed drains: neither a past in many pieces nor
 * a node that lags for hours may ever fill the list of a feed.
 */
import { limits, MIB } from '../../base/limits.js'
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { DealerFact, Send, SendReason } from './dealer.js'

/** A feed counts as drained when it was seen empty this long after the last listing. */
const drainedMs = 500
/** With more than this on its feed a node is owed what is new; with less it gets the next part. */
const behindBytes = 64 * MIB
const refillBytes = 32 * MIB

interface Listed {
  readonly ranges: RangeSet
  atMs: number
}

export class DirectAnswers {
  readonly #listed = new Map<number, Listed>()
  readonly #owed = new Map<number, Map<SendReason, RangeSet>>()

  /** All that concerns a dealer which deals everything at the start, once it has. */
  handle(fact: Exclude<DealerFact, { type: 'started' }>): Send[] {
    switch (fact.type) {
      case 'counted':
        return this.counted(fact.node, fact.queuedBytes, fact.nowMs)
      case 'needed':
        return this.answer(fact)
      case 'bypassed':
        return this.bypass(fact)
      case 'nodeJoined':
        return this.bring(fact.node, fact.missing, fact.nowMs)
      case 'nodeFailed':
        this.forget(fact.node)
        return []
      case 'reported':
      case 'edgeLost':
      case 'edgeBack':
      case 'rested':
      case 'confirmed':
      case 'distrusted':
      case 'ticked':
      case 'grown':
        return []
      case 'floored':
        this.floored(fact.bytes)
        return []
      default:
        return fact satisfies never
    }
  }

  /** What a node that joins gets from nobody else: the first part of it. */
  bring(node: number, ranges: readonly RangePair[], nowMs: number): Send[] {
    for (const range of ranges) this.owe(node, range, 'level')
    return this.#pay(node, nowMs)
  }

  /** To be listed later, for this reason. */
  owe(node: number, [offset, length]: RangePair, why: SendReason): void {
    const owed = this.#owed.get(node) ?? new Map<SendReason, RangeSet>()
    this.#owed.set(node, owed)
    const ranges = owed.get(why) ?? new RangeSet()
    owed.set(why, ranges)
    ranges.add(offset, length)
  }

  /** So much is queued for this node that it is better owed what is new. */
  isBehind(node: number, queuedBytes: number): boolean {
    return queuedBytes > behindBytes || this.#owed.has(node)
  }

  answer(fact: DealerFact & { type: 'needed' }): Send[] {
    const { node, scratch } = fact
    const wanted = RangeSet.of(fact.ranges)
    if (!scratch) {
      const listed = this.#listedFor(node, fact.nowMs)
      wanted.subtract(listed)
      for (const [offset, length] of wanted) listed.add(offset, length)
      for (const ranges of this.#owed.get(node)?.values() ?? []) ranges.subtract(wanted)
    }
    return wanted.toArray().map(([offset, length]) => {
      return { node, offset, length, relay: false, scratch, why: 'answer' }
    })
  }

  /** A unit of a column that does not reach the node: at once, or owed. */
  bypass({ node, range, queuedBytes }: DealerFact & { type: 'bypassed' }): Send[] {
    if (this.isBehind(node, queuedBytes)) {
      this.owe(node, range, 'bypass')
      return []
    }
    const [offset, length] = range
    return [{ node, offset, length, relay: false, scratch: false, why: 'bypass' }]
  }

  /** `usualBytes`: what its feed may hold at any time. The sends are the next part of the owed. */
  counted(node: number, queuedBytes: number, nowMs: number, usualBytes = 0): Send[] {
    const listed = this.#listed.get(node)
    if (listed !== undefined && queuedBytes === 0 && nowMs - listed.atMs >= drainedMs)
      listed.ranges.clear()
    return queuedBytes <= refillBytes + usualBytes ? this.#pay(node, nowMs) : []
  }

  /** Nobody is owed anything before this. */
  floored(bytes: number): void {
    for (const { ranges } of this.#listed.values()) ranges.remove(0, bytes)
    for (const [node, owed] of this.#owed) {
      for (const [why, ranges] of owed) {
        ranges.remove(0, bytes)
        if (ranges.isEmpty) owed.delete(why)
      }
      if (owed.size === 0) this.#owed.delete(node)
    }
  }

  forget(node: number): void {
    this.#listed.delete(node)
    this.#owed.delete(node)
  }

  #pay(node: number, nowMs: number): Send[] {
    const owed = this.#owed.get(node)
    if (owed === undefined) return []
    const sends: Send[] = []
    const listed = this.#listedFor(node, nowMs)
    for (const [why, ranges] of owed) {
      for (const [offset, length] of ranges.take(limits.needRanges - sends.length)) {
        listed.add(offset, length)
        sends.push({ node, offset, length, relay: false, scratch: false, why })
      }
      if (ranges.isEmpty) owed.delete(why)
    }
    if (owed.size === 0) this.#owed.delete(node)
    return sends
  }

  #listedFor(node: number, nowMs: number): RangeSet {
    const listed = this.#listed.get(node) ?? { ranges: new RangeSet(), atMs: nowMs }
    this.#listed.set(node, listed)
    listed.atMs = nowMs
    return listed.ranges
  }
}
