/** The list of authorized peers of a node or a master. */
import { Peers } from '../agent/peers.js'
import { type AuthorizedPeer, isCertified } from '../base/authorized-peers.js'
import type { Logger } from '../base/log.js'
import { Rights } from '../base/rights.js'
import { selfOf, signerOf } from '../net/crypto.js'
import type { Key } from '../net/keys.js'
import { clientKey } from '../store/identity.js'

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

/** The lists of the nodes and masters of this process. */
const lists = new WeakMap<object, Peers>()

export function hasList(of: object, peers: Peers | undefined): void {
  if (peers !== undefined) lists.set(of, peers)
}

/**
 * Has a node or master admit what asks it as this user, though a list does not: a door in the same
 * process, which judges by rights of its own who may ask what. This user can read the key of the
 * node, and is nobody whom a list could keep out.
 */
export async function admitUser(of: object): Promise<void> {
  const { nodeId } = selfOf(signerOf(await clientKey()))
  lists.get(of)?.admitAlso(nodeId, 'door')
}
