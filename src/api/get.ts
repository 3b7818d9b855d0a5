/** `get`: one file from the nodes that hold it. */
import { Writable } from 'node:stream'
import { openEngine } from '../agent/engines.js'
import { textOf } from '../base/bytes.js'
import { FrError } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { type Logger, safeLogger } from '../base/log.js'
import { nameFault, splitName } from '../base/names.js'
import type { FetchRange } from '../control/fetching/events.js'
import { WorkerHashPool } from '../engine/hashing/pool.js'
import { requireAddressText } from '../net/address.js'
import { selfOf, signerOf } from '../net/crypto.js'
import type { Key } from '../net/keys.js'
import { Resolver } from '../net/resolver.js'
import { FetchRun, type FetchView } from '../session/fetch/fetch-run.js'
import { clientKey } from '../store/identity.js'
import {
  oneOf,
  optionalInteger,
  requireBoolean,
  requireFunction,
  requireSignal,
  requireText,
} from './checks.js'
import { GetObject } from './get-object.js'
import { requireOptions } from './option-names.js'
import { checkFlows, checkKey, engines } from './options.js'
import type { Get, GetOptions, GetProgress, GetResult } from './types.js'

const progressMs = 250

interface CheckedGet {
  readonly name: Uint8Array
  readonly holders: readonly string[]
  readonly output: string | Writable
  readonly range: FetchRange | null
  readonly force: boolean
  readonly key: Key
  readonly engine: 'native' | 'portable' | undefined
  readonly timeoutMs: number | null
  readonly flows: number | undefined
}

/**
 * Fetches a file that nodes hold, from all of them at once, each block verified. Returns at once.
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
    const self = selfOf(signerOf(await clientKey()))
    const { connectMs } = limits
    const dialler = { keys: [checked.key], self, connectMs, resolver: new Resolver() }
    const { name, holders, output, range, force, timeoutMs, flows } = checked
    const spec = { name, holders, output, range, force, timeoutMs, flows, dialler, log }
    const running = new FetchRun(engine, router, pool, spec)
    const tell = (): void => show(progressOf(running.view(), checked.name))
    const ticking = setInterval(tell, progressMs)
    const onAbort = (): void => running.cancel('the fetch was cancelled')
    const viewed = running.run()
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      const view = await viewed
      tell()
      return resultOf(view, checked)
    } catch (error) {
      // The caller cancelled, so it gets its own reason.
      if (error instanceof FrError && error.code === 'ERR_FR_ABORTED') signal.throwIfAborted()
      throw error
    } finally {
      clearInterval(ticking)
      signal.removeEventListener('abort', onAbort)
    }
  } finally {
    await pool.close()
    await engine.shutdown()
  }
}

function progressOf(view: FetchView, name: Uint8Array): GetProgress {
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

function resultOf(view: FetchView, { name, output }: CheckedGet): GetResult {
  const { bytes, foundBytes, seconds, digest, holders } = view
  return {
    event: 'result',
    name: Buffer.from(name).toString('utf8'),
    output: typeof output === 'string' ? output : null,
    bytes: bytes ?? 0,
    foundBytes,
    seconds,
    from: holders.map(({ holder, bytes, reason }) => ({ holder, bytes, reason })),
    digest: digest as string,
  }
}

function checkGet(name: string | Uint8Array, options: GetOptions): CheckedGet {
  requireOptions('get', options)
  const { from, output, range, force } = options
  if (!Array.isArray(from)) throw new TypeError('from must be a list of addresses')
  const holders = from.map((address, i) => requireAddressText(address, `from[${i}]`))
  if (holders.length === 0) throw new TypeError('from must name at least one node')
  if (holders.length > limits.fetchHolders)
    throw new TypeError(`from must name at most ${limits.fetchHolders} nodes`)
  if (new Set(holders.map((holder) => holder.toLowerCase())).size < holders.length)
    throw new TypeError('from names a node twice')
  requireBoolean('force', force)
  requireSignal(options.signal)
  requireFunction('logger', options.logger)
  const bytes = checkName(name)
  return {
    name: bytes,
    holders,
    output: checkOutput(output, bytes),
    range: checkRange(range),
    force: force ?? false,
    key: checkKey('key', options.key),
    engine: oneOf('engine', options.engine, engines),
    timeoutMs: optionalInteger('timeoutMs', options.timeoutMs, 1, limits.timeoutMsMax) ?? null,
    flows: checkFlows(options.flows),
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

/** By default the last component of the name. */
function checkOutput(output: string | Writable | undefined, name: Uint8Array): string | Writable {
  if (output instanceof Writable) return output
  if (output !== undefined) {
    requireText('output', output)
    if (/\/$/.test(output)) throw new TypeError('output must name a file, not a directory')
    return output
  }
  const last = textOf(splitName(Buffer.from(name)).at(-1) as Buffer)
  if (last === null) throw new TypeError('output must be given: the name is not UTF-8')
  return last
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
