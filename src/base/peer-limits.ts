/** Bounds of the list of authorized peers. */
export const peerLimits = {
  fileBytes: 4 * 1024 * 1024,
  peers: 20_000,
  nameChars: 255,
  rightsChars: 4_096,
  /** Peers whose certificates have been seen, and are remembered by their ids. */
  certifiedKnown: 20_000,
  /** Milliseconds between two looks at the file; a change counts within 2 s. */
  lookMs: 500,
} as const
