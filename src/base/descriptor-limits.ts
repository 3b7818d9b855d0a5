/** Bounds of pushes of descriptors, each of which is a transfer with links of its own. */
export const descriptorLimits = {
  /** Descriptors of one push, and descriptors times nodes. */
  descriptorsPerPush: 32,
  descriptorPlaces: 4_096,
} as const
