/** What is known of a fleet, as tables of nodes, of transfers and of links. Pure. */
import type { NodeStatus, TransferStatus } from '../../api/types.js'
import { type Cell, type Column, printable, type Tone } from '../render/text.js'
import { formatBytes, formatDuration, formatPercent, formatRate } from '../render/units.js'
import type { Seen } from './fleet.js'

export const viewNames = ['nodes', 'transfers', 'links'] as const
export type ViewName = (typeof viewNames)[number]

export interface FleetRow {
  /** Of the node, the transfer or the link: the same row later has it, too. */
  readonly key: string
  readonly cells: readonly Cell[]
  /** By what it is sorted, for each column. Texts upwards, numbers downwards. */
  readonly sorts: readonly (string | number)[]
}

export interface FleetTable {
  readonly columns: readonly Column[]
  readonly rows: readonly FleetRow[]
}

/** A cell, and by what it is sorted. */
type Field = readonly [cell: Cell, sort: string | number]

const text = (of: string, tone: Tone = 'plain'): Field => [{ text: printable(of), tone }, of]
const rate = (of: number): Field => [{ text: of === 0 ? '-' : formatRate(of) }, of]
const bytes = (of: number): Field => [{ text: formatBytes(of) }, of]
const share = (of: number | null): Field => [{ text: formatPercent(of) }, of ?? -1]
const whole = (of: number): Field => [{ text: String(of) }, of]
const none: Field = [{ text: '-' }, -1]

const row = (key: string, fields: readonly Field[]): FleetRow => ({
  key,
  cells: fields.map(([cell]) => cell),
  sorts: fields.map(([, sort]) => sort),
})

const right = (title: string): Column => ({ title, right: true })

export function fleetTable(view: ViewName, fleet: readonly Seen[]): FleetTable {
  if (view === 'nodes') return nodesTable(fleet)
  return view === 'transfers' ? transfersTable(fleet) : linksTable(fleet)
}

function nodesTable(fleet: readonly Seen[]): FleetTable {
  const columns = [
    ...[{ title: 'node', cut: 'middle' as const }, { title: 'state' }],
    ...[right('in'), right('out'), right('done'), right('files'), right('free')],
    { title: 'note', cut: 'end' as const },
  ]
  return { columns, rows: fleet.flatMap(nodeRows) }
}

function nodeRows({ address, status, master, fault }: Seen): FleetRow[] {
  const note = fault === null ? '' : (fault.code ?? fault.text)
  if (master !== null) {
    const state: Field = fault === null ? text('master', 'cyan') : text('away', 'red')
    const own = row(address, [text(address), state, none, none, none, none, none, text(note)])
    return [own, ...master.nodes.map((node) => masteredRow(address, node))]
  }
  if (status === null) {
    const state: Field = fault === null ? text('asked', 'dim') : text('away', 'red')
    return [row(address, [text(address), state, none, none, none, none, none, text(note)])]
  }
  const { rates, transfers, held, freeBytes, relayOnly } = status
  const away = fault !== null
  const fields: Field[] = [
    text(status.name === null ? address : `${status.name} ${address}`),
    stateOf(status, away),
    rate(away ? 0 : rates.inBytesPerSecond),
    rate(away ? 0 : rates.outBytesPerSecond),
    share(doneOf(transfers)),
    whole(held.files),
    relayOnly ? none : bytes(freeBytes),
    text(note || noteOf(status)),
  ]
  return [row(address, fields)]
}

/** What a master knows of a node that is not watched itself. */
function masteredRow(
  master: string,
  { node, isHere, isDrained, files, wanted, missing, freeBytes }: SeenNodeTold,
): FleetRow {
  const state: Field = !isHere
    ? text('away', 'red')
    : isDrained
      ? text('drained', 'yellow')
      : missing > 0
        ? text('moving', 'green')
        : text('idle')
  const done = share(wanted === 0 ? null : (wanted - missing) / wanted)
  const note = missing > 0 ? `lacks ${missing} of ${wanted} files` : ''
  const fields = [text(node), state, none, none, done, whole(files), bytes(freeBytes), text(note)]
  return row(`${master} ${node}`, fields)
}

type SeenNodeTold = NonNullable<Seen['master']>['nodes'][number]

function stateOf({ problems, transfers }: NodeStatus, isAway: boolean): Field {
  if (isAway) return text('away', 'red')
  if (problems.length > 0) return text('faulty', 'yellow')
  return transfers.some(({ role }) => role !== 'complete') ? text('moving', 'green') : text('idle')
}

/** Of all that comes to the node: the part that has. Null: nothing comes. */
function doneOf(transfers: readonly TransferStatus[]): number | null {
  const coming = transfers.filter(({ role }) => role === 'receiving' || role === 'complete')
  const wanted = sumOf(coming, ({ bytes: of }) => of)
  if (coming.length === 0) return null
  return wanted === 0 ? 1 : Math.min(1, sumOf(coming, ({ landedBytes: of }) => of) / wanted)
}

function noteOf({ problems, transfers, readOnly, mirror }: NodeStatus): string {
  const [problem] = problems
  if (problem !== undefined) return problem
  const waiting = transfers.find(({ waitsFor }) => waitsFor !== null)
  if (waiting !== undefined) return `waits for ${waiting.waitsFor}`
  return readOnly ? 'read-only' : mirror ? 'a mirror' : ''
}

/** What the nodes that are watched say of one transfer. */
interface Moving {
  readonly id: string
  readonly name: string
  readonly bytes: number
  readonly at: { readonly address: string; readonly transfer: TransferStatus }[]
  /** Of nodes where it is over. */
  readonly outcomes: string[]
}

