/** `push`: one file to many nodes. */
import { channel } from 'node:diagnostics_channel'
import { openEngine } from '../agent/engines.js'
import { hexOf } from '../base/bytes.js'
import { blockBytesFor } from '../base/limits.js'
import { type Logger, safeLogger } from '../base/log.js'
import { requireBlockASecond } from '../base/rate-limits.js'
import { nowMs } from '../base/time/awake.js'
import { forecasts, planOf, shapeOf } from '../control/dealing/planning.js'
import { refuseRelays } from '../control/plan/refusals.js'
import { planView } from '../control/view/push-view.js'
import { TraceParts } from '../control/view/trace-parts.js'
import { WorkerHashPool } from '../engine/hashing/pool.js'
import { randomId, selfOf, signerOf } from '../net/crypto.js'
import type { Self } from '../net/handshake.js'
import { Resolver } from '../net/resolver.js'
import type { DataEngine, SourceFile } from '../ports.js'
import type { PushAudience, RunHooks } from '../session/coordinator/attempt.js'
import { attempts } from '../session/coordinator/name-wait.js'
import { PushRun } from '../session/coordinator/push-run.js'
import type { PushHooks, PushSpec } from '../session/coordinator/push-spec.js'
import { TraceFile } from '../session/coordinator/trace-file.js'
import type { EngineRouter } from '../session/router.js'
import { clientKey } from '../store/identity.js'
import { SeenRates } from '../store/seen-rates.js'
import { pushCoded } from './coded-push.js'
import { isCoded } from './coding-options.js'
import { audienceUntil, commitPushed } from './commit.js'
import { type ContentParts, linksOf, type OneContent } from './contents.js'
import { pushDescriptors } from './descriptor-push.js'
import { type FollowWish, pushGrowing, settleFollow } from './following.js'
import { KnownSource } from './known-source.js'
import { pushMirrored } from './mirrored-push.js'
import { type CheckedPush, checkPush } from './options.js'
import { seeingRate } from './seen-rate.js'
import { claimSource, openSource, pathOf, treePaths } from './source.js'
import { tell } from './tell.js'
import { makeTransfer, type TransferControl } from './transfer.js'
import { refuseFileWishes, refuseTreeWishes } from './tree-options.js'
import { openTree, pushTree } from './tree-push.js'
import { writeSums } from './tree-sums.js'
import type {
  NodeOutcome,
  PushOptions,
  PushResult,
  PushSource,
  Transfer,
  TransferEvents,
} from './types.js'

/** Carries every event of every transfer in this process. */
const transferChannel = channel('fastreplica:transfer')

/**
 * Puts one file on all nodes of `options.to`: a path, an open file, or given content. Returns at
 * once. Misuse throws TypeError; a feature that this version lacks throws ERR_FR_UNSUPPORTED, an
 * unusable key ERR_FR_KEY.
 */
export function push(source: PushSource, options: PushOptions): Transfer {
  return begin(checkPush(source, options), options)
}

/** Of a file into which a stream is written while it comes. */
export function pushSpool(path: string, options: PushOptions): Transfer {
  const checked = checkPush(path, { ...options, follow: true })
  return begin({ ...checked, follow: { finalAfterMs: undefined, isSpool: true } }, options)
}

function begin(checked: CheckedPush, options: PushOptions): Transfer {
  claimSource(checked.source)
  const control = makeTransfer(randomId())
  const log = safeLogger(options.logger)
  const signals = options.signal === undefined ? [control.signal] : [control.signal, options.signal]
  run(checked, control, log, AbortSignal.any(signals)).then(control.resolve, control.reject)
  return control.transfer
}

