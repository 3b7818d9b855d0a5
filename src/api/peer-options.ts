/** Who may speak to a node, what is true of it, and how its bytes are sent. */
import type { ClaimOptions } from './rights-types.js'
import type { NodeSealOptions } from './seal.js'

export interface PeerOptions extends NodeSealOptions, ClaimOptions {
  /**
   * Path of a list of peers, a line each: `FINGERPRINT name` (`identity`). Nobody else is served or
   * dialled; whoever leaves the list loses what is open within 2 s. Default: all with the key.
   */
  authorize?: string
}
