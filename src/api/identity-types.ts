/** Options of `identity`. */
export interface IdentityOptions {
  /** Of the node that serves this directory; by default of this user's clients. */
  dataDir?: string
}
