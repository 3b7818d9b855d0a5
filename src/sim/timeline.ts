/**
 * Virtual time: things happen in order of their time, then in the order they were planned. The
 * clock jumps to the next of them; nothing waits.
 *
 * The idea: a heap with four children a node, kept in flat arrays, because a large simulation
 * spends much of its time here.
 */
const firstRoom = 1_024
/** Things that may happen at one moment: more are a machine that asks for its turn for ever. */
const mostAtOnce = 1_000_000

export class Timeline {
  #atMs = new Float64Array(firstRoom)
  #orders = new Float64Array(firstRoom)
  readonly #runs: (() => void)[] = []
  /** When the last message of a direction arrives. */
  readonly #arrivalMs = new Map<string, number>()
  #nowMs = 0
  #order = 0
  #steps = 0
  /** The number of steps before the present moment. */
  #stepsBefore = 0

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
    const count = this.#runs.length
    if (count === this.#atMs.length) this.#grow()
    this.#runs.push(run)
    this.#rise(count, Math.max(atMs, this.#nowMs), this.#order++, run)
  }

  /** Runs the next thing; false when nothing is planned any more. */
  step(): boolean {
    const first = this.#runs[0]
    const last = this.#runs.pop()
    if (first === undefined || last === undefined) return false
    const atMs = this.#atMs[0] as number
    if (atMs > this.#nowMs) this.#stepsBefore = this.#steps
    else if (this.#steps - this.#stepsBefore > mostAtOnce)
      throw new Error(`time stands still at ${atMs} ms`)
    this.#nowMs = atMs
    const count = this.#runs.length
    if (count > 0)
      this.#sink(this.#atMs[count] as number, this.#orders[count] as number, last, count)
    this.#steps++
    first()
    return true
  }

  #grow(): void {
    const [times, orders] = [this.#atMs, this.#orders]
    this.#atMs = new Float64Array(2 * times.length)
    this.#orders = new Float64Array(2 * times.length)
    this.#atMs.set(times)
    this.#orders.set(orders)
  }

  #rise(from: number, atMs: number, order: number, run: () => void): void {
    let i = from
    while (i > 0) {
      const parent = (i - 1) >> 2
      // What was planned before comes before what is planned now.
      if ((this.#atMs[parent] as number) <= atMs) break
      this.#put(i, parent)
      i = parent
    }
    this.#atMs[i] = atMs
    this.#orders[i] = order
    this.#runs[i] = run
  }

  #sink(atMs: number, order: number, run: () => void, count: number): void {
    const times = this.#atMs
    const orders = this.#orders
    let i = 0
    for (;;) {
      const first = 4 * i + 1
      if (first >= count) break
      const past = Math.min(first + 4, count)
      let least = first
      for (let child = first + 1; child < past; child++) {
        const a = times[child] as number
        const b = times[least] as number
        if (a < b || (a === b && (orders[child] as number) < (orders[least] as number)))
          least = child
      }
      const leastMs = times[least] as number
      if (atMs < leastMs || (atMs === leastMs && order < (orders[least] as number))) break
      this.#put(i, least)
      i = least
    }
    times[i] = atMs
    orders[i] = order
    this.#runs[i] = run
  }

  #put(to: number, from: number): void {
    this.#atMs[to] = this.#atMs[from] as number
    this.#orders[to] = this.#orders[from] as number
    this.#runs[to] = this.#runs[from] as () => void
  }
}
