/** What nodes lack of files that they are to hold. */
import type { NodeId } from './network.js'

export type FileId = number

/** What all demands together are served for. */
export type Objective =
  /** That the last node has all soon: whoever has waited longest is next. */
  | { readonly kind: 'all' }
  /** That nodes have what they want soon on average: whoever lacks least is next. */
  | { readonly kind: 'mean' }
  /** That so many nodes have each file soon: those that lack least of it, before all others. */
  | { readonly kind: 'first'; readonly nodes: number }

export interface DemandSpec {
  readonly file: FileId
  readonly node: NodeId
  /** 0 to 10; the higher one is served first. */
  readonly priority: number
  readonly sinceMs: number
}

/**
 * In which order a node's demands are looked at, the least first: by priority, then by what the
 * objective says. `missing`: bytes; `rank`: how many nodes lack less of the file.
 */
export function orderOf(
  { priority, sinceMs }: DemandSpec,
  objective: Objective,
  missing: number,
  rank: number,
): number {
  const within =
    objective.kind === 'mean' || (objective.kind === 'first' && rank < objective.nodes)
      ? missing / 2 ** 53
      : 1 + Math.max(0, sinceMs) / 2 ** 53
  return -4 * priority + within
}
