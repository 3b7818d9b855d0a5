/**
 * Requests to a node: its status once (`fetchStatus`) or again and again (`watchStatus`), and to
 * add another node (`addNode`).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { limits } from '../base/limits.js'
import { requireAddressText } from '../net/address.js'
import { optionalInteger } from './checks.js'
import { type Asking, asking, askingEach, checkAsking } from './inquiry.js'
import { requireOptions } from './option-names.js'
import { readStatus } from './status-shape.js'
import { checkTarget, wholeLink } from './targets.js'
import type { AddOptions, NodeStatus, PushTarget, StatusOptions } from './types.js'
import type { WatchStatusOptions } from './watch-types.js'

const statusMs = 5_000

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
  return asking(to, options, statusMs, (asked) => askStatus(to, asked))
}

/**
 * Status of a node again and again, `everyMs` (default 1,000) after each answer, over one link, for
 * as long as it is iterated. Rejects as `fetchStatus` does: a node that is away ends it.
 */
export function watchStatus(
  address: string,
  options: WatchStatusOptions = {},
): AsyncGenerator<NodeStatus, void, undefined> {
  const to = requireAddressText(address, 'address')
  requireOptions('watchStatus', options)
  const { everyMs = 1_000, ...asked } = options
  optionalInteger('everyMs', everyMs, limits.watchMsMin, limits.watchMsMax)
  checkAsking(asked)
  return askingEach(to, asked, statusMs, async function* (opened) {
    for (;;) {
      yield await askStatus(to, opened)
      await sleep(everyMs, undefined, { signal: opened.signal }).catch(() => {})
      opened.signal?.throwIfAborted()
    }
  })
}

async function askStatus(address: string, { inquiry, ...within }: Asking): Promise<NodeStatus> {
  const { json } = await inquiry.ask({ type: 'statusRequest' }, 'status', within)
  return readStatus(json, address)
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
export async function addNode(
  transfer: string,
  node: string | PushTarget,
  options: AddOptions,
): Promise<void> {
  requireOptions('addNode', options)
  if (typeof transfer !== 'string' || !/^[0-9a-f]{32}$/.test(transfer))
    throw new TypeError(`transfer must be 32 hex digits, not ${JSON.stringify(transfer)}`)
  const link = wholeLink(checkTarget(node, 'node'))
  const via = requireAddressText(options.via, 'via')
  await asking(via, options, limits.addMs + limits.connectMs, ({ inquiry, ...within }) =>
    inquiry.ask({ type: 'add', transfer, node: link }, 'added', within),
  )
}
