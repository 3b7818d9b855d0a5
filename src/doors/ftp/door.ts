/**
 * The FTP door of a node: a server that is off until asked for, for programs that fetch files by
 * FTP. It reads what the node holds, by the rights of the HTTP door's tokens. One door has bounds
 * of its own: what its clients do costs the node no more than that.
 */
import { setMaxListeners } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureContext } from 'node:tls'
import { admitUser } from '../../api/authorized.js'
import { credentialsOf } from '../../api/credentials.js'
import type { Credentials, FrNode, LogLine } from '../../api/types.js'
import type { Address } from '../../base/addresses.js'
import { FrError } from '../../base/errors.js'
import { ftpLimits } from '../../base/ftp-limits.js'
import {
  certificateOf,
  demandsAt,
  failuresTo,
  leastOf,
  listenAt,
  placeOf,
  reachOf,
  tokensFor,
} from '../entrance.js'
import { connectionsMax } from '../room.js'
import { plainIp, portRange } from './addresses.js'
import { Admission } from './admission.js'
import { Session } from './session.js'
import type { DoorWorld } from './state.js'
import { Turns } from './turns.js'
import { Uploads } from './uploads.js'

/** `key` or `tls` are those of the node. */
export interface FtpDoorOptions extends Credentials {
  /** HOST:PORT; port 0 picks a free one. */
  listen: string
  /** Ports of data connections that clients make, `FROM-TO`; default: whichever are free. */
  ports?: string
  /** As of the HTTP door: a password is a token. */
  tokens?: string
  /** As of the HTTP door. */
  leastBytesPerSecond?: number
  /**
   * Clients may encrypt (AUTH TLS), and must before they send a token: files of a certificate and
   * of its private key, in PEM. They are read again when they change.
   */
  certificate?: { readonly cert: string; readonly key: string }
  /** Whoever has the right `push` may store files, which the node then holds; default: false. */
  uploads?: boolean
  /** With `uploads`: criteria by which these are published instead. */
  where?: string
  logger?: (line: LogLine) => void
}

export interface FtpDoor extends AsyncDisposable {
  /** HOST:PORT. */
  readonly address: string
  /** Reads the list of tokens again. Rejects with ERR_FR_PEERS, and what was read before counts. */
  reload(): Promise<void>
  /** Ends all sessions; resolves when nothing of it is left. Idempotent. */
  close(): Promise<void>
}

/**
 * Resolves when the door is open. Rejects with TypeError for misuse, ERR_FR_LISTEN,
 * ERR_FR_CERTIFICATE, ERR_FR_CRITERIA, ERR_FR_PEERS for a list of tokens that cannot be used, and
 * ERR_FR_OPEN where it would be open to everybody.
 */
export async function openFtpDoor(node: FrNode, options: FtpDoorOptions): Promise<FtpDoor> {
  const listen = placeOf(options.listen)
  const { logger: log = () => {} } = options
  const leastBytesPerSecond = leastOf(options.leastBytesPerSecond)
  const ports = options.ports === undefined ? null : portRange(options.ports)
  if (options.ports !== undefined && ports === null)
    throw new TypeError('ports must be FROM-TO, from 1024 on')
  const reach = reachOf(options, listen)
  const { where = null } = options
  if (where !== null && options.uploads !== true) throw new TypeError('where is for uploads')
  const credentials = credentialsOf(options)
  const ingesting = { node, credentials, where, leastBytesPerSecond }
  const uploads = options.uploads === true ? new Uploads(ingesting) : null
  const secureContext = contextsOf(certificateOf(options.certificate, 'certificate', log))
  const tokens = await tokensFor(options.tokens, reach, log)
  await admitUser(node)
  if (secureContext() === null && !reach.isLocal) {
    const text = 'tokens and files pass in the clear: give the door a certificate (--ftp-cert)'
    log({ level: 'warn', event: 'ftp-plain', fields: { text } })
  }
  const closing = new AbortController()
  // Each session and transfer hears of it; how many there are is bounded.
  setMaxListeners(0, closing.signal)
  const door = new OpenFtpDoor(closing, {
    ...{ node, credentials, tokens, ports, uploads, log, secureContext },
    signal: closing.signal,
    admission: new Admission({ most: await connectionsMax() }),
    demands: demandsAt(node, leastBytesPerSecond),
    sockets: new Set<Socket>(),
    listings: new Turns(ftpLimits.listings),
    failed: failuresTo(log, 'ftp-failed'),
  })
  try {
    await door.listen(listen)
    return door
  } catch (error) {
    await door.close()
    throw error
  }
}

/** The context of the files as they are. Throws ERR_FR_CERTIFICATE. */
function contextsOf(files: ReturnType<typeof certificateOf>): () => SecureContext | null {
  if (files === undefined) return () => null
  let context = createSecureContext(files.read())
  return () => {
    const renewed = files.renewed()
    if (renewed !== undefined) context = createSecureContext(renewed)
    return context
  }
}

class OpenFtpDoor implements FtpDoor {
  address = ''
  readonly #world: DoorWorld
  readonly #closing: AbortController
  readonly #server: Server
  readonly #sessions = new Set<Promise<void>>()
  #closed: Promise<void> | undefined

  constructor(closing: AbortController, world: DoorWorld) {
    this.#world = world
    this.#closing = closing
    this.#server = createServer({ noDelay: true }, (socket) => this.#take(socket))
  }

  async listen(place: Address): Promise<void> {
    this.address = await listenAt(this.#server, place, 'an FTP door')
  }

  async reload(): Promise<void> {
    await this.#world.tokens.reload?.()
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#world.tokens.close?.()
    this.#closing.abort(new FrError('ERR_FR_CLOSED'))
    for (const socket of this.#world.sockets) socket.destroy()
    await Promise.all(this.#sessions)
    for (const socket of this.#world.sockets) socket.destroy()
    // Each has a moment to take its last answer.
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #take(socket: Socket): void {
    const { admission } = this.#world
    socket.on('error', () => socket.destroy())
    const address = plainIp(socket.remoteAddress)
    const refusal = address === '' ? 'it is gone' : admission.enter(address)
    if (refusal !== null) {
      // Who is refused is not waited for.
      socket.write(`421 ${refusal}\r\n`, () => socket.destroySoon())
      socket.resume()
      return
    }
    socket.once('close', () => admission.leave(address))
    const session = new Session(this.#world, socket).run()
    this.#sessions.add(session)
    void session.finally(() => this.#sessions.delete(session))
  }
}
