/** The edges of the network of a fluid (fluid-network.ts), and which of them are alike. */
export interface FluidEdge {
  /** Rows of hosts: the origin's is 0. */
  readonly from: number
  readonly to: number
  /** Index of the edge that brings what this one passes on; -1: its sender has all of it. */
  readonly parent: number
  /** It comes from no mate. */
  readonly isEntry: boolean
  /** Index of the link between sites that it crosses. */
  readonly link?: number | undefined
}

/**
 * Where bundles begin: edges of one sender that pass on what one edge brings, each to another node.
 * What crosses a link between sites shares that with others, and is in no bundle with any.
 */
export function bundlesOf(edges: readonly FluidEdge[]): number[] {
  const hasLinks = edges.some(({ link }) => link !== undefined)
  const tos = new Set<number>()
  return [...edges.keys()].filter((i) => {
    const [edge, before] = [edges[i] as FluidEdge, edges[i - 1]]
    const isAlike = edge.from === before?.from && edge.parent === before.parent && edge.parent >= 0
    const goesOn = isAlike && !hasLinks && !tos.has(edge.to)
    if (!goesOn) tos.clear()
    tos.add(edge.to)
    return !goesOn
  })
}
