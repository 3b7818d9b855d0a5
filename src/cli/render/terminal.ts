/**
 * Lines at the bottom of a terminal that are redrawn in place. Pure functions build the text;
 * LiveRegion only remembers the widths that it drew last. The cursor is never hidden and never
 * leaves its line, so nothing needs to be restored when the process dies.
 */
import { displayWidth } from './text.js'

/** Rows that lines of these widths take on a terminal of `columns`, which may have shrunk since. */
export function rowsTaken(widths: readonly number[], columns: number): number {
  return widths.reduce(
    (sum, width) => sum + Math.max(1, Math.ceil(width / Math.max(1, columns))),
    0,
  )
}

/** Moves up over the old text, writes the lines over it and clears the rest. */
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

  /** Text that replaces the last drawing with `lines`; no lines erase it. */
  draw(lines: readonly string[], columns: number): string {
    return this.print([], lines, columns)
  }

  /**
   * Text that puts `above` in place of the region, for good, and the region `lines` below it. Write
   * it at once, so that nobody sees a part of it.
   */
  print(above: readonly string[], lines: readonly string[], columns: number): string {
    const all = [...above, ...lines]
    if (all.length === 0 && this.#widths.length === 0) return ''
    const text = redrawText(this.#widths, all, columns)
    this.#widths = lines.map(displayWidth)
    return text
  }
}
