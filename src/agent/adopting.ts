/** Connections that members dial become part of a transfer at the node. */
import { asFrError } from '../base/failures.js'
import type { Logger } from '../base/log.js'
import type { Certificates } from '../net/certificates.js'
import type { Admitted, Established, Ticketed } from '../net/handshake.js'
import type { Edge } from '../protocol/ticket.js'
import type { Reception } from '../session/receiver/reception.js'
import type { NodeServiceSpec } from './node-spec.js'

/** Never rejects. */
export async function adoptPull(
  reception: Reception,
  member: number,
  admitted: Admitted,
  log: Logger,
): Promise<void> {
  try {
    const established = await admitted.go()
    if (reception.isOpen) reception.door.addPull(member, established)
    else established.close()
  } catch (error) {
    const { code, message: text } = asFrError(error, 'ERR_FR_NODE_LOST')
    log({ level: 'debug', event: 'pull-lost', fields: { from: member, code, text } })
  }
}

/** Whoever proves the edge's secret takes the place; a replayed ticket cannot. Never rejects. */
export async function adoptFeed(
  reception: Reception,
  member: number,
  ticketed: Ticketed,
  edge: Edge,
  log: Logger,
): Promise<void> {
  let established: Established | undefined
  try {
    const { isBeside } = ticketed
    established = await ticketed.go(edge, () => reception.door.greets(member, isBeside))
    if (reception.isEnded || !reception.door.expects(member, edge.id, ticketed.to))
      return established.close()
    reception.door.addFeed(member, established, isBeside)
  } catch (error) {
    established?.close()
    const { code, message: text } = asFrError(error, 'ERR_FR_NODE_LOST')
    log({ level: 'debug', event: 'feed-lost', fields: { from: member, code, text } })
  }
}

/**
 * Whenever the list changes: who is not authorized any more loses what is open, and with an origin
 * goes its transfer.
 */
export function admitAgain(
  { peers, keys }: Pick<NodeServiceSpec, 'peers' | 'keys'>,
  receptions: ReadonlyMap<string, Reception>,
): void {
  endRevoked(keys[0]?.certificates, receptions)
  peers?.onChange(() => {
    for (const { spec, session } of receptions.values()) {
      const text = `${spec.originId} is not among the authorized peers any more`
      if (peers.admits(spec.originId)) session.admitAgain()
      else session.post({ type: 'fileFailed', code: 'ERR_FR_AUTH', text })
    }
  })
}

/** A transfer ends with the certificate of its origin. */
function endRevoked(
  certificates: Certificates | undefined,
  receptions: ReadonlyMap<string, Reception>,
): void {
  certificates?.onRevoked((nodeId, name) => {
    const text = `the certificate of ${name}, which sends this, is revoked`
    for (const { spec, session } of receptions.values())
      if (spec.originId === nodeId) session.post({ type: 'fileFailed', code: 'ERR_FR_AUTH', text })
  })
}
