/**
 * What must hold at the end of a run in which anything may have gone wrong. What must hold all the
 * time the cluster checks itself.
 */
import { limits } from '../base/limits.js'
import { type RangePair, RangeSet } from '../base/ranges.js'
import { missingText } from '../control/holdings/have.js'
import type { NodeSettled } from '../control/messages/types.js'
import { Cluster, type SimResult } from './cluster.js'
import { type FaultKind, type MixedScenario, mixedScenario } from './mix.js'
import type { SimNode } from './sim-node.js'

const notBrought = 'the origin is gone: some could not be brought to those who lack them'

/** Throws with what did not hold. */
export function runMixed(scenario: MixedScenario): SimResult {
  const cluster = new Cluster(scenario)
  const result = cluster.run()
  if (result.failure === null) checkOutcomes(scenario, cluster, result)
  else if (result.failure === 'killed') checkLeft(scenario, cluster)
  else throw new Error(`the push failed: ${result.failure}`)
  checkBytes(scenario, cluster)
  return result
}

export function runMixedSeed(seed: number): SimResult {
  return runMixed(mixedScenario(seed))
}

/** The origin lives: who lives is complete, and everybody else has an outcome that says why. */
function checkOutcomes(scenario: MixedScenario, cluster: Cluster, result: SimResult): void {
  for (const [i, node] of scenario.nodes.entries()) {
    if (node.isMirror) break
    const outcome = result.outcomes[i]
    if (outcome === undefined) {
      // The push was over before.
      if (node.joinsAtMs !== null && node.joinsAtMs >= result.virtualMs) continue
      throw new Error(`node ${i} has no outcome`)
    }
    if (outcome.status === 'complete') {
      if (cluster.publicationsOf(i) === 0 || outcome.digest === null)
        throw new Error(`node ${i} is called complete and has not published`)
      continue
    }
    if (outcome.reason === null) throw new Error(`node ${i} failed for no reason`)
    const lives = node.trouble === null || node.restart !== undefined
    if (lives && !isExcused(scenario, outcome))
      throw new Error(`node ${i} lives and is not complete: ${outcome.reason}`)
  }
}

/** What may cost a living node its part where nobody tries again. */
function isExcused(scenario: MixedScenario, { code, reason }: NodeSettled): boolean {
  if (code === 'ERR_FR_BAD_BLOCK') return scenario.wrongChance > 0
  // It did not answer its offer for as long as it was cut off.
  const isLong = scenario.outages.some(({ forMs }) => forMs > limits.acceptMs / 2)
  if (isLong && reason === 'ERR_FR_TIMEOUT: no answer to the offer') return true
  // It was cut off before it was reached, and for longer than it is dialled.
  return (
    code === 'ERR_FR_UNREACHABLE' &&
    scenario.outages.some(({ forMs }) => forMs > (scenario.connectMs ?? limits.connectMs))
  )
}

/**
 * The origin is dead: all that had a plan have published, or name what none of them holds. Who was
 * cut off when that was decided knows less, and may say so; so may whom nobody reached who took
 * over.
 */
function checkLeft(scenario: MixedScenario, cluster: Cluster): void {
  const { originDiesAtMs = 0, outages, nodes, bytes } = scenario
  const left = cluster.nodes.filter(
    (node): node is SimNode => node !== undefined && cluster.lives(node.node),
  )
  for (const { node, failure, publications } of left)
    if (failure === null && publications !== 1) throw new Error(`node ${node} ended for no reason`)
  if (outages.some(({ atMs, forMs }) => atMs + forMs > originDiesAtMs)) return
  const took = cluster.successions.filter(({ event }) => event === 'took-over')
  const holders = left.filter(({ node, hasPlan, failure }) => {
    const isReached =
      took.length === 0 || took.some(({ node: from }) => hasWay(scenario, from, node))
    const isSound = nodes[node]?.trouble === null && !isSpoiled(scenario, failure)
    return hasPlan && isSound && isReached
  })
  const missing = withoutHeld([[0, bytes]], holders)
  const text = `the origin is gone: ${missingText(missing)}`
  for (const one of holders) {
    const { node, failure, publications } = one
    if (publications === 1) continue
    if (failure?.text === text && !missing.isEmpty) continue
    const isStranded = missing.isEmpty && !isBroughtAll(scenario, one, holders)
    if (isStranded && failure?.text === notBrought) continue
    const expected = missing.isEmpty ? 'all is held' : text
    throw new Error(`node ${node} says ${failure?.code}: ${failure?.text}, but ${expected}`)
  }
}

/** Blocks came wrong again and again: nobody can send it what is right. */
function isSpoiled({ wrongChance }: MixedScenario, failure: SimNode['failure']): boolean {
  return wrongChance > 0 && failure?.code === 'ERR_FR_BAD_BLOCK'
}

function hasWay({ edges }: MixedScenario, from: number, to: number): boolean {
  return from === to || edges[from + 1]?.[to]?.cannotDial !== true
}

function withoutHeld(ranges: readonly RangePair[], holders: readonly SimNode[]): RangeSet {
  const rest = RangeSet.of(ranges)
  for (const { verified } of holders) rest.subtract(verified)
  return rest
}

/** Those who reach it hold all that it lacks, with the author's digests. */
function isBroughtAll(scenario: MixedScenario, node: SimNode, all: readonly SimNode[]): boolean {
  const near = all.filter((holder) => hasWay(scenario, holder.node, node.node))
  const lacks = node.verified.missing(0, scenario.bytes)
  // Blocks that one found at its own place are of no use to others without the author's digests.
  const unsigned = RangeSet.of(lacks)
  for (const { signed } of [node, ...near]) unsigned.subtract(signed)
  return withoutHeld(lacks, near).isEmpty && unsigned.isEmpty
}

/** Faults that many feel at once: what was under way to all of them may be sent again. */
const wide: ReadonlySet<FaultKind> = new Set([
  'stop',
  'cable',
  'partition',
  'one-way',
  'hung-disk',
  'resets',
  'jitter',
  'bad-blocks',
  'origin-stop',
  'split',
])

/**
 * Everybody is sent what it lacks once, and a quarter of it again where relays are late, and some
 * blocks at the end. Each fault may cost one copy of the file more, and one that many feel half a
 * copy for each node.
 */
function checkBytes({ nodes, bytes, blockBytes, kinds }: MixedScenario, cluster: Cluster): void {
  const sent = cluster.network.sentBytes.reduce((sum, one) => sum + one, 0)
  const repairs = kinds.reduce((sum, kind) => sum + (wide.has(kind) ? nodes.length / 2 : 1), 0)
  const most = (1.25 * nodes.length + repairs) * bytes + 4 * nodes.length * blockBytes
  if (sent > most) throw new Error(`${sent} bytes were sent of ${most} at most`)
}
