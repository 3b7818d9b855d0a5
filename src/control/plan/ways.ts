/** What one route number stands for, and what is missing where it leads no further. */

export interface Way {
  readonly route: number
  /** Null: what all are sent past the columns. */
  readonly column: number | null
  readonly head: number | null
  /** Whom each node feeds in the groups below its own. */
  readonly next: ReadonlyMap<number, readonly number[]>
  /** Who feeds each node that is fed. */
  readonly from: ReadonlyMap<number, number>
}

export interface Column {
  readonly head: number
  readonly way: Way
}

/** Somebody is fed no more by a node that has left, or does not reach it. */
export interface Gap {
  readonly to: number
  /** What `to` finds elsewhere it passes on with this route. */
  readonly route: number
  /** Null: what went past the columns. */
  readonly column: number | null
  /** Where it begins, or did. */
  readonly head: number | null
}

export function wayOf(
  route: number,
  column: number | null,
  head: number | null,
  next: Way['next'],
): Way {
  const from = new Map([...next].flatMap(([one, fed]) => fed.map((to) => [to, one] as const)))
  return { route, column, head, next, from }
}

export function gapOf(to: number, { route, column, head }: Omit<Gap, 'to'>): Gap {
  return { to, route, column, head }
}

/** At which nodes columns enter groups. */
export class Entries {
  readonly #at = new Map<number, Set<number>>()

  /** The columns that enter its group at this node. */
  at(node: number): number[] {
    return [...(this.#at.get(node) ?? [])]
  }

  /** The column takes another way, or none. */
  move(column: number, from: Way | undefined, to: Way | undefined): void {
    for (const node of from?.next.keys() ?? []) this.#at.get(node)?.delete(column)
    for (const node of to?.next.keys() ?? [])
      this.#at.set(node, (this.#at.get(node) ?? new Set()).add(column))
  }
}
