/** What a service does, in one line. */
import type { MasterStatus } from '../../api/master-types.js'
import type { NodeStatus } from '../../api/types.js'
import { formatBytes } from '../../base/limits.js'
import { count, formatRate } from './units.js'

export function nodeSummary({ transfers, rates, held, problems }: NodeStatus): string {
  const holds = `${count(held.files, 'file')}, ${formatBytes(held.bytes)}`
  const moves =
    transfers.length === 0
      ? 'idle'
      : `${count(transfers.length, 'transfer')}, ${formatRate(rates.inBytesPerSecond)} in, ` +
        `${formatRate(rates.outBytesPerSecond)} out`
  return [moves, holds, ...problems.slice(0, 1)].join('; ')
}

export function masterSummary({ leads, leader, nodes, sets, copies }: MasterStatus): string {
  if (!leads) return leader === null ? 'nobody leads' : `${leader} leads`
  const what = [
    count(nodes.length, 'node'),
    count(sets, 'set'),
    copies === 1 ? '1 copy runs' : `${copies} copies run`,
  ]
  return `leads; ${what.join(', ')}`
}
