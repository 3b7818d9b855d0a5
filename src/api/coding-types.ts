/** What is said of how a file goes: as it is, or coded. */
export interface CodingOptions {
  /**
   * `zstd`: send the file compressed. `auto`: where samples of it say that it is there sooner.
   * Default `off`. Of a directory each bundle and each large file is coded by itself. A node that
   * cannot take it so is sent it as it is, in the same push.
   */
  compress?: 'zstd' | 'auto' | 'off'
  /**
   * NAME[@VERSION] of the file that most nodes hold, and that the new one differs from in places:
   * what differs is sent. VERSION: at least 6 of the first hex digits of its digest. Nodes find the
   * base by its content; those without it are sent the file as it is. Not for directories yet.
   */
  base?: string
  /** Path of the base here. */
  baseFile?: string
}
