/**
 * Ways into sites that nothing more takes by the schedule.
 *
 * The idea: a schedule says how much of a content comes into a site over which way, so that all of
 * them end at the same time. Where one is done before the others, for whatever reason, it takes a
 * part of what waits for these, if that costs no more; so none of them is idle while there is
 * something left.
 */
import { limits } from '../../base/limits.js'
import type { Copy } from './copy.js'
import type { FileId } from './demand.js'
import type { Demand, FileState } from './files.js'

export class IdleWays {
  /** The last copy into each site that is over, by file and site. */
  readonly #ended = new Map<string, Pick<Copy, 'file' | 'into'>>()

  get isEmpty(): boolean {
    return this.#ended.size === 0
  }

  /** What its way carried is free. */
  ends({ crosses, file, into }: Copy): void {
    if (crosses && this.#ended.size < limits.idleWays)
      this.#ended.set(`${file} ${into}`, { file, into })
  }

  /** Who waits there for something to come another way: some of them. */
  *take(files: ReadonlyMap<FileId, FileState>): IterableIterator<[FileState, Demand]> {
    const all = [...this.#ended.values()]
    this.#ended.clear()
    for (const { file: id, into } of all) {
      const file = files.get(id)
      if (file === undefined || file.isGrowing || file.slices.length === 0) continue
      let [seen, found] = [0, 0]
      for (const node of file.wanting.get(into) ?? []) {
        const demand = file.demands.get(node)
        if (++seen > limits.demandsLooked || found === limits.wokenPerRelease) break
        if (demand === undefined || demand.state.kind === 'open') continue
        found += 1
        yield [file, demand]
      }
    }
  }
}
