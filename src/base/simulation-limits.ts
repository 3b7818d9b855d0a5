/** Bounds of a simulated push: part of `limits`. */
export const simulationLimits = {
  /** Nodes of a simulated push: at most, and up to which `auto` simulates whole sessions. */
  simulatedNodes: 100_000,
  simulatedSessions: 128,
  /** Files of all nodes together under a simulated master. */
  simulatedDemands: 1_000_000,
  /** Virtual milliseconds, and things that happen, after which a simulated push counts as hung. */
  simulatedMs: 30 * 24 * 3_600_000,
  simulatedSteps: 2_000_000_000,
  /** Bytes of memory for what is on its way in a fluid: its steps are longer where ways are. */
  simulatedWayBytes: 256 * 1024 * 1024,
  /** Milliseconds between two looks at the links at first, and looks that are kept. */
  simulatedLookMs: 10,
  simulatedLooks: 400,
} as const
