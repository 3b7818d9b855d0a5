/**
 * A TCP connection to one of a host's addresses within a time limit, or an FrError with the reason.
 *
 * The addresses are tried in order, the next one when an attempt has failed or has not answered for
 * limits.attemptMs. Earlier attempts go on, and the first to connect wins. So a dead address costs
 * a quarter of a second, and a slow network does not cost an address.
 */
import { setMaxListeners } from 'node:events'
import { type Socket, connect as tcpConnect } from 'node:net'
import { FrError, isOutOfFiles } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { Patience } from '../base/time/patience.js'
import { type Address, formatAddress, isLoopback } from './address.js'
import { ignore, systemDetails } from './hello-stream.js'

export interface ConnectOptions {
  readonly connectMs: number
  readonly signal?: AbortSignal
}

/**
 * Cancels the dialling of a whole group. It lifts Node's warning at ten listeners on one signal:
 * each node has two, and twice as many while its control and data connections are made.
 */
export function dialController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(4 * limits.nodesPerPush, controller.signal)
  return controller
}

/** The loopback addresses of a host, for callers without a key. Throws ERR_FR_OPEN for none. */
export function onlyLoopback(host: string, addresses: readonly string[]): readonly string[] {
  const local = addresses.filter(isLoopback)
  if (local.length > 0) return local
  throw new FrError('ERR_FR_OPEN', `without a key ${host} is not dialled, only loopback is`)
}

/**
 * `target` is for error texts; `addresses` are its IP addresses, at least one. Rejects with
 * ERR_FR_UNREACHABLE, ERR_FR_LIMIT or ERR_FR_ABORTED. The socket has no listeners.
 */
export function connect(
  target: Address,
  addresses: readonly string[],
  { connectMs, signal }: ConnectOptions,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const open = new Map<Socket, () => void>()
    let tried = 0
    let next: NodeJS.Timeout | undefined
    const finish = (winner?: Socket): void => {
      clearTimeout(next)
      patience.end()
      signal?.removeEventListener('abort', onAbort)
      for (const [socket, release] of open) {
        release()
        if (socket === winner) continue
        socket.on('error', ignore)
        socket.destroy()
      }
      open.clear()
    }
    const fail = (error: FrError): void => {
      finish()
      reject(error)
    }
    const attempt = (): void => {
      clearTimeout(next)
      const socket = tcpConnect({
        host: addresses[tried++] as string,
        port: target.port,
        noDelay: true,
      })
      const onConnect = (): void => {
        finish(socket)
        resolve(socket)
      }
      const onError = (error: Error): void => {
        open.get(socket)?.()
        open.delete(socket)
        if (tried < addresses.length) attempt()
        else if (open.size === 0) fail(connectError(target, tried, error))
      }
      open.set(socket, () => {
        socket.off('connect', onConnect)
        socket.off('error', onError)
      })
      socket.on('connect', onConnect)
      socket.on('error', onError)
      if (tried < addresses.length) next = setTimeout(attempt, limits.attemptMs)
    }
    const onAbort = (): void =>
      fail(new FrError('ERR_FR_ABORTED', 'dialling was cancelled', { cause: signal?.reason }))
    const patience = new Patience(connectMs, () => {
      const text = `${formatAddress(target)} did not accept the connection within ${connectMs} ms`
      fail(new FrError('ERR_FR_UNREACHABLE', text))
    })
    signal?.addEventListener('abort', onAbort, { once: true })
    attempt()
  })
}

/** `error` belongs to the address that failed last, of `tried` addresses. */
function connectError(target: Address, tried: number, error: NodeJS.ErrnoException): FrError {
  const why = error.code ?? error.message
  if (isOutOfFiles(error)) {
    const text = `too many open files here to connect to ${formatAddress(target)} (${why})`
    return new FrError('ERR_FR_LIMIT', text, systemDetails(error))
  }
  const count = tried === 1 ? '' : `, ${tried} addresses tried`
  const text = `cannot connect to ${formatAddress(target)} (${why}${count})`
  return new FrError('ERR_FR_UNREACHABLE', text, systemDetails(error))
}
