/**
 * A key-value bucket of NATS JetStream. The packages that speak to it are loaded here only, when
 * one is opened.
 *
 * The idea: the bucket is asked where its changes are ordered, never a copy (`allow_direct` is
 * off), and each request has its time. A connection that breaks is made again by the library;
 * requests that wait for it meanwhile have failed, even where they arrive later: what replaces the
 * head names the revision that it replaces, and what is put is put under its own name.
 */
import { readFile } from 'node:fs/promises'
import { checkServerIdentity as hasName, type PeerCertificate } from 'node:tls'
import type { JetStreamManager } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import type { Authenticator, NatsConnection, NodeConnectionOptions } from '@nats-io/transport-node'
import { FrError, type FrErrorCode } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import type { Bucket, StoredHead } from './bucket.js'
import type { StatePlace } from './state-place.js'

const head = 'head'
/** Of answers that JetStream gives: https://github.com/nats-io/nats-server errors.json. */
const wrongLastRevision = 10_071
const wrongLastRevisionUnknown = 10_164
const outOfSpace: readonly number[] = [10_023, 10_047, 10_054, 10_077]
const notEnabled: readonly number[] = [10_039, 10_076]

export class NatsBucket implements Bucket {
  readonly #connection: NatsConnection
  readonly #kv: KV
  readonly #manager: JetStreamManager
  readonly #stream: string

  private constructor(connection: NatsConnection, kv: KV, manager: JetStreamManager, name: string) {
    this.#connection = connection
    this.#kv = kv
    this.#manager = manager
    this.#stream = name
  }

  /**
   * Makes the bucket where there is none. Rejects with ERR_FR_UNREACHABLE, ERR_FR_AUTH,
   * ERR_FR_UNSUPPORTED (a server without JetStream), ERR_FR_NO_SPACE, ERR_FR_KEY (a file of it).
   */
  static async open(place: StatePlace): Promise<NatsBucket> {
    const [{ connect, credsAuthenticator }, { jetstream, jetstreamManager }, { Kvm }] =
      await Promise.all([
        import('@nats-io/transport-node'),
        import('@nats-io/jetstream'),
        import('@nats-io/kv'),
      ])
    const options = await connectionOf(place, credsAuthenticator)
    const connection = await connect(options).catch((error: unknown) => {
      throw failureOf(error, place)
    })
    // Without it a server that says why it ends the connection is a warning on stderr.
    connection.closed().catch(() => {})
    try {
      const timeout = limits.leaseRequestMs
      const client = jetstream(connection, { timeout })
      const kv = await new Kvm(client).create(place.bucket, {
        ...{ history: 1, allow_direct: false, replicas: place.replicas },
        ...{
          max_bytes: limits.stateBucketBytes,
          maxValueSize: limits.statePieceBytes + spareBytes,
        },
        description: 'state of masters of fastreplica',
      })
      const manager = await jetstreamManager(connection, { timeout: limits.acceptMs })
      return new NatsBucket(connection, kv, manager, `KV_${place.bucket}`)
    } catch (error) {
      await connection.close()
      throw failureOf(error, place)
    }
  }

  async head(): Promise<StoredHead | null> {
    const found = await this.#answered(this.#kv.get(head))
    if (found === null) return null
    // Of one that somebody has deleted the revision counts, too.
    return { revision: found.revision, bytes: found.operation === 'PUT' ? found.value : nothing }
  }

  replaceHead(bytes: Uint8Array, revision: number): Promise<number> {
    const how = { previousSeq: revision, timeout: limits.leaseRequestMs }
    return this.#answered(this.#kv.put(head, bytes, how))
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#answered(this.#kv.put(key, bytes))
  }

  async get(key: string): Promise<Uint8Array | null> {
    const found = await this.#answered(this.#kv.get(key))
    return found === null || found.operation !== 'PUT' ? null : found.value
  }

  async generations(): Promise<string[]> {
    const found = new Set<string>()
    for await (const key of await this.#answered(this.#kv.keys('>'))) {
      const [generation] = key.split('.')
      if (generation !== undefined && key !== head) found.add(generation)
    }
    return [...found]
  }

  async clear(generation: string): Promise<void> {
    const filter = `$KV.${this.#stream.slice('KV_'.length)}.${generation}.>`
    await this.#answered(this.#manager.streams.purge(this.#stream, { filter }))
  }

  async close(): Promise<void> {
    await this.#connection.close()
  }

