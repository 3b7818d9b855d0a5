/** The screen of `fr top`: as many lines as there are rows, none wider than the screen. Pure. */
import { statusLines } from '../render/status.js'
import { type Cell, type Paint, printable, tableLines, truncate } from '../render/text.js'
import { count, formatPercent, formatRate } from '../render/units.js'
import type { Seen } from './fleet.js'
import { type FleetRow, type FleetTable, fleetTable, viewNames } from './fleet-tables.js'
import { chosenAt, shownRows, type TopState } from './top-state.js'

export interface Room {
  readonly columns: number
  readonly rows: number
}

/** Lines that are not of the table: two above, the titles, one below. */
const linesBeside = 4
/** Before each row: what marks the chosen one. */
const gutter = 2

export function pageOf({ rows }: Room): number {
  return Math.max(1, rows - linesBeside)
}

export function topLines(
  fleet: readonly Seen[],
  state: TopState,
  room: Room,
  paint: Paint,
): string[] {
  const table = fleetTable(state.view, fleet)
  const rows = shownRows(table, state)
  const body = state.isHelp ? help : bodyLines({ fleet, table, rows }, state, room, paint)
  const lines = [
    truncate(summaryOf(fleet), room.columns),
    viewLine(state, table, room, paint),
    ...body.slice(0, pageOf(room) + 1),
  ]
  while (lines.length < room.rows - 1) lines.push('')
  lines.push(paint('dim', truncate(footOf(state), room.columns)))
  return lines.slice(0, room.rows)
}

function summaryOf(fleet: readonly Seen[]): string {
  const away = fleet.filter(({ fault }) => fault !== null).length
  const here = fleet.flatMap(({ status, fault }) =>
    status !== null && fault === null ? status : [],
  )
  const inRate = here.reduce((sum, { rates }) => sum + rates.inBytesPerSecond, 0)
  const outRate = here.reduce((sum, { rates }) => sum + rates.outBytesPerSecond, 0)
  const transfers = new Set(
    here.flatMap((status) => status.transfers.map(({ transfer }) => transfer)),
  )
  const parts = [
    count(fleet.length, 'node'),
    ...(away > 0 ? [`${away} away`] : []),
    count(transfers.size, 'transfer'),
    `in ${formatRate(inRate)}, out ${formatRate(outRate)}`,
  ]
  return `fr top  ${parts.join(', ')}`
}

function viewLine(state: TopState, { columns }: FleetTable, room: Room, paint: Paint): string {
  const { column, isTurned } = state.sorted[state.view]
  const by = `by ${columns[column]?.title ?? ''}${isTurned ? ', reversed' : ''}`
  const filter = state.isTyping || state.filter !== '' ? `  filter: ${printable(state.filter)}` : ''
  const typing = state.isTyping ? '_' : ''
  const rest = `  ${by}${filter}${typing}${state.isPaused ? '  paused' : ''}`
  const views = viewNames.map((view, at) => ({ view, text: `${at + 1} ${view}` }))
  const width = views.reduce((sum, { text }) => sum + text.length + 4, -2)
  const shown = views.map(({ view, text }) =>
    view === state.view ? paint('bold', `[${text}]`) : ` ${text} `,
  )
  return `${shown.join('  ')}${truncate(rest, Math.max(0, room.columns - width))}`.trimEnd()
}

interface Shown {
  readonly fleet: readonly Seen[]
  readonly table: FleetTable
  readonly rows: readonly FleetRow[]
}

function bodyLines(shown: Shown, state: TopState, room: Room, paint: Paint): string[] {
  if (state.detailFrom !== null) {
    const lines = detailLines(shown, state, room, paint)
    const from = Math.min(state.detailFrom, Math.max(0, lines.length - pageOf(room) - 1))
    return lines.slice(from)
  }
  const { table, rows } = shown
  if (rows.length === 0) return [state.filter === '' ? '  nothing' : '  nothing has that in it']
  const chosen = chosenAt(state, rows)
  const page = pageOf(room)
  // The chosen one is in the middle, where there are rows enough on both sides.
  const from = Math.max(0, Math.min(chosen - Math.floor(page / 2), rows.length - page))
  const cells = rows.slice(from, from + page).map((row) => row.cells)
  const [titles = '', ...lines] = tableLines(table.columns, cells, paint, room.columns - gutter)
  return [
    `  ${titles}`,
    ...lines.map((line, at) => `${from + at === chosen ? paint('bold', '> ') : '  '}${line}`),
  ]
}

/** All that is known of the chosen row. */
function detailLines(shown: Shown, state: TopState, room: Room, paint: Paint): string[] {
  const { fleet, rows, table } = shown
  const row = rows[chosenAt(state, rows)]
  if (row === undefined) return ['  nothing']
  if (state.view === 'transfers') return transferLines(fleet, row.key, room, paint)
  const seen = state.view === 'nodes' ? fleet.find(({ address }) => address === row.key) : undefined
  const fault = seen?.fault ? [paint('red', truncate(seen.fault.text, room.columns)), ''] : []
  if (seen?.status) return [...fault, ...statusLines(seen.status, paint, room.columns)]
  const titles = table.columns.map(({ title }) => title)
  return [
    ...fault,
    ...row.cells.map(({ text }, at) => truncate(`${titles[at]}: ${text}`, room.columns)),
  ]
}

/** A transfer, node by node. */
function transferLines(fleet: readonly Seen[], id: string, room: Room, paint: Paint): string[] {
  const rows = fleet.flatMap(({ address, status }) => {
    const running = status?.transfers.filter(({ transfer }) => transfer === id) ?? []
    const ended = status?.ended.filter(({ transfer }) => transfer === id) ?? []
    return [
      ...running.map((one): Cell[] => [
        ...[{ text: printable(address) }, { text: one.role }],
        { text: formatPercent(one.bytes === 0 ? 1 : Math.min(1, one.landedBytes / one.bytes)) },
        { text: formatRate(one.rateInBytesPerSecond) },
        { text: formatRate(one.rateOutBytesPerSecond) },
        { text: one.waitsFor === null ? '' : printable(`waits for ${one.waitsFor}`) },
      ]),
      ...ended.map((one): Cell[] => [
        ...[{ text: printable(address) }, { text: one.outcome }],
        ...[{ text: '' }, { text: '' }, { text: '' }, { text: printable(one.reason ?? '') }],
      ]),
    ]
  })
  const columns = [
    ...[{ title: 'node', cut: 'middle' as const }, { title: 'state' }],
    ...[
      { title: 'landed', right: true },
      { title: 'in', right: true },
    ],
    ...[
      { title: 'out', right: true },
      { title: 'note', cut: 'end' as const },
    ],
  ]
  return [
    truncate(`transfer ${printable(id)}`, room.columns),
    ...tableLines(columns, rows, paint, room.columns),
  ]
}

const help = [
  '  1 2 3, Tab, arrows   nodes, transfers, links',
  '  up, down, j, k       choose a row; also Page Up, Page Down, Home, End',
  '  Enter                all of the chosen row; Esc goes back',
  '  s, S                 sort by the next column, by the one before',
  '  r                    reverse the order',
  '  /                    show only rows with a text in them; Esc: all again',
  '  space                pause, go on',
  '  q, Ctrl-C            end',
]

function footOf(state: TopState): string {
  if (state.isTyping) return 'Enter keeps the filter, Esc drops it'
  if (state.isHelp) return 'q ends, any other key goes back'
  if (state.detailFrom !== null) return 'up down scroll  Esc back  q back'
  return 'q end  1-3 view  s sort  r reverse  / filter  Enter details  space pause  ? help'
}
