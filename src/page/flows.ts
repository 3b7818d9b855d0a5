/**
 * Who sends to whom, and about how fast: what a drawing of a transfer shows. Nodes say what comes
 * in and what goes out, not over which edge; the plan says which edges there are. What a node sends
 * is shared among the mates that still receive, and what comes to it beyond that is from whoever
 * feeds its group. So the sums at each node are as measured, and an edge is an estimate. Pure.
 */
import type { NodeTransfer, Plan, Progress } from './told.js'

export const originName = 'origin'
/** Of a group with more nodes the edges between them are not told: a million help nobody. */
export const meshNodesMax = 12

export interface FlowNode {
  readonly name: string
  /** `origin`, or as in the figures: connecting, .., complete, failed, refused. */
  readonly state: string
  /** 0 to 1. */
  readonly share: number
  readonly inBytesPerSecond: number
  readonly outBytesPerSecond: number
  readonly isFaulty: boolean
}

export interface FlowEdge {
  /** Indices of nodes. */
  readonly from: number
  readonly to: number
  readonly bytesPerSecond: number
  readonly isFailed: boolean
}

export interface FlowGroup {
  /** Indices of nodes. */
  readonly nodes: readonly number[]
  /** Index of the group that feeds it; null: the origin. */
  readonly parent: number | null
  readonly site: string | null
}

export interface Flows {
  /** The first is the origin. */
  readonly nodes: readonly FlowNode[]
  readonly groups: readonly FlowGroup[]
  readonly edges: readonly FlowEdge[]
}

export interface Watched {
  readonly plan: Plan | null
  readonly progress: Progress | null
  readonly originBytesPerSecond: number
}

/** Nodes that are in no group of the plan (later ones, joined ones) are fed by the origin. */
export function flowsOf({ plan, progress, originBytesPerSecond }: Watched): Flows {
  const told = progress?.nodes ?? []
  const names = told.length > 0 ? told.map(({ node }) => node) : (plan?.groups.flat() ?? [])
  const indexOf = new Map(names.map((name, at) => [name, at + 1]))
  const failedNodes = new Set<string>()
  const failedLinks = new Set<string>()
  for (const { kind, name, to, isFailed } of progress?.faults ?? [])
    if (isFailed) (kind === 'link' ? failedLinks : failedNodes).add(`${name} ${to ?? ''}`)
  const bytes = progress?.bytes ?? 0
  const nodes: FlowNode[] = [
    {
      ...{ name: originName, state: 'origin', share: 1, isFaulty: false },
      ...{ inBytesPerSecond: 0, outBytesPerSecond: originBytesPerSecond },
    },
  ]
  for (const [at, name] of names.entries()) {
    const one = told[at]
    const isOver = one === undefined || one.state === 'failed' || one.state === 'refused'
    nodes.push({
      name,
      state: one?.state ?? 'connecting',
      share: one?.state === 'complete' ? 1 : bytes === 0 ? 0 : (one?.landedBytes ?? 0) / bytes,
      inBytesPerSecond: isOver ? 0 : one.rateBytesPerSecond,
      outBytesPerSecond: isOver ? 0 : one.rateOutBytesPerSecond,
      isFaulty: failedNodes.has(`${name} `) || one?.isDemoted === true,
    })
  }
  const groups = groupsOf(plan, indexOf, nodes.length)
  const edges = edgesOf(nodes, groups, failedLinks)
  return { nodes, groups, edges }
}

function groupsOf(
  plan: Plan | null,
  indexOf: ReadonlyMap<string, number>,
  count: number,
): FlowGroup[] {
  const placed = new Set<number>()
  const groups: FlowGroup[] = (plan?.groups ?? []).map((group, at) => {
    const nodes = group.map((name) => indexOf.get(name)).filter((index) => index !== undefined)
    for (const index of nodes) placed.add(index)
    return { nodes, parent: plan?.parents[at] ?? null, site: plan?.sites[at] ?? null }
  })
  for (let index = 1; index < count; index++)
    if (!placed.has(index)) groups.push({ nodes: [index], parent: null, site: null })
  return groups
}

