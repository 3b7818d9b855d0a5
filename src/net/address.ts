/**
 * Addresses for this room and those above it: the pure rules of base/addresses.ts, and the rule
 * that nothing leaves the machine without a key.
 */
import type { AddressInfo } from 'node:net'
import { type Address, formatAddress, isLoopback, parseAddress } from '../base/addresses.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import type { Key } from './keys.js'

export {
  type Address,
  formatAddress,
  isAnyHost,
  isIp,
  isLoopback,
  parseAddress,
  reachedAt,
} from '../base/addresses.js'

/**
 * Parses an address; the default port is limits.defaultPort. Throws TypeError that names the option
 * when `text` is not HOST or HOST:PORT.
 */
export function requireAddress(text: string, option: string): Address {
  const address = typeof text === 'string' ? parseAddress(text, limits.defaultPort) : null
  if (address === null) {
    const example = 'node-a, 10.0.0.2:7400 or [::1]:7400'
    throw new TypeError(
      `${option} must be HOST[:PORT] (like ${example}), not ${JSON.stringify(text)}`,
    )
  }
  return address
}

/** Like requireAddress, but returns the canonical HOST:PORT. */
export function requireAddressText(text: string, option: string): string {
  return formatAddress(requireAddress(text, option))
}

/** HOST:PORT that a server listens on. */
export function boundAddress(bound: AddressInfo): string {
  return formatAddress({ host: bound.address, port: bound.port })
}

/** Throws ERR_FR_OPEN when a keyless side is asked to serve more than loopback. */
export function requireServable(address: Address, key: Key): void {
  if (!key.isOpen || isLoopback(address.host)) return
  const node = formatAddress(address)
  throw new FrError('ERR_FR_OPEN', `without a key ${node} is not served, only loopback is`, {
    node,
  })
}
