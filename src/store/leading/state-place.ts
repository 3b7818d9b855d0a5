/**
 * Where several masters keep their state: `nats://HOST:PORT[,HOST:PORT]/BUCKET`, and in a file, in
 * JSON, how to get in. What is secret is in that file only, which others may not read.
 */
import { readFile, stat } from 'node:fs/promises'
import { FrError } from '../../base/errors.js'
import { limits } from '../../base/limits.js'
import { type Fields, parseObject } from '../../protocol/fields.js'

export interface StatePlace {
  /** URLs. */
  readonly servers: readonly string[]
  readonly bucket: string
  /** Servers that have it: 1, 3 or 5. */
  readonly replicas: number
  readonly user?: string
  readonly password?: string
  readonly token?: string
  /** Path of credentials of NATS (`.creds`). */
  readonly credentialsFile?: string
  /** Null: as the server wants it. */
  readonly tls: StateTls | null
}

export interface StateTls {
  /** Paths. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  /** In the certificates of the servers; by default their hosts. */
  readonly name?: string
}

const usualBucket = 'fastreplica'
const urlPattern = /^(nats|tls):\/\/([^/?#]+)(?:\/([^/?#]*))?$/
const serverPattern = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:@[\]]+)(?::\d{1,5})?$/
const bucketPattern = /^[A-Za-z0-9_-]+$/

/** Throws TypeError, which says what is wrong and never what may be secret. */
export function statePlaceIn(text: string): StatePlace {
  const [, scheme, hosts = '', bucket = ''] = urlPattern.exec(text) ?? []
  if (hosts.includes('@'))
    throw new TypeError('state holds a user or a token: these are given in a file')
  const servers = hosts.split(',')
  if (scheme === undefined || !servers.every((one) => serverPattern.test(one)))
    throw new TypeError('state is not nats://HOST:PORT[,HOST:PORT][/BUCKET]')
  if (servers.length > limits.stateServers)
    throw new TypeError(`state names more than ${limits.stateServers} servers`)
  const name = bucket === '' ? usualBucket : bucket
  if (!bucketPattern.test(name) || name.length > limits.bucketChars)
    throw new TypeError('the bucket of state is not of letters, digits, - and _')
  const tls = scheme === 'tls' ? {} : null
  return { servers: servers.map((one) => `${scheme}://${one}`), bucket: name, replicas: 1, tls }
}

/** What the file says beside the URL. Rejects with ERR_FR_KEY. */
export async function withStateFile(place: StatePlace, path: string): Promise<StatePlace> {
  const refuse = (why: string, cause?: unknown): FrError =>
    new FrError('ERR_FR_KEY', `${path}: ${why}`, { path, cause })
  let bytes: Uint8Array
  try {
    const { mode, size } = await stat(path)
    if ((mode & 0o007) !== 0) throw refuse('others may read it (chmod 600)')
    if (size > limits.stateHeadBytes) throw refuse('it is too long')
    bytes = await readFile(path)
  } catch (error) {
    throw error instanceof FrError ? error : refuse((error as Error).message, error)
  }
  try {
    return { ...place, ...fileIn(parseObject(bytes, 'state'), place.tls) }
  } catch (error) {
    throw refuse((error as Error).message)
  }
}

const words = ['user', 'password', 'token', 'credentialsFile'] as const
const ofTls = ['ca', 'cert', 'key', 'name'] as const
const chars = 4_096

function fileIn(fields: Fields, tls: StatePlace['tls']): Partial<StatePlace> {
  const replicas = fields.has('replicas') ? fields.integer('replicas', 1, 5) : 1
  if (replicas % 2 === 0) fields.refuse('replicas', 'is not 1, 3 or 5')
  const files = fields.has('tls') ? textsIn(fields.object('tls'), ofTls) : tls
  return { replicas, tls: files, ...textsIn(fields, words) }
}

function textsIn<N extends string>(fields: Fields, names: readonly N[]): { [P in N]?: string } {
  const found = names.filter((name) => fields.has(name))
  return Object.fromEntries(found.map((name) => [name, fields.string(name, chars)])) as {
    [P in N]?: string
  }
}
