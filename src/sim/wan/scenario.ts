/** What happens in one simulated run of a master with its nodes. Everything is known beforehand. */
import type { Attributes } from '../../base/attributes.js'
import type { Objective } from '../../control/copies/demand.js'
import type { Carries, TopologySpec } from '../../control/copies/network.js'
import type { FileSet } from '../../control/copies/sets.js'
import type { ViewKind } from '../../control/copies/views.js'

export interface WanNodeSpec {
  readonly name: string
  readonly site: string
  readonly attributes: Attributes
  /** What the master is told; infinite: nothing. */
  readonly up: Carries
  readonly down: Carries
  /** What its network card carries each way, in bytes a second. */
  readonly lineBytesPerSecond: number
  readonly diskBytes: number
  /** One way between it and the master, and between it and any other node. */
  readonly latencyMs: number
  /** Contents that it says it has all of, and has not. */
  readonly lies: readonly string[]
  /** Whatever it sends is wrong. */
  readonly corrupts: boolean
}

/** How much of a growing content is there from then on. */
export interface Growth {
  readonly atMs: number
  readonly size: number
}

/** A content that is made at a node. */
export interface WanContent {
  readonly contentId: string
  readonly name: string
  readonly node: string
  readonly atMs: number
  readonly size: number
  /** The last is the whole; empty: all of it is there at once. */
  readonly growth: readonly Growth[]
}

export interface LinkTrouble {
  readonly link: string
  readonly fromMs: number
  readonly untilMs: number
  /** What it carries of what the master was told; 0: it has failed. */
  readonly factor: number
}

export interface NodeTrouble {
  readonly node: string
  /** `unlinked`: only its link to the master is broken. */
  readonly kind: 'killed' | 'unlinked'
  readonly fromMs: number
  readonly untilMs: number
  readonly losesDisk: boolean
}

export interface WanScenario {
  readonly seed: number
  readonly topology: TopologySpec
  readonly nodes: readonly WanNodeSpec[]
  readonly contents: readonly WanContent[]
  /** From then on these alone count. */
  readonly sets: readonly { readonly atMs: number; readonly sets: readonly FileSet[] }[]
  readonly drains: readonly {
    readonly node: string
    readonly fromMs: number
    readonly untilMs: number
  }[]
  readonly linkTroubles: readonly LinkTrouble[]
  readonly nodeTroubles: readonly NodeTrouble[]
  /** The master is dead, and another one takes its place with what was kept. */
  readonly masterTroubles: readonly { readonly fromMs: number; readonly untilMs: number }[]
  readonly view: ViewKind
  readonly objective: Objective
  readonly slack: number
  /** Nothing more happens by itself after that. */
  readonly calmMs: number
  /** Until when everything has to be where it is wanted. */
  readonly horizonMs: number
}

/** A run in which nothing goes wrong. */
export const calm = {
  ...{ drains: [], linkTroubles: [], nodeTroubles: [], masterTroubles: [] },
  ...{ view: 'near', objective: { kind: 'all' }, slack: 1.25, calmMs: 0 },
} as const satisfies Partial<WanScenario>
