/** Who may speak to a node, what is true of it, and how its bytes are sent. */
import type { DirectoryOptions } from './directory-types.js'
import type { ClaimOptions } from './rights-types.js'
import type { NodeSealOptions } from './seal.js'

export interface PeerOptions extends NodeSealOptions, ClaimOptions, DirectoryOptions {
  /**
   * Path of a list of peers, a line each: `FINGERPRINT name` (`identity`), or `cert:NAME` for who
   * has a certificate of this name. Nobody else is served or dialled; whoever leaves the list loses
   * what is open within 2 s. Default: all with the key.
   */
  authorize?: string
  /**
   * User that the whole process becomes, for good, once its port is bound: root has started it, and
   * read the key. What is in `dataDir` is that user's. ERR_FR_PRIVILEGES where that cannot be.
   */
  dropPrivileges?: string
  /**
   * HOST[:PORT] of a master (`createMaster`), which is told what the node holds, and has it copy
   * what it is to hold. It is dialled for ever; copies that it ordered go on without it. Of several
   * masters that keep one state all, or some: the node finds the one that leads.
   */
  master?: string | readonly string[]
}

export interface Attributed {
  /** All attributes of the node from now on; its name stays. Throws TypeError. */
  setAttributes(attributes: Readonly<Record<string, string>>): void
}
