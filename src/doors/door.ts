/**
 * The HTTP door of a node or a master: a server that is off until asked for, and what stands
 * behind it. Each request passes the guard (guard.ts), gets its name (tokens.ts), and is offered to
 * the mounts in their order; what none of them takes is not there.
 *
 * Mounts get Node's own request and response, because bytes of files leave through the addon. One
 * door is one server with bounds of its own: what its clients do costs the node no more than that.
 */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { admitUser } from '../api/authorized.js'
import { credentialsOf } from '../api/credentials.js'
import type { ServerCertificate } from '../api/server-certificate.js'
import type { Credentials, FrNode, LogLine } from '../api/types.js'
import type { Address } from '../base/addresses.js'
import { doorLimits } from '../base/door-limits.js'
import { expectsContinue } from './continue.js'
import { masterApi, type NodeApiOptions, nodeApi } from './control/index.js'
import { checkOrigins, letPage } from './cors.js'
import {
  certificateOf,
  demandsAt,
  failuresTo,
  leastOf,
  listenAt,
  placeOf,
  reachOf,
  tokensFor,
} from './entrance.js'
import { checkPeers } from './files/metalink.js'
import { filesMount } from './files/mount.js'
import { checkRequest, type HostNames, plainHost } from './guard.js'
import { healthMount } from './health.js'
import { hubMount } from './hub/mount.js'
import { metricsMount } from './metrics/mount.js'
import type { Behind, Mount } from './mount.js'
import { registryMount } from './oci/mount.js'
import { pageMount } from './page.js'
import { HttpError, problemOf, problemType, sendProblem } from './problem.js'
import { connectionsMax } from './room.js'
import { type Tokens, whoAsks } from './tokens.js'

/** `key` or `tls` are those of the node or master. */
export interface DoorOptions extends Credentials {
  /** HOST:PORT; port 0 picks a free one. */
  listen: string
  /** Names by which the door is reached, beside its addresses, `localhost` and the machine's. */
  hosts?: readonly string[]
  /** Directories of this machine of which files may be sent to others; default: none. */
  sources?: readonly string[]
  /**
   * Path of a list of tokens with their rights, read again when it changes; then no other counts,
   * and whoever has none may only what its line `*` says. Default: the token of the key.
   */
  tokens?: string
  /**
   * HOST:PORT or URLs of doors of other nodes that may have the same files: `NAME.meta4` names
   * those that have.
   */
  peers?: readonly string[]
  /** Readers of files that take less are cut off, unless the node is limited; default 1,024. */
  leastBytesPerSecond?: number
  /** Origins of pages (`https://HOST[:PORT]`) whose scripts may use the door; default: none. */
  origins?: readonly string[]
  /**
   * HTTPS in place of HTTP: files of a certificate, with those between it and its authority, and of
   * its private key, in PEM. They are read again when they change.
   */
  https?: { readonly cert: string; readonly key: string }
  logger?: (line: LogLine) => void
}

export interface Door extends AsyncDisposable {
  /** HOST:PORT. */
  readonly address: string
  /** Reads the list of tokens again. Rejects with ERR_FR_PEERS, and what was read before counts. */
  reload(): Promise<void>
  /** Ends all connections; resolves when nothing of it is left. Idempotent. */
  close(): Promise<void>
}

/**
 * Resolves when the door is open. Rejects with TypeError for misuse, ERR_FR_LISTEN,
 * ERR_FR_CERTIFICATE, ERR_FR_PEERS for a list of tokens that cannot be used, and ERR_FR_OPEN where
 * it would be open to everybody.
 */
