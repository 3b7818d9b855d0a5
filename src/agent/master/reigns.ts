/**
 * The times for which a master leads, one after the other: what is kept is read, the machine is
 * told of it, and only then nodes are taken.
 *
 * The only master begins once, with what is on its disk. One of several begins whenever its lease
 * does; what it knew from the time before is not used.
 */
import { asFrError } from '../../base/failures.js'
import type { Logger } from '../../base/log.js'
import { withOwnSets } from '../../control/copies/set-changes.js'
import type { FileSet } from '../../control/messages/file-sets.js'
import type { Reigning } from '../../store/leading/leadership.js'
import { SharedState } from '../../store/leading/shared-state.js'
import { Keeping } from './keeping.js'
import type { MasterService } from './master-service.js'
import type { Reign } from './reign.js'

export class Reigns {
  readonly #service: MasterService
  readonly #log: Logger
  readonly #sets: () => readonly FileSet[] | null
  #now: { readonly reign: Reign; readonly keeping: Keeping } | undefined
  /** The end of what was kept before, and then the beginning. */
  #last: Promise<unknown> = Promise.resolve()

  /** `sets`: of its own directory, as they are there now; null: it has none. */
  constructor(service: MasterService, log: Logger, sets: () => readonly FileSet[] | null) {
    this.#service = service
    this.#log = log
    this.#sets = sets
  }

  /** Resolves when all that has changed is kept, or false where it is not. */
  async flushed(): Promise<boolean> {
    return (await this.#now?.keeping.flushed()) ?? false
  }

  isDrained(node: string): boolean {
    return this.#now?.keeping.isDrained(node) ?? false
  }

  /** Of one of several masters, for a term. */
  begin(reigning: Reigning): void {
    const { reign, isReady } = this.#service.newReign(reigning)
    const keeping = new Keeping(new SharedState(reigning), this.#log)
    const now = { reign, keeping }
    this.#now = now
    const { term } = reigning
    this.#last = this.#last.then(async () => {
      try {
        const kept = await keeping.load()
        if (this.#now !== now || reign.isOver) return
        keeping.begin(reign, kept, term > 1)
        reign.post({ type: 'sets', sets: withOwnSets(kept.sets ?? [], this.#sets()) })
        isReady()
        this.#log({ level: 'info', event: 'master-leads', fields: { term } })
      } catch (error) {
        if (reign.isOver) return
        reigning.resign(asFrError(error, 'ERR_FR_INTERNAL'))
      }
    })
  }

  /** The term is over. */
  end(text: string): void {
    const now = this.#now
    if (now === undefined) return
    this.#now = undefined
    this.#service.endReign(now.reign)
    this.#log({ level: 'warn', event: 'master-follows', fields: { text } })
    this.#last = this.#last.then(() => now.keeping.abandon())
  }

  /** What the term before was about is over. */
  async close(): Promise<void> {
    await this.#last
  }
}
