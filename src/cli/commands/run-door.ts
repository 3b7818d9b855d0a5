/** Opens the HTTP door of what a command serves, and ends both together. */
import type { FrMaster } from '../../api/master-types.js'
import type { FrNode } from '../../api/types.js'
import type { DoorOptions } from '../../doors/index.js'
import { masterSummary, nodeSummary } from '../render/summary.js'
import type { DoorWish } from './door.js'
import { openedBefore, type Served } from './serving.js'

function summaryOf(behind: { readonly node: FrNode } | { readonly master: FrMaster }): string {
  return 'node' in behind
    ? nodeSummary(behind.node.status())
    : masterSummary(behind.master.status())
}

/** Without a wish nothing of a door is loaded. What is behind is closed where none opens. */
export async function withDoor(
  wish: DoorWish | undefined,
  behind: { readonly node: FrNode } | { readonly master: FrMaster },
  options: Omit<DoorOptions, 'listen' | 'hosts'>,
): Promise<Served> {
  const served = 'node' in behind ? behind.node : behind.master
  const { address, nodeId } = served
  const summary = (): string => summaryOf(behind)
  const reload = (): Promise<void> => served.reload()
  const common = { address, nodeId, summary, reload }
  if (wish === undefined) return { ...common, close: () => served.close() }
  const { address: http, close } = await openedBefore(served, async () => {
    const { openDoor } = await import('../../doors/index.js')
    return openDoor(behind, { ...wish, ...options })
  })
  return { ...common, http, close }
}
