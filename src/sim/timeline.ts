/**
 * Virtual time: things happen in order of their time, then in the order they were planned. The
 * clock jumps to the next of them; nothing waits.
 */
interface Entry {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

export class Timeline {
  readonly #heap: Entry[] = []
  /** When the last message of a direction arrives. */
  readonly #arrivalMs = new Map<string, number>()
  #nowMs = 0
  #order = 0
  #steps = 0

  get nowMs(): number {
    return this.#nowMs
  }

  /** How many things have happened. */
  get steps(): number {
    return this.#steps
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.#nowMs + Math.max(0, delayMs), run)
  }

  /** A message on its way in this direction of a link, which keeps the order. */
  travel(direction: string, latencyMs: number, run: () => void): void {
    const atMs = Math.max(this.#arrivalMs.get(direction) ?? 0, this.#nowMs + latencyMs)
    this.#arrivalMs.set(direction, atMs)
    this.at(atMs, run)
  }

  at(atMs: number, run: () => void): void {
    this.#heap.push({ atMs: Math.max(atMs, this.#nowMs), order: this.#order++, run })
    let i = this.#heap.length - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!this.#isBefore(i, parent)) break
      this.#swap(i, parent)
      i = parent
    }
  }

  /** Runs the next thing; false when nothing is planned any more. */
  step(): boolean {
    const first = this.#heap[0]
    const last = this.#heap.pop()
    if (first === undefined || last === undefined) return false
    if (this.#heap.length > 0) {
      this.#heap[0] = last
      this.#sink()
    }
    this.#nowMs = first.atMs
    this.#steps++
    first.run()
    return true
  }

  #sink(): void {
    let i = 0
    for (;;) {
      let least = i
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < this.#heap.length && this.#isBefore(child, least)) least = child
      }
      if (least === i) return
      this.#swap(i, least)
      i = least
    }
  }

  #isBefore(a: number, b: number): boolean {
    const left = this.#heap[a] as Entry
    const right = this.#heap[b] as Entry
    return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order)
  }

  #swap(a: number, b: number): void {
    const held = this.#heap[a] as Entry
    this.#heap[a] = this.#heap[b] as Entry
    this.#heap[b] = held
  }
}
