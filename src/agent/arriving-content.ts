/** A content that comes to this node in any order, as those see it who read it meanwhile. */
import { setTimeout as delay } from 'node:timers/promises'
import { FrError } from '../base/errors.js'
import { isHidden } from '../base/names.js'
import type { ServedContent } from '../session/fetch/served-content.js'
import { readJournal } from '../store/journal/journal.js'
import { lookMs, type Playing, type Progress, publishedTries } from './content-progress.js'
import type { Disk } from './disk.js'

interface ArrivingSpec {
  readonly disk: Disk
  /** Of its partial. */
  readonly id: string
  readonly content: ServedContent
  readonly playing: Playing | undefined
}

/**
 * Brought by order or by criteria, or left by a push: in any order. A transfer of another content
 * of the same size may go on with what was left, and writes over what differs.
 */
export class Arriving implements Progress {
  readonly state = 'arriving'
  readonly size: number
  readonly #disk: Disk
  readonly #id: string
  readonly #content: ServedContent
  readonly #playing: Playing | undefined
  #isWhole = false
  #isOver = false

  constructor({ disk, id, content, playing }: ArrivingSpec) {
    this.#disk = disk
    this.#id = id
    this.#content = content
    this.#playing = playing
    this.size = content.size
  }

  readsAt(offset: number): void {
    this.#playing?.at(offset)
  }

  end(): void {
    this.#playing?.end()
  }

  available(offset: number): number {
    const left = this.size - offset
    if (this.#isOver) return 0
    if (this.#isWhole || left <= 0) return Math.max(0, left)
    const [first] = this.#content.present([[offset, left]])
    return first !== undefined && first[0] === offset ? first[1] : 0
  }

  watch(): () => void {
    return () => {}
  }

  async failure(): Promise<FrError | null> {
    for (let tries = 1; !this.#isOver; tries++) {
      const whose = await this.#whose()
      if (whose === 'ours') {
        await this.#content.look()
        return null
      }
      // Between its journal and its record it has neither, for a moment.
      this.#isOver = whose === 'other' || tries === publishedTries
      if (!this.#isOver) await delay(lookMs)
    }
    return new FrError('ERR_FR_NOT_HELD', 'whoever brought it has given it up')
  }

  async check(): Promise<void> {
    const failure = await this.failure()
    if (failure !== null) throw failure
  }

  async #whose(): Promise<'ours' | 'other' | 'gone'> {
    if (this.#isWhole) return 'ours'
    const { leftovers, holdings, catalogue } = this.#disk.store
    const { name, contentId, fileDigest, file } = this.#content
    const isOurs = (id: string, digest: string | undefined): boolean =>
      id === contentId || digest === fileDigest
    const filled = leftovers.filledOf(this.#id)
    if (filled !== undefined)
      return isOurs(filled.header.contentId, filled.whole.fileDigest) ? 'ours' : 'other'
    const journal = await readJournal(leftovers.pathOf(this.#id), null)
    if (journal !== null)
      return isOurs(journal.header.contentId, journal.whole.fileDigest) ? 'ours' : 'other'
    const record = isHidden(name) ? undefined : catalogue.get(name)
    if (record?.fileDigest !== fileDigest) return 'gone'
    const { inode } = await holdings.spec.storage.identityOf(file)
    this.#isWhole = inode === record.identity.inode
    return this.#isWhole ? 'ours' : 'gone'
  }
}
