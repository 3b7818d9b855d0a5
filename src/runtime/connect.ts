/**
 * A TCP connection to HOST:PORT within a time, or an FrError that says why not. Without a key the
 * loopback rule holds for what a name resolves to, not for how it is spelled.
 */
import { lookup as dnsLookup } from 'node:dns'
import { setMaxListeners } from 'node:events'
import { type LookupFunction, type Socket, connect as tcpConnect } from 'node:net'
import { FrError } from '../errors.js'
import { limits } from '../limits.js'
import { type Address, formatAddress, isIp, isLoopback } from './address.js'
import { ignore, systemDetails } from './hello-stream.js'
import { Patience } from './patience.js'

export interface ConnectOptions {
  readonly loopbackOnly: boolean
  readonly connectMs: number
  readonly signal?: AbortSignal
  readonly lookup?: LookupFunction
}

/**
 * Cancels the dialling of a whole group. Node takes more than ten listeners on one signal for a
 * leak and warns; here each node has two, twice while its control and data connections are made.
 */
export function dialController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(4 * limits.nodesPerPush, controller.signal)
  return controller
}

/** Rejects with ERR_FR_UNREACHABLE, ERR_FR_OPEN or ERR_FR_ABORTED. The socket has no listeners. */
export function connect(address: Address, options: ConnectOptions): Promise<Socket> {
  const { loopbackOnly, connectMs, signal } = options
  if (loopbackOnly && isIp(address.host) && !isLoopback(address.host)) {
    return Promise.reject(openError(address.host))
  }
  const lookup = options.lookup ?? dnsLookup
  return new Promise((resolve, reject) => {
    const socket = tcpConnect({
      host: address.host,
      port: address.port,
      noDelay: true,
      lookup: loopbackOnly ? loopbackLookup(lookup) : lookup,
    })
    const finish = (): void => {
      patience.end()
      signal?.removeEventListener('abort', onAbort)
      socket.off('connect', onConnect)
      socket.off('error', onError)
    }
    const fail = (error: FrError): void => {
      finish()
      socket.on('error', ignore)
      socket.destroy()
      reject(error)
    }
    const onConnect = (): void => {
      finish()
      resolve(socket)
    }
    const onError = (error: Error): void => fail(connectError(address, error))
    const onAbort = (): void =>
      fail(new FrError('ERR_FR_ABORTED', 'dialling was cancelled', { cause: signal?.reason }))
    const patience = new Patience(connectMs, () => {
      const text = `${formatAddress(address)} did not take the connection within ${connectMs} ms`
      fail(new FrError('ERR_FR_UNREACHABLE', text))
    })
    socket.on('connect', onConnect)
    socket.on('error', onError)
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** Lets through only loopback results; ERR_FR_OPEN when none is left. */
function loopbackLookup(lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, found, family) => {
      if (error) return callback(error, found, family)
      if (typeof found === 'string') {
        return callback(isLoopback(found) ? null : openError(hostname), found, family)
      }
      const local = found.filter((entry) => isLoopback(entry.address))
      callback(local.length > 0 ? null : openError(hostname), local)
    })
  }
}

function openError(host: string): FrError {
  return new FrError('ERR_FR_OPEN', `without a key ${host} is not dialled, only loopback is`)
}

function connectError(address: Address, error: NodeJS.ErrnoException): FrError {
  if (error instanceof FrError) return error
  // Several addresses tried: the last attempt speaks for all.
  const last: NodeJS.ErrnoException =
    error instanceof AggregateError ? (error.errors.at(-1) ?? error) : error
  const text = `${formatAddress(address)} cannot be connected to (${last.code ?? last.message})`
  return new FrError('ERR_FR_UNREACHABLE', text, systemDetails(last))
}
