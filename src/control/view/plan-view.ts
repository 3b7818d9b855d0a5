/** What people are shown of the plan of a push. Pure. */
import type { Coding } from '../../base/coding.js'
import type { ShapeForecast } from '../dealing/planning.js'
import type { Forecast, NodeLink, PlanMade } from '../plan/plan.js'

export interface Plan {
  readonly event: 'plan'
  readonly transfer: string
  readonly strategy: PlanMade['strategy']
  readonly shape: PlanMade['shape']
  /** Addresses of each group. */
  readonly groups: readonly (readonly string[])[]
  /** Of each group the index of the one that feeds it; null: the origin does. */
  readonly parents: readonly (number | null)[]
  /** Nodes beside these groups: slow ones, each fed once a group is complete. Bytes a second. */
  readonly later: readonly LaterNode[]
  /** Where each group stands; null: not known. */
  readonly sites: readonly (string | null)[]
  readonly shares: readonly { readonly node: string; readonly bytes: number }[]
  readonly bytes: number
  /** How the file is coded on its way, and bytes of what goes: the bounds are of these. */
  readonly coding: 'identity' | Coding
  readonly wireBytes: number
  /** What of the file is no hole: this has to be sent. */
  readonly dataBytes: number
  readonly blockBytes: number
  /** It is still written: `bytes` is what was there when the push began. */
  readonly growing?: true
  readonly predictedSeconds: number | null
  /** The same of every shape that these nodes can take. */
  readonly shapes: readonly ShapeForecast[]
  readonly boundSeconds: number | null
  /** For example `origin uplink`, `downlink of HOST:PORT`, `uplinks`. */
  readonly limiting: string | null
}

export interface LaterNode {
  readonly node: string
  /** What it passes on, or receives where that is less; what most others do. */
  readonly bytesPerSecond: number
  readonly chainBytesPerSecond: number
}

export function planView(
  transfer: string,
  plan: PlanMade,
  links: readonly NodeLink[],
  file: Pick<Plan, 'bytes' | 'dataBytes' | 'blockBytes'>,
  forecast: Forecast,
  shapes: readonly ShapeForecast[],
): Plan {
  const linkOf = (node: number): NodeLink => links[node] as NodeLink
  const addressOf = (node: number): string => linkOf(node).address
  const nodes = plan.nodes.map(addressOf)
  return {
    event: 'plan',
    transfer,
    strategy: plan.strategy,
    shape: plan.shape,
    groups: plan.groups.map((group) => group.map(addressOf)),
    parents: plan.parents,
    later: plan.later.map(({ node, ...rates }) => ({ node: addressOf(node), ...rates })),
    sites: plan.groups.map(([first]) => (first === undefined ? null : linkOf(first).site) ?? null),
    shares: nodes.map((node, i) => ({ node, bytes: plan.shares[i]?.[1] ?? 0 })),
    ...{ coding: 'identity', wireBytes: file.bytes },
    ...file,
    ...forecast,
    shapes,
  }
}
