/**
 * A terminal for tests: takes a program's output and keeps the screen. It obeys what the live
 * display uses (`\r`, `\n`, up, erase to the end of line and of screen, colours), wraps and
 * scrolls; and what a full screen uses: another screen without scrolling and wrapping, and where
 * to write on it. Any other sequence is an error.
 */
import { displayWidth } from '../src/cli/render/text.js'

export class Screen {
  readonly #columns: number
  readonly #rows: number
  #cells: string[][] = [[]]
  #row = 0
  #column = 0
  /** The screen that comes back when the full one is left. */
  #before: { readonly cells: string[][]; readonly row: number; readonly column: number } | undefined

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
    for (const [token] of text.matchAll(/\u001b\[\??[\d;]*[A-Za-z]|\r|\n|[^\u001b\r\n]/gu)) {
      if (token === '\r') this.#column = 0
      else if (token === '\n') this.#newLine()
      else if (token.startsWith('\u001b')) this.#obey(token)
      else this.#put(token)
    }
  }

  /** True between the sequences that open and leave a full screen. */
  get isFull(): boolean {
    return this.#before !== undefined
  }

  #put(character: string): void {
    if (this.#column + displayWidth(character) > this.#columns) {
      // What does not fit a full screen is cut.
      if (this.isFull) return
      this.#newLine()
    }
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
    if (sequence === '\u001b[?1049h') {
      this.#before = { cells: this.#cells, row: this.#row, column: this.#column }
      this.#cells = [[]]
    } else if (sequence === '\u001b[?1049l' && this.#before !== undefined) {
      this.#cells = this.#before.cells
      this.#row = this.#before.row
      this.#column = this.#before.column
      this.#before = undefined
    } else if (/\[\?(?:7|25)[hl]$/.test(sequence)) {
      // The cursor, and what is cut.
    } else if (kind === 'H' && this.isFull) {
      const [row = '1', column = '1'] = sequence.slice(2, -1).split(';')
      this.#row = Number(row || 1) - 1
      this.#column = Number(column || 1) - 1
      while (this.#cells.length <= this.#row) this.#cells.push([])
    } else if (kind === 'A') {
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
