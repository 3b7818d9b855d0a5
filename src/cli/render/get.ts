/** What `fr get` shows: progress on one line, and where the file came from. */
import type { GetProgress, GetResult, GetTree } from '../../api/types.js'
import type { Context } from './context.js'
import { entriesText } from './held.js'
import { LiveRegion } from './terminal.js'
import { jsonText, type Paint, printable, tableLines, truncate, wrapParts } from './text.js'
import { count, formatBytes, formatDuration, formatPercent, formatRate } from './units.js'

const jsonMs = 500
const plainMs = 2_000

export interface GetViewWish {
  readonly json: boolean
  readonly progress: boolean
}

/** Progress: JSON on stdout, a line that is redrawn on a terminal, else a line now and then. */
export class GetView {
  readonly #wish: GetViewWish
  readonly #context: Context
  readonly #now: () => number
  readonly #region = new LiveRegion()
  #line: string | null = null
  #shownMs: number
  /** The newest that was not written as JSON. */
  #held: GetProgress | null = null

  constructor(wish: GetViewWish, context: Context, now: () => number = () => performance.now()) {
    this.#wish = wish
    this.#context = context
    this.#now = now
    this.#shownMs = wish.json ? Number.NEGATIVE_INFINITY : now()
  }

  progress(progress: GetProgress): void {
    const isLive = this.#wish.progress && !this.#isScreenTaken && this.#context.terminal() !== null
    if (isLive) {
      const columns = this.#context.terminal()?.columns ?? 80
      this.#line = truncate(progressText(progress), columns - 1)
      this.#draw([])
    }
    this.#held = progress
    const now = this.#now()
    if (now - this.#shownMs < (this.#wish.json ? jsonMs : plainMs)) return
    this.#shownMs = now
    if (this.#wish.json) this.#write()
    else if (this.#wish.progress && !isLive) this.say(progressText(progress))
  }

  /** Shows a line that stays. */
  say(line: string): void {
    this.#draw([line])
  }

  /** Nothing is shown after this. */
  end(): void {
    this.#line = null
    this.#draw([])
    // The last progress shows how it ended.
    if (this.#wish.json) this.#write()
  }

  /** JSON and a line that is redrawn would mix. */
  get #isScreenTaken(): boolean {
    return this.#wish.json && this.#context.stdoutIsTerminal
  }

  #write(): void {
    if (this.#held !== null) this.#context.stdout(`${jsonText(this.#held)}\n`)
    this.#held = null
  }

  #draw(above: readonly string[]): void {
    if (this.#context.terminal() === null) {
      for (const line of above) this.#context.stderr(`${line}\n`)
      return
    }
    const columns = this.#context.terminal()?.columns ?? 80
    const lines = this.#line === null ? [] : [this.#line]
    this.#context.stderr(this.#region.print(above, lines, columns))
  }
}

/** One line: how much is here, how fast, from how many. */
export function progressText(progress: GetProgress): string {
  const { name, bytes, verifiedBytes, seconds, rateBytesPerSecond, etaSeconds, holders } = progress
  const connected = holders.filter(({ state }) => state === 'connected').length
  const from =
    connected === holders.length
      ? count(connected, 'node')
      : `${connected} of ${count(holders.length, 'node')}`
  const parts = [
    bytes === null ? '-' : formatPercent(bytes === 0 ? 1 : verifiedBytes / bytes),
    ...(etaSeconds === null ? [] : [`ETA ${formatDuration(etaSeconds)}`]),
    `${formatDuration(seconds)} elapsed`,
    formatRate(rateBytesPerSecond),
    `from ${from}`,
    `${bytes === null ? '' : `${formatBytes(bytes)} `}${printable(name)}`,
  ]
  return parts.join(', ')
}

/** A row for each node, the digest of the file, a summary. */
export function getLines(result: GetResult, columns: number, paint: Paint): string[] {
  const rows = result.from.map(({ holder, bytes, reason }) => [
    { text: printable(holder) },
    { text: formatBytes(bytes) },
    { text: reason === null ? '' : printable(reason), tone: 'yellow' as const },
  ])
  const titles = [
    { title: 'node', cut: 'middle' as const },
    { title: 'brought', right: true },
    { title: '', cut: 'end' as const },
  ]
  const { bytes, foundBytes, seconds, output, digest, tree } = result
  const fetched = bytes - foundBytes
  const parts = [
    `${formatBytes(bytes)} in ${formatDuration(seconds)}`,
    ...(seconds > 0 ? [formatRate(fetched / seconds)] : []),
    ...(foundBytes > 0 ? [`${formatBytes(foundBytes)} were here already`] : []),
    ...(tree === undefined ? [] : treeParts(tree)),
    output === null ? 'on standard output' : printable(output),
  ]
  const isAll = tree === undefined || (tree.isWhole && tree.failedCount === 0)
  return [
    ...tableLines(titles, rows, paint, columns),
    ...(digest === null ? [] : [`digest ${printable(digest)}`]),
    ...(tree === undefined ? [] : failureLines(tree)),
    ...wrapParts(parts, columns).map((line) => paint(isAll ? 'green' : 'yellow', line)),
  ]
}

function treeParts({ entries, isWhole, failedCount }: GetTree): string[] {
  return [
    entriesText(entries),
    ...(failedCount > 0 ? [`${failedCount} could not be had`] : []),
    ...(isWhole ? [] : ['the last push of the tree has not ended well at the node']),
  ]
}

function failureLines({ failures, failedCount }: GetTree): string[] {
  const shown = failures.map(({ name, code, text }) => printable(`${name}: ${code}: ${text}`))
  const left = failedCount - failures.length
  return left > 0 ? [...shown, `and ${left} more`] : shown
}
