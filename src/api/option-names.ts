/**
 * The names of all options of each call. An unlisted name is refused, which catches typing errors
 * and options of other versions. `satisfies` keeps each list complete: an option in the type but
 * not in the list does not compile.
 */
import type { SimulateOptions } from './simulate-types.js'
import type {
  AddOptions,
  CopyOptions,
  DigestOptions,
  GetOptions,
  LimitOptions,
  ListOptions,
  NodeOptions,
  PushOptions,
  PushTarget,
  RemoveOptions,
  StatusOptions,
  VerifyOptions,
  WaitOptions,
} from './types.js'

type Names<T> = Record<keyof T, true>

export const optionNames = {
  startNode: {
    listen: true,
    dataDir: true,
    key: true,
    previousKey: true,
    name: true,
    advertise: true,
    adopt: true,
    mirror: true,
    readOnly: true,
    relayOnly: true,
    engine: true,
    minFreeBytes: true,
    keepPartialsSeconds: true,
    maxServes: true,
    limitUpBytesPerSecond: true,
    limitDownBytesPerSecond: true,
    maxFeeds: true,
    accept: true,
    logger: true,
    signal: true,
  } satisfies Names<NodeOptions>,
  push: {
    to: true,
    key: true,
    as: true,
    strategy: true,
    shape: true,
    groupSize: true,
    site: true,
    siteLinks: true,
    handover: true,
    digest: true,
    engine: true,
    noClobber: true,
    strict: true,
    verify: true,
    uplinkBytesPerSecond: true,
    connectMs: true,
    silenceMs: true,
    suspectAfterMs: true,
    failAfterMs: true,
    allowAdd: true,
    retries: true,
    timeoutMs: true,
    minRateBytesPerSecond: true,
    limitUpBytesPerSecond: true,
    limitDownBytesPerSecond: true,
    priority: true,
    wait: true,
    trace: true,
    dryRun: true,
    mirrors: true,
    relays: true,
    spareOrigin: true,
    logger: true,
    signal: true,
  } satisfies Names<PushOptions>,
  copy: {
    from: true,
    to: true,
    key: true,
    as: true,
    strategy: true,
    shape: true,
    groupSize: true,
    handover: true,
    site: true,
    siteLinks: true,
    relays: true,
    limitUpBytesPerSecond: true,
    limitDownBytesPerSecond: true,
    priority: true,
    noClobber: true,
    strict: true,
    uplinkBytesPerSecond: true,
    connectMs: true,
    silenceMs: true,
    suspectAfterMs: true,
    failAfterMs: true,
    allowAdd: true,
    retries: true,
    timeoutMs: true,
    minRateBytesPerSecond: true,
    wait: true,
    signal: true,
  } satisfies Names<CopyOptions>,
  waitFor: { via: true, key: true, signal: true, timeoutMs: true } satisfies Names<WaitOptions>,
  target: {
    address: true,
    uplinkBytesPerSecond: true,
    downlinkBytesPerSecond: true,
    site: true,
    advertise: true,
    via: true,
  } satisfies Names<PushTarget>,
  fetchStatus: { key: true, signal: true, timeoutMs: true } satisfies Names<StatusOptions>,
  addNode: { via: true, key: true, signal: true, timeoutMs: true } satisfies Names<AddOptions>,
  limit: {
    upBytesPerSecond: true,
    downBytesPerSecond: true,
    transfer: true,
    key: true,
    signal: true,
    timeoutMs: true,
  } satisfies Names<LimitOptions>,
  list: { glob: true, key: true, signal: true, timeoutMs: true } satisfies Names<ListOptions>,
  remove: { key: true, signal: true, timeoutMs: true } satisfies Names<RemoveOptions>,
  verify: { names: true, key: true, signal: true, timeoutMs: true } satisfies Names<VerifyOptions>,
  get: {
    from: true,
    output: true,
    range: true,
    force: true,
    key: true,
    engine: true,
    timeoutMs: true,
    logger: true,
    signal: true,
  } satisfies Names<GetOptions>,
  simulate: {
    nodes: true,
    bytes: true,
    uplinkBytesPerSecond: true,
    downlinkBytesPerSecond: true,
    originUplinkBytesPerSecond: true,
    latencyMs: true,
    strategy: true,
    shape: true,
    groupSize: true,
    site: true,
    siteLinks: true,
    kill: true,
    speedsKnown: true,
    seed: true,
    model: true,
    signal: true,
  } satisfies Names<SimulateOptions>,
  digestFile: { digest: true, signal: true } satisfies Names<DigestOptions>,
} as const

/**
 * Throws TypeError unless `options` is an object whose own properties are all options of `call`.
 * `label` names the object in the message: `options`, `to[3]`.
 */
export function requireOptions(
  call: keyof typeof optionNames,
  options: unknown,
  label = 'options',
): void {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${label} must be an object`)
  const known = Object.keys(optionNames[call])
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const owner = label === 'options' ? call : label
    throw new TypeError(`${owner} has no option '${name}'; it has ${known.join(', ')}`)
  }
}
