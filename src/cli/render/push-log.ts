/**
 * The log of a push. JSON output and levels below `warn` are complete, one line per event.
 * Otherwise errors appear at once, and warnings as one line per kind at the end: thirty nodes can
 * lose nearly a thousand connections among them.
 */
import type { LogLine } from '../../api/types.js'
import { isLogged, type LogWish, logText, printable } from './text.js'

/** Kinds of warnings held; a push has fewer. Other libraries must not fill the memory. */
const kindsMax = 32

/** Warnings that repeat the outcome of a node. */
const outcomes: ReadonlySet<string> = new Set(['left', 'node-failed', 'node-refused'])

/** Sentence for `count` warnings of one kind. */
const sentences: Readonly<Record<string, string>> = {
  'edge-lost': 'connections between nodes broke or could not be made',
  'bad-block': 'blocks arrived damaged and were sent again',
  suspected: 'times a node was silent for a while',
  away: 'times others did the work of a silent node',
  retried: 'failed attempts were repeated',
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

  /** Warnings that have not been printed. */
  get held(): number {
    return [...this.#kinds.values()].reduce((sum, kind) => sum + kind.count, 0)
  }

  take(line: LogLine): void {
    if (!isLogged(line.level, this.#wish.level)) return
    if (this.#isComplete || line.level !== 'warn') {
      this.#say(logText(line, this.#wish.format, Date.now()))
      return
    }
    // A push that stands still says why at once.
    if (line.event === 'waiting')
      return this.#say(`fr push: ${printable(String(line.fields['text']))}`)
    if (outcomes.has(line.event)) return
    const kind = this.#kinds.get(line.event)
    if (kind !== undefined) kind.count++
    else if (this.#kinds.size < kindsMax) this.#kinds.set(line.event, { count: 1, first: line })
  }

  /** One text per kind, made from its first case. */
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
