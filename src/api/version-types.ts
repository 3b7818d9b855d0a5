/** Types about versions: what nodes keep of them. */

/** Options of a node. */
export interface VersionOptions {
  /**
   * Earlier versions that are kept of each file, and of each tree that was pushed with `atomic`;
   * default 0 (of such a tree 1), at most 64. A push may ask for more of its name.
   */
  keep?: number
  /** Earlier versions of files go, the oldest first, where they take more; default: any space. */
  maxSpaceBytes?: number
  /** And where they have been kept for longer; default: for ever. */
  maxAgeSeconds?: number
  /** But never these of each name, also where an offer needs the space; default 1. */
  minVersions?: number
}
