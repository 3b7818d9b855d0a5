/** Which channels a node serves, and whom. */
import { FrError } from '../base/errors.js'
import { asFrError } from '../base/failures.js'
import type { Channel } from '../control/messages/types.js'
import type { Admitted } from '../net/handshake.js'
import type { Authority } from './authority.js'
import { memberRights } from './requests.js'

/** Null: it serves it. `isGateway`: it only passes on what comes. */
export function refusedChannel(channel: Channel, isGateway: boolean): FrError | null {
  if (channel === 'fetch' && isGateway) return new FrError('ERR_FR_RELAY_ONLY')
  if (channel === 'bridge' && !isGateway)
    return new FrError('ERR_FR_BRIDGE', 'this node is no gateway (--relay-only)')
  return channel === 'master'
    ? new FrError('ERR_FR_UNSUPPORTED', 'this is a node, and no master')
    : null
}

/** Refuses a link of a member that has no right to be one, and throws. */
export function requireMember(
  authority: Authority,
  admitted: Admitted,
  as: 'pull' | 'bridge',
): void {
  try {
    authority.require(admitted, as, memberRights)
  } catch (error) {
    const { code, message: text } = asFrError(error, 'ERR_FR_INTERNAL')
    admitted.refuse(code, text)
    throw error
  }
}
