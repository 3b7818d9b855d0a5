/** The holders of what takes several fetches, and what they have brought in all of them. */
import type { FetchView, HolderView } from './fetch-run.js'

type View = Pick<FetchView, 'holders'>

export class SeenHolders {
  readonly #views: Map<string, HolderView>

  constructor(holders: readonly string[]) {
    this.#views = new Map(
      holders.map((holder) => [holder, { holder, state: 'waiting', bytes: 0, reason: null }]),
    )
  }

  /** A fetch that has ended. */
  add(view: View): void {
    add(this.#views, view)
  }

  /** With what fetches have come to that are under way. */
  with(running: Iterable<View>): HolderView[] {
    const views = new Map(this.#views)
    for (const view of running) add(views, view)
    return [...views.values()]
  }
}

function add(views: Map<string, HolderView>, { holders }: View): void {
  for (const one of holders) {
    const bytes = one.bytes + (views.get(one.holder)?.bytes ?? 0)
    views.set(one.holder, { ...one, bytes })
  }
}
