/** `fetchStatus`: what a node says of itself. */
import { FrError } from '../errors.js'
import { requireAddress } from '../runtime/address.js'
import { randomId } from '../runtime/crypto.js'
import { askStatus } from '../runtime/status-client.js'
import { checkKey, optionalInteger, requireSignal } from './options.js'
import type { NodeStatus, StatusOptions } from './types.js'

/**
 * Rejects with FrError (ERR_FR_UNREACHABLE, ERR_FR_AUTH, ERR_FR_TIMEOUT, ...) or the signal's
 * reason.
 */
export async function fetchStatus(
  address: string,
  options: StatusOptions = {},
): Promise<NodeStatus> {
  requireAddress(address, 'address')
  requireSignal(options.signal)
  const key = checkKey('key', options.key)
  const timeoutMs = optionalInteger('timeoutMs', options.timeoutMs, 1, 600_000) ?? 5_000
  options.signal?.throwIfAborted()
  const timeout = AbortSignal.timeout(timeoutMs)
  const signals = options.signal === undefined ? [timeout] : [timeout, options.signal]
  const self = { nodeId: randomId(), incarnation: Date.now() }
  try {
    const dialler = { keys: [key], self, connectMs: timeoutMs }
    return JSON.parse(await askStatus(dialler, address, AbortSignal.any(signals))) as NodeStatus
  } catch (error) {
    options.signal?.throwIfAborted()
    if (timeout.aborted) {
      throw new FrError('ERR_FR_TIMEOUT', `${address} did not answer within ${timeoutMs} ms`, {
        node: address,
      })
    }
    throw error
  }
}
