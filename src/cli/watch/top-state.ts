/** What `fr top` shows of a fleet, and what keys change of it. Pure. */
import { displayWidth } from '../render/text.js'
import { type FleetRow, type FleetTable, type ViewName, viewNames } from './fleet-tables.js'

export interface TopState {
  readonly view: ViewName
  /** Of each view: the column that it is sorted by, and whether the other way round. */
  readonly sorted: Readonly<
    Record<ViewName, { readonly column: number; readonly isTurned: boolean }>
  >
  /** Rows whose text has this in it are shown; empty: all. */
  readonly filter: string
  readonly isTyping: boolean
  readonly isPaused: boolean
  readonly isHelp: boolean
  /** The key of the row that is chosen; null: the first. */
  readonly chosen: string | null
  /** All of the chosen row is shown, from this line on; null: it is not. */
  readonly detailFrom: number | null
}

const filterColumnsMax = 64

export const firstState: TopState = {
  view: 'nodes',
  sorted: {
    nodes: { column: 0, isTurned: false },
    transfers: { column: 3, isTurned: true },
    links: { column: 0, isTurned: false },
  },
  ...{ filter: '', isTyping: false, isPaused: false, isHelp: false },
  ...{ chosen: null, detailFrom: null },
}

/** Those that the filter lets through, in order. */
export function shownRows({ rows }: FleetTable, state: TopState): FleetRow[] {
  const wanted = state.filter.toLowerCase()
  const { column, isTurned } = state.sorted[state.view]
  const turn = isTurned ? -1 : 1
  return rows
    .filter(({ cells }) => cells.some(({ text }) => text.toLowerCase().includes(wanted)))
    .sort((one, other) => turn * order(one.sorts[column], other.sorts[column]))
}

/** Texts upwards, numbers downwards. */
function order(one: string | number | undefined, other: string | number | undefined): number {
  if (typeof one === 'number' && typeof other === 'number') return other - one
  return String(one).localeCompare(String(other), undefined, { numeric: true })
}

/** A key as node:readline names it. */
export interface Key {
  readonly name?: string | undefined
  readonly sequence?: string | undefined
  readonly ctrl?: boolean | undefined
  readonly meta?: boolean | undefined
}

/** The state after a key; `quit` and `stop` (Ctrl-C) end the program, `suspend` puts it away. */
export type AfterKey = TopState | 'quit' | 'stop' | 'suspend'

/** `rows`: what is shown; `page`: how many lines of that fit. */
export function afterKey(
  state: TopState,
  key: Key,
  {
    rows,
    columns,
    page,
  }: {
    readonly rows: readonly FleetRow[]
    readonly columns: number
    readonly page: number
  },
): AfterKey {
  if (key.ctrl) {
    if (key.name === 'c') return 'stop'
    return key.name === 'z' ? 'suspend' : state
  }
  if (state.isTyping) return afterTyped(state, key)
  if (state.isHelp) return key.name === 'q' ? 'quit' : { ...state, isHelp: false }
  const moved = movement(key, page)
  if (moved !== null) return afterMove(state, rows, moved)
  const { sequence = '', name } = key
  const at = Number(sequence) - 1
  if (viewNames[at] !== undefined) return inView(state, viewNames[at])
  if (name === 'tab' || name === 'right') return inView(state, besideView(state.view, 1))
  if (name === 'left') return inView(state, besideView(state.view, -1))
  if (name === 'return') return state.detailFrom === null ? { ...state, detailFrom: 0 } : state
  if (name === 'escape') {
    if (state.detailFrom !== null) return { ...state, detailFrom: null }
    return { ...state, filter: '' }
  }
  switch (sequence) {
    case 'q':
      return state.detailFrom === null ? 'quit' : { ...state, detailFrom: null }
    case 's':
      return sortedBy(state, columns, 1)
    case 'S':
      return sortedBy(state, columns, -1)
    case 'r': {
      const { column, isTurned } = state.sorted[state.view]
      return withSort(state, { column, isTurned: !isTurned })
    }
    case '/':
      return { ...state, isTyping: true, detailFrom: null }
    case ' ':
      return { ...state, isPaused: !state.isPaused }
    case '?':
    case 'h':
      return { ...state, isHelp: true }
    default:
      return state
  }
}

function afterTyped(state: TopState, { name, sequence = '', meta }: Key): TopState {
  if (name === 'return') return { ...state, isTyping: false }
  if (name === 'escape') return { ...state, isTyping: false, filter: '' }
  if (name === 'backspace') return { ...state, filter: [...state.filter].slice(0, -1).join('') }
  const filter = state.filter + sequence
  const isText = !meta && /^[^\p{C}]+$/u.test(sequence)
  return isText && displayWidth(filter) <= filterColumnsMax ? { ...state, filter } : state
}

/** Lines down; infinite: to the end. */
function movement({ name, sequence }: Key, page: number): number | null {
  if (name === 'down' || sequence === 'j') return 1
  if (name === 'up' || sequence === 'k') return -1
  if (name === 'pagedown') return page
  if (name === 'pageup') return -page
  if (name === 'home' || sequence === 'g') return Number.NEGATIVE_INFINITY
  if (name === 'end' || sequence === 'G') return Number.POSITIVE_INFINITY
  return null
}

function afterMove(state: TopState, rows: readonly FleetRow[], by: number): TopState {
  if (state.detailFrom !== null)
    return { ...state, detailFrom: Math.min(Math.max(0, state.detailFrom + by), 1e6) }
  const to = Math.min(Math.max(0, chosenAt(state, rows) + by), rows.length - 1)
  return { ...state, chosen: rows[to]?.key ?? null }
}

/** The place of the chosen row; of the first where that is gone. */
export function chosenAt({ chosen }: TopState, rows: readonly FleetRow[]): number {
  return Math.max(
    0,
    rows.findIndex(({ key }) => key === chosen),
  )
}

function inView(state: TopState, view: ViewName): TopState {
  return { ...state, view, chosen: null, detailFrom: null }
}

function besideView(view: ViewName, by: number): ViewName {
  const at = (viewNames.indexOf(view) + by + viewNames.length) % viewNames.length
  return viewNames[at] ?? view
}

function sortedBy(state: TopState, columns: number, by: number): TopState {
  const column = (state.sorted[state.view].column + by + columns) % columns
  return withSort(state, { column, isTurned: false })
}

function withSort(state: TopState, sort: TopState['sorted'][ViewName]): TopState {
  return { ...state, sorted: { ...state.sorted, [state.view]: sort } }
}