function transfersTable(fleet: readonly Seen[]): FleetTable {
  const columns = [
    ...[{ title: 'transfer', cut: 'middle' as const }, right('size'), right('nodes')],
    ...[{ title: 'state' }, right('done'), right('in'), right('ETA')],
    { title: 'least, and what it waits for', cut: 'end' as const },
  ]
  return { columns, rows: transfersOf(fleet).map(transferRow) }
}

function transfersOf(fleet: readonly Seen[]): Moving[] {
  const found = new Map<string, Moving>()
  const of = (id: string, name: string, size: number): Moving => {
    const known = found.get(id) ?? { id, name, bytes: size, at: [], outcomes: [] }
    found.set(id, known)
    return known
  }
  for (const { address, status, fault } of fleet) {
    if (status === null) continue
    // Where several attempts have ended, the newest, which is the first, is what became of it.
    const told = new Set<string>()
    for (const transfer of fault === null ? status.transfers : []) {
      of(transfer.transfer, transfer.name, transfer.bytes).at.push({ address, transfer })
      told.add(transfer.transfer)
    }
    for (const { transfer, name, bytes: size, role, outcome } of status.ended) {
      if (role === 'origin' || told.has(transfer)) continue
      of(transfer, name, size).outcomes.push(outcome)
      told.add(transfer)
    }
  }
  return [...found.values()]
}

function transferRow({ id, name, bytes: size, at, outcomes }: Moving): FleetRow {
  const coming = at.filter(({ transfer: { role } }) => role === 'receiving' || role === 'complete')
  const ended = outcomes.filter((outcome) => outcome === 'complete').length
  const complete = ended + coming.filter(({ transfer: { role } }) => role === 'complete').length
  const nodes = coming.length + outcomes.length
  const landed = sumOf(coming, ({ transfer }) => Math.min(transfer.landedBytes, size))
  const done = size === 0 ? complete / nodes : (landed + ended * size) / (nodes * size)
  const etas = coming.flatMap(({ transfer: { etaSeconds } }) => etaSeconds ?? [])
  const last = Math.max(...etas)
  const over: Field = complete === nodes ? text('complete') : text('failed', 'red')
  return row(id, [
    text(name),
    bytes(size),
    [{ text: `${complete}/${nodes}` }, nodes],
    at.length > 0 ? text('moving', 'green') : over,
    share(nodes === 0 ? null : done),
    rate(sumOf(coming, ({ transfer }) => transfer.rateInBytesPerSecond)),
    etas.length === 0 ? none : [{ text: formatDuration(last) }, last],
    text(leastOf(coming)),
  ])
}

/** Who has least, and what it waits for. */
function leastOf(coming: Moving['at']): string {
  const open = coming.filter(({ transfer: { role } }) => role === 'receiving')
  const [first, ...others] = open
  if (first === undefined) return ''
  const least = others.reduce(
    (low, one) => (one.transfer.landedBytes < low.transfer.landedBytes ? one : low),
    first,
  )
  const { waitsFor } = least.transfer
  return `${least.address}${waitsFor === null ? '' : ` waits for ${waitsFor}`}`
}

/** Ways from node to node; of a master's links, what they may carry as well. */
function linksTable(fleet: readonly Seen[]): FleetTable {
  const hasBudgets = fleet.some(({ master }) => master !== null)
  const budgets = ['may carry', 'allocated', 'used'].map(right)
  const columns = [
    ...['from', 'to', 'of'].map((title) => ({ title, cut: 'middle' as const })),
    ...(hasBudgets ? budgets : []),
    ...[right('queued'), { title: 'state', cut: 'end' as const }],
  ]
  return { columns, rows: fleet.flatMap((seen) => linkRows(seen, hasBudgets)) }
}

function linkRows({ address, status, master, fault }: Seen, hasBudgets: boolean): FleetRow[] {
  if (fault !== null) return []
  if (master !== null) return master.links.map((link) => budgetRow(address, link))
  const unknown = hasBudgets ? [none, none, none] : []
  return (status?.transfers ?? []).flatMap((transfer) => [
    ...transfer.relays.map(({ node, queuedBytes, unackedBytes, isLagging }) =>
      row(`${address} ${node} ${transfer.transfer}`, [
        ...[text(address), text(node), text(transfer.name), ...unknown],
        bytes(queuedBytes + unackedBytes),
        isLagging ? text('lagging', 'yellow') : text('open'),
      ]),
    ),
    ...transfer.faults
      .filter(({ kind, isFailed }) => kind === 'link' && isFailed)
      .map(({ name, to, causes }) =>
        row(`${address} fault ${name} ${to} ${transfer.transfer}`, [
          ...[text(name), text(to ?? address), text(transfer.name), ...unknown, none],
          text(`failed: ${causes.map(({ cause }) => cause).join(', ')}`, 'red'),
        ]),
      ),
  ])
}

/** A link of a master's topology, and what it may carry. */
function budgetRow(master: string, link: NonNullable<Seen['master']>['links'][number]): FleetRow {
  const { kind, name, capabilityBytesPerSecond, isFailed } = link
  return row(`${master} ${kind} ${name}`, [
    ...[text(name), text(''), text(kind)],
    capabilityBytesPerSecond === null ? none : rate(capabilityBytesPerSecond),
    rate(link.allocatedBytesPerSecond),
    rate(link.usedBytesPerSecond),
    none,
    isFailed ? text('failed', 'red') : text('in use'),
  ])
}

function sumOf<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((sum, one) => sum + of(one), 0)
}
