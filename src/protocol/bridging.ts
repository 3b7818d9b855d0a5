/**
 * Bridges of a gateway: the frames of a `bridge` link, and the opening of the connection that the
 * gateway is to join to another one.
 *
 *     dialler -> bridge ticket  u8 0xFB | u8 version | u16 0 | ticket (32)    36 bytes
 *     gateway -> go, or refusal as in ticket.ts
 *
 * The gateway made the ticket at random and gave it away over an encrypted link; it takes it once.
 * Whoever steals it gets a connection to a node that still wants the key to be proved.
 */
import { parseAddress } from '../base/addresses.js'
import { bytesOfHex, concat, hexOf } from '../base/bytes.js'
import { limits } from '../base/limits.js'
import type { BridgeFrame, ReachFrame } from '../control/messages/bridging.js'
import { type Fields, protocolError } from './fields.js'
import { readAddress } from './plan.js'
import { requireHead } from './ticket.js'

export const bridgeFirstByte = 0xfb
const headBytes = 4
const ticketBytes = 32

export function readReach(body: Fields): Omit<ReachFrame, 'type'> {
  const transfer = body.hex('transfer', 32)
  const targets = body.strings('targets', limits.bridgeTargets, limits.addressChars)
  for (const text of targets) requireTarget(body, text)
  return { transfer, targets }
}

export function readBridge(body: Fields): Omit<BridgeFrame, 'type'> {
  return {
    request: body.integer('request', 0, Number.MAX_SAFE_INTEGER),
    transfer: body.hex('transfer', 32),
    target: readAddress(body, 'target'),
  }
}

function requireTarget(body: Fields, text: string): void {
  if (parseAddress(text) === null) body.refuse('targets', 'holds what is not HOST:PORT')
}

/** `ticket`: 64 hex digits. */
export function encodeBridgeTicket(ticket: string): Uint8Array<ArrayBuffer> {
  const bytes = bytesOfHex(ticket)
  if (bytes === null || bytes.length !== ticketBytes)
    throw new TypeError('a bridge ticket has 64 hex digits')
  return concat(Uint8Array.of(bridgeFirstByte, limits.protocolVersion, 0, 0), bytes)
}

/** 64 hex digits. Throws ERR_FR_PROTOCOL or ERR_FR_VERSION. */
export function decodeBridgeTicket(bytes: Uint8Array): string {
  requireHead(bytes, bridgeFirstByte)
  if (bytes.length !== headBytes + ticketBytes || bytes[2] !== 0 || bytes[3] !== 0)
    throw protocolError('a bridge ticket is not well formed')
  return hexOf(bytes.subarray(headBytes))
}

/** Bytes of the ticket at the start; null while that is unknown. */
export function bridgeTicketBytes(start: Uint8Array): number | null {
  return start.length === 0 ? null : headBytes + ticketBytes
}
