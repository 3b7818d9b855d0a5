/** Nodes by a name of DNS. */
import { parseDnsName } from '../base/addresses.js'
import { findNodes as find } from '../net/find-nodes.js'
import { optionalInteger, requireSignal } from './checks.js'
import type { FindNodesOptions } from './find-types.js'
import { requireOptions } from './option-names.js'

/**
 * Addresses, HOST:PORT, of the nodes that `name` stands for: those of its SRV records
 * (`_fr._tcp.NAME`, or NAME itself where it begins with `_`; RFC 2782), else its addresses with
 * `port`, by default 7400. Throws TypeError for what is no name; rejects with FrError
 * (ERR_FR_UNREACHABLE: there are none) or the signal's reason.
 */
export async function findNodes(name: string, options: FindNodesOptions = {}): Promise<string[]> {
  requireOptions('findNodes', options)
  const { port, signal } = options
  requireSignal(signal)
  optionalInteger('port', port, 1, 65_535)
  if (typeof name !== 'string' || parseDnsName(name)?.name !== name)
    throw new TypeError(`name must be a name of DNS, not ${JSON.stringify(name)}`)
  return find(name, options)
}