async function run(
  asked: CheckedPush,
  control: TransferControl,
  log: Logger,
  signal: AbortSignal,
): Promise<PushResult> {
  // No event comes before the caller could add its listeners.
  await Promise.resolve()
  signal.throwIfAborted()
  const settling = settleFollow(asked)
  const { engine, router } = await openEngine(asked.engine, log)
  const pool = new WorkerHashPool()
  let trace: TraceFile | undefined
  let source: SourceFile | undefined
  let known: KnownSource | undefined
  try {
    const checked = await settling
    if (checked.follow !== undefined) {
      trace = await openTrace(checked, control.transfer.id, log)
      const traced = trace && { trace: trace.write.bind(trace) }
      const parts = { checked, control, log, signal, engine, router, pool, traced }
      const result = await runGrowing(parts, checked.follow)
      announce(control, 'result', result)
      return result
    }
    const { descriptors } = checked
    const paths = descriptors === undefined ? await treePaths(checked.source) : undefined
    if (paths !== undefined || descriptors !== undefined) {
      if (paths !== undefined) refuseFileWishes(checked.tree)
      trace = await openTrace(checked, control.transfer.id, log)
      const traced = trace && new TraceParts(trace.write.bind(trace), nowMs())
      const machinery = { engine, router, pool }
      const parts = await contentsOf({ ...machinery, checked, control, log, signal, traced })
      const result = await (descriptors === undefined
        ? runTree(paths ?? [], parts)
        : pushDescriptors(parts, descriptors))
      announce(control, 'result', result)
      return result
    }
    refuseTreeWishes(checked.tree)
    source = await openSource(engine, checked.source, signal)
    signal.throwIfAborted()
    if (checked.dryRun) return dryRun(checked, control, source)
    trace = await openTrace(checked, control.transfer.id, log)
    const self = selfOf(signerOf(await clientKey()))
    const { signer } = self
    const { algorithm } = checked
    const startedMs = nowMs()
    known = await KnownSource.of({
      storage: engine.storage,
      source: checked.source,
      file: source,
      algorithm,
      author: hexOf(signer.publicKey),
      blockBytes: blockBytesFor(source.size),
      isToRead: checked.verify,
    })
    const { id: transfer } = control.transfer
    const content = { transfer, contentId: known.contentId, known: known.known }
    const spec: PushSpec = { ...specFor(checked, self, log), ...content }
    const audience = audienceUntil(audienceOf(control), checked.commit)
    const traced = trace && { trace: trace.write.bind(trace) }
    const heard = known.hooks
    const rates = ratesTo(checked)
    const pushingOf = (
      content: SourceFile,
      spec: PushSpec,
      audience: PushAudience,
    ): Promise<PushResult> => {
      // The timeline is that of this push, not of what it sends a mirror.
      const isTraced = spec.transfer === transfer
      const seen = { ...(content === source && heard), ...(isTraced && traced) }
      const make = makeRun.bind(null, { engine, router, pool }, content, seen)
      return seeingRate(rates, audience, (seeing) => attempts(make, spec, seeing, signal))
    }
    const pushing = pushingOf.bind(null, source)
    const parts = { spec, source, engine, pool, rates, audience, signal }
    const pushed =
      checked.mirrors.length > 0
        ? await pushMirrored({ ...parts, checked, pushing })
        : isCoded(checked.coding)
          ? await pushCoded({
              ...parts,
              wish: checked.coding,
              pushing: pushingOf,
              summed: ({ fileDigest, digests }) => heard.summed?.(fileDigest, digests),
            })
          : await pushing(spec, audience)
    const { commit: mode, name, nodes, timeoutMs } = checked
    const about = { mode, name, nodes, timeoutMs, startedMs, signal, dialler: spec.dialler }
    const told = (outcome: NodeOutcome): void => announce(control, 'node', outcome)
    const result = await commitPushed(pushed, { ...about, told })
    announce(control, 'result', result)
    return result
  } catch (error) {
    transferChannel.publish({ event: 'error', transfer: control.transfer.id, error })
    throw error
  } finally {
    await trace?.close()
    await known?.close()
    await pool.close()
    if (source !== undefined) engine.storage.closeFile(source.file)
    await engine.shutdown()
  }
}

/** All that a push of one content has in common with one of another. */
function specFor(checked: CheckedPush, self: Self, log: Logger): Omit<PushSpec, keyof OneContent> {
  const { strategy, shape, nodes, name, algorithm, noClobber, strict, allowAdd } = checked
  const { connectMs, silenceMs, retries, rejoinMs, timeoutMs, minRateBytesPerSecond } = checked
  const { wait, share, detection, demoteBelow, groups, relays, keep, commit, only } = checked
  return {
    ...{ strategy, shape, groups, name, nodes, algorithm, noClobber, strict, allowAdd, wait, log },
    ...{ connectMs, silenceMs, detection, demoteBelow, retries, rejoinMs },
    ...{ timeoutMs, minRateBytesPerSecond, keep, beside: commit !== undefined, only },
    signer: self.signer,
    ...(relays.length > 0 && { relays: relays.map((address) => ({ address })) }),
    originUplinkBytesPerSecond: checked.uplinkBytesPerSecond,
    ...(Object.keys(share).length > 0 && { share }),
    dialler: {
      ...{ keys: [checked.key], connectMs, resolver: new Resolver() },
      self: { ...self, ...checked.sealing },
    },
  }
}

function ratesTo({ nodes }: CheckedPush): SeenRates {
  return new SeenRates(nodes.map(({ address }) => address))
}

interface Machinery {
  readonly engine: DataEngine
  readonly router: EngineRouter
  readonly pool: WorkerHashPool
}

/** `heard`: who hears of the run beside the audience of the push. */
function makeRun(
  { engine, router, pool }: Machinery,
  source: SourceFile,
  heard: Omit<PushHooks, 'plan' | 'outcome'>,
  spec: PushSpec,
  hooks: RunHooks,
): PushRun {
  const summed = (...whole: [fileDigest: string, digests: Uint8Array]): void => {
    hooks.summed?.(...whole)
    heard.summed?.(...whole)
  }
  return new PushRun(engine, router, pool, source, spec, { ...hooks, ...heard, summed })
}

interface ContentsRun extends Machinery {
  readonly checked: CheckedPush
  readonly control: TransferControl
  readonly log: Logger
  readonly signal: AbortSignal
  readonly traced: TraceParts | undefined
}

