/** `simulateSets`: a master that keeps sets of files on virtual nodes. */
import { limits } from '../base/limits.js'
import type { FileSet } from '../control/copies/sets.js'
import type { Compared } from '../sim/wan/bounds.js'
import type { WanNodeSpec, WanScenario } from '../sim/wan/scenario.js'
import type { WanWorld } from '../sim/wan/world.js'
import { optionalInteger, optionalRate, requireSignal, requireText } from './checks.js'
import { networkIn, setsIn } from './documents.js'
import { requireOptions } from './option-names.js'
import { latencyOf, targetsOf } from './simulate.js'
import type {
  SimulatedLink,
  SimulateSetsOptions,
  SimulateSetsResult,
} from './simulate-sets-types.js'

/** When the sets are said: every node is linked by then. */
const beginsMs = 3_000
/** Milliseconds of virtual time between two looks at the signal and at whether all is over. */
const partMs = 10_000

/**
 * Rejects with ERR_FR_DOCUMENT for a topology or sets that cannot be used, or the signal's reason.
 * It takes a processor for some seconds to minutes; between its parts other work has its turn.
 */
export async function simulateSets(options: SimulateSetsOptions): Promise<SimulateSetsResult> {
  requireOptions('simulateSets', options)
  const { signal } = options
  requireSignal(signal)
  requireText('topology', options.topology)
  requireText('sets', options.sets)
  const scenario = await scenarioOf(options)
  const { WanWorld } = await import('../sim/wan/world.js')
  const { isSettled } = await import('../sim/wan/verdict.js')
  const world = new WanWorld(scenario, false)
  for (let untilMs = partMs; untilMs <= scenario.horizonMs; untilMs += partMs) {
    await new Promise((resolve) => setImmediate(resolve))
    signal?.throwIfAborted()
    world.run(untilMs)
    if (isSettled(world)) break
  }
  const { compared } = await import('../sim/wan/bounds.js')
  return resultOf(world, await missingIn(world), compared(scenario))
}

async function scenarioOf(options: SimulateSetsOptions): Promise<WanScenario> {
  const { topology, scheduling } = await networkIn(options.topology)
  const given = await setsIn(options.sets)
  const bytes = optionalInteger('bytes', options.bytes, 1, limits.fileBytes)
  if (bytes === undefined) throw new TypeError('bytes must be given')
  const targets = nodesOf(
    options,
    topology.sites.map(({ name }) => name),
  )
  const origin = options.site === undefined ? 0 : targets.findIndex((n) => n.site === options.site)
  if (origin === -1) throw new TypeError(`no node is in the site ${options.site}`)
  // Versions of a name are not told apart: the node that has all of it at first has one of each.
  const sizes = new Map<string, number>()
  const sets = given.map((set): FileSet => {
    for (const { name, size } of set.files) if (!sizes.has(name)) sizes.set(name, size ?? bytes)
    return { ...set, files: set.files.map(({ name }) => ({ name, digest: null })) }
  })
  if (sizes.size * targets.length > limits.simulatedDemands)
    throw new TypeError(`more than ${limits.simulatedDemands} files of nodes cannot be simulated`)
  const contents = [...sizes].map(([name, size]) => ({
    ...{ contentId: name, name, size, node: (targets[origin] as WanNodeSpec).name },
    ...{ atMs: 0, growth: [] },
  }))
  const { calm } = await import('../sim/wan/scenario.js')
  return {
    ...calm,
    ...(scheduling.view && { view: scheduling.view }),
    ...(scheduling.objective && { objective: scheduling.objective }),
    slack: scheduling.slack ?? limits.planSlack,
    ...{ seed: optionalInteger('seed', options.seed, 0, 0xffff_ffff) ?? 1, topology, contents },
    ...{ nodes: targets, sets: [{ atMs: beginsMs, sets }], horizonMs: limits.simulatedMs },
  }
}

function nodesOf(options: SimulateSetsOptions, sites: readonly string[]): WanNodeSpec[] {
  const up = optionalRate('uplinkBytesPerSecond', options.uplinkBytesPerSecond)
  if (up === undefined) throw new TypeError('uplinkBytesPerSecond must be given')
  const down = optionalRate('downlinkBytesPerSecond', options.downlinkBytesPerSecond) ?? up
  const latencyMs = latencyOf(options.latencyMs)
  const isCount = typeof options.nodes === 'number'
  return targetsOf(options.nodes).map((target, i) => {
    const [uplink, downlink] = [
      target.uplinkBytesPerSecond ?? up,
      target.downlinkBytesPerSecond ?? down,
    ]
    const site = isCount ? sites[i % sites.length] : target.site
    return {
      ...{ name: target.address.replace(/:\d+$/, ''), site: site ?? 'default', attributes: {} },
      ...{ up: { bytesPerSecond: uplink }, down: { bytesPerSecond: downlink }, latencyMs },
      lineBytesPerSecond: Math.max(uplink, downlink),
      ...{ diskBytes: Number.MAX_SAFE_INTEGER, lies: [], corrupts: false },
    }
  })
}

async function missingIn(world: WanWorld): Promise<number> {
  const { unmetOf } = await import('../sim/wan/verdict.js')
  return world.master === null ? 0 : unmetOf(world, world.master).length
}

function resultOf(
  world: WanWorld,
  missing: number,
  { leastSeconds, direct, unmeant }: Compared,
): SimulateSetsResult {
  const { scenario, counts, lines, doneMs } = world
  const lastMs = Math.max(beginsMs, ...doneMs.values()) - beginsMs
  const links: SimulatedLink[] = []
  for (const { name, spec, bytes } of lines.values()) {
    if (spec.kind !== 'link' || bytes === 0) continue
    const all = (spec.bytesPerSecond * lastMs) / 1_000
    const use = all === Number.POSITIVE_INFINITY || all === 0 ? null : bytes / all
    links.push({ name, bytes, cost: (bytes / 1e9) * (spec.costPerGb ?? 0), use })
  }
  links.sort((a, b) => (b.use ?? 0) - (a.use ?? 0) || b.bytes - a.bytes)
  return {
    event: 'result',
    sites: new Set(scenario.nodes.map(({ site }) => site)).size,
    ...{ nodes: scenario.nodes.length, files: scenario.contents.length, seed: scenario.seed },
    ...{ bytes: counts.landedBytes, seconds: missing === 0 ? lastMs / 1_000 : null },
    leastSeconds: finite(leastSeconds),
    direct: { seconds: finite(direct.seconds), cost: direct.cost },
    ...{ cost: world.cost, crossedBytes: counts.crossedBytes, copies: counts.copies },
    ...{ unmeant, missing, links },
  }
}

function finite(value: number): number | null {
  return value < Number.POSITIVE_INFINITY ? value : null
}
