/**
 * Where nodes of a drawing stand: the origin in the middle, and around it who exchanges pieces as
 * rings, who passes on further out, and a chain as a spiral. The same groups stand at the same
 * places, so that nothing jumps while figures change. Pure.
 */
import { depthsOf, type FlowGroup, type Flows } from './flows.js'

export interface Place {
  /** In units of a radius: what is drawn lies within -1 and 1. */
  readonly x: number
  readonly y: number
}

export interface Layout {
  /** Of each node. */
  readonly places: readonly Place[]
  /** Distance between nodes that are near each other, in the same unit. */
  readonly spacing: number
  readonly labels: readonly (Place & { readonly text: string })[]
}

const golden = Math.PI * (3 - Math.sqrt(5))
const ringMax = 36

export function layoutOf({ nodes, groups }: Pick<Flows, 'nodes' | 'groups'>): Layout {
  const places: Place[] = nodes.map(() => ({ x: 0, y: 0 }))
  const labels: (Place & { text: string })[] = []
  const depths = depthsOf(groups)
  const deepest = Math.max(0, ...depths)
  const isSingle = groups.every((group) => group.nodes.length <= 1)
  const isChain = isSingle && deepest > 2 && deepest + 1 === groups.length
  if (isChain) spiral(groups, depths, places)
  else if (groups.length === 1 || (isSingle && deepest === 0))
    disc(
      groups.flatMap((group) => group.nodes),
      places,
    )
  else radial(groups, depths, places, labels)
  return { places, labels, spacing: spacingOf(places) }
}

/** A ring around the origin; of many, seeds of a sunflower. */
function disc(nodes: readonly number[], places: Place[]): void {
  const isRing = nodes.length <= ringMax
  for (const [at, node] of nodes.entries()) {
    const angle = isRing ? (2 * Math.PI * at) / nodes.length - Math.PI / 2 : at * golden
    const far = isRing ? 0.86 : Math.sqrt((at + nodes.length * 0.06) / (nodes.length * 1.06))
    places[node] = { x: far * Math.cos(angle), y: far * Math.sin(angle) }
  }
}

/** Turns that lie as far from each other as nodes of a turn do. */
function spiral(groups: readonly FlowGroup[], depths: readonly number[], places: Place[]): void {
  const count = groups.length
  const gap = 1 / Math.sqrt(count / Math.PI + 1)
  let angle = 0
  const order = [...groups.keys()].sort((a, b) => (depths[a] ?? 0) - (depths[b] ?? 0))
  const far = order.map(() => {
    angle += gap / Math.max(gap, (gap * angle) / (2 * Math.PI))
    return [(gap * angle) / (2 * Math.PI) + gap * 0.6, angle] as const
  })
  const most = far.at(-1)?.[0] ?? 1
  for (const [at, group] of order.entries()) {
    const [radius, turn] = far[at] ?? [0, 0]
    const node = groups[group]?.nodes[0]
    if (node === undefined) continue
    const scaled = (0.92 * radius) / most
    places[node] = { x: scaled * Math.cos(turn), y: scaled * Math.sin(turn) }
  }
}

/** A tree of groups: each level on a ring of its own, each group a small ring or disc there. */
function radial(
  groups: readonly FlowGroup[],
  depths: readonly number[],
  places: Place[],
  labels: (Place & { text: string })[],
): void {
  const children = groups.map(() => [] as number[])
  const roots: number[] = []
  for (const [at, { parent }] of groups.entries())
    ((parent === null ? undefined : children[parent]) ?? roots).push(at)
  const leaves = new Map<number, number>()
  const count = (at: number): number => {
    const weight = Math.max(1, Math.sqrt(groups[at]?.nodes.length ?? 1))
    const below = (children[at] ?? []).reduce((sum, child) => sum + count(child), 0)
    const all = Math.max(weight, below)
    leaves.set(at, all)
    return all
  }
  const whole = roots.reduce((sum, root) => sum + count(root), 0)
  const levels = Math.max(0, ...depths) + 1
  const step = (levels === 1 ? 0.84 : 0.8) / levels
  const place = (all: readonly number[], from: number, angle: number): void => {
    let start = from
    for (const at of all) {
      const part = ((leaves.get(at) ?? 1) / whole) * 2 * Math.PI
      const middle = start + part / 2
      const far = step * ((depths[at] ?? 0) + (levels === 1 ? 0.72 : 1))
      const room = Math.min(step * 0.42, (far * Math.min(part, 1.6)) / 2.6)
      const centre = { x: far * Math.cos(middle), y: far * Math.sin(middle) }
      cluster(groups[at]?.nodes ?? [], centre, levels === 1 ? room * 1.1 : room, places)
      const site = groups[at]?.site
      if (site) labels.push({ x: centre.x, y: centre.y, text: site })
      place(children[at] ?? [], start, angle)
      start += part
    }
  }
  place(roots, -Math.PI / 2 - (whole === 0 ? 0 : Math.PI / Math.max(1, roots.length)), 0)
}

function cluster(nodes: readonly number[], centre: Place, radius: number, places: Place[]): void {
  if (nodes.length === 1) {
    places[nodes[0] as number] = centre
    return
  }
  const isRing = nodes.length <= 12
  for (const [at, node] of nodes.entries()) {
    const angle = isRing ? (2 * Math.PI * at) / nodes.length - Math.PI / 2 : at * golden
    const far = radius * (isRing ? 1 : Math.sqrt((at + 0.5) / nodes.length))
    places[node] = { x: centre.x + far * Math.cos(angle), y: centre.y + far * Math.sin(angle) }
  }
}

/** Of a sample: the distance to the nearest other, the median. */
function spacingOf(places: readonly Place[]): number {
  const step = Math.max(1, Math.floor(places.length / 64))
  const nearest: number[] = []
  for (let at = 0; at < places.length; at += step) {
    const { x, y } = places[at] as Place
    let best = 4
    for (const [other, one] of places.entries())
      if (other !== at) best = Math.min(best, (one.x - x) ** 2 + (one.y - y) ** 2)
    nearest.push(Math.sqrt(best))
  }
  nearest.sort((a, b) => a - b)
  return nearest[Math.floor(nearest.length / 2)] || 0.5
}
