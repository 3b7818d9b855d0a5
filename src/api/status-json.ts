/**
 * Writes a status as JSON text for one frame.
 *
 * The text must always fit its frame, whatever the transfers are called and however many mates they
 * have. When not everything fits, relays, faults, decisions, pulls, requests and transfers that are
 * over are left out, and then transfers.
 */
import { KIB, limits } from '../base/limits.js'
import type { NodeStatus } from './types.js'

/** Keeps the relays and as many transfers as fit. */
export function boundedJson(status: NodeStatus): string {
  // The frame holds the text as a JSON string, with escaped quotes.
  const fits = (text: string): boolean =>
    Buffer.byteLength(JSON.stringify(text)) <= limits.frameBytes - KIB
  let text = JSON.stringify(status)
  if (fits(text)) return text
  let transfers = status.transfers.map((transfer) => ({ ...transfer, relays: [], faults: [] }))
  for (;;) {
    text = JSON.stringify({ ...status, ended: [], decisions: [], pulls: [], audit: [], transfers })
    if (fits(text) || transfers.length === 0) return text
    transfers = transfers.slice(0, Math.floor(transfers.length / 2))
  }
}
