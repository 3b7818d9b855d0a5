/**
 * The log of a push. JSON and the levels below `warn` are complete, a line per event. People who
 * asked for neither get errors at once, and of warnings one line per kind when the push is over:
 * thirty nodes can lose nearly a thousand connections between them.
 */
import type { LogLine } from '../../api/types.js'
import { isLogged, type LogWish, logText, printable } from './text.js'

/** A push knows fewer kinds of warnings; a library that logs others must not fill the memory. */
const kindsMax = 32

/** Warnings that the outcome of a node, which is shown anyway, says as well. */
const outcomes: ReadonlySet<string> = new Set(['left', 'node-failed', 'node-refused'])

/** What a kind of warning says of `count` cases. */
const sentences: Readonly<Record<string, string>> = {
  'edge-lost': 'connections between nodes broke or could not be made',
  'bad-block': 'blocks arrived damaged and were sent again',
  suspected: 'times a node was silent for a while',
  away: 'times others did the work of a silent node',
  retried: 'attempts failed and were made again',
}

interface Kind {
  count: number
  readonly first: LogLine
}

export class PushLog {
  readonly #wish: LogWish
  readonly #say: (line: string) => void
  readonly #isComplete: boolean
  readonly #kinds = new Map<string, Kind>()

  constructor(wish: LogWish, say: (line: string) => void) {
    this.#wish = wish
    this.#say = say
    this.#isComplete = wish.format === 'json' || isLogged('info', wish.level)
  }

  /** Warnings that were not said yet. */
  get held(): number {
    return [...this.#kinds.values()].reduce((sum, kind) => sum + kind.count, 0)
  }

  take(line: LogLine): void {
    if (!isLogged(line.level, this.#wish.level)) return
    if (this.#isComplete || line.level !== 'warn') {
      this.#say(logText(line, this.#wish.format, Date.now()))
      return
    }
    // A push that stands still says at once why.
    if (line.event === 'waiting')
      return this.#say(`fr push: ${printable(String(line.fields['text']))}`)
    if (outcomes.has(line.event)) return
    const kind = this.#kinds.get(line.event)
    if (kind !== undefined) kind.count++
    else if (this.#kinds.size < kindsMax) this.#kinds.set(line.event, { count: 1, first: line })
  }

  /** One text per kind; the case that came first stands for the others. */
  summary(): string[] {
    return [...this.#kinds].map(([event, { count, first }]) => {
      const { node, transfer: _, ...rest } = first.fields
      const about = node === undefined ? '' : `${node}: `
      const example = printable(about + Object.values(rest).map(String).join(' '))
      const sentence = sentences[event]
      if (sentence === undefined)
        return `${printable(event)}${count > 1 ? ` (${count} times)` : ''}: ${example}`
      return `${count} ${sentence}; first ${example}`
    })
  }
}
