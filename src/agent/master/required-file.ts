/** What the master has told a node to hold, kept where the node finds it after a restart. */
import { join } from 'node:path'
import { limits } from '../../base/limits.js'
import { hiddenDir } from '../../base/names.js'
import type { RequiredFile } from '../../control/messages/mastering.js'
import { parseObject } from '../../protocol/fields.js'
import { readRequiredFile } from '../../protocol/mastering.js'
import { readChecked, replaceChecked } from '../../store/files/checked.js'

const mostBytes = limits.masterNodeFiles * 1_024

/** A file in the hidden directory of the first data directory. */
export class RequiredList {
  readonly #path: string

  constructor(dataDir: string) {
    this.#path = join(dataDir, hiddenDir, 'required')
  }

  /** Null where none is kept, or what is there is damaged: the master says it again. */
  async load(): Promise<readonly RequiredFile[] | null> {
    try {
      const body = await readChecked(this.#path, mostBytes)
      if (body === null) return null
      const fields = parseObject(body, 'required')
      return fields.list('files', limits.masterNodeFiles, readRequiredFile)
    } catch {
      return null
    }
  }

  /** Rejects where it cannot be written; what was there stays. */
  save(files: readonly RequiredFile[]): Promise<void> {
    return replaceChecked(this.#path, JSON.stringify({ files }))
  }
}
