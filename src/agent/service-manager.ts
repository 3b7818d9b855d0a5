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

/** Milliseconds between two words of how the service is doing, at most. */
const beatMs = 10_000

/**
 * Tells the service manager every few seconds what the service does (`STATUS=`), where that has
 * changed, and that it lives (`WATCHDOG=1`), twice as often as it wants to hear that
 * (`WATCHDOG_USEC`, sd_watchdog_enabled(3)). What comes back ends it.
 */
export function beatService(summary: () => string, logger: Logger): () => void {
  if ((process.env['NOTIFY_SOCKET'] ?? '') === '') return () => {}
  const watchdog = watchdogMs()
  let told = ''
  const beat = (): void => {
    const status = `STATUS=${summary().replace(/[\r\n]+/g, ' ')}`
    const lines = [
      ...(watchdog === null ? [] : ['WATCHDOG=1']),
      ...(status === told ? [] : [status]),
    ]
    told = status
    if (lines.length > 0) void notifyService(lines.join('\n'), logger)
  }
  const timer = setInterval(beat, Math.min(beatMs, (watchdog ?? beatMs * 2) / 2))
  timer.unref()
  return () => clearInterval(timer)
}

/** Null: nobody wants signs of life, or not of this process. */
function watchdogMs(): number | null {
  const { WATCHDOG_USEC: wanted, WATCHDOG_PID: pid } = process.env
  if (pid !== undefined && pid !== String(process.pid)) return null
  const milliseconds = Number(wanted) / 1_000
  return milliseconds >= 1 ? milliseconds : null
}
