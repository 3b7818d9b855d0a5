/**
 * A region of lines at the bottom of a terminal that is drawn again in place. The text to write is
 * built by pure functions; LiveRegion only remembers how wide the lines were that it drew last.
 * It never hides the cursor and never leaves the line it is on, so that there is nothing to restore
 * when the process dies.
 */
import { displayWidth } from './text.js'

/** Rows that lines of these widths take on a terminal of `columns`, which may have shrunk since. */
export function rowsTaken(widths: readonly number[], columns: number): number {
  return widths.reduce(
    (sum, width) => sum + Math.max(1, Math.ceil(width / Math.max(1, columns))),
    0,
  )
}

/** Moves up over what was drawn, writes the lines over it and clears what is left below. */
export function redrawText(
  drawnWidths: readonly number[],
  lines: readonly string[],
  columns: number,
): string {
  const up = rowsTaken(drawnWidths, columns)
  const back = up === 0 ? '' : `\r\u001b[${up}A`
  return `${back}${lines.map((line) => `${line}\u001b[K\n`).join('')}\u001b[J`
}

export class LiveRegion {
  #widths: readonly number[] = []

  /** The text that shows `lines` instead of what was drawn last; no lines: erases it. */
  draw(lines: readonly string[], columns: number): string {
    return this.print([], lines, columns)
  }

  /**
   * The text that puts `above` where the region was, for good, and the region `lines` below it. To
   * be written at once: whoever looks sees the one or the other, never a part.
   */
  print(above: readonly string[], lines: readonly string[], columns: number): string {
    const all = [...above, ...lines]
    if (all.length === 0 && this.#widths.length === 0) return ''
    const text = redrawText(this.#widths, all, columns)
    this.#widths = lines.map(displayWidth)
    return text
  }
}
