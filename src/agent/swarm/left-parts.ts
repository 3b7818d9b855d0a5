/**
 * What earlier runs of the process have left of contents that are pulled now. The journals are read
 * once for all contents that are asked for together, as they are at the start of a node.
 */
import type { NodeStore } from '../../store/node-store.js'
import type { PulledContent } from './pulled-content.js'

interface Sought {
  readonly content: PulledContent
  readonly isWanted: () => boolean
}

export class LeftParts {
  readonly #stores: () => Iterable<Pick<NodeStore, 'leftovers'>>
  /** By digest and name. */
  readonly #sought = new Map<string, Sought>()
  #finding: Promise<void> | undefined
  #isClosed = false

  constructor(stores: () => Iterable<Pick<NodeStore, 'leftovers'>>) {
    this.#stores = stores
  }

  /** Tells the content what is here of it, while that is wanted. */
  find(content: PulledContent, isWanted: () => boolean): void {
    const { digest, name } = content.announcement
    this.#sought.set(`${digest} ${name}`, { content, isWanted })
    this.#finding ??= this.#find().finally(() => {
      this.#finding = undefined
    })
  }

  /** Idempotent; resolves when nothing is read any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#finding
  }

  async #find(): Promise<void> {
    // All that is asked for in this turn.
    await Promise.resolve()
    while (this.#sought.size > 0 && !this.#isClosed) {
      const sought = new Map(this.#sought)
      this.#sought.clear()
      for (const { leftovers } of this.#stores())
        for await (const { header, whole, here } of leftovers.told()) {
          const name = Buffer.from(header.name).toString('utf8')
          const { content, isWanted } = sought.get(`${whole.fileDigest} ${name}`) ?? {}
          if (content?.announcement.size === header.size && isWanted?.() === true)
            content.held(here.toArray())
        }
    }
  }
}
