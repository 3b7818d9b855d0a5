/**
 * A terminal as a screen of its own: what was there before comes back when it is left, however the
 * program ends. Sequences are those of xterm, which terminals and tmux know.
 */
import { emitKeypressEvents } from 'node:readline'
import type { ReadStream, WriteStream } from 'node:tty'
import type { Key } from './top-state.js'

const enter = '\u001b[?1049h\u001b[?25l\u001b[?7l\u001b[H\u001b[J'
const leave = '\u001b[?7h\u001b[?25h\u001b[?1049l'

export interface ScreenEvents {
  key(key: Key): void
  /** The size has changed, or the program is in the foreground again. */
  redraw(): void
}

export class FullScreen {
  readonly #input: ReadStream
  readonly #output: WriteStream
  readonly #events: ScreenEvents
  #isOpen = false
  #drawn: readonly string[] = []

  constructor(input: ReadStream, output: WriteStream, events: ScreenEvents) {
    this.#input = input
    this.#output = output
    this.#events = events
  }

  get size(): { columns: number; rows: number } {
    return { columns: this.#output.columns || 80, rows: this.#output.rows || 24 }
  }

  open(): void {
    emitKeypressEvents(this.#input)
    this.#input.on('keypress', this.#onKey)
    this.#output.on('resize', this.#onResize)
    process.on('SIGCONT', this.#onContinued)
    process.on('exit', this.#onExit)
    this.#show()
  }

  close(): void {
    this.#hide()
    this.#input.off('keypress', this.#onKey)
    this.#output.off('resize', this.#onResize)
    process.off('SIGCONT', this.#onContinued)
    process.off('exit', this.#onExit)
  }

  /** Writes the lines that differ from those that are there. */
  draw(lines: readonly string[]): void {
    if (!this.#isOpen) return
    const changed = lines.flatMap((line, at) =>
      line === this.#drawn[at] ? [] : [`\u001b[${at + 1};1H${line}\u001b[K`],
    )
    const rest = lines.length < this.#drawn.length ? `\u001b[${lines.length + 1};1H\u001b[J` : ''
    this.#drawn = lines
    this.#write(changed.join('') + rest)
  }

  /** As Ctrl-Z does where nobody reads keys: until the shell continues the process. */
  suspend(): void {
    this.#hide()
    process.kill(process.pid, 'SIGSTOP')
  }

  readonly #onKey = (_: string | undefined, key: Key): void => this.#events.key(key)

  readonly #onResize = (): void => {
    this.#drawn = []
    this.#write('\u001b[H\u001b[J')
    this.#events.redraw()
  }

  readonly #onContinued = (): void => {
    this.#hide()
    this.#show()
    this.#events.redraw()
  }

  readonly #onExit = (): void => this.#hide()

  #show(): void {
    this.#isOpen = true
    this.#drawn = []
    this.#input.setRawMode(true)
    this.#input.resume()
    this.#write(enter)
  }

  #hide(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#write(leave)
    this.#input.setRawMode(false)
    this.#input.pause()
  }

  #write(text: string): void {
    if (text !== '') this.#output.write(text)
  }
}
