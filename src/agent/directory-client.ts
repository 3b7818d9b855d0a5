/** What a client asks of a directory. */
import type { FoundNode } from '../control/messages/directory.js'
import type { Frame } from '../control/messages/types.js'
import type { AskOptions, Inquiry } from './client.js'

/** Criteria in canonical form. `found` is called as answers come. */
export function askWhere(
  inquiry: Inquiry,
  within: AskOptions,
  criteria: string,
  found: (nodes: readonly FoundNode[]) => void,
): Promise<Extract<Frame, { type: 'whereTold' }>> {
  const question = { type: 'where', criteria } as const
  return inquiry.ask(question, 'whereTold', within, 'whereFound', ({ nodes }) => found(nodes))
}
