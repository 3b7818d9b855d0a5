/** How many nodes are complete, in one word. */

export type Outcome = 'complete' | 'partial' | 'failed'

export function outcomeOf(nodes: readonly { readonly status: string }[]): Outcome {
  const complete = nodes.filter(({ status }) => status === 'complete').length
  if (complete === nodes.length) return 'complete'
  return complete === 0 ? 'failed' : 'partial'
}
