/** Connections that members dial become part of a transfer at the node. */
import { asFrError } from '../base/failures.js'
import { limits } from '../base/limits.js'
import type { Logger } from '../base/log.js'
import type { Certificates } from '../net/certificates.js'
import type { Admitted, Established, Ticketed } from '../net/handshake.js'
import type { ParkedConnections } from '../net/parked.js'
import type { Edge } from '../protocol/ticket.js'
import { type AttributesOf, holderFault } from '../session/holders.js'
import type { Reception } from '../session/receiver/reception.js'
import type { NodeServiceSpec } from './node-spec.js'

/** Hands a data connection or pull link to its transfer, parks it, or refuses it. */
export function placeEarly(
  early: Admitted | Ticketed,
  reception: Reception,
  { parked, attributesOf, log }: Places,
): void {
  if (!reception.isOpen && (reception.isEnded || early.channel !== 'data'))
    return parked.park(early, limits.acceptMs)
  const [member, to] = [early.from as number, early.to as number]
  const expected =
    early.channel === 'data'
      ? reception.door.expects(member, early.edgeId, to)
      : reception.door.expectsPull(member, early.peer?.nodeId ?? '', to)
  // The connection came before the plan, or from a node that has just joined.
  const waitMs = reception.hasPlan ? limits.earlyDataMs : limits.acceptMs
  if (expected === null) return parked.park(early, waitMs)
  if (expected === false)
    return early.refuse('ERR_FR_PROTOCOL', `this ${early.channel} connection was not expected`)
  const { only } = reception.spec.entry
  const fault = early.peer && holderFault(only, early.peer, attributesOf)
  if (fault !== null) return early.refuse(fault.code, fault.message)
  if (early.channel !== 'data') return void adoptPull(reception, member, early, log)
  void adoptFeed(reception, member, early, expected as Edge, log)
}

interface Places {
  readonly parked: ParkedConnections
  readonly attributesOf: AttributesOf
  readonly log: Logger
}

/** Never rejects. */
async function adoptPull(
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
async function adoptFeed(
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
