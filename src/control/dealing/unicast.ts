/**
 * Every node is sent the whole file by the origin itself: the baseline, and the plan for one node
 * or for files so small that opening feeds between the nodes would take longer than sending them.
 */
import { type RangePair, RangeSet } from '../../base/ranges.js'
import type { Strategy } from '../messages/types.js'
import { Chain } from '../plan/chain.js'
import type { Dealer, DealerFact, Send } from './dealer.js'
import { DirectAnswers } from './direct-answers.js'

export class UnicastDealer implements Dealer {
  readonly shape = 'unicast'
  /** Who pulls from whom. */
  readonly chain = new Chain({ shape: 'group' })
  readonly reportMs = 0
  readonly openBytes = 0
  readonly strategy: Strategy
  #bytes: number
  /** Those that are sent it. */
  readonly #nodes = new Set<number>()
  readonly #answers = new DirectAnswers()
  #isAllDealt = false

  /** `strategy`: what the caller asked for; it has nothing to decide here. */
  constructor(strategy: Strategy, bytes: number) {
    this.strategy = strategy
    this.#bytes = bytes
  }

  get demoted(): readonly number[] {
    return []
  }

  /** Nobody relays anything. */
  mayRelay(): boolean {
    return false
  }

  share(): RangePair {
    return [0, 0]
  }

  dealt(): readonly RangePair[] {
    return []
  }

  along(): readonly RangePair[] {
    return []
  }

  dealtBytes(): number {
    return 0
  }

  get directBytes(): number {
    return this.#isAllDealt ? this.#bytes : 0
  }

  claimedBytes(): number | null {
    return null
  }

  queueBytes(): number | null {
    return null
  }

  excluded(): readonly number[] {
    return []
  }

  deadlineMs(): number | null {
    return null
  }

  handle(fact: DealerFact): Send[] {
    switch (fact.type) {
      case 'started':
        return this.#start(fact)
      case 'grown':
        return this.#grow(fact.range)
      case 'nodeJoined':
        this.#nodes.add(fact.node)
        return this.#answers.handle(fact)
      case 'nodeFailed':
        this.#nodes.delete(fact.node)
        return this.#answers.handle(fact)
      default:
        return this.#answers.handle(fact)
    }
  }

  #start({ nodes, have }: DealerFact & { type: 'started' }): Send[] {
    this.#isAllDealt = true
    return nodes.flatMap((node) => {
      this.#nodes.add(node)
      const lacking = RangeSet.of([[0, this.#bytes]])
      lacking.subtract(have?.get(node) ?? new RangeSet())
      return lacking.toArray().map(([offset, length]) => ({ ...unit, node, offset, length }))
    })
  }

  #grow([offset, length]: RangePair): Send[] {
    this.#bytes += length
    return [...this.#nodes].map((node) => ({ ...unit, node, offset, length }))
  }
}

const unit = { relay: false, scratch: false, why: 'everybody' } as const
