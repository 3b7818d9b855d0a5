/**
 * FastReplica's own deal: equal, contiguous, block-aligned shares, one per node, all at once
 * (Cherkasova & Lee, USITS 2003). As fast as the slowest relay, by design. A node that joins later
 * has no share and relays nothing.
 */
import type { RangePair } from '../../base/ranges.js'
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
    return this.#dealt.get(node)?.[0]?.[1] ?? 0
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
    return fact.type === 'started' ? this.#deal(fact.nodes) : this.#answers.handle(fact)
  }

  #deal(nodes: readonly number[]): Send[] {
    const sends: Send[] = []
    const shares = equalShares(this.#bytes, this.#blockBytes, nodes.length)
    for (const [i, node] of nodes.entries()) {
      const [offset, length] = shares[i] as RangePair
      if (length === 0) continue
      this.#dealt.set(node, [[offset, length]])
      const share = { offset, length, scratch: false, why: 'share' } as const
      sends.push({ node, ...share, relay: true })
    }
    this.#isAllDealt = true
    return sends
  }
}
