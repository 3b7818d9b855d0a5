/** The port of a node. */
import type { Server } from 'node:net'
import { FrError } from '../base/errors.js'
import { systemCode } from '../engine/checks.js'
import { type Address, formatAddress } from '../net/address.js'
import type { Privileges } from './privileges.js'

/**
 * Rejects with ERR_FR_LISTEN. With privileges: as root where the user may not have the port; after
 * that they are given up, which comes before anything works in the background: what a thread makes
 * while all ids change could be root's.
 */
export async function bind(
  server: Server,
  listen: Address,
  privileges?: Pick<Privileges, 'asRoot' | 'drop'>,
): Promise<void> {
  try {
    await bindOnce(server, listen)
  } catch (error) {
    const isDenied = systemCode((error as FrError).cause) === 'EACCES'
    if (privileges === undefined || !isDenied) throw error
    await privileges.asRoot(() => bindOnce(server, listen))
  }
  privileges?.drop()
}

function bindOnce(server: Server, listen: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      const text = `cannot listen on ${formatAddress(listen)}: ${cause.code ?? cause.message}`
      reject(new FrError('ERR_FR_LISTEN', text, { cause }))
    }
    server.once('error', failed)
    server.listen({ host: listen.host, port: listen.port, backlog: 511 }, () => {
      server.off('error', failed)
      resolve()
    })
  })
}
