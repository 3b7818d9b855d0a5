/** `get`: one file, or a tree, from the nodes that hold it. */

import { Writable } from 'node:stream'
import { openEngine } from '../agent/engines.js'
import { textOf } from '../base/bytes.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { type Logger, safeLogger } from '../base/log.js'
import { nameFault, splitName } from '../base/names.js'
import { nowMs } from '../base/time/awake.js'
import type { FetchRange } from '../control/fetching/events.js'
import { WorkerHashPool } from '../engine/hashing/pool.js'
import { requireAddressText } from '../net/address.js'
import { selfOf, signerOf } from '../net/crypto.js'
import type { Self } from '../net/handshake.js'
import type { Key } from '../net/keys.js'
import { Resolver } from '../net/resolver.js'
import { FetchRun, type FetchView } from '../session/fetch/fetch-run.js'
import { FollowRun } from '../session/fetch/follow-run.js'
import { TreeFetch, type TreeFetchView } from '../session/fetch/tree-fetch.js'
import { PoolWork } from '../session/receiver/held-work.js'
import { clientKey } from '../store/identity.js'
import { checkAttributes } from './attributes.js'
import {
  oneOf,
  optionalInteger,
  requireBoolean,
  requireFunction,
  requireSignal,
  requireText,
} from './checks.js'
import { checkCredentials, credentialsOf } from './credentials.js'
import { isPublishedAt, onceThere } from './get-arriving.js'
import { GlobFetch, type Match, matchesOf } from './get-glob.js'
import { GetObject } from './get-object.js'
import { carriedOut, type Running, type Seen } from './get-running.js'
import { checkGlob } from './held-name.js'
import { requireOptions } from './option-names.js'
import { checkFlows, engines } from './options.js'
import { sealOf } from './seal.js'
import type { Get, GetOptions, GetProgress, GetResult, StatusOptions } from './types.js'

interface CheckedGet {
  readonly name: Uint8Array
  readonly holders: readonly string[]
  /** Undefined: the last component of the name, or of a pattern the working directory. */
  readonly output: string | Writable | undefined
  readonly range: FetchRange | null
  readonly force: boolean
  readonly follow: boolean
  readonly key: Key
  readonly engine: 'native' | 'portable' | undefined
  readonly timeoutMs: number | null
  readonly flows: number | undefined
  readonly sealing: Pick<Self, 'seal'>
  readonly claims: Pick<Self, 'attributes'>
  /** The name is a pattern. */
  readonly glob: boolean
  /** For a question to a node. */
  readonly asking: StatusOptions
}

/**
 * Fetches a file that nodes hold, from all of them at once, or a tree, part after part from one of
 * them, each block verified. Returns at once.
 * Misuse throws TypeError, a name that no node can hold ERR_FR_NAME, an unusable key ERR_FR_KEY.
 */
export function get(name: string | Uint8Array, options: GetOptions): Get {
  const checked = checkGet(name, options)
  const log = safeLogger(options.logger)
  const object = new GetObject()
  const signals = options.signal === undefined ? [] : [options.signal]
  const signal = AbortSignal.any([object.signal, ...signals])
  object.settle(run(checked, log, signal, (progress) => object.show(progress)))
  return object
}

async function run(
  checked: CheckedGet,
  log: Logger,
  signal: AbortSignal,
  show: (progress: GetProgress) => void,
): Promise<GetResult> {
  await Promise.resolve()
  signal.throwIfAborted()
  const { engine, router } = await openEngine(checked.engine, log)
  const pool = new WorkerHashPool()
  try {
    const signer = signerOf(await clientKey())
    const self = { ...selfOf(signer), ...checked.sealing, ...checked.claims }
    const { connectMs } = limits
    const dialler = { keys: [checked.key], self, connectMs, resolver: new Resolver() }
    const { name, holders, output, range, force, timeoutMs, flows, glob, follow } = checked
    const spec = { name, holders, timeoutMs, flows, dialler, log }
    const tell = (view: Seen): void => show(progressOf(view, name))
    const work = new PoolWork(engine, pool, signer)
    const fileTo = (to: string | Writable, more = spec): FetchRun =>
      new FetchRun(engine, router, pool, {
        ...{ ...more, output: to, range, force, isFollowing: follow },
      })
    const treeTo = (to: string, more = spec): TreeFetch =>
      new TreeFetch(engine, router, pool, work, { ...more, output: to })
    const fetchMatching = (to: string, matches: readonly Match[]): Promise<TreeFetchView> => {
      const startMs = nowMs()
      const begin = (match: Match, path: string): Running<Seen> => {
        const leftMs = timeoutMs && Math.max(1, Math.ceil(timeoutMs - (nowMs() - startMs)))
        const one = { ...spec, name: match.name, timeoutMs: leftMs }
        return match.isTree ? treeTo(path, one) : fileTo(path, one)
      }
      return carriedOut(new GlobFetch({ output: to, holders, matches, begin }), tell, signal)
    }
    const fetchNamed = (to: string | Writable): Promise<FetchView | TreeFetchView> =>
      carriedOut<FetchView>(fileTo(to), tell, signal).catch((error: unknown) => {
        const isOther = error instanceof FrError && error.code === 'ERR_FR_UNSUPPORTED'
        if (!isOther || range !== null || typeof to !== 'string') throw error
        return carriedOut<TreeFetchView>(treeTo(to), tell, signal)
      })
    const asking = { ...checked.asking, signal }
    const matches = glob ? await matchesOf(holders, name, asking) : null
    if (matches !== null) {
      const to = directoryOf(output)
      return resultOf(await fetchMatching(to, matches), name, to)
    }
    const to = output ?? lastOf(name)
    if (follow) {
      const isComing = () => isPublishedAt(holders, name, asking)
      const begin = () => new FollowRun(engine, router, pool, { ...spec, output: to, force })
      const carry = (running: FollowRun) => carriedOut(running, tell, signal)
      const followed = await onceThere(begin, carry, isComing, signal)
      // Null: it is written no more, and is fetched like any other, also while it comes there.
      if (followed !== null) return resultOf(followed, name, typeof to === 'string' ? to : null)
    }
    return resultOf(await fetchNamed(to), name, typeof to === 'string' ? to : null)
  } finally {
    await pool.close()
    await engine.shutdown()
  }
}

