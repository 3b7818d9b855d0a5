/**
 * Notifies a service manager (systemd, `Type=notify`) with one datagram per message, sent to the
 * socket in `NOTIFY_SOCKET`. Without that variable nothing is sent and nothing is loaded.
 */
import { type Logger, safeLogger } from '../base/log.js'

/**
 * Never throws: a failure is logged, and the node goes on. `state` has lines of NAME=VALUE, as in
 * sd_notify(3).
 */
export async function notifyService(state: string, logger: Logger): Promise<void> {
  const address = process.env['NOTIFY_SOCKET']
  if (address === undefined || address === '') return
  try {
    const { sendDatagram } = await import('../engine/native/datagram.js')
    sendDatagram(address, state)
  } catch (error) {
    const fields = { address, text: (error as Error).message }
    safeLogger(logger)({ level: 'warn', event: 'notify-failed', fields })
  }
}
