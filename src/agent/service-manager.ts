/**
 * What a service manager is told (systemd, `Type=notify`): one datagram for each word, to the
 * socket that `NOTIFY_SOCKET` names. Without that variable nothing is sent and nothing is loaded.
 */
import { type Logger, safeLogger } from '../base/log.js'

/**
 * Never throws: a manager that cannot be told is logged, and the node serves all the same. `state`:
 * lines of NAME=VALUE, as in sd_notify(3).
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
