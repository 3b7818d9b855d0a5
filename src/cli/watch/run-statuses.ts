/**
 * `fr status` of several nodes, and with `--watch` of any number again and again. On a terminal a
 * table is redrawn in place; to a pipe or file each round is printed below the one before.
 */
import type { StatusOptions } from '../../api/types.js'
import { limits } from '../../base/limits.js'
import type { Context } from '../render/context.js'
import { LiveRegion } from '../render/terminal.js'
import { jsonText, tableLines } from '../render/text.js'
import { Fleet, type Seen } from './fleet.js'
import { fleetTable } from './fleet-tables.js'

export interface StatusesOptions {
  readonly addresses: readonly string[]
  readonly json: boolean
  /** Undefined: once. */
  readonly watchMs: number | undefined
  readonly key: Pick<StatusOptions, 'key' | 'tls'>
  readonly signal: AbortSignal
}

/** 0: all have answered, 3: some, 1: none; with `watchMs` it ends by the signal only. */
export async function runStatuses(options: StatusesOptions, context: Context): Promise<number> {
  const { addresses, json, watchMs, key, signal } = options
  const over = new AbortController()
  const open = new Set(addresses)
  const live = new LiveRegion()
  let timer: NodeJS.Timeout | undefined
  const show = (): void => {
    timer = undefined
    const lines = linesOf(fleet.all, context)
    context.stdout(
      watchMs !== undefined && context.stdoutIsTerminal
        ? redrawn(live, lines, context)
        : `${lines.join('\n')}\n`,
    )
    if (watchMs !== undefined && !context.stdoutIsTerminal) context.stdout('\n')
  }
  const fleet = new Fleet({
    ...{ addresses, asked: key, everyMs: watchMs ?? limits.watchMsMax },
    changed: (seen) => {
      if (json) context.stdout(`${jsonText(toldOf(seen))}\n`)
      open.delete(seen.address)
      if (watchMs === undefined && open.size === 0) over.abort()
      if (watchMs !== undefined && !json && open.size === 0)
        timer ??= setTimeout(show, Math.min(watchMs, limits.watchMsMin))
    },
  })
  try {
    await fleet.run(AbortSignal.any([signal, over.signal]))
  } catch (error) {
    if (signal.aborted || !over.signal.aborted) throw error
  } finally {
    clearTimeout(timer)
  }
  if (!json) show()
  const away = fleet.all.filter(({ fault }) => fault !== null).length
  return away === 0 ? 0 : away < addresses.length ? 3 : 1
}

/** One JSON object for what became of one question. */
function toldOf({ address: node, status, master, fault }: Seen): object {
  if (fault !== null) return { event: 'error', node, ...fault }
  return status ?? { event: 'masterStatus', master: node, ...master }
}

function linesOf(fleet: readonly Seen[], context: Context): string[] {
  const { columns, rows } = fleetTable('nodes', fleet)
  const room = context.stdoutIsTerminal ? context.terminal()?.columns : undefined
  const cells = rows.map((row) => row.cells)
  return tableLines(columns, cells, context.paintStdout, room)
}

/** No more than the screen has room for: what has scrolled away cannot be redrawn. */
function redrawn(live: LiveRegion, lines: readonly string[], context: Context): string {
  const { columns, rows } = context.terminal() ?? { columns: 80, rows: 24 }
  const fit = Math.max(2, rows - 2)
  const more = lines.length - fit
  const shown = more <= 0 ? lines : [...lines.slice(0, fit - 1), `... ${more + 1} more`]
  return live.draw(shown, columns)
}
