/** What nodes that pull a content say to those that hold some of it, and what these answer. */
import type { RangePair } from '../../base/ranges.js'

/** A node that others can dial. */
export interface SwarmPeer {
  readonly nodeId: string
  /** HOST:PORT. */
  readonly address: string
  /** Empty where it is not said. */
  readonly site: string
}

/** Runs are of units (control/swarm/units.ts): the first, and how many. */
export interface SwarmAsk {
  readonly contentId: string
  /** HOST:PORT where others reach whoever asks; a host that means all: where it dials from. */
  readonly address: string
  readonly have: readonly RangePair[]
  /** Under way to it. */
  readonly coming: readonly RangePair[]
  /** Units, the most wanted first. */
  readonly wants: readonly number[]
  /** Units that it takes now at most; 0: it only tells and learns. */
  readonly most: number
  /** Nothing has come for a while: whoever has it is asked to send it. */
  readonly isStuck: boolean
  /** Others that it wants to be told of, at most. */
  readonly others: number
}

export interface SwarmMate extends SwarmPeer {
  readonly have: readonly RangePair[]
}

export interface SwarmAnswer {
  readonly have: readonly RangePair[]
  readonly coming: readonly RangePair[]
  /** Units of those that are wanted: to be taken from here now. */
  readonly grants: readonly number[]
  readonly others: readonly SwarmMate[]
  /** Units that it sends now. */
  readonly open: number
  /** Milliseconds that it took lately to send one. */
  readonly serviceMs: number
  /** Milliseconds until it wants to be asked again. */
  readonly againMs: number
}

/** A question of a status link, and its answer. `name`: of the content, for rights. */
export type SwarmFrame =
  | ({ readonly type: 'swarm'; readonly name: string } & SwarmAsk)
  | ({ readonly type: 'swarmed' } & SwarmAnswer)