  async #answered<T>(asked: Promise<T>): Promise<T> {
    try {
      return await asked
    } catch (error) {
      throw failureOf(error, null)
    }
  }
}

const nothing = new Uint8Array()
/** Beside a value, for its headers. */
const spareBytes = 4_096

type CredsAuthenticator = (creds: Uint8Array) => Authenticator

async function connectionOf(
  place: StatePlace,
  credentials: CredsAuthenticator,
): Promise<NodeConnectionOptions> {
  const { servers, user, password: pass, token, credentialsFile, tls } = place
  const files = async () => {
    if (tls === null) return {}
    const [ca, cert, key] = await Promise.all([read(tls.ca), read(tls.cert), read(tls.key)])
    const { name: servername } = tls
    return { tls: { ...given({ ca, cert, key, servername }), ...checkedFor(namesOf(place)) } }
  }
  const authenticator =
    credentialsFile === undefined ? undefined : await credentialsIn(credentialsFile, credentials)
  return {
    ...{ servers: [...servers], name: 'fastreplica master', timeout: limits.acceptMs },
    ...{ maxReconnectAttempts: -1, reconnectTimeWait: limits.leaseRetryMs, pingInterval: 5_000 },
    ...{ reconnectJitter: limits.leaseRetryMs, maxPingOut: 2, ignoreAuthErrorAbort: true },
    ...given({ user, pass, token }),
    ...given({ authenticator }),
    ...(await files()),
  }
}

/** Rejects with ERR_FR_KEY where it is none, and not only when a server asks for it. */
async function credentialsIn(
  path: string,
  credentials: CredsAuthenticator,
): Promise<Authenticator> {
  const authenticator = credentials(Buffer.from((await read(path)) ?? ''))
  try {
    authenticator('nonce')
    return authenticator
  } catch {
    // What the library says might show what is secret.
    throw new FrError('ERR_FR_KEY', `${path}: it is no file of credentials of NATS (.creds)`, {
      path,
    })
  }
}

/** The library compares with the name of a host alone, and for an address with `localhost`. */
function checkedFor(names: readonly string[]) {
  const checkServerIdentity = (_: string, certificate: PeerCertificate): Error | undefined => {
    const faults = names.map((name) => hasName(name, certificate))
    return faults.includes(undefined) ? undefined : faults[0]
  }
  return { checkServerIdentity }
}

function namesOf({ servers, tls }: StatePlace): string[] {
  const hosts = servers.map((server) => new URL(server).hostname.replace(/^\[|\]$/g, ''))
  return tls?.name === undefined ? hosts : [tls.name]
}

async function read(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new FrError('ERR_FR_KEY', `${path}: ${(cause as Error).message}`, { cause, path })
  }
}

function given<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> }
}

function failureOf(error: unknown, place: StatePlace | null): FrError {
  if (error instanceof FrError) return error
  const { name, message, code } = error as Error & { code?: unknown }
  const where = place === null ? 'NATS' : `NATS at ${place.servers.join(', ')}`
  const say = (as: FrErrorCode, text: string): FrError =>
    new FrError(as, `${where}: ${text}`, { cause: error })
  if (code === wrongLastRevision || code === wrongLastRevisionUnknown)
    return say('ERR_FR_NOT_LEADING', 'another master was sooner')
  if (name === 'AuthorizationError' || name === 'UserAuthenticationExpiredError')
    return say('ERR_FR_AUTH', `it refuses who asks (${message})`)
  if (isOfCertificate(error)) return say('ERR_FR_AUTH', `its certificate is not taken (${message})`)
  if (name === 'PermissionViolationError') return say('ERR_FR_AUTH', message)
  if (name === 'JetStreamNotEnabled' || notEnabled.includes(Number(code)))
    return say('ERR_FR_UNSUPPORTED', 'JetStream is not enabled there')
  if (outOfSpace.includes(Number(code))) return say('ERR_FR_NO_SPACE', message)
  return say('ERR_FR_UNREACHABLE', name === 'TimeoutError' ? 'no answer in time' : message)
}

/** Of OpenSSL and of Node, where a certificate is checked. */
const certificateCodes =
  /^(CERT_|UNABLE_TO_(VERIFY|GET_ISSUER)|(DEPTH_ZERO_)?SELF_SIGNED|ERR_TLS_CERT_ALTNAME)/

function isOfCertificate(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as Error & { code?: unknown }
    if (typeof code === 'string' && certificateCodes.test(code)) return true
  }
  return false
}
