/** When the troubles of a scenario strike and nodes are added: all planned before the run. */
import type { Resets, Restart, Scenario } from './scenario.js'
import type { Timeline } from './timeline.js'

export interface Troubles {
  add(node: number): void
  changeUplink(node: number, factor: number): void
  kill(node: number): void
  restart(node: number, restart: Restart): void
  hang(node: number): void
  fillDisk(node: number): void
  changeSource(): void
  touchSource(): void
  cancel(): void
  killCoordinator(): void
  stop(host: number, forMs: number): void
  hangDisk(node: number, forMs: number): void
  /** False: it is over. */
  reset(resets: Resets): boolean
}

export function planTroubles(scenario: Scenario, timeline: Timeline, troubles: Troubles): void {
  const { nodes, sourceChangesAtMs, sourceTouchedAtMs, cancelAtMs, outages } = scenario
  for (const [i, { joinsAtMs }] of nodes.entries())
    if (joinsAtMs !== null) timeline.at(joinsAtMs, () => troubles.add(i))
  for (const [i, node] of nodes.entries()) {
    const { trouble, atMs, restart, uplinkFactor, uplinkChangesAtMs } = node
    if (uplinkFactor !== 1)
      timeline.at(uplinkChangesAtMs, () => troubles.changeUplink(i, uplinkFactor))
    if (trouble === 'killed') timeline.at(atMs, () => troubles.kill(i))
    if (trouble === 'killed' && restart !== undefined)
      timeline.at(atMs + restart.afterMs, () => troubles.restart(i, restart))
    if (trouble === 'hung') timeline.at(atMs, () => troubles.hang(i))
    if (trouble === 'diskFull') timeline.at(atMs, () => troubles.fillDisk(i))
  }
  for (const { host, kind, atMs, forMs } of outages) {
    if (kind === 'stop') timeline.at(atMs, () => troubles.stop(host, forMs))
    if (kind === 'disk') timeline.at(atMs, () => troubles.hangDisk(host, forMs))
  }
  const { resets } = scenario
  if (resets !== undefined) {
    const strike = (): void => {
      if (timeline.nowMs > (resets.untilMs ?? Number.POSITIVE_INFINITY)) return
      if (troubles.reset(resets)) timeline.after(resets.everyMs, strike)
    }
    timeline.after(resets.everyMs, strike)
  }
  if (sourceChangesAtMs !== null) timeline.at(sourceChangesAtMs, () => troubles.changeSource())
  if (sourceTouchedAtMs !== null) timeline.at(sourceTouchedAtMs, () => troubles.touchSource())
  if (scenario.originDiesAtMs !== undefined)
    timeline.at(scenario.originDiesAtMs, () => troubles.killCoordinator())
  if (cancelAtMs !== null) timeline.at(cancelAtMs, () => troubles.cancel())
}
