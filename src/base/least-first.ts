/**
 * Keys in the order of a number each, of which the least is wanted: due times, mostly. A binary
 * heap that knows where each key stands, so that a number can change in logarithmic time.
 */
export class LeastFirst<K> {
  readonly #keys: K[] = []
  readonly #values: number[] = []
  readonly #places = new Map<K, number>()

  /** The least number; Infinity: there is no key. */
  get least(): number {
    return this.#values[0] ?? Number.POSITIVE_INFINITY
  }

  get size(): number {
    return this.#keys.length
  }

  /** Adds the key, or changes its number. Infinity takes it out. */
  set(key: K, value: number): void {
    if (value === Number.POSITIVE_INFINITY) return this.delete(key)
    const place = this.#places.get(key)
    if (place === undefined) return this.#rise(this.#keys.length, key, value)
    if (value < (this.#values[place] as number)) this.#rise(place, key, value)
    else this.#sink(place, key, value)
  }

  delete(key: K): void {
    const place = this.#places.get(key)
    if (place === undefined) return
    this.#places.delete(key)
    const [lastKey, last] = [this.#keys.pop() as K, this.#values.pop() as number]
    if (place === this.#keys.length) return
    const above = this.#values[(place - 1) >> 1]
    if (place > 0 && last < (above as number)) this.#rise(place, lastKey, last)
    else this.#sink(place, lastKey, last)
  }

  /** The keys whose number is at most this; they stay. */
  upTo(value: number): K[] {
    const found: K[] = []
    const open = [0]
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      if (place >= this.#keys.length || (this.#values[place] as number) > value) continue
      found.push(this.#keys[place] as K)
      open.push(2 * place + 1, 2 * place + 2)
    }
    return found
  }

  #put(place: number, key: K, value: number): void {
    this.#keys[place] = key
    this.#values[place] = value
    this.#places.set(key, place)
  }

  #rise(from: number, key: K, value: number): void {
    let place = from
    while (place > 0) {
      const above = (place - 1) >> 1
      if ((this.#values[above] as number) <= value) break
      this.#put(place, this.#keys[above] as K, this.#values[above] as number)
      place = above
    }
    this.#put(place, key, value)
  }

  #sink(from: number, key: K, value: number): void {
    const { length } = this.#keys
    let place = from
    for (;;) {
      let below = 2 * place + 1
      if (below >= length) break
      if (
        below + 1 < length &&
        (this.#values[below + 1] as number) < (this.#values[below] as number)
      )
        below++
      if ((this.#values[below] as number) >= value) break
      this.#put(place, this.#keys[below] as K, this.#values[below] as number)
      place = below
    }
    this.#put(place, key, value)
  }
}
