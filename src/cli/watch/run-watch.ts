/** `fr top`: a fleet on the whole terminal, until somebody ends it. */
import type { ReadStream, WriteStream } from 'node:tty'
import type { StatusOptions } from '../../api/types.js'
import { Interrupted } from '../render/context.js'
import type { Paint } from '../render/text.js'
import { Fleet } from './fleet.js'
import { fleetTable } from './fleet-tables.js'
import { FullScreen } from './full-screen.js'
import { pageOf, topLines } from './top-lines.js'
import { afterKey, firstState, type Key, shownRows, type TopState } from './top-state.js'

/** Milliseconds from one drawing to the next: a thousand nodes do not draw each by itself. */
const drawMs = 100

export interface TopOptions {
  readonly addresses: readonly string[]
  readonly asked: Pick<StatusOptions, 'key' | 'tls'>
  readonly everyMs: number
  readonly paint: Paint
  readonly input: ReadStream
  readonly output: WriteStream
  readonly signal: AbortSignal
}

/** Resolves to the exit status when `q` was pressed; rejects with Interrupted. */
export async function runScreen(options: TopOptions): Promise<number> {
  const { input, output, paint, signal } = options
  const over = new AbortController()
  const until = AbortSignal.any([signal, over.signal])
  let state: TopState = firstState
  let timer: NodeJS.Timeout | undefined
  const draw = (): void => {
    timer = undefined
    screen.draw(topLines(shown, state, screen.size, paint))
  }
  const fleet = new Fleet({
    ...options,
    changed: () => {
      if (state.isPaused) return
      shown = fleet.all
      timer ??= setTimeout(draw, drawMs)
    },
  })
  let shown = fleet.all
  const onKey = (key: Key): void => {
    const table = fleetTable(state.view, shown)
    const rows = shownRows(table, state)
    const room = { rows, columns: table.columns.length, page: pageOf(screen.size) }
    const after = afterKey(state, key, room)
    if (after === 'quit') return over.abort()
    if (after === 'stop') return over.abort(new Interrupted('SIGINT'))
    if (after === 'suspend') return screen.suspend()
    state = after
    if (!state.isPaused) shown = fleet.all
    draw()
  }
  const screen = new FullScreen(input, output, { key: onKey, redraw: draw })
  screen.open()
  try {
    draw()
    await fleet.run(until)
    return 0
  } catch (error) {
    const isQuit = over.signal.aborted && !(over.signal.reason instanceof Interrupted)
    if (isQuit && !signal.aborted) return 0
    throw error
  } finally {
    clearTimeout(timer)
    screen.close()
  }
}
