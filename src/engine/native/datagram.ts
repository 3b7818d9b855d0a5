/** Datagrams to unix sockets, which Node does not have: the addon sends them. */
import { loadAddon, nativeError } from './addon.js'

/**
 * Sends one datagram to a path, or to `@NAME` in the abstract namespace. Throws FrError: ERR_FR_IO
 * where the system refuses it, ERR_FR_ENGINE where the addon does not load.
 */
export function sendDatagram(address: string, text: string): void {
  const errno = loadAddon().sendDatagram(address, text)
  if (errno !== 0) throw nativeError('ERR_FR_IO', errno)
}
