/**
 * Blocks that this node has passed on, and that were bad at a mate: it sends them again as repairs.
 *
 * The idea: what was bad there was most often bad here, too, and is being repaired. So the mate has
 * it as soon as it is verified here, and not before.
 */
import { RangeSet } from '../../base/ranges.js'
import type { Ledger } from '../holdings/ledger.js'
import type { Frame } from '../messages/types.js'
import { clampTo } from './detours.js'
import type { NodeWish } from './events.js'

export class Mending {
  readonly #ledger: Ledger
  /** By mate; at most the blocks of the file for each. */
  readonly #owed = new Map<number, RangeSet>()

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  asked({ member, ranges }: Frame & { type: 'mend' }): void {
    const owed = this.#owed.get(member) ?? new RangeSet()
    this.#owed.set(member, owed)
    for (const range of clampTo(this.#ledger.mostBytes, ranges)) owed.add(...range)
  }

  /** What can be sent now. */
  advance(): NodeWish[] {
    const wishes: NodeWish[] = []
    for (const [member, owed] of this.#owed) {
      const ranges = this.#ledger.held(owed)
      if (ranges.length === 0) continue
      owed.subtract(RangeSet.of(ranges))
      if (owed.isEmpty) this.#owed.delete(member)
      wishes.push({ type: 'mend', member, ranges })
    }
    return wishes
  }
}
