/** What a node tells its master of what it holds, in frames of bounded size. */
import { limits } from '../../base/limits.js'
import type { Carried, HeldThere, NodeToMaster, Said } from '../../control/messages/mastering.js'
import type { HeldChange } from '../../session/instructed-ports.js'

export type Holdings = Extract<NodeToMaster, { type: 'holdings' }>
type Gone = Pick<Said, 'name' | 'contentId'>

/** Fills pages one after the other. */
export class HeldPage {
  #held: HeldThere[] = []
  #gone: Gone[] = []
  #bytes = 0

  get isEmpty(): boolean {
    return this.#held.length + this.#gone.length === 0
  }

  get isFull(): boolean {
    const most = Math.max(this.#held.length, this.#gone.length)
    return most >= limits.masterPageFiles || this.#bytes >= limits.masterPageBytes
  }

  add(change: HeldChange): void {
    if ('gone' in change) this.#gone.push(change.gone)
    else this.#held.push(withinBounds(change.held))
    this.#bytes += JSON.stringify(change).length
  }

  take(freeBytes: number, carried: readonly Carried[] = []): Holdings {
    const changes = { held: this.#held, gone: this.#gone }
    const page: Holdings = { type: 'holdings', ...changes, carried, freeBytes }
    this.#held = []
    this.#gone = []
    this.#bytes = 0
    return page
  }
}

/** Changes that wait to be told, the last of each content. */
export class HeldChanges {
  readonly #waiting = new Map<string, HeldChange>()

  get size(): number {
    return this.#waiting.size
  }

  add(change: HeldChange): void {
    const { name, contentId } = 'gone' in change ? change.gone : change.held
    const key = `${contentId} ${name}`
    this.#waiting.delete(key)
    this.#waiting.set(key, change)
  }

  *pages(freeBytes: number): IterableIterator<Holdings> {
    const page = new HeldPage()
    for (const [key, change] of this.#waiting) {
      this.#waiting.delete(key)
      page.add(change)
      if (page.isFull) yield page.take(freeBytes)
    }
    if (!page.isEmpty) yield page.take(freeBytes)
  }
}

/** To say less than there is costs a copy that begins later; to say more would be a lie. */
function withinBounds(held: HeldThere): HeldThere {
  const { ranges } = held
  if (ranges === null || ranges.length <= limits.masterRanges) return held
  return { ...held, ranges: ranges.slice(0, limits.masterRanges) }
}
