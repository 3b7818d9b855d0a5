/** What copies may have of resources that carry less than is allocated. */
import type { Copy } from './copy.js'
import type { ResourceId, Resources } from './resources.js'

/** Copies that have too much, with what they may have, and have when the next one comes. */
export function* fitted(
  over: Iterable<ResourceId>,
  copies: ReadonlyMap<number, Copy>,
  resources: Resources,
  nowMs: number,
): IterableIterator<[Copy, number]> {
  for (const resource of over) {
    const capability = resources.capability(resource, nowMs)
    const allocated = resources.allocated(resource)
    for (const copy of [...copies.values()]) {
      if (!copy.route.includes(resource)) continue
      const rate = Math.floor((copy.rate * capability) / allocated)
      if (rate < copy.rate || rate < 1) yield [copy, rate]
    }
  }
}
