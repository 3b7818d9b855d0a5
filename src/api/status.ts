/** Requests to a node: its status (`fetchStatus`), and to add another node (`addNode`). */
import { askStatus, askToAdd } from '../agent/client.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { requireAddress, requireAddressText } from '../net/address.js'
import { selfOf, signerOf } from '../net/crypto.js'
import type { Dialler } from '../net/dial.js'
import { Resolver } from '../net/resolver.js'
import { clientKey } from '../store/identity.js'
import { requireOptions } from './option-names.js'
import { checkKey, optionalInteger, requireSignal } from './options.js'
import { readStatus } from './status-shape.js'
import type { AddOptions, NodeStatus, StatusOptions } from './types.js'

/**
 * Status of a node, as it reports it. Rejects with FrError (ERR_FR_UNREACHABLE, ERR_FR_AUTH,
 * ERR_FR_TIMEOUT, ...) or the signal's reason.
 */
export async function fetchStatus(
  address: string,
  options: StatusOptions = {},
): Promise<NodeStatus> {
  const to = requireAddressText(address, 'address')
  requireOptions('fetchStatus', options)
  return asked(to, options, 5_000, async (dialler, signal) => {
    return readStatus(await askStatus(dialler, to, signal), to)
  })
}

/**
 * Adds the node at `node` to a running push. `transfer` is its id (32 hex digits), `options.via` a
 * node that takes part in it. Resolves when the new node takes part too; it then catches up with
 * the others, and its outcome is in the result of the push.
 *
 * Rejects with FrError: ERR_FR_NO_TRANSFER when no such transfer runs at `via`, ERR_FR_SAME_NODE
 * when the node is already in the push, ERR_FR_LIMIT, ERR_FR_TIMEOUT, or the reason why the node
 * could not join (ERR_FR_UNREACHABLE, ERR_FR_NO_SPACE, ...); or with the signal's reason.
 */
export async function addNode(transfer: string, node: string, options: AddOptions): Promise<void> {
  requireOptions('addNode', options)
  if (typeof transfer !== 'string' || !/^[0-9a-f]{32}$/.test(transfer))
    throw new TypeError(`transfer must be 32 hex digits, not ${JSON.stringify(transfer)}`)
  const added = requireAddressText(node, 'node')
  const via = requireAddressText(options.via, 'via')
  const withinMs = limits.addMs + limits.connectMs
  await asked(via, options, withinMs, (dialler, signal) =>
    askToAdd(dialler, via, transfer, added, signal),
  )
}

async function asked<T>(
  address: string,
  options: StatusOptions,
  withinMs: number,
  ask: (dialler: Dialler, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  requireSignal(options.signal)
  const key = checkKey('key', options.key)
  const timeoutMs = optionalInteger('timeoutMs', options.timeoutMs, 1, 600_000) ?? withinMs
  options.signal?.throwIfAborted()
  // The node's time starts when its address is known.
  const resolver = new Resolver({ lookupMs: options.timeoutMs ?? limits.lookupMs })
  let timeout: AbortSignal | undefined
  const self = selfOf(signerOf(await clientKey()))
  // The default leaves part of the answer's time to other steps.
  const connectMs = options.timeoutMs ?? 5_000
  try {
    await resolver.resolve(requireAddress(address, 'address').host, options.signal)
    timeout = AbortSignal.timeout(timeoutMs)
    const signals = options.signal === undefined ? [timeout] : [timeout, options.signal]
    return await ask({ keys: [key], self, connectMs, resolver }, AbortSignal.any(signals))
  } catch (error) {
    options.signal?.throwIfAborted()
    if (timeout?.aborted) {
      throw new FrError('ERR_FR_TIMEOUT', `${address} did not answer within ${timeoutMs} ms`, {
        node: address,
      })
    }
    throw error
  }
}