export async function openDoor(behind: Behind, options: DoorOptions): Promise<Door> {
  const listen = placeOf(options.listen)
  const { hosts = [], sources = [], logger = () => {} } = options
  const peers = checkPeers(options.peers ?? [])
  if (hosts.length > doorLimits.hosts) throw new TypeError(`hosts: at most ${doorLimits.hosts}`)
  if (sources.length > doorLimits.sources)
    throw new TypeError(`sources: at most ${doorLimits.sources}`)
  const origins = checkOrigins(options.origins ?? [])
  const leastBytesPerSecond = leastOf(options.leastBytesPerSecond)
  const reach = reachOf(options, listen)
  const names = new Set([hostname(), listen.host, ...hosts].map(plainHost))
  const failed = failuresTo(logger, 'http-failed')
  const certificate = certificateOf(options.https, 'https', logger)
  const server = serverOf(certificate)
  const tokens = await tokensFor(options.tokens, reach, logger)
  const credentials = credentialsOf(options)
  const directories = sources.map((one) => resolve(one))
  const asked = { credentials, sources: directories, peers, leastBytesPerSecond, failed }
  await admitUser('node' in behind ? behind.node : behind.master)
  const mounts = mountsOf(behind, asked)
  if (certificate === undefined && !reach.isLocal) {
    const text = 'tokens and files pass in the clear: give the door a certificate (--http-cert)'
    logger({ level: 'warn', event: 'http-plain', fields: { text } })
  }
  const most = await connectionsMax()
  const door = new OpenDoor({ server, tokens, names, origins, mounts, failed, most })
  try {
    await door.listen(listen)
    return door
  } catch (error) {
    await door.close()
    throw error
  }
}

/** In the order in which they are asked. */
function mountsOf(behind: Behind, options: NodeApiOptions & ReadsOptions): readonly Mount[] {
  const own =
    'node' in behind ? mountsOfNode(behind.node, options) : [masterApi(behind.master, options)]
  const metrics = metricsMount(behind, options.credentials)
  return [healthMount(behind), metrics, ...own, pageMount(behind)]
}

interface ReadsOptions {
  readonly peers: readonly string[]
  readonly leastBytesPerSecond: number
}

function mountsOfNode(
  node: FrNode,
  { peers, leastBytesPerSecond, ...options }: NodeApiOptions & ReadsOptions,
): readonly Mount[] {
  const { credentials } = options
  const demands = demandsAt(node, leastBytesPerSecond)
  return [
    filesMount(node, { credentials, peers, demands }),
    registryMount(node, demands),
    hubMount(node, demands),
    nodeApi(node, options),
  ]
}

const serverOptions: ServerOptions = {
  maxHeaderSize: doorLimits.headerBytes,
  headersTimeout: doorLimits.headersMs,
  // A body may take as long as it moves: whoever reads it sees to that.
  requestTimeout: 0,
  keepAliveTimeout: doorLimits.keepAliveMs,
  connectionsCheckingInterval: 2_000,
  requireHostHeader: false,
}

/** Throws ERR_FR_CERTIFICATE. */
function serverOf(certificate: ServerCertificate | undefined): Server {
  if (certificate === undefined) return createServer(serverOptions)
  const handshakeTimeout = doorLimits.headersMs
  const server = createTlsServer({ ...serverOptions, ...certificate.read(), handshakeTimeout })
  server.prependListener('connection', () => {
    const renewed = certificate.renewed()
    if (renewed !== undefined) server.setSecureContext(renewed)
  })
  return server
}

interface Asked {
  readonly request: IncomingMessage
  readonly response: ServerResponse
}

interface OpenDoorSpec {
  readonly server: Server
  readonly tokens: Tokens
  readonly names: HostNames
  readonly origins: ReadonlySet<string>
  readonly mounts: readonly Mount[]
  readonly failed: (error: unknown) => void
  /** Connections that are served. */
  readonly most: number
}

class OpenDoor implements Door {
  address = ''
  readonly #server: Server
  readonly #mounts: readonly Mount[]
  readonly #tokens: Tokens
  readonly #names: HostNames
  readonly #origins: ReadonlySet<string>
  readonly #failed: (error: unknown) => void
  readonly #most: number
  readonly #sockets = new Set<Socket>()
  /** What is asked on each that has asked anything, the newest. */
  readonly #asked = new WeakMap<Socket, Asked>()
  #closing: Promise<void> | undefined

