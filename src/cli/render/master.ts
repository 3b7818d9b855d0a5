/** What a master has answered, as people see it. Pure string building. */
import type {
  AuditTold,
  ComponentTold,
  DrainResult,
  ExplainTold,
  NodeTold,
  PlanTold,
  ResourceTold,
  SetsAppliedResult,
  SetTold,
} from '../../api/master-client-types.js'
import { type Cell, type Column, type Paint, printable, tableLines } from './text.js'
import { count, formatBytes, formatDuration, formatPercent, formatRate } from './units.js'

/** What `fr status` tells of a master. */
export interface MasterTold {
  readonly event: 'masterStatus'
  readonly master: string
  readonly nodes: readonly NodeTold[]
  readonly sets: readonly SetTold[]
  /** Those that run. */
  readonly copies: readonly PlanTold[]
}

const rate = (of: number | null) => (of === null ? '-' : formatRate(of))
const part = ([offset, length]: readonly [number, number]) =>
  `${formatBytes(length)} from ${formatBytes(offset)}`

function table(
  columns: readonly (string | Column)[],
  rows: readonly (readonly (string | Cell)[])[],
  paint: Paint,
  room = Number.POSITIVE_INFINITY,
): string[] {
  const titles = columns.map((one) => (typeof one === 'string' ? { title: one } : one))
  const cells = rows.map((row) => row.map((one) => (typeof one === 'string' ? { text: one } : one)))
  return tableLines(titles, cells, paint, room)
}

const right = (title: string): Column => ({ title, right: true })
const name = (title: string): Column => ({ title, cut: 'middle' })

export function linkLines(all: readonly ResourceTold[], paint: Paint, room?: number): string[] {
  const columns = [
    ...['kind', name('link'), right('may carry'), right('allocated'), right('used')],
    ...[right('price a GB'), right('carried'), right('cost'), 'state'],
  ]
  const rows = all.map((one) => [
    ...[one.kind, printable(one.name), rate(one.capabilityBytesPerSecond)],
    ...[rate(one.allocatedBytesPerSecond), rate(one.usedBytesPerSecond)],
    ...[price(one.costPerGb), formatBytes(one.bytes), price(one.cost), failed(one.isFailed)],
  ])
  return table(columns, rows, paint, room)
}

function price(of: number): string {
  return of === 0 ? '-' : String(Number(of.toPrecision(3)))
}

function failed(isFailed: boolean): Cell {
  return isFailed ? { text: 'failed', tone: 'red' } : { text: 'ok', tone: 'green' }
}

export function componentLines(
  all: readonly ComponentTold[],
  paint: Paint,
  room?: number,
): string[] {
  if (all.length === 0) return ['nothing has failed']
  const columns = ['kind', name('component'), 'state', right('failed'), 'again in', 'causes']
  const rows = all.map(({ kind, name: of, isFailed, failures, retrySeconds, causes }) => [
    ...[kind, printable(of), failed(isFailed), count(failures, 'time')],
    retrySeconds === null ? '-' : formatDuration(retrySeconds),
    causes.map(({ cause, count: times }) => `${printable(cause)} ${times}`).join(', '),
  ])
  return table(columns, rows, paint, room)
}

export function nodeLines(all: readonly NodeTold[], paint: Paint, room?: number): string[] {
  if (all.length === 0) return ['no node has joined']
  const columns = [name('node'), 'site', 'state', right('files'), right('wanted')]
  const rows = all.map((one) => [
    ...[printable(one.node), printable(one.site), stateOf(one), String(one.files)],
    ...[String(one.wanted), String(one.missing), formatBytes(one.missingBytes)],
    formatBytes(one.freeBytes),
  ])
  return table([...columns, right('missing'), right('left'), right('free')], rows, paint, room)
}

/** `fr status` of a master. */
export function masterLines(told: MasterTold, paint: Paint, room?: number): string[] {
  const { master, nodes, sets, copies } = told
  const here = nodes.filter(({ isHere }) => isHere).length
  const running = copies.length === 1 ? '1 copy runs' : `${copies.length} copies run`
  const present = `${here} of ${nodes.length} nodes are here`
  const head = `${printable(master)} is a master: ${present}, ${running}`
  return [
    head,
    ...nodeLines(nodes, paint, room),
    ...setLines(sets, paint, room),
    ...(copies.length > 0 ? planLines(copies, paint, room) : []),
  ]
}

function stateOf({ isHere, isDrained }: NodeTold): Cell {
  if (!isHere) return { text: 'away', tone: 'red' }
  return isDrained ? { text: 'drained', tone: 'yellow' } : { text: 'here', tone: 'green' }
}

export function planLines(all: readonly PlanTold[], paint: Paint, room?: number): string[] {
  if (all.length === 0) return ['nothing is to be copied']
  const copies = all.filter((one) => one.event === 'copy')
  const slices = all.filter((one) => one.event === 'slice')
  const now = copies.map((one) => [
    ...[printable(one.name), part(one.range), printable(one.source), printable(one.target)],
    ...[rate(one.bytesPerSecond), one.seconds === 0 ? '-' : formatDuration(one.seconds)],
  ])
  const ahead = slices.map((one) => [
    ...[printable(one.name), part(one.range), printable(one.from), printable(one.to)],
    count(one.nodes, 'node'),
  ])
  const running = table(
    [name('copied now'), 'part', 'from', 'to', right('rate'), right('takes')],
    now,
    paint,
    room,
  )
  const planned = table(
    [name('planned'), 'part', 'from site', 'to site', right('for')],
    ahead,
    paint,
    room,
  )
  return [...(now.length > 0 ? running : []), ...(ahead.length > 0 ? planned : [])]
}

