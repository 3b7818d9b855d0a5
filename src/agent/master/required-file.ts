/** What the master has told a node to hold, kept where the node finds it after a restart. */
import { join } from 'node:path'
import { utf8 } from '../../base/bytes.js'
import { limits } from '../../base/limits.js'
import { hiddenDir } from '../../base/names.js'
import type { RequiredFile } from '../../control/messages/mastering.js'
import { parseObject } from '../../protocol/fields.js'
import { readRequiredFile } from '../../protocol/mastering.js'
import { checksum, readKept, replaceFile, syncParent, writeAll } from '../../store/files/durable.js'

const mostBytes = limits.masterNodeFiles * 1_024

/** A file in the hidden directory of the first data directory. */
export class RequiredList {
  readonly #path: string

  constructor(dataDir: string) {
    this.#path = join(dataDir, hiddenDir, 'required')
  }

  /** Empty where none is kept, or what is there is damaged: the master says it again. */
  async load(): Promise<readonly RequiredFile[]> {
    try {
      const bytes = await readKept(this.#path, mostBytes)
      if (bytes === null) return []
      const end = bytes.indexOf('\n')
      const body = bytes.subarray(end + 1)
      if (bytes.subarray(0, end).toString() !== checksum(body)) return []
      const fields = parseObject(body, 'required')
      return fields.list('files', limits.masterNodeFiles, readRequiredFile)
    } catch {
      return []
    }
  }

  /** Rejects where it cannot be written; what was there stays. */
  async save(files: readonly RequiredFile[]): Promise<void> {
    const body = JSON.stringify({ files })
    const bytes = utf8(`${checksum(body)}\n${body}`)
    await replaceFile(this.#path, (file) => writeAll(file, bytes, 0))
    await syncParent(this.#path)
  }
}