/** How each content of several is pushed. */
async function contentsOf(run: ContentsRun): Promise<ContentParts> {
  const { checked, control, engine, pool, log, signal, traced } = run
  const self = selfOf(signerOf(await clientKey()))
  const common = specFor(checked, self, log)
  const rates = ratesTo(checked)
  return {
    ...{ checked, transfer: control.transfer.id, engine, pool, rates, signal },
    author: hexOf(self.signer.publicKey),
    specOf: (content) => ({ ...common, ...content }),
    pushing: ({ source, known }, spec, audience, applied, over) => {
      const heard = { ...known?.hooks, applied }
      const label = `${Buffer.from(spec.name).toString()}${spec.tree?.isBundle ? ' (bundle)' : ''}`
      const make = (one: PushSpec, hooks: RunHooks): PushRun => {
        const trace = traced?.part(label, nowMs())
        return makeRun(run, source, { ...heard, ...(trace && { trace }) }, one, hooks)
      }
      return seeingRate(rates, audience, (seeing) => attempts(make, spec, seeing, over))
    },
    audience: audienceOf(control),
  }
}

/** Resolves to the result of all transfers together. */
async function runTree(paths: readonly string[], parts: ContentParts): Promise<PushResult> {
  const { checked, transfer, engine } = parts
  await using sums = checked.tree.sha256 ? await writeSums(paths, parts) : null
  const about = { checked, transfer, engine, sums: sums?.path ?? null }
  return await pushTree({
    ...parts,
    open: (signal, warn) => openTree(paths, { ...about, signal, warn }),
  })
}

async function runGrowing(
  run: Omit<ContentsRun, 'traced'> & { readonly traced: Pick<PushHooks, 'trace'> | undefined },
  follow: FollowWish,
): Promise<PushResult> {
  const { checked, control, engine, pool, log, signal, traced = {} } = run
  const self = selfOf(signerOf(await clientKey()))
  const { id: transfer } = control.transfer
  return pushGrowing({
    ...{ engine, pool, source: checked.source, follow, signal },
    author: hexOf(self.signer.publicKey),
    stream: JSON.stringify([hexOf(checked.name), checked.nodes.map(({ address }) => address)]),
    finishes: control.finishes,
    pushing: (source, content) => {
      const spec = { ...specFor(checked, self, log), transfer, known: undefined, ...content }
      return attempts(makeRun.bind(null, run, source, traced), spec, audienceOf(control), signal)
    },
  })
}

/** Everybody who listens to the transfer. */
export function audienceOf(control: TransferControl): PushAudience {
  return {
    plan: (plan) => announce(control, 'plan', plan),
    progress: (progress) => announce(control, 'progress', progress),
    node: (outcome) => announce(control, 'node', outcome),
    running: (add) => control.running(add),
  }
}

async function openTrace(
  { trace, source }: CheckedPush,
  transfer: string,
  log: Logger,
): Promise<TraceFile | undefined> {
  if (trace === undefined) return undefined
  return TraceFile.create(trace, pathOf(source), (text) =>
    log({ level: 'warn', event: 'trace-failed', fields: { transfer, text } }),
  )
}

/** The plan that would be made if every node accepted; no node is contacted. */
function dryRun(checked: CheckedPush, control: TransferControl, source: SourceFile): PushResult {
  const { strategy, groups, nodes } = checked
  const { size: bytes, dataBytes } = source
  const { origin, nodes: links } = linksOf(checked)
  const file = { bytes, dataBytes, blockBytes: blockBytesFor(bytes) }
  requireBlockASecond(checked.share, file.blockBytes)
  // What they can send is not known.
  const gateways = checked.relays.map(() => ({}))
  const planning = { strategy, file, origin, nodes: links, groups, gateways }
  const shape = shapeOf(checked.shape, planning)
  if (gateways.length > 0) refuseRelays(shape)
  const { forecast, shapes } = forecasts(shape, planning)
  const made = planOf(shape, planning)
  const { id } = control.transfer
  const plan = planView(id, made, nodes, file, forecast, shapes)
  announce(control, 'plan', plan)
  return {
    event: 'result',
    transfer: control.transfer.id,
    bytes,
    ...{ coding: 'identity', wireBytes: bytes },
    dataBytes,
    seconds: 0,
    boundSeconds: forecast.boundSeconds,
    efficiency: null,
    boundFrom: forecast.boundSeconds === null ? null : 'configured',
    observedBoundSeconds: null,
    observedEfficiency: null,
    shares: [],
    relays: [],
    originShare: null,
    directBytes: 0,
    term: 1,
    coordinator: null,
    crossings: [],
    medianSeconds: null,
    resentBytes: 0,
    strategy,
    shape,
    originBytesSent: 0,
    digest: null,
    faults: [],
    warnings: [],
    nodes: [],
  }
}

export function announce<E extends keyof TransferEvents>(
  control: TransferControl,
  event: E,
  ...args: TransferEvents[E]
): void {
  tell(() => control.emit(event, ...args))
  transferChannel.publish({ transfer: control.transfer.id, event, value: args[0] })
}