  constructor({ server, tokens, names, origins, mounts, failed, most }: OpenDoorSpec) {
    this.#origins = origins
    this.#server = server
    this.#tokens = tokens
    this.#names = names
    this.#mounts = mounts
    this.#failed = failed
    this.#most = most
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#answer(request, response)
    })
    this.#server.maxHeadersCount = 0
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      expectsContinue(request)
      this.#answer(request, response)
    })
    this.#server.timeout = doorLimits.idleMs
    this.#server.on('timeout', (socket: Socket) => this.#idle(socket))
    this.#server.maxConnections = most + doorLimits.connectionsOverMax
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    this.#server.on('clientError', refuseMalformed)
  }

  async listen(place: Address): Promise<void> {
    this.address = await listenAt(this.#server, place, 'a door')
  }

  async reload(): Promise<void> {
    await this.#tokens.reload?.()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#tokens.close?.()
    for (const mount of this.#mounts) await mount.close?.()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** A client that has sent all and takes what comes waits for the door: it may wait on. */
  #idle(socket: Socket): void {
    const { request, response } = this.#asked.get(socket) ?? {}
    const isWaiting = request?.complete === true && response?.writableFinished === false
    if (isWaiting && response.writableLength === 0) socket.setTimeout(doorLimits.idleMs)
    else socket.destroy()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.#asked.set(request.socket, { request, response })
    response.once('finish', () => endRest(request))
    response.setHeader('x-content-type-options', 'nosniff')
    try {
      if (this.#sockets.size > this.#most) throw overfull()
      checkRequest(request, this.#names, this.#origins)
      if (letPage(request, response, this.#origins)) return
      const who = whoAsks(request, this.#tokens)
      for (const mount of this.#mounts) if (mount.handle(request, response, who)) return
      throw new HttpError(404, 'ERR_FR_REQUEST', 'there is nothing at this path')
    } catch (error) {
      const { status } = problemOf(error)
      if (status >= 500 && !(error instanceof HttpError)) this.#failed(error)
      sendProblem(response, error)
    }
  }
}

function overfull(): HttpError {
  const headers = { 'retry-after': '1', connection: 'close' }
  return new HttpError(503, 'ERR_FR_LIMIT', 'the door has as many connections as it may', headers)
}

/** What comes of a request that is answered is read for a moment, then the connection ends. */
function endRest(request: IncomingMessage): void {
  if (request.complete) return
  const { socket } = request
  const timer = setTimeout(() => {
    if (!request.complete) socket.destroy()
  }, doorLimits.lingerMs)
  socket.once('close', () => clearTimeout(timer))
}

/** No request could be read. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  // What fails before it is encrypted has no words for the other side.
  const isBare = /^ERR_(?:SSL|TLS)_/.test(error.code ?? '')
  if (!socket.writable || error.code === 'ECONNRESET' || isBare) {
    socket.destroy()
    return
  }
  const [status, code] = malformed[error.code ?? ''] ?? ([400, 'ERR_FR_REQUEST'] as const)
  const text = `the request cannot be read (${error.code ?? 'unknown'})`
  const body = JSON.stringify(problemOf(new HttpError(status, code, text)))
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    ...[`content-type: ${problemType}`, `content-length: ${Buffer.byteLength(body)}`],
    ...['connection: close', '', body],
  ]
  socket.end(lines.join('\r\n'), () => socket.destroy())
}

const malformed: Readonly<Record<string, readonly [number, 'ERR_FR_LIMIT' | 'ERR_FR_TIMEOUT']>> = {
  HPE_HEADER_OVERFLOW: [431, 'ERR_FR_LIMIT'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'ERR_FR_LIMIT'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'ERR_FR_TIMEOUT'],
}
