/** Bounds of contents that nodes pull because they match its criteria: a part of copy-limits.ts. */

const MIB = 1024 * 1024

export const swarmLimits = {
  /** Bytes of a unit, which one holder brings at a time: a power of two. */
  swarmUnitBytesMin: 1 * MIB,
  swarmUnitBytesMax: 32 * MIB,
  /** Units of a content where that makes them no smaller; at most, where it is very long. */
  swarmUnitsTarget: 64,
  swarmUnits: 4_096,
  /** Units in order of delivery that are chosen from by how rare they are, before later ones. */
  swarmWindow: 24,
  /** Who plays a content while it comes, of one; units of each that come before all others. */
  swarmPlayers: 64,
  swarmPlayed: 3,
  /** Units that a question names, and that one answer gives. */
  swarmWants: 128,
  swarmGrants: 4,
  /** Runs of units in a frame; what lies behind them once there are more is told later. */
  swarmRuns: 512,
  /** Others that an answer names. */
  swarmOthers: 16,
  /** Units under way to a node, of one content. */
  swarmOrders: 8,
  /** Units that a holder sends at the same time, of one content. */
  swarmSlots: 12,
  /** Holders that a node knows of one content, and is asking at the same time. */
  swarmPeers: 64,
  swarmAsks: 6,
  /** Askers that a holder knows of one content. */
  swarmAskers: 256,
  /** Milliseconds that a question waits at a holder for something to give, and for its answer. */
  swarmWaitMs: 1_000,
  swarmAnswerMs: 4_000,
  /** Milliseconds until a holder is asked again, at first and at most. */
  swarmAgainMs: 200,
  swarmAgainMsMax: 2_000,
  /** Questions a second of one content beyond which a holder wants to be asked less often. */
  swarmAsksPerSecond: 500,
  swarmAgainMsCrowded: 60_000,
  /** Milliseconds after which somebody who has said nothing is not counted on. */
  swarmSilenceMs: 4_000,
  /** The same of who wants nothing any more, and stays a holder. */
  swarmHolderMs: 600_000,
  /** Milliseconds that a unit given to somebody is not given to others; four times the usual. */
  swarmLeaseMs: 4_000,
  swarmLeaseMsMax: 120_000,
  /** Milliseconds without anything coming after which a node takes what it needs from anybody. */
  swarmPatienceMs: 3_000,
  /** Contents by criteria that a node knows, and ms until one is removed that was busy. */
  swarmContents: 4_096,
  swarmDropMs: 2_500,
  /** Contents that a node pulls at the same time, and that it remembers to have pulled. */
  swarmPulls: 4,
  swarmPulled: 16_384,
  /** Names of which it remembers that they were removed by hand, and pulls that a status tells. */
  swarmRemoved: 4_096,
  swarmTold: 64,
  /** Texts that say what a node wants. */
  swarmWantTexts: 64,
  /** Failures in a row after which a holder is forgotten. */
  swarmFailures: 3,
} as const