function edgesOf(
  nodes: readonly FlowNode[],
  groups: readonly FlowGroup[],
  failedLinks: ReadonlySet<string>,
): FlowEdge[] {
  const out = nodes.map(({ outBytesPerSecond }) => outBytesPerSecond)
  const isOpen = (index: number): boolean => {
    const state = nodes[index]?.state
    return state !== 'complete' && state !== 'failed' && state !== 'refused'
  }
  const edges: FlowEdge[] = []
  const add = (from: number, to: number, bytesPerSecond: number): void => {
    const isFailed = failedLinks.has(`${nodes[from]?.name} ${nodes[to]?.name}`)
    edges.push({ from, to, bytesPerSecond, isFailed })
  }
  // Children first: what a node gives to another group is not for its mates.
  const depths = depthsOf(groups)
  const order = [...groups.keys()].sort((a, b) => (depths[b] ?? 0) - (depths[a] ?? 0))
  for (const group of order.map((at) => groups[at] as FlowGroup)) {
    const open = group.nodes.filter(isOpen)
    const given = group.nodes.map((from) => {
      const mates = open.length - (isOpen(from) ? 1 : 0)
      return mates === 0 ? 0 : (out[from] ?? 0) / mates
    })
    const all = given.reduce((sum, one) => sum + one, 0)
    const isMesh = group.nodes.length <= meshNodesMax
    for (const [at, to] of group.nodes.entries()) {
      if (isMesh)
        for (const [other, from] of group.nodes.entries())
          if (other !== at) add(from, to, isOpen(to) ? (given[other] ?? 0) : 0)
      const fromMates = isOpen(to) ? all - (given[at] ?? 0) : 0
      const rest = Math.max(0, (nodes[to]?.inBytesPerSecond ?? 0) - fromMates)
      const feeders = group.parent === null ? [] : (groups[group.parent]?.nodes ?? [])
      const from = feeders[at % Math.max(1, feeders.length)] ?? 0
      if (from !== 0) out[from] = Math.max(0, (out[from] ?? 0) - rest)
      add(from, to, rest)
    }
  }
  return edges
}

/** Of each group how many feed it, one after the other; a circle, which no plan has, ends. */
export function depthsOf(groups: readonly FlowGroup[]): number[] {
  const depths = new Map<number, number>()
  return groups.map((_, group) => {
    const way: number[] = []
    let at: number | null = group
    while (at !== null && !depths.has(at) && way.length <= groups.length) {
      way.push(at)
      at = groups[at]?.parent ?? null
    }
    let depth = at === null ? 0 : (depths.get(at) ?? -1) + 1
    for (const one of way.reverse()) depths.set(one, depth++)
    return depths.get(group) ?? 0
  })
}

/** Of a transfer that somebody else began: only what passes this node is known. */
export function flowsHere(here: NodeTransfer, self: string): Flows {
  const share = here.bytes === 0 ? 1 : here.landedBytes / here.bytes
  const isOrigin = here.role === 'origin'
  const from: FlowNode = {
    ...{ name: here.coordinator ?? originName, state: 'origin', share: 1, isFaulty: false },
    ...{ inBytesPerSecond: 0, outBytesPerSecond: here.rateInBytesPerSecond },
  }
  const own: FlowNode = {
    ...{ name: self, state: isOrigin ? 'origin' : here.role, share, isFaulty: false },
    inBytesPerSecond: here.rateInBytesPerSecond,
    outBytesPerSecond: here.rateOutBytesPerSecond,
  }
  const each = here.rateOutBytesPerSecond / Math.max(1, here.relays.length)
  const relays = here.relays.map(({ node, isLagging }) => ({
    ...{ name: node, state: 'receiving', share: 0, isFaulty: isLagging },
    ...{ inBytesPerSecond: each, outBytesPerSecond: 0 },
  }))
  if (isOrigin)
    return starOf(own, relays, (to) => ({ from: 0, to, bytesPerSecond: each, isFailed: false }))
  const nodes = [from, own, ...relays]
  const first = { from: 0, to: 1, bytesPerSecond: here.rateInBytesPerSecond, isFailed: false }
  const passed = relays.map((_, at) => ({
    ...{ from: 1, to: at + 2, bytesPerSecond: each, isFailed: false },
  }))
  const groups = [
    { nodes: [1], parent: null, site: null },
    ...relays.map((_, at) => ({ nodes: [at + 2], parent: 0, site: null })),
  ]
  return { nodes, groups, edges: [first, ...passed] }
}

function starOf(
  centre: FlowNode,
  around: readonly FlowNode[],
  edge: (to: number) => FlowEdge,
): Flows {
  const groups = around.map((_, at) => ({ nodes: [at + 1], parent: null, site: null }))
  return { nodes: [centre, ...around], groups, edges: around.map((_, at) => edge(at + 1)) }
}
