/** What commands that serve until a signal arrives have in common. */
import type { LogLine } from '../../api/types.js'
import { type Context, Interrupted, watchSignals } from '../render/context.js'
import { asUsage } from '../render/failures.js'
import { isLogged, jsonText, type LogWish, logText } from '../render/text.js'

export interface Served {
  readonly address: string
  /** HOST:PORT of its HTTP door. */
  readonly http?: string
  /** The same of its FTP door. */
  readonly ftp?: string
  readonly nodeId: string
  /** What it does, for a line of the service manager. */
  summary(): string
  reload(): Promise<void>
  close(): Promise<void>
}

interface Opened {
  /** HOST:PORT. */
  readonly address: string
  close(): Promise<void>
}

/** Opens a door before what is served: it closes first. Where none opens, what is served closes. */
export async function openedBefore(
  served: Pick<Served, 'close'>,
  open: () => Promise<Opened>,
): Promise<Opened> {
  try {
    const door = await open()
    const close = async (): Promise<void> => {
      await door.close()
      await served.close()
    }
    return { address: door.address, close }
  } catch (error) {
    await served.close()
    throw error
  }
}

export interface ServingWish {
  readonly log: LogWish
  readonly json: boolean
  /** Fields of the line that tells the address. */
  readonly fields: LogLine['fields']
  /** There is something to read again on SIGHUP; else the signal ends the process, as ever. */
  readonly isReloading: boolean
}

/** Logs go to stderr, one line per event. Resolves to the exit status. */
export async function serveUntilStopped(
  wish: ServingWish,
  context: Context,
  start: (logger: (line: LogLine) => void) => Promise<Served>,
): Promise<number> {
  const logger = (line: LogLine): void => {
    if (!isLogged(line.level, wish.log.level)) return
    context.stderr(`${logText(line, wish.log.format, Date.now())}\n`)
  }
  const log = (event: string, fields: LogLine['fields']): void =>
    logger({ level: 'info', event, fields })
  const signal = watchSignals((text) => log('stopping', { text }))
  const served = await start(logger).catch((error: unknown) => {
    throw asUsage(error)
  })
  const { address, nodeId, http, ftp } = served
  const door = { ...(http !== undefined && { http }), ...(ftp !== undefined && { ftp }) }
  if (wish.json) context.stdout(`${jsonText({ event: 'listening', address, nodeId, ...door })}\n`)
  else {
    // Printed at every log level: people and scripts wait for it.
    const fields = { address, ...door, ...wish.fields }
    const line: LogLine = { level: 'info', event: 'listening', fields }
    context.stderr(`${logText(line, wish.log.format, Date.now())}\n`)
  }
  const { beatService, notifyService } = await import('../../api/service.js')
  await notifyService(`READY=1\nSTATUS=serves ${address}`, logger)
  const stopBeats = beatService(() => `serves ${address}: ${served.summary()}`, logger)
  if (wish.isReloading)
    process.on('SIGHUP', () => {
      log('reloading', { text: 'SIGHUP' })
      served.reload().catch((error: Error) => {
        logger({ level: 'error', event: 'reload-failed', fields: { text: error.message } })
      })
    })
  try {
    await aborted(signal)
    stopBeats()
    await notifyService('STOPPING=1', logger)
  } finally {
    await served.close()
  }
  log('stopped', { address })
  return signal.reason instanceof Interrupted ? signal.reason.exitStatus : 0
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
