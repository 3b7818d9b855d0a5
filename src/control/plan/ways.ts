/** What one route number stands for. */

export interface Way {
  readonly route: number
  readonly column: number
  readonly head: number
  /** It carries what all heads are sent. */
  readonly isPast: boolean
  /** Whom each node feeds in the groups below its own. */
  readonly next: ReadonlyMap<number, readonly number[]>
  /** Who feeds each node that is fed. */
  readonly from: ReadonlyMap<number, number>
}

export interface Column {
  readonly head: number
  readonly way: Way
  /** The part of the file that it was planned to carry, 0 to 1. */
  readonly width: number
  /** The column that carries what all heads are sent; null: it is one, or there is none. */
  readonly twin: number | null
  /** Nodes that it was planned to enter at, and does where they can be entered at. */
  readonly home: ReadonlySet<number | undefined>
}

/** A column as it is to be. */
export type ColumnWish = Omit<Column, 'way'> & { readonly isPast: boolean }

export function wayOf(way: Omit<Way, 'from'>): Way {
  const fed = [...way.next].flatMap(([one, to]) => to.map((node) => [node, one] as const))
  return { ...way, from: new Map(fed) }
}

/** Who does not reach whom. */
export class Pairs {
  readonly #of = new Map<number, Set<number>>()

  add(from: number, to: number): void {
    this.#of.set(from, (this.#of.get(from) ?? new Set()).add(to))
  }

  delete(from: number, to: number): void {
    this.#of.get(from)?.delete(to)
  }

  has(from: number, to: number): boolean {
    return this.#of.get(from)?.has(to) === true
  }
}

/** At which nodes columns enter groups. */
export class Entries {
  readonly #at = new Map<number, Set<number>>()

  /** The columns that enter its group at this node. */
  at(node: number): number[] {
    return [...(this.#at.get(node) ?? [])]
  }

  /** Of these the one that the fewest columns enter at. */
  idlest(members: readonly number[]): number | undefined {
    if (members.length < 2) return members[0]
    const load = (node: number): number => this.#at.get(node)?.size ?? 0
    return members.reduce((best, node) => (load(node) < load(best) ? node : best))
  }

  /** The column takes another way, or none. */
  move(column: number, from: Way | undefined, to: Way | undefined): void {
    for (const node of from?.next.keys() ?? []) this.#at.get(node)?.delete(column)
    for (const node of to?.next.keys() ?? [])
      this.#at.set(node, (this.#at.get(node) ?? new Set()).add(column))
  }
}
