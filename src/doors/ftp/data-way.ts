/**
 * How the data connections of a session come about (RFC 959, 2428), one at a time.
 *
 * Never: a connection to or from another address than the session's, or to a port that only
 * system services have. So nobody has this door connect to others (bounce), and a stranger who
 * dials a port that waits (hijack) gets nothing, and takes nobody's place; ports are picked by
 * chance.
 */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { ftpLimits } from '../../base/ftp-limits.js'
import { type Endpoint, type PortRange, plainIp } from './addresses.js'
import { FtpError } from './ftp-error.js'

export interface DataWaySpec {
  /** Of the session: IP addresses of its client, and at which it is served. */
  readonly client: string
  readonly here: string
  /** Of passive ports; null: whichever is free. */
  readonly ports: PortRange | null
  /** Of all data connections of the door, so that it can end them. */
  readonly sockets: Set<Socket>
}

export class DataWay {
  readonly #spec: DataWaySpec
  #waiting: Waiting | null = null
  #active: Endpoint | null = null

  constructor(spec: DataWaySpec) {
    this.#spec = spec
  }

  /** Waits at a port for the client. Rejects with FtpError. */
  async passive(): Promise<Endpoint> {
    this.reset()
    const { here, client } = this.#spec
    const waiting = new Waiting(client, this.#spec.sockets)
    this.#waiting = waiting
    const port = await waiting.listen(here, this.#spec.ports)
    return { host: here, port }
  }

  /** The client waits there. Throws FtpError where that is not its own address. */
  active(to: Endpoint): void {
    this.reset()
    if (plainIp(to.host) !== this.#spec.client || to.port < 1_024)
      throw new FtpError(504, 'data connections go to your own address, and a port above 1023')
    this.#active = to
  }

  /** The connection, once. Rejects with FtpError 425, the signal's reason. */
  async open(signal: AbortSignal): Promise<Socket> {
    const [waiting, active] = [this.#waiting, this.#active]
    this.#active = null
    try {
      if (waiting !== null) return await waiting.arrived(signal)
      if (active !== null) return await this.#dial(active, signal)
    } finally {
      this.reset()
    }
    throw new FtpError(425, 'EPSV or PASV comes first')
  }

  reset(): void {
    this.#waiting?.close()
    this.#waiting = null
    this.#active = null
  }

  async #dial({ port }: Endpoint, signal: AbortSignal): Promise<Socket> {
    const { client, here, sockets } = this.#spec
    const socket = connect({ port, host: client, localAddress: here, allowHalfOpen: true })
    hold(socket, sockets)
    try {
      await once(socket, 'connect', { signal: within(signal) })
      return socket
    } catch {
      socket.destroy()
      signal.throwIfAborted()
      throw new FtpError(425, 'no data connection could be made')
    }
  }
}

function within(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(ftpLimits.dataMs)])
}

function hold(socket: Socket, sockets: Set<Socket>): void {
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
  socket.on('error', () => socket.destroy())
  socket.setNoDelay(true)
}

/** A port at which one connection is taken. */
class Waiting {
  readonly #client: string
  readonly #sockets: Set<Socket>
  readonly #server: Server
  #socket: Socket | null = null
  #came: () => void = () => {}
  #timer: NodeJS.Timeout | undefined

  constructor(client: string, sockets: Set<Socket>) {
    this.#client = client
    this.#sockets = sockets
    this.#server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
      this.#take(socket),
    )
    this.#server.on('error', () => {})
  }

  async listen(host: string, ports: PortRange | null): Promise<number> {
    for (let tries = 0; tries < ftpLimits.portTries; tries++) {
      const port = ports === null ? 0 : randomInt(ports.from, ports.to + 1)
      const listening = once(this.#server, 'listening')
      this.#server.listen({ host, port, backlog: 8, exclusive: true })
      const isOpen = await listening.then(
        () => true,
        () => false,
      )
      if (!isOpen) continue
      this.#timer = setTimeout(() => this.close(), ftpLimits.portMs)
      return (this.#server.address() as AddressInfo).port
    }
    throw new FtpError(425, 'no port is free')
  }

  async arrived(signal: AbortSignal): Promise<Socket> {
    clearTimeout(this.#timer)
    const soon = within(signal)
    if (this.#socket === null && this.#server.listening)
      await new Promise<void>((resolve) => {
        this.#came = resolve
        soon.addEventListener('abort', () => resolve(), { once: true })
        if (soon.aborted) resolve()
      })
    signal.throwIfAborted()
    const socket = this.#socket
    this.#socket = null
    if (socket === null || socket.destroyed) throw new FtpError(425, 'no data connection has come')
    return socket
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#server.close()
    this.#socket?.destroy()
    this.#socket = null
    this.#came()
  }

  #take(socket: Socket): void {
    hold(socket, this.#sockets)
    if (plainIp(socket.remoteAddress) !== this.#client || this.#socket !== null) {
      socket.destroy()
      return
    }
    this.#socket = socket
    this.#server.close()
    this.#came()
  }
}
