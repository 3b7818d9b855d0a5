/**
 * The announcements that a node knows, on its disk: a file for each, with the record as its author
 * signed it, so that a damaged file is noticed by its signature.
 *
 * Files are written and removed one after the other, behind what is announced: what was not written
 * when the process was killed comes again from a neighbour.
 */
import { mkdir, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from '../../base/limits.js'
import { hiddenDir } from '../../base/names.js'
import { isTemporary, readKept, replaceFile, writeAll } from '../../store/files/durable.js'

export class KeptAnnouncements {
  readonly #path: string
  readonly #failed: (error: Error) => void
  #last: Promise<void> = Promise.resolve()

  /** In a data directory. `failed` is called when something cannot be written or removed. */
  constructor(dataDir: string, failed: (error: Error) => void) {
    this.#path = join(dataDir, hiddenDir, 'announcements')
    this.#failed = failed
  }

  /** All records, in no order; of a disk that cannot be read none. */
  async *load(): AsyncIterableIterator<Uint8Array> {
    let names: string[] = []
    try {
      await mkdir(this.#path, { recursive: true, mode: 0o700 })
      names = await readdir(this.#path)
    } catch (error) {
      return this.#failed(error as Error)
    }
    for (const name of names) {
      const path = join(this.#path, name)
      if (isTemporary(name)) this.#next(() => unlink(path))
      const record = await readKept(path, limits.announcementBytes).catch(() => null)
      if (record !== null && !isTemporary(name)) yield record
    }
  }

  keep(id: string, record: Uint8Array): void {
    this.#next(() => replaceFile(join(this.#path, id), (file) => writeAll(file, record, 0)))
  }

  forget(id: string): void {
    this.#next(() => unlink(join(this.#path, id)).catch(ignoreMissing))
  }

  /** Resolves when all so far is written. Never rejects. */
  settled(): Promise<void> {
    return this.#last
  }

  #next(write: () => Promise<void>): void {
    this.#last = this.#last.then(write).catch(this.#failed)
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
