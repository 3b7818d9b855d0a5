/** Of what digests were passed on, by route. Bounded: routes of old are forgotten first. */
import { limits } from '../../base/limits.js'
import { RangeSet } from '../../base/ranges.js'

export class PassedOn {
  readonly #byRoute = new Map<number, RangeSet>()

  add(route: number, offset: number, length: number): void {
    const known = this.#byRoute.get(route) ?? new RangeSet()
    known.add(offset, length)
    this.#byRoute.set(route, known)
    const [oldest = route] = this.#byRoute.keys()
    if (this.#byRoute.size > limits.routesPerPlan) this.#byRoute.delete(oldest)
  }

  has(route: number, offset: number, length: number): boolean {
    return this.#byRoute.get(route)?.contains(offset, length) === true
  }
}
