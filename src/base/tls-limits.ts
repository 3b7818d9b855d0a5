/** Bounds of certificates, and of the files that they are in. */
export const tlsLimits = {
  /** Of one file: a chain, a bundle of authorities, a list of what is revoked. */
  fileBytes: 4 * 1024 * 1024,
  nameChars: 255,
  /** Milliseconds between two looks at the files while links are open. */
  lookMs: 500,
} as const
