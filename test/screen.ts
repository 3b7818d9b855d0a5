/**
 * A terminal for tests: takes a program's output and keeps the screen. It obeys what the live
 * display uses (`\r`, `\n`, up, erase to the end of line and of screen, colours), wraps and
 * scrolls; any other sequence is an error.
 */
import { displayWidth } from '../src/cli/render/text.js'

export class Screen {
  readonly #columns: number
  readonly #rows: number
  readonly #cells: string[][] = [[]]
  #row = 0
  #column = 0

  constructor(columns: number, rows: number) {
    this.#columns = columns
    this.#rows = rows
  }

  /** Lines on and above the screen, without trailing spaces. */
  get lines(): string[] {
    return this.#cells.map((cells) => cells.join('').trimEnd())
  }

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal obeys
    for (const [token] of text.matchAll(/\u001b\[[\d;]*[A-Za-z]|\r|\n|[^\u001b\r\n]/gu)) {
      if (token === '\r') this.#column = 0
      else if (token === '\n') this.#newLine()
      else if (token.startsWith('\u001b')) this.#obey(token)
      else this.#put(token)
    }
  }

  #put(character: string): void {
    if (this.#column + displayWidth(character) > this.#columns) this.#newLine()
    const cells = this.#cells[this.#row] as string[]
    while (cells.length < this.#column) cells.push(' ')
    cells[this.#column] = character
    this.#column++
  }

  #newLine(): void {
    this.#row++
    this.#column = 0
    while (this.#cells.length <= this.#row) this.#cells.push([])
  }

  #obey(sequence: string): void {
    const kind = sequence.at(-1)
    const amount = Number(sequence.slice(2, -1) || 1)
    if (kind === 'A') {
      // Lines that have scrolled off the top cannot be reached.
      const top = Math.max(0, this.#cells.length - this.#rows)
      this.#row = Math.max(top, this.#row - amount)
    } else if (kind === 'K') {
      this.#cells[this.#row]?.splice(this.#column)
    } else if (kind === 'J') {
      this.#cells[this.#row]?.splice(this.#column)
      this.#cells.splice(this.#row + 1)
    } else if (kind !== 'm') {
      throw new Error(`the display wrote ${JSON.stringify(sequence)}`)
    }
  }
}
