/**
 * A transfer on a data connection: how it begins, is broken off, and ends. Whoever reads too slowly
 * or is gone is cut off; that a part is not the whole only the answer behind it says.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { doorLimits } from '../../base/door-limits.js'
import { FrError } from '../../base/errors.js'
import { isSecured } from './control.js'
import { FtpError } from './ftp-error.js'
import type { State } from './state.js'

/** What is done on the connection; `stop` is aborted where it is to end. */
export type Work = (socket: Socket, stop: AbortController) => Promise<void>

/** Answers 150 and 226. Rejects with why not; the answer to ABOR is given. */
export async function transfer(state: State, opening: string, work: Work): Promise<void> {
  const { control, way, world } = state
  const stop = new AbortController()
  const onClose = (): void => stop.abort(new FrError('ERR_FR_CLOSED'))
  world.signal.addEventListener('abort', onClose, { once: true })
  if (world.signal.aborted) onClose()
  let isAborted = false
  const leave = control.attend(['ABOR', 'STAT'], (command) => {
    if (command?.verb === 'STAT') {
      control.reply(213, 'A transfer is under way').catch(() => {})
      return
    }
    isAborted ||= command !== null
    stop.abort(new FtpError(426, 'The transfer is broken off'))
  })
  let raw: Socket | null = null
  try {
    raw = await way.open(stop.signal)
    await control.reply(150, opening)
    const socket = await securedOf(state, raw)
    await work(socket, stop)
    await ended(socket, raw, stop.signal)
    await control.reply(226, 'Done')
  } catch (error) {
    raw?.destroy()
    if (!isAborted) throw error instanceof FtpError ? error : brokenOff(error, stop.signal)
    await control.reply(426, 'The transfer is broken off')
    await control.reply(226, 'ABOR')
  } finally {
    leave()
    world.signal.removeEventListener('abort', onClose)
  }
}

function brokenOff(error: unknown, signal: AbortSignal): unknown {
  return signal.aborted && signal.reason instanceof Error ? signal.reason : error
}

async function securedOf({ isProtected, context }: State, raw: Socket): Promise<Socket> {
  if (!isProtected || context === null) return raw
  const secureContext = context
  const socket = new TLSSocket(raw, { isServer: true, secureContext })
  socket.on('error', () => socket.destroy())
  if (await isSecured(socket)) return socket
  throw new FtpError(522, 'the data connection could not be encrypted')
}

/** All was handed over; who does not close is cut off after a moment. */
async function ended(socket: Socket, raw: Socket, signal: AbortSignal): Promise<void> {
  const soon = AbortSignal.any([signal, AbortSignal.timeout(doorLimits.idleMs)])
  socket.resume()
  if (!socket.destroyed) {
    const finished = once(socket, 'finish', { signal: soon }).then(() => true)
    const closed = once(socket, 'close', { signal: soon }).then(() => false)
    socket.end()
    if (!(await Promise.race([finished, closed]))) signal.throwIfAborted()
    closed.catch(() => {})
  }
  const timer = setTimeout(() => raw.destroy(), doorLimits.lingerMs)
  raw.once('close', () => clearTimeout(timer))
}

/** Ends the work when the other side is gone; what it sends is passed over. */
export function onlySends(socket: Socket, stop: AbortController): void {
  socket.resume()
  const gone = (): void => stop.abort(new FtpError(426, 'The data connection is gone'))
  socket.once('close', gone)
  if (socket.destroyed) gone()
}

/** Sends a text in bytes (latin1) to who takes it at the least rate. */
export function textSender(text: string, leastBytesPerSecond: number): Work {
  return async (socket, stop) => {
    onlySends(socket, stop)
    const ms = Math.max(doorLimits.idleMs, (text.length / leastBytesPerSecond) * 1_000)
    const late = (): void => stop.abort(new FtpError(426, 'The reader is too slow'))
    const timer = setTimeout(late, ms)
    try {
      await new Promise<void>((resolve, reject) => {
        stop.signal.addEventListener('abort', () => reject(stop.signal.reason), { once: true })
        if (stop.signal.aborted) reject(stop.signal.reason)
        socket.write(text, 'latin1', (error) => (error == null ? resolve() : reject(error)))
      })
    } finally {
      clearTimeout(timer)
    }
  }
}
