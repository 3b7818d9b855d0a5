/** The last few minutes of some figures, for a chart. Pure. */

const pointsMax = 600

export class History {
  /** Seconds since 1970, ascending, then as many values of each figure. */
  readonly columns: number[][]

  constructor(figures: number) {
    this.columns = Array.from({ length: figures + 1 }, () => [])
  }

  /** A time that is not after the last one is left out. */
  add(seconds: number, values: readonly number[]): void {
    const [times = []] = this.columns
    if (seconds <= (times.at(-1) ?? Number.NEGATIVE_INFINITY)) return
    for (const [at, column] of this.columns.entries()) {
      column.push(at === 0 ? seconds : (values[at - 1] ?? 0))
      if (column.length > pointsMax) column.shift()
    }
  }

  get length(): number {
    return this.columns[0]?.length ?? 0
  }
}
