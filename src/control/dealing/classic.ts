/**
 * FastReplica's own deal: equal, contiguous, block-aligned shares, one per node, all at once
 * (Cherkasova & Lee, USITS 2003). As fast as the slowest relay, by design. A node that joins later
 * has no share and relays nothing.
 */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import { equalShares } from '../plan/plan.js'
import type { Dealer, DealerFact, Send } from './dealer.js'
import { DirectAnswers } from './direct-answers.js'

export class ClassicDealer implements Dealer {
  readonly strategy = 'classic'
  readonly shape = 'group'
  readonly reportMs = 0
  readonly directBytes = 0
  readonly #bytes: number
  readonly #blockBytes: number
  readonly #dealt = new Map<number, RangePair[]>()
  readonly #answers = new DirectAnswers()
  #isAllDealt = false

  constructor(bytes: number, blockBytes: number) {
    this.#bytes = bytes
    this.#blockBytes = blockBytes
  }

  get openBytes(): number {
    return this.#isAllDealt ? 0 : this.#bytes
  }

  dealt(node: number): readonly RangePair[] {
    return this.#dealt.get(node) ?? []
  }

  dealtBytes(node: number): number {
    return this.dealt(node).reduce((sum, [, length]) => sum + length, 0)
  }

  claimedBytes(): number | null {
    return null
  }

  queueBytes(): number | null {
    return null
  }

  deadlineMs(): number | null {
    return null
  }

  excluded(): readonly number[] {
    return []
  }

  handle(fact: DealerFact): Send[] {
    return fact.type === 'started' ? this.#deal(fact) : this.#answers.handle(fact)
  }

  #deal({ nodes, have = new Map() }: DealerFact & { type: 'started' }): Send[] {
    const open = RangeSet.of([[0, this.#bytes]])
    for (const held of have.values()) open.subtract(held)
    const sends: Send[] = []
    for (const [i, [, bytes]] of equalShares(
      open.bytes,
      this.#blockBytes,
      nodes.length,
    ).entries()) {
      const node = nodes[i] as number
      const ranges = takeBytes(open, bytes)
      if (ranges.length > 0) this.#dealt.set(node, ranges)
      for (const [offset, length] of ranges) {
        const share = { offset, length, scratch: false, why: 'share' } as const
        sends.push({ node, ...share, relay: true })
      }
    }
    this.#isAllDealt = true
    return sends
  }
}

/** The first so many bytes of the set, which are taken out of it. */
function takeBytes(set: RangeSet, bytes: number): RangePair[] {
  const taken: RangePair[] = []
  let left = bytes
  for (const [offset, length] of set.toArray()) {
    if (left === 0) break
    const part = Math.min(left, length)
    taken.push([offset, part])
    set.remove(offset, part)
    left -= part
  }
  return taken
}
