/** What is said of directories that are pushed. */

export interface TreeOptions {
  /**
   * Of a directory: rules of gitignore(5). What `exclude` matches stays out; with `include` only
   * what that matches goes.
   */
  include?: readonly string[]
  exclude?: readonly string[]
  /** Remove from the directory at the nodes what is not in this one. */
  delete?: boolean
  /**
   * The directory changes all at once at each node: its name is a link to a version of it, and the
   * whole next version takes its place in one step, or nothing does. A directory that was not
   * pushed so is not replaced: ERR_FR_IS_DIRECTORY; one that was is pushed so from then on, else
   * ERR_FR_EXISTS.
   */
  atomic?: boolean
  /** Keep owner and group, by name where both sides know it; nodes have to run as root. */
  owner?: boolean
  /** Keep extended attributes, and access control lists. */
  xattrs?: boolean
  acls?: boolean
  /**
   * Work out the SHA-256 of each file before the first byte goes, and send them along, in a file
   * `.fr-sha256` of the directory: nodes that serve clients of registries need not work them out.
   */
  sha256?: boolean
}