export function setLines(all: readonly SetTold[], paint: Paint, room?: number): string[] {
  if (all.length === 0) return ['there are no sets']
  const columns = [name('set'), right('priority'), right('files'), right('nodes complete')]
  const rows = all.map((one) => [
    ...[printable(one.set), String(one.priority), String(one.files)],
    ...[`${one.complete} of ${one.nodes}`, count(one.missingFiles, 'file')],
    formatBytes(one.missingBytes),
  ])
  const notes = all.flatMap(({ set, unknown, unended, contradictions, leftAtNodes }) => [
    ...leftAtNodes.map(({ node, files, bytes }) => {
      const left = `${count(files, 'file')}, ${formatBytes(bytes)}`
      return `${printable(set)}: ${printable(node)} lacks ${left}`
    }),
    ...unknown.map((file) => `${printable(set)}: no node here holds ${printable(file)}`),
    ...unended.map(
      (one) =>
        `${printable(set)}: ${printable(one.name)} has no end: its author has not ended it, ` +
        `${formatBytes(one.bytes)} came, nothing more for ${formatDuration(one.seconds)}`,
    ),
    ...contradictions.map(
      (one) => `${printable(set)}: ${printable(one.set)} decides about ${printable(one.name)}`,
    ),
  ])
  return [...table([...columns, right('missing'), right('bytes')], rows, paint, room), ...notes]
}

export function appliedLines({ changes, dryRun, isKept }: SetsAppliedResult): string[] {
  const lines = changes.map(({ set, change, fields, added, removed, changed }) => {
    const files = [
      ...(added > 0 ? [`${count(added, 'file')} more`] : []),
      ...(removed > 0 ? [`${count(removed, 'file')} less`] : []),
      ...(changed > 0 ? [`${count(changed, 'other version')}`] : []),
    ]
    const rest = fields.filter((field) => field !== 'files')
    const what = change === 'removed' ? [] : [...files, ...rest]
    return `${change} ${printable(set)}${what.length > 0 ? `: ${what.join(', ')}` : ''}`
  })
  const none = dryRun ? 'no difference' : 'nothing has changed'
  const lost = 'the master cannot write to its disk: this ends with it'
  return [...(lines.length > 0 ? lines : [none]), ...(isKept ? [] : [lost])]
}

export function drainLine({ node, isDrained, copies, isKept }: DrainResult): string[] {
  const running = copies === 1 ? '1 copy was' : `${copies} copies were`
  const what = isDrained ? `drained; ${running} under way` : 'used again'
  const lost = isKept ? '' : ' (the master cannot write to its disk: this ends with it)'
  return [`${printable(node)}: ${what}${lost}`]
}

export function explainLines(told: ExplainTold, paint: Paint, room?: number): string[] {
  const { node, name: file, size, heldBytes, set, state, text, copies, candidates } = told
  const of = size === null ? '' : `, holds ${formatBytes(heldBytes)} of ${formatBytes(size)}`
  const why = set === null ? '' : `, because of set ${printable(set)}`
  const head = `${printable(node)}, ${printable(file)}${of}${why}: ${state}: ${printable(text)}`
  const scored = candidates.map((one, i) => [
    { text: printable(one.source), ...(i === 0 && { tone: 'bold' as const }) },
    ...[printable(one.site), part(one.range), rate(one.bytesPerSecond), price(one.costPerGb)],
    ...[String(one.hops), formatPercent(one.fullness), String(one.serving), one.score.toFixed(3)],
    partsText(one.parts),
  ])
  const columns = [
    ...[name('could come from'), 'site', 'part', right('rate'), right('price a GB')],
    ...[right('links'), right('full'), right('serves'), right('score'), 'made of'],
  ]
  return [
    head,
    ...copies.map((one) => `copies ${part(one.range)} from ${printable(one.source)}`),
    ...(scored.length > 0 ? table(columns, scored, paint, room) : []),
  ]
}

function partsText(parts: Readonly<Record<string, number>> | null): string {
  if (parts === null) return '-'
  const shown = Object.entries(parts).filter(([, part]) => Math.abs(part) >= 0.0005)
  return shown.map(([weight, part]) => `${weight} ${part.toFixed(3)}`).join(', ')
}

export function auditLines(all: readonly AuditTold[], paint: Paint, room?: number): string[] {
  if (all.length === 0) return ['every node holds what the sets say']
  const columns = [name('node'), name('file'), 'fault', name('wanted'), name('holds')]
  const rows = all.map((one) => [
    ...[printable(one.node), printable(one.name), one.fault],
    ...[printable(one.wanted ?? '-'), printable(one.held ?? '-')],
  ])
  return table(columns, rows, paint, room)
}
