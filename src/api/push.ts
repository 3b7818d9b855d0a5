/** `push`: one file to many nodes. */
import { channel } from 'node:diagnostics_channel'
import { openEngine } from '../agent/engines.js'
import { hexOf } from '../base/bytes.js'
import { blockBytesFor } from '../base/limits.js'
import { type Logger, safeLogger } from '../base/log.js'
import { requireBlockASecond } from '../base/rate-limits.js'
import { forecasts, planOf, shapeOf } from '../control/dealing/planning.js'
import { limited } from '../control/plan/limited.js'
import { refuseRelays } from '../control/plan/refusals.js'
import { planView } from '../control/view/push-view.js'
import { WorkerHashPool } from '../engine/hashing/pool.js'
import { randomId, selfOf, signerOf } from '../net/crypto.js'
import { Resolver } from '../net/resolver.js'
import type { DataEngine, SourceFile } from '../ports.js'
import type { PushAudience, RunHooks } from '../session/coordinator/attempt.js'
import { attempts } from '../session/coordinator/name-wait.js'
import { PushRun } from '../session/coordinator/push-run.js'
import type { PushSpec } from '../session/coordinator/push-spec.js'
import { TraceFile } from '../session/coordinator/trace-file.js'
import type { EngineRouter } from '../session/router.js'
import { clientKey } from '../store/identity.js'
import { KnownSource } from './known-source.js'
import { pushMirrored } from './mirrored-push.js'
import { type CheckedPush, checkPush } from './options.js'
import { claimSource, openSource, pathOf } from './source.js'
import { tell } from './tell.js'
import { makeTransfer, type TransferControl } from './transfer.js'
import type { PushOptions, PushResult, PushSource, Transfer, TransferEvents } from './types.js'

/** Carries every event of every transfer in this process. */
const transferChannel = channel('fastreplica:transfer')

/**
 * Puts one file on all nodes of `options.to`: a path, an open file, or given content. Returns at
 * once. Misuse throws TypeError; a feature that this version lacks throws ERR_FR_UNSUPPORTED, an
 * unusable key ERR_FR_KEY.
 */
export function push(source: PushSource, options: PushOptions): Transfer {
  const checked = checkPush(source, options)
  claimSource(checked.source)
  const control = makeTransfer(randomId())
  const log = safeLogger(options.logger)
  const signals = options.signal === undefined ? [control.signal] : [control.signal, options.signal]
  run(checked, control, log, AbortSignal.any(signals)).then(control.resolve, control.reject)
  return control.transfer
}

async function run(
  checked: CheckedPush,
  control: TransferControl,
  log: Logger,
  signal: AbortSignal,
): Promise<PushResult> {
  // No event comes before the caller could add its listeners.
  await Promise.resolve()
  signal.throwIfAborted()
  const { engine, router } = await openEngine(checked.engine, log)
  const pool = new WorkerHashPool()
  let trace: TraceFile | undefined
  let source: SourceFile | undefined
  let known: KnownSource | undefined
  try {
    source = await openSource(engine, checked.source, signal)
    signal.throwIfAborted()
    if (checked.dryRun) return dryRun(checked, control, source)
    trace = await openTrace(checked, control.transfer.id, log)
    const { strategy, shape, nodes, name, algorithm, noClobber, strict, allowAdd } = checked
    const { connectMs, silenceMs, retries, rejoinMs, timeoutMs, minRateBytesPerSecond } = checked
    const { wait, share, detection, demoteBelow } = checked
    const self = selfOf(signerOf(await clientKey()))
    const { signer } = self
    known = await KnownSource.of({
      storage: engine.storage,
      source: checked.source,
      file: source,
      algorithm,
      author: hexOf(signer.publicKey),
      blockBytes: blockBytesFor(source.size),
      isToRead: checked.verify,
    })
    const spec: PushSpec = {
      transfer: control.transfer.id,
      contentId: known.contentId,
      signer,
      strategy,
      shape,
      groups: checked.groups,
      name,
      nodes,
      ...(checked.relays.length > 0 && {
        relays: checked.relays.map((address) => ({ address })),
      }),
      originUplinkBytesPerSecond: checked.uplinkBytesPerSecond,
      algorithm,
      known: known.known,
      noClobber,
      strict,
      allowAdd,
      connectMs,
      silenceMs,
      detection,
      demoteBelow,
      retries,
      rejoinMs,
      timeoutMs,
      minRateBytesPerSecond,
      ...(Object.keys(share).length > 0 && { share }),
      wait,
      dialler: { keys: [checked.key], self, connectMs, resolver: new Resolver() },
      log,
    }
    const { id: transfer } = control.transfer
    const audience = audienceOf(control)
    const helpers = { trace, known }
    const pushing = (spec: PushSpec, audience: PushAudience): Promise<PushResult> => {
      // The timeline is that of this push, not of what it sends a mirror.
      const seen = spec.transfer === transfer ? helpers : { ...helpers, trace: undefined }
      const make = makeRun.bind(null, engine, router, pool, source as SourceFile, seen)
      return attempts(make, spec, audience, signal)
    }
    const result =
      checked.mirrors.length === 0
        ? await pushing(spec, audience)
        : await pushMirrored({ checked, spec, source, engine, pool, pushing, audience, signal })
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

function makeRun(
  engine: DataEngine,
  router: EngineRouter,
  pool: WorkerHashPool,
  source: SourceFile,
  { trace, known }: { trace: TraceFile | undefined; known: KnownSource },
  spec: PushSpec,
  hooks: RunHooks,
): PushRun {
  const traced = trace === undefined ? {} : { trace: trace.write.bind(trace) }
  const summed = (...whole: [fileDigest: string, digests: Uint8Array]): void => {
    hooks.summed?.(...whole)
    known.hooks.summed?.(...whole)
  }
  const all = { ...hooks, ...traced, ...known.hooks, summed }
  return new PushRun(engine, router, pool, source, spec, all)
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
  const { uplinkBytesPerSecond, share } = checked
  const links = nodes.map((link) => limited(link, share))
  const origin = limited(uplinkBytesPerSecond === undefined ? {} : { uplinkBytesPerSecond }, share)
  const file = { bytes, dataBytes, blockBytes: blockBytesFor(bytes) }
  requireBlockASecond(share, file.blockBytes)
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
