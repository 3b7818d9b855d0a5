/** Who may coordinate a transfer that runs at a node: its origin, until a member has taken over. */
import { FrError } from '../base/errors.js'
import type { Frame } from '../control/messages/types.js'
import type { ControlLink } from '../net/link.js'
import type { Reception } from '../session/receiver/reception.js'

/** Throws ERR_FR_STALE for an offer of an origin whose transfer another node coordinates. */
export function requireOrigin(running: Reception | undefined): void {
  const { succession } = running ?? {}
  if (succession === undefined) return
  const { member, counter } = succession
  throw new FrError('ERR_FR_STALE', `member ${member} has taken over, in term ${counter}`)
}

/** The reception, if it follows whoever says that it takes over; else the link is refused. */
export function follow(
  reception: Reception | undefined,
  { term }: Frame & { type: 'succeed' },
  nodeId: string,
  link: ControlLink,
): Reception | undefined {
  const failure = reception?.succeed(link, term, nodeId) ?? null
  if (reception !== undefined && failure === null) return reception
  const text = 'this transfer is not running here'
  link.send({ type: 'refuse', ...(failure ?? { code: 'ERR_FR_NO_TRANSFER', text }) })
  void link.close()
  return undefined
}
