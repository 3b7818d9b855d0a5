/**
 * The model `sessions`: a whole push on the virtual network, with a shipping session for every
 * node and the origin.
 *
 * The idea: what costs is how often something moves, so bytes move in chunks as large as the answer
 * allows, blocks are as large as the file allows, nobody reads a frame again that was written, and
 * signatures are pretended. None of that is anything that the sessions decide by.
 */
import { KIB, limits } from '../base/limits.js'
import { Cluster } from './cluster.js'
import { originIndex } from './network.js'
import type { EdgeScenario, NodeScenario, Scenario } from './scenario.js'
import { type Answer, pacesOf, simulatedBlockBytes, UseLog, type Wanted } from './wanted.js'

/**
 * Chunks that move in a simulation, about: each costs some microseconds. One is no smaller than
 * what the fastest uplink sends in `chunkMs.least`, and no larger than in `chunkMs.most`.
 */
const chunksWanted = 1_000_000
const chunkMs = { least: 0.1, most: 2 }
const chunkBytesMin = 16 * KIB
/** Things that happen between two looks at whether somebody has stopped it. */
const stepsAtOnce = 200_000

/** Yields now and then. */
export function* simulateSessions(wanted: Wanted): Generator<void, Answer> {
  const scenario = scenarioFor(wanted)
  const cluster = new Cluster(scenario)
  const { timeline, network } = cluster
  const nodeRates = scenario.nodes.map((node) => node.uplinkBytesPerMs)
  const rates = [scenario.originUplinkBytesPerMs, ...nodeRates]
  const use = new UseLog(rates, limits.simulatedLookMs)
  const look = (): void => {
    use.look(timeline.nowMs, network.sentBytes)
    timeline.after(use.everyMs, look)
  }
  look()
  cluster.begin()
  while (!cluster.advance(stepsAtOnce)) yield
  const { outcomes, virtualMs, exchangeMs, originBytes } = cluster.end()
  const words = wanted.nodes.map((_, i) => cluster.words.of(i))
  const mean = (numbers: number[]): number =>
    numbers.reduce((sum, one) => sum + one, 0) / numbers.length
  const { chunkBytes, blockBytes } = scenario
  const settledSeconds = (i: number): number => (cluster.settledMs[i] ?? virtualMs) / 1000
  const origin = cluster.words.of(originIndex)
  return {
    model: 'sessions',
    seconds: virtualMs / 1000,
    exchangeSeconds: exchangeMs / 1000,
    completeSeconds: outcomes.map(({ status }, i) =>
      status === 'complete' ? settledSeconds(i) : null,
    ),
    failures: outcomes.flatMap(({ code }) => code ?? []),
    originBytes,
    messagesPerNode: mean(words.map(({ messages }) => messages)),
    messageBytesPerNode: mean(words.map(({ bytes }) => bytes)),
    originMessages: origin.messages,
    originMessageBytes: origin.bytes,
    use: use.use,
    grain: { chunkBytes, blockBytes },
  }
}

/** Nothing goes wrong but for those that are to be killed. */
export function scenarioFor(wanted: Wanted): Scenario {
  const { nodes, bytes, seed, strategy, shape, grouping, latencyMs, kills } = wanted
  const killedAtMs = new Map(kills.map(({ node, atMs }) => [node, atMs]))
  const paces = pacesOf(wanted)
  const calm = { breaksAtMs: null, stallAtMs: null, stallMs: 0, cannotDial: false }
  const edge: EdgeScenario = { ...calm, latencyMs }
  const row = nodes.map(() => edge)
  const originMs = wanted.originUplinkBytesPerSecond / 1000
  const fastest = nodes.reduce((most, n) => Math.max(most, n.uplinkBytesPerSecond / 1000), originMs)
  const origin = { uplinkBytesPerSecond: wanted.originUplinkBytesPerSecond }
  const unknown = nodes.map(
    ({ uplinkBytesPerSecond: _, downlinkBytesPerSecond: __, ...rest }) => rest,
  )
  return {
    ...{ seed, strategy, shape, bytes, wish: grouping },
    originUplinkBytesPerMs: originMs,
    chunkBytes: chunkBytesFor(fastest, bytes * nodes.length),
    cutsThrough: true,
    // What crosses a link between sites is held up.
    isEven: (grouping.siteLinks ?? []).length === 0,
    isUnchecked: true,
    blockBytes: simulatedBlockBytes(bytes),
    links: wanted.tellsRates ? nodes : unknown,
    ...(wanted.tellsRates && { speeds: { origin, nodes: () => nodes } }),
    nodes: nodes.map((node, i): NodeScenario => {
      const atMs = killedAtMs.get(i)
      return {
        trouble: atMs === undefined ? null : 'killed',
        atMs: atMs ?? 0,
        joinsAtMs: null,
        ...(paces[i] as (typeof paces)[number]),
        uplinkBytesPerMs: node.uplinkBytesPerSecond / 1000,
        downlinkBytesPerMs: node.downlinkBytesPerSecond / 1000,
        uplinkFactor: 1,
        uplinkChangesAtMs: 0,
        hashesLanded: true,
      }
    }),
    edges: Array.from({ length: nodes.length + 1 }, () => row),
    wrongChance: 0,
    sourceChangesAtMs: null,
    sourceTouchedAtMs: null,
    cancelAtMs: null,
    originHashMs: 0.5,
    hashAheadBytes: limits.hashAheadBytes,
    outages: [],
    maxVirtualMs: limits.simulatedMs,
    maxSteps: limits.simulatedSteps,
  }
}

function chunkBytesFor(bytesPerMs: number, allBytes: number): number {
  const wanted = Math.max(allBytes / chunksWanted, bytesPerMs * chunkMs.least)
  return Math.ceil(Math.max(chunkBytesMin, Math.min(wanted, bytesPerMs * chunkMs.most)))
}
