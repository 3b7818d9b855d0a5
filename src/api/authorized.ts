/** The list of authorized peers of a node or a master. */
import { Peers } from '../agent/peers.js'
import { type AuthorizedPeer, isCertified } from '../base/authorized-peers.js'
import type { Logger } from '../base/log.js'
import { Rights } from '../base/rights.js'
import type { Key } from '../net/keys.js'

/** Undefined: whoever holds the key is served. Rejects with ERR_FR_PEERS. */
export async function openPeers(
  authorize: string | undefined,
  keys: readonly Key[],
  log: Logger,
): Promise<Peers | undefined> {
  const check = (peer: AuthorizedPeer): void => {
    if (isCertified(peer) && keys[0]?.certificates === undefined)
      throw new Error('cert: is for nodes with certificates (--tls-cert)')
    Rights.parse(peer.rightsText)
  }
  return authorize === undefined ? undefined : Peers.open(authorize, { log, check })
}
