/** Whom the coordinator is told of at the start of a scenario. */
import type { OriginConfig } from '../control/coordinator/events.js'
import { linkOf, type Scenario } from './scenario.js'

/** Numbers are places: behind all others come gateways, then mirrors. */
export function membersOf(
  scenario: Scenario,
): Pick<OriginConfig, 'nodes' | 'mirrors' | 'gateways'> {
  const { nodes } = scenario
  const links = scenario.links ?? nodes.map((_, i) => linkOf(i, scenario))
  const isReceiver = (i: number): boolean => !nodes[i]?.isMirror && !nodes[i]?.isGateway
  const named = links.filter((_, i) => nodes[i]?.joinsAtMs === null && isReceiver(i))
  const gateways = links.filter((_, i) => nodes[i]?.isGateway)
  const mirrors = links.filter((_, i) => nodes[i]?.isMirror)
  return {
    nodes: named,
    ...(mirrors.length > 0 && { mirrors }),
    ...(gateways.length > 0 && { gateways }),
  }
}
