/**
 * What is written down of a file that was decoded, right before it gets its name: as of one that
 * came as it is. So a node that is killed before it records the file does so at its next start
 * (store/unrecorded.ts), or goes on with the partial, which is whole.
 */
import { asFrError } from '../../base/failures.js'
import type { HeldRun } from '../../control/holdings/have.js'
import type { StreamEntry } from '../../control/messages/types.js'
import type { DigestRun, HeldStream } from '../../store/catalogue/record.js'
import { Journal } from '../../store/journal/journal.js'
import type { Partial } from '../../store/partial.js'
import type { NodeHost } from './node-host.js'

export interface DecodedNote {
  readonly partial: Partial
  /** At this node. */
  readonly name: Uint8Array
  /** Of the file. */
  readonly entry: StreamEntry
  readonly content: Pick<HeldStream, 'contentId' | 'author' | 'algorithm' | 'blockBytes' | 'size'>
  readonly transfer: string
  readonly fileDigest: string
  /** All blocks. */
  readonly runs: readonly HeldRun[]
  readonly signed: readonly DigestRun[]
}

/** Never rejects: without it a kill leaves the file unknown. `drop` of leftovers follows. */
export async function noteDecoded(host: NodeHost, note: DecodedNote): Promise<void> {
  const { partial, name, entry, content, transfer, fileDigest, runs, signed } = note
  const { mode, mtimeSeconds: seconds, mtimeNanos: nanos, dataBytes } = entry
  const look = () => host.storage.identityOf(partial.file)
  try {
    const { inode } = await look()
    const path = await host.store.leftovers.open(partial.id)
    const only = entry.only !== undefined && { only: entry.only }
    const journal = await Journal.create(path, { ...content, name, transfer, ...only }, look)
    try {
      const attributes = { mode, mtime: { seconds, nanos } }
      const whole = { fileDigest, attributes, publishing: { inode, ...attributes, dataBytes } }
      await journal.append({ runs, signed, whole })
    } finally {
      await journal.close()
    }
  } catch (error) {
    const { message: text } = asFrError(error, 'ERR_FR_IO')
    host.log({ level: 'warn', event: 'journal-failed', fields: { name: entry.name, text } })
  }
}
