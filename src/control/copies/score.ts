/**
 * Which of the copies that could be begun is best.
 *
 * The idea: everything that speaks for or against a copy is a number of about 0 to 1, and a
 * weight says what it is worth. The highest sum is scheduled. Whoever knows better hands in a
 * function of their own.
 */
import type { FileId } from './demand.js'
import type { NodeId } from './network.js'

/** A copy that could be begun. */
export interface Candidate {
  readonly file: FileId
  readonly source: NodeId
  readonly target: NodeId
  readonly offset: number
  readonly length: number
  /** Bytes a second that the route has left, at most what is useful; infinite: nobody knows. */
  readonly rate: number
  /** All links of the route together, for 10^9 bytes. */
  readonly costPerGb: number
  /** How full the fullest resource of the route would be, 0 to 1. */
  readonly fullness: number
  /** Links between the sites; 0: they are in one. */
  readonly hops: number
  /** The part of the file that the source has, 0 to 1. */
  readonly sourcePart: number
  /** Nodes that hold the first byte of it. */
  readonly holders: number
  readonly priority: number
  /** Seconds since it was wanted. */
  readonly ageSeconds: number
  /** Copies that the source serves already. */
  readonly serving: number
  /** What is held against the components of the route, in faults. */
  readonly faults: number
}

export interface Weights {
  readonly cost: number
  readonly full: number
  readonly distance: number
  readonly have: number
  readonly rare: number
  readonly priority: number
  readonly age: number
  readonly busy: number
  readonly fault: number
}

export const usualWeights: Weights = {
  cost: 4,
  full: 1,
  distance: 2,
  have: 0.5,
  rare: 0.5,
  priority: 8,
  age: 1,
  busy: 1,
  fault: 4,
}

export type Score = (candidate: Candidate) => number

export function scoreBy(weights: Weights): Score {
  return (one) => {
    const { priority, age, have, rare, cost, full, distance, busy, fault } = scoreParts(
      one,
      weights,
    )
    return priority + age + have + rare + cost + full + distance + busy + fault
  }
}

/** What each weight adds to the score of a candidate, or takes from it. */
export function scoreParts(one: Candidate, weights: Weights): Weights {
  return {
    priority: weights.priority * (one.priority / 10),
    age: weights.age * soft(one.ageSeconds / 60),
    have: weights.have * one.sourcePart,
    rare: weights.rare / Math.max(1, one.holders),
    cost: -weights.cost * soft(one.costPerGb * 10),
    full: -weights.full * one.fullness ** 2,
    distance: -weights.distance * soft(one.hops),
    busy: -weights.busy * soft(one.serving / 4),
    fault: -weights.fault * soft(one.faults),
  }
}

/** From 0 to 1, half at 1. */
function soft(value: number): number {
  return value / (1 + value)
}