function progressOf(view: Seen, name: Uint8Array): GetProgress {
  const { bytes, verifiedBytes, foundBytes, seconds, holders } = view
  const fetchedBytes = verifiedBytes - foundBytes
  const rate = seconds > 0 ? fetchedBytes / seconds : 0
  const left = bytes === null ? null : bytes - verifiedBytes
  return {
    event: 'progress',
    name: Buffer.from(name).toString('utf8'),
    bytes,
    verifiedBytes,
    foundBytes,
    seconds,
    rateBytesPerSecond: rate,
    etaSeconds: left === null || rate === 0 ? null : left / rate,
    holders,
  }
}

function resultOf(
  view: FetchView | TreeFetchView,
  name: Uint8Array,
  output: string | null,
): GetResult {
  const { bytes, foundBytes, seconds, digest, holders } = view
  return {
    event: 'result',
    name: Buffer.from(name).toString('utf8'),
    output,
    bytes: bytes ?? 0,
    foundBytes,
    seconds,
    from: holders.map(({ holder, bytes, reason }) => ({ holder, bytes, reason })),
    digest,
    ...('tree' in view && { tree: view.tree }),
  }
}

function checkGet(name: string | Uint8Array, options: GetOptions): CheckedGet {
  requireOptions('get', options)
  const { from, output, range, force, glob, follow } = options
  if (!Array.isArray(from)) throw new TypeError('from must be a list of addresses')
  const holders = from.map((address, i) => requireAddressText(address, `from[${i}]`))
  if (holders.length === 0) throw new TypeError('from must name at least one node')
  if (holders.length > limits.fetchHolders)
    throw new TypeError(`from must name at most ${limits.fetchHolders} nodes`)
  if (new Set(holders.map((holder) => holder.toLowerCase())).size < holders.length)
    throw new TypeError('from names a node twice')
  requireBoolean('force', force)
  requireBoolean('glob', glob)
  requireBoolean('follow', follow)
  requireSignal(options.signal)
  requireFunction('logger', options.logger)
  const isGlob = glob === true
  const bytes = isGlob ? checkGlob(name) : checkName(name)
  if (isGlob && range !== undefined) throw new TypeError('range is not possible with glob')
  if (follow === true && (isGlob || range !== undefined))
    throw new TypeError(`${isGlob ? 'glob' : 'range'} is not possible with follow`)
  return {
    name: bytes,
    holders,
    output: checkOutput(output, bytes, isGlob),
    range: checkRange(range),
    force: force ?? false,
    follow: follow ?? false,
    key: checkCredentials(options),
    engine: oneOf('engine', options.engine, engines),
    timeoutMs: optionalInteger('timeoutMs', options.timeoutMs, 1, limits.timeoutMsMax) ?? null,
    flows: checkFlows(options.flows),
    sealing: sealOf(options),
    claims: checkAttributes(options.attributes, undefined),
    glob: isGlob,
    asking: credentialsOf(options),
  }
}

function checkName(name: string | Uint8Array): Uint8Array {
  if (typeof name !== 'string' && !(name instanceof Uint8Array))
    throw new TypeError('name must be a string or a Uint8Array')
  const bytes = typeof name === 'string' ? new TextEncoder().encode(name) : Uint8Array.from(name)
  const fault = nameFault(bytes)
  if (fault === null) return bytes
  throw new FrError('ERR_FR_NAME', `no node holds ${JSON.stringify(String(name))}: ${fault}`)
}

function checkOutput(
  output: string | Writable | undefined,
  name: Uint8Array,
  isGlob: boolean,
): string | Writable | undefined {
  if (output instanceof Writable && isGlob) throw new TypeError('output must be a directory')
  if (output instanceof Writable) return output
  if (output !== undefined) requireText('output', output)
  else if (!isGlob) lastOf(name)
  // Into a directory, under its own name.
  return output?.endsWith('/') && !isGlob ? output + lastOf(name) : output
}

/** The last component of a name. */
function lastOf(name: Uint8Array): string {
  const last = textOf(splitName(Buffer.from(name)).at(-1) as Buffer)
  if (last === null) throw new TypeError('output must name a file: the name is not UTF-8')
  return last
}

function directoryOf(output: string | Writable | undefined): string {
  return typeof output === 'string' ? output : '.'
}

function checkRange(range: GetOptions['range']): FetchRange | null {
  if (range === undefined) return null
  if (typeof range !== 'object' || range === null) throw new TypeError('range must be an object')
  const first = optionalInteger('range.first', range.first, 0)
  const last = optionalInteger('range.last', range.last, first ?? 0)
  if (first === undefined || last === undefined)
    throw new TypeError('range must have first and last')
  return { first, last }
}
