/** One seed: run it, and check what must hold at its end. Throws with what did not. */
import { limits } from '../base/limits.js'
import type { NodeSettled } from '../control/messages/types.js'
import { Cluster, type SimResult } from './cluster.js'
import { linkOf, type Scenario, scenarioOf } from './scenario.js'
import type { SimNode } from './sim-node.js'

export function runSeed(seed: number): SimResult {
  return runScenario(scenarioOf(seed))
}

export function runScenario(scenario: Scenario): SimResult {
  const cluster = new Cluster(scenario)
  const result = cluster.run()
  if (result.failure === null) checkOutcomes(scenario, cluster, result)
  else if (result.failure === 'killed') checkOrphans(scenario, cluster)
  else checkFailure(scenario, cluster, result)
  checkAccused(scenario, result)
  return result
}

/** Nobody is called a false relay who is none. */
function checkAccused(scenario: Scenario, { warnings }: SimResult): void {
  for (const [i, { deceivesAtMs }] of scenario.nodes.entries()) {
    const { address } = linkOf(i, scenario)
    const accused = warnings.find((text) =>
      text.startsWith(`${address} says that it passes bytes on`),
    )
    if (accused !== undefined && deceivesAtMs === undefined)
      throw new Error(`an honest relay is accused: ${accused}`)
  }
}

function checkOutcomes(scenario: Scenario, cluster: Cluster, result: SimResult): void {
  checkPromptness(scenario, cluster)
  for (const [i, node] of scenario.nodes.entries()) {
    // Nobody waits for those who only send, and they come last.
    if (node.isMirror || node.isGateway) break
    const outcome = result.outcomes[i]
    if (outcome === undefined) {
      // The push was over before.
      if (node.joinsAtMs !== null && node.joinsAtMs >= result.virtualMs) continue
      throw new Error(`node ${i} has no outcome`)
    }
    const published = cluster.nodes[i]?.publications ?? 0
    const isComplete = outcome.status === 'complete'
    if (isComplete && published !== 1)
      throw new Error(`node ${i} is called complete and has not published`)
    if (isComplete && outcome.digest === null)
      throw new Error(`node ${i} is complete without a digest`)
    if (isComplete) checkFigures(i, outcome, scenario, cluster)
    if (!isComplete && outcome.reason === null) throw new Error(`node ${i} failed for no reason`)
    if (isComplete || node.trouble !== null) continue
    if (isExcused(scenario, i, outcome.reason ?? '')) continue
    throw new Error(`node ${i} lives and is not complete: ${outcome.reason}`)
  }
}

/** What a node says it received is what landed and what it dropped, up to its publication. */
function checkFigures(
  node: number,
  outcome: NodeSettled,
  scenario: Scenario,
  cluster: Cluster,
): void {
  const { bytes, receivedBytes, duplicateBytes, holeBytes, heldBytes, filledBytes } = outcome
  const newBytes = receivedBytes - duplicateBytes + holeBytes
  const { holds = [], found = 'held', stale = [] } = scenario.nodes[node] ?? {}
  const there = holds.reduce((sum, [, length]) => sum + length, 0)
  const isCompared = found === 'candidates' || found === 'elsewhere'
  const isAllOurs = !isCompared || stale.length === 0
  // Whoever comes again holds what came before.
  const isBack = outcome.attempts > 1 || scenario.nodes[node]?.restart !== undefined
  if (!isBack && (isAllOurs ? heldBytes !== there : heldBytes > there))
    throw new Error(`node ${node} says that it held ${heldBytes} of ${there}`)
  const toCome = bytes - heldBytes - filledBytes
  const repairs = cluster.nodes[node]?.scratchBytes ?? 0
  if (newBytes < toCome || newBytes > toCome + repairs)
    throw new Error(
      `node ${node} counts ${newBytes} new bytes of ${toCome} and ${repairs} repaired`,
    )
}

/**
 * Without a coordinator everybody ends with a named error, or has published, and keeps what is
 * verified; standbys know what the coordinator told them last.
 */
