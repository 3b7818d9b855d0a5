/**
 * What waits along each column, kept as reports come: no report costs a look at all the groups that
 * its column passes.
 */
import { LeastFirst } from '../../base/least-first.js'
import type { Chain } from '../plan/chain.js'

interface Waiting {
  /** Changes when the column takes another way. */
  readonly route: number
  /** Of the nodes behind the head, the largest backlog first. */
  readonly backlogs: LeastFirst<number>
  /** At the slowest place, and what the column was dealt since that was known. */
  worstBytes: number
  dealtBytes: number
  /** What it was dealt lately for its width, beyond the column of its head that had the least. */
  turnBytes: number
}

/** What of its turn a column keeps at each unit of its head: what waits outweighs some 50 units. */
const turnKept = 0.98

export class Columns {
  readonly #chain: Chain
  readonly #backlogs = new Map<number, number>()
  readonly #columns = new Map<number, Waiting>()

  constructor(chain: Chain) {
    this.#chain = chain
  }

  backlog(node: number): number {
    return this.#backlogs.get(node) ?? 0
  }

  /** The one where the least waits; where nothing does they take turns by their width. */
  idlest(columns: readonly number[]): number | undefined {
    if (columns.length < 2) return columns[0]
    const waits = (column: number): number => {
      const { worstBytes, dealtBytes, turnBytes } = this.#of(column)
      return worstBytes + dealtBytes + turnBytes
    }
    return columns.reduce((best, one) => (waits(one) < waits(best) ? one : best))
  }

  /** It carries so many bytes more. */
  deal(column: number, length: number): void {
    const waiting = this.#of(column)
    waiting.dealtBytes += length
    this.#turn(column, waiting, length)
  }

  /** Columns of one head differ in width where groups differ in size. */
  #turn(column: number, waiting: Waiting, length: number): void {
    const head = this.#chain.headOf(column)
    if (head === undefined) return
    const own = this.#chain.columnsFrom(head)
    const columns = own.includes(column) ? own : this.#chain.pastsFrom(head)
    const widths = columns.map((one) => this.#chain.widthOf(one))
    // One that took the place of several has none of its own.
    if (columns.length < 2 || widths.includes(0)) return
    const mean = widths.reduce((sum, one) => sum + one, 0) / widths.length
    waiting.turnBytes += (length * mean) / this.#chain.widthOf(column)
    const all = columns.map((one) => this.#of(one))
    const least = Math.min(...all.map(({ turnBytes }) => turnBytes))
    for (const one of all) one.turnBytes = (one.turnBytes - least) * turnKept
  }

  /**
   * By its last report. Returns the heads whose columns pass the node, each with what it has to
   * wait for: the best of its columns.
   */
  reported(node: number, backlogBytes: number): { head: number; beyondBytes: number }[] {
    this.#backlogs.set(node, backlogBytes)
    return this.#chain.columnsAt(node).flatMap((column) => {
      const head = this.#chain.headOf(column)
      if (head === undefined) return []
      const waiting = this.#of(column)
      if (node !== head) waiting.backlogs.set(node, -backlogBytes)
      const { backlogs } = waiting
      waiting.worstBytes = backlogs.size === 0 ? 0 : Math.max(0, -backlogs.least)
      waiting.dealtBytes = 0
      const all = this.#chain.columnsFrom(head).map((one) => this.#of(one).worstBytes)
      return { head, beyondBytes: Math.min(...all) }
    })
  }

  left(node: number): void {
    this.#backlogs.delete(node)
  }

  #of(column: number): Waiting {
    const route = this.#chain.routeOf(column)
    const known = this.#columns.get(column)
    if (known?.route === route) return known
    const { worstBytes = 0, dealtBytes = 0, turnBytes = 0 } = known ?? {}
    const backlogs = new LeastFirst<number>()
    const waiting = { route, backlogs, worstBytes, dealtBytes, turnBytes }
    const [, ...beyond] = this.#chain.entriesOf(column)
    for (const node of beyond) waiting.backlogs.set(node, -this.backlog(node))
    this.#columns.set(column, waiting)
    return waiting
  }
}
