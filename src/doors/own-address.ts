/** Where a process reaches what it serves itself. */
import { formatAddress, isAnyHost, parseAddress } from '../base/addresses.js'

/** HOST:PORT; nobody can dial a host that stands for all addresses. */
export function ownAddress(address: string): string {
  const listening = parseAddress(address)
  if (listening === null || !isAnyHost(listening.host)) return address
  const host = listening.host.includes(':') ? '::1' : '127.0.0.1'
  return formatAddress({ ...listening, host })
}