function checkOrphans({ nodes }: Scenario, cluster: Cluster): void {
  const { numbers, roster } = cluster.machine.exchange.plans.standbys
  const isSucceeded = cluster.successions.length > 0
  for (const [i, node] of cluster.nodes.entries()) {
    const { trouble = null } = nodes[i] ?? {}
    if (node === undefined || trouble === 'killed' || trouble === 'hung') continue
    const { failure } = node
    if (failure === null && node.publications !== 1)
      throw new Error(`node ${i} ended for no reason`)
    if (failure?.code !== 'ERR_FR_ORIGIN_LOST') continue
    if (!node.keepsPartial) throw new Error(`node ${i} has lost what it had verified`)
    if (!numbers.includes(i) || isSucceeded) continue
    const { replica } = node
    if (JSON.stringify(roster) !== JSON.stringify(replica.roster))
      throw new Error(`standby ${i} does not know what it was told last`)
  }
}

/**
 * Where nothing else goes wrong, those that had a plan and together hold every block publish it;
 * else all of them name the same missing ranges.
 */
export function checkSurvivors({ bytes, blockBytes }: Scenario, cluster: Cluster): void {
  const survivors = cluster.nodes.filter(
    (node): node is SimNode => node !== undefined && cluster.lives(node.node) && node.hasPlan,
  )
  const blocks = Array.from({ length: Math.ceil(bytes / blockBytes) }, (_, block) => block)
  const isWhole = blocks.every((block) => survivors.some((node) => node.isVerified(block)))
  const [first] = survivors
  for (const { node, failure, publications } of survivors) {
    const outcome = `${failure?.code}: ${failure?.text}`
    if (isWhole && (failure !== null || publications !== 1))
      throw new Error(`node ${node} has not finished what survivors hold together: ${outcome}`)
    if (!isWhole && (failure?.text !== first?.failure?.text || !failure?.text.includes('nobody')))
      throw new Error(`node ${node} does not name what is missing as others do: ${outcome}`)
  }
}

/** Faults of the network between living machines that may cost a node its transfer. */
function isExcused(scenario: Scenario, node: number, reason: string): boolean {
  const feed = scenario.edges[0]?.[node]
  if (reason.startsWith('ERR_FR_NODE_LOST')) return feed?.breaksAtMs !== null
  if (reason.startsWith('ERR_FR_BAD_BLOCK')) return scenario.wrongChance > 0
  return false
}

function checkFailure(scenario: Scenario, cluster: Cluster, result: SimResult): void {
  const isWanted =
    (result.failure === 'ERR_FR_ABORTED' && scenario.cancelAtMs !== null) ||
    (result.failure === 'ERR_FR_SOURCE_CHANGED' && scenario.sourceChangesAtMs !== null)
  if (!isWanted) throw new Error(`the push failed: ${result.failure}`)
  const wroteEarly = cluster.nodes.some(
    (node) => (node?.publications ?? 0) > 0 && node?.file.isRight === false,
  )
  if (wroteEarly) throw new Error('a failed push published something wrong')
  if (result.virtualMs > limits.publishMs) throw new Error('a failed push took too long to end')
}

/**
 * Asking again is the safety net: only what keeps quiet (not what breaks) may make a node need it,
 * and so may links on which a block of every mate takes about as long as a node waits.
 */
function checkPromptness(scenario: Scenario, cluster: Cluster): void {
  const isQuiet =
    scenario.outages.length > 0 ||
    scenario.nodes.some((node) => node.deceivesAtMs !== undefined) ||
    scenario.edges.flat().some((edge) => edge.stallAtMs !== null || edge.cannotDial)
  const slowest = Math.min(
    ...scenario.nodes.flatMap(({ uplinkBytesPerMs, uplinkFactor, downlinkBytesPerMs }) => [
      Math.min(1, uplinkFactor) * uplinkBytesPerMs,
      downlinkBytesPerMs,
    ]),
  )
  const blocksMs = (scenario.blockBytes * scenario.nodes.length) / slowest
  if (
    isQuiet ||
    blocksMs > limits.askMs / 4 ||
    scenario.nodes.some((node) => node.trouble === 'hung')
  )
    return
  const asked = cluster.nodes.find((node) => (node?.asks ?? 0) > 0)
  if (asked !== undefined)
    throw new Error(`node ${asked.node} had to ask again although nothing kept quiet`)
}
