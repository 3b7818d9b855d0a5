/** `simulate`: a push on a virtual network, with the planner and the sessions of a real one. */
import type { FrErrorCode } from '../base/errors.js'
import { limits } from '../base/limits.js'
import { shapeOf } from '../control/dealing/planning.js'
import { refuseUnsupported } from '../control/plan/refusals.js'
import type { Simulated } from '../sim/simulate.js'
import { simulatedBlockBytes, type Wanted } from '../sim/wanted.js'
import { oneOf, optionalInteger, optionalRate, requireBoolean, requireSignal } from './checks.js'
import { checkGrouping } from './grouping.js'
import { requireOptions } from './option-names.js'
import { shapes, strategies } from './options.js'
import type { SimulateOptions, SimulateResult } from './simulate-types.js'
import { checkTarget } from './targets.js'

const models = ['auto', 'sessions', 'fluid'] as const
const latencyMsMax = 10_000
const latencyMsUsual = 0.3

/**
 * Rejects with ERR_FR_UNSUPPORTED for what no push can be, or the signal's reason. It takes a
 * processor for some seconds to minutes; between its parts other work has its turn.
 */
export async function simulate(options: SimulateOptions): Promise<SimulateResult> {
  requireOptions('simulate', options)
  const wish = oneOf('model', options.model, models) ?? 'auto'
  const { signal } = options
  requireSignal(signal)
  const { modelFor, simulatePush } = await import('../sim/simulate.js')
  const nodes = targetsOf(options.nodes)
  const kills = killsOf(options.kill, nodes.length)
  const model = wish === 'auto' ? modelFor({ nodes, kills }) : wish
  if (model === 'fluid' && kills.length > 0)
    throw new TypeError('kill needs the model sessions: nothing dies in a fluid')
  if (model === 'sessions' && nodes.length > limits.nodesPerPush)
    throw new TypeError(
      `the model sessions takes at most ${limits.nodesPerPush} nodes; fluid takes more`,
    )
  const wanted = checkWanted(options, nodes, kills)
  const run = simulatePush(wanted, model)
  for (;;) {
    await new Promise((resolve) => setImmediate(resolve))
    signal?.throwIfAborted()
    const { done, value } = run.next()
    if (done === true) return resultOf(wanted, value)
  }
}

function checkWanted(
  options: SimulateOptions,
  targets: ReturnType<typeof targetsOf>,
  kills: Wanted['kills'],
): Wanted {
  const bytes = optionalInteger('bytes', options.bytes, 1, limits.fileBytes)
  if (bytes === undefined) throw new TypeError('bytes must be given')
  const uplink = optionalRate('uplinkBytesPerSecond', options.uplinkBytesPerSecond)
  if (uplink === undefined) throw new TypeError('uplinkBytesPerSecond must be given')
  const downlink = optionalRate('downlinkBytesPerSecond', options.downlinkBytesPerSecond) ?? uplink
  const originUplink =
    optionalRate('originUplinkBytesPerSecond', options.originUplinkBytesPerSecond) ?? uplink
  const nodes = targets.map((node) => ({
    uplinkBytesPerSecond: uplink,
    downlinkBytesPerSecond: downlink,
    ...node,
  }))
  const grouping = checkGrouping(options)
  const strategy = oneOf('strategy', options.strategy, strategies) ?? 'adaptive'
  const shapeWish = oneOf('shape', options.shape, shapes) ?? 'auto'
  if (shapeWish === 'unicast' && strategy === 'classic')
    throw new TypeError('strategy classic deals parts to a group, shape unicast makes none')
  const count = nodes.length
  const shape = shapeOf(shapeWish, {
    strategy,
    file: { bytes, dataBytes: bytes, blockBytes: simulatedBlockBytes(bytes) },
    origin: { uplinkBytesPerSecond: originUplink },
    nodes,
    groups: grouping,
  })
  const { groupSize } = grouping
  refuseUnsupported({ shape, groupSize, nodes: count })
  requireBoolean('speedsKnown', options.speedsKnown)
  const slowest = nodes.reduce(
    (least, n) => Math.min(least, n.downlinkBytesPerSecond),
    originUplink,
  )
  if ((bytes / slowest) * 1000 > limits.simulatedMs / 2)
    throw new TypeError('these links take more than two weeks for so many bytes')
  return {
    ...{ nodes, bytes, grouping, strategy, shape },
    originUplinkBytesPerSecond: originUplink,
    latencyMs: latencyOf(options.latencyMs),
    seed: optionalInteger('seed', options.seed, 0, 0xffff_ffff) ?? 1,
    kills,
    tellsRates: options.speedsKnown ?? true,
  }
}

/** Nodes that are simulated; throws TypeError. */
export function targetsOf(nodes: SimulateOptions['nodes']): ReturnType<typeof checkTarget>[] {
  if (typeof nodes === 'number') {
    const count = optionalInteger('nodes', nodes, 1, limits.simulatedNodes) as number
    return Array.from({ length: count }, (_, i) => ({ address: `node${i + 1}:7400` }))
  }
  if (!Array.isArray(nodes)) throw new TypeError('nodes must be a number or a list of targets')
  if (nodes.length === 0 || nodes.length > limits.simulatedNodes)
    throw new TypeError(`nodes must name 1 to ${limits.simulatedNodes} nodes`)
  return nodes.map((target, i) => checkTarget(target, `nodes[${i}]`))
}

export function latencyOf(ms: number = latencyMsUsual): number {
  if (typeof ms === 'number' && ms >= 0 && ms <= latencyMsMax) return ms
  throw new TypeError(`latencyMs must be from 0 to ${latencyMsMax}`)
}

function killsOf(kills: SimulateOptions['kill'] = [], nodes: number): Wanted['kills'] {
  if (!Array.isArray(kills)) throw new TypeError('kill must be a list')
  return kills.map((kill, i) => {
    const node = optionalInteger(`kill[${i}].node`, kill?.node, 1, nodes)
    const seconds: unknown = kill?.atSeconds
    if (node === undefined || typeof seconds !== 'number' || !(seconds >= 0))
      throw new TypeError(`kill[${i}] must have a node and atSeconds, from 0 on`)
    return { node: node - 1, atMs: seconds * 1000 }
  })
}

function resultOf(wanted: Wanted, simulated: Simulated): SimulateResult {
  const { nodes, bytes, seed, strategy, shape } = wanted
  const { groups, originBytes, boundSeconds, failures, ...rest } = simulated
  const seconds = rest.completeSeconds.filter((one) => one !== null).sort((a, b) => a - b)
  const at = (part: number): number =>
    seconds[Math.max(0, Math.ceil(part * seconds.length) - 1)] as number
  const byCode = new Map<string, number>()
  for (const code of failures) byCode.set(code, (byCode.get(code) ?? 0) + 1)
  return {
    event: 'result',
    ...rest,
    ...{ nodes: nodes.length, bytes, seed, strategy, shape, boundSeconds },
    groups: groups.map((group) => group.map((node) => node + 1)),
    efficiency: boundSeconds === null ? null : boundSeconds / rest.seconds,
    complete: seconds.length,
    failed: nodes.length - seconds.length,
    completion:
      seconds.length === 0 ? null : { min: at(0), p50: at(0.5), p99: at(0.99), max: at(1) },
    failures: [...byCode].map(([code, count]) => ({ code: code as FrErrorCode, nodes: count })),
    originBytesSent: originBytes,
  }
}
