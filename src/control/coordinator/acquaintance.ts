/**
 * Whom each member meets where the origin is gone and more are left than one plan has room for.
 *
 * The idea: all stand in a ring, and each meets those nearest on both sides, so whoever meets
 * somebody is met by it. What one holds goes round by their words: who has had it from a neighbour
 * says so, and its other neighbours ask. Those of one group stand far apart in the ring, because a
 * group may be gone as a whole.
 */
import { limits } from '../../base/limits.js'
import type { Survivor } from './survivor.js'

/** A plan names its reader, who coordinates and the standbys besides. */
const perSide = Math.floor((limits.nodesPerGroup - 2 - limits.standbys) / 2)

export class Acquaintance {
  readonly #ring: readonly Survivor[]
  readonly #placeOf = new Map<Survivor, number>()

  /** In the order of the roster, in which those of a group follow each other. */
  constructor(survivors: Iterable<Survivor>) {
    const inTurn = [...survivors]
    const step = inTurn.length > limits.nodesPerGroup ? strideOf(inTurn.length) : 1
    this.#ring = inTurn.map((_, at) => inTurn[(at * step) % inTurn.length] as Survivor)
    for (const [at, survivor] of this.#ring.entries()) this.#placeOf.set(survivor, at)
  }

  /** Whom it meets, beginning with the one behind it. */
  of(survivor: Survivor): Survivor[] {
    const at = this.#placeOf.get(survivor) as number
    const others = [...this.#ring.slice(at + 1), ...this.#ring.slice(0, at)]
    if (this.#ring.length <= limits.nodesPerGroup) return others
    return [...others.slice(0, perSide), ...others.slice(-perSide)]
  }
}

/** No common divisor with `count`, and so near to its golden section as can be. */
function strideOf(count: number): number {
  let step = Math.max(1, Math.round(count * 0.618))
  while (divisorOf(step, count) > 1) step++
  return step
}

function divisorOf(a: number, b: number): number {
  return b === 0 ? a : divisorOf(b, a % b)
}
