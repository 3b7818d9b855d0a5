/**
 * A status as the JSON text that travels in one frame.
 *
 * It must never be too large for its frame, whatever the transfers are called and however many
 * mates they have: a node that cannot say all still says what it is.
 */
import { KIB, limits } from '../base/limits.js'
import type { NodeStatus } from './types.js'

/** With the relays, and as many transfers, as there is room for. */
export function boundedJson(status: NodeStatus): string {
  // In the frame it is a JSON string once more, with its quotes escaped.
  const fits = (text: string): boolean =>
    Buffer.byteLength(JSON.stringify(text)) <= limits.frameBytes - KIB
  let text = JSON.stringify(status)
  if (fits(text)) return text
  let transfers = status.transfers.map((transfer) => ({ ...transfer, relays: [] }))
  for (;;) {
    text = JSON.stringify({ ...status, transfers })
    if (fits(text) || transfers.length === 0) return text
    transfers = transfers.slice(0, Math.floor(transfers.length / 2))
  }
}
