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
  readonly #bytes: number
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
    if (fact.type !== 'started') return this.#answers.handle(fact)
    this.#isAllDealt = true
    const unit = { relay: false, scratch: false, why: 'everybody' } as const
    return fact.nodes.flatMap((node) => {
      const lacking = RangeSet.of([[0, this.#bytes]])
      lacking.subtract(fact.have?.get(node) ?? new RangeSet())
      return lacking.toArray().map(([offset, length]) => ({ ...unit, node, offset, length }))
    })
  }
}
