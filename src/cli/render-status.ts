/** What `fr status` shows: a node, its transfers, its counters. Pure string building. */
import type { NodeStatus } from '../api/types.js'
import { type Paint, printable, tableLines } from './render-text.js'
import { formatBytes, formatDuration, formatPercent, formatRate } from './units.js'

export function statusLines(status: NodeStatus, paint: Paint): string[] {
  const fact = (title: string, text: string): string =>
    `${paint('bold', title)}${' '.repeat(11 - title.length)}${text}`
  const name = status.name === null ? '' : `, called ${printable(status.name)}`
  const lines = [
    fact('node', `${printable(status.node)}${name}`),
    fact('id', printable(status.nodeId)),
    fact('version', `${printable(status.version)}, ${status.engine} engine`),
    fact('up', formatDuration(status.uptimeSeconds)),
    fact('data', `${printable(status.dataDir)}, ${formatBytes(status.freeBytes)} free`),
    fact('transfers', String(status.transfers.length)),
  ]
  if (status.transfers.length > 0) {
    const rows = status.transfers.map((transfer) => [
      { text: printable(transfer.transfer) },
      { text: printable(transfer.name) },
      { text: transfer.role },
      { text: formatBytes(transfer.bytes) },
      { text: share(transfer.landedBytes, transfer.bytes) },
      { text: share(transfer.verifiedBytes, transfer.bytes) },
      { text: formatRate(transfer.rateInBytesPerSecond) },
      { text: formatRate(transfer.rateOutBytesPerSecond) },
      { text: transfer.etaSeconds === null ? '' : formatDuration(transfer.etaSeconds) },
      { text: transfer.waitsFor === null ? '' : printable(transfer.waitsFor) },
    ])
    const columns = [
      { title: 'transfer' },
      { title: 'name' },
      { title: 'role' },
      { title: 'size', right: true },
      { title: 'landed', right: true },
      { title: 'verified', right: true },
      { title: 'in', right: true },
      { title: 'out', right: true },
      { title: 'ETA', right: true },
      { title: 'waits for' },
    ]
    lines.push(...tableLines(columns, rows, paint), ...relayLines(status, paint))
  }
  const counters = Object.entries(status.counters).filter(([, value]) => value !== 0)
  if (counters.length > 0) {
    const text = counters.map(([key, value]) => `${printable(key)}=${value}`).join(' ')
    lines.push(fact('counters', text))
  }
  return lines
}

/** How far each feed to a mate is behind. */
function relayLines(status: NodeStatus, paint: Paint): string[] {
  const rows = status.transfers.flatMap(({ transfer, relays }) =>
    relays.map((relay) => [
      { text: printable(transfer) },
      { text: printable(relay.node) },
      { text: formatBytes(relay.queuedBytes) },
      { text: formatBytes(relay.unackedBytes) },
      { text: relay.isLagging ? 'lagging' : '' },
    ]),
  )
  if (rows.length === 0) return []
  const columns = [
    { title: 'transfer' },
    { title: 'relays to' },
    { title: 'queued', right: true },
    { title: 'in flight', right: true },
    { title: '' },
  ]
  return tableLines(columns, rows, paint)
}

function share(bytes: number, whole: number): string {
  return formatPercent(whole === 0 ? 1 : Math.min(1, bytes / whole))
}
