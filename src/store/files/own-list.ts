/** Lists that say who may do what: read whole, within bounds, and only where nobody else writes. */
import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { fileStamp } from '../../base/file-stamp.js'

export interface OwnList {
  readonly text: string
  /** What tells this version of the file from others. */
  readonly seen: string
}

/**
 * Rejects with what the system says, or an error that says who can change the file. A longer one
 * is cut one byte behind the bound, so that whoever parses it sees that.
 */
export async function ownList(path: string, bytesMax: number): Promise<OwnList> {
  const seen = await stampOf(path)
  const flags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)
  const file = await open(path, flags)
  try {
    const found = await file.stat()
    const { mode, uid } = found
    if (!found.isFile()) throw new Error('it is no file')
    const isOwn = uid === 0 || uid === process.geteuid?.()
    if (process.platform !== 'win32' && (!isOwn || (mode & 0o022) !== 0)) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0')
      const text = `mode ${shown}, owner ${uid}: others can change it`
      throw new Error(`${text}; chmod 644 ${path}, as this user or root`)
    }
    const buffer = Buffer.alloc(bytesMax + 1)
    let bytes = 0
    while (bytes < buffer.length) {
      const { bytesRead } = await file.read(buffer, bytes, buffer.length - bytes, bytes)
      if (bytesRead === 0) break
      bytes += bytesRead
    }
    return { text: buffer.toString('utf8', 0, bytes), seen }
  } finally {
    await file.close()
  }
}

/** Empty where there is no file. */
export function stampOf(path: string): Promise<string> {
  return stat(path, { bigint: true }).then(fileStamp, () => '')
}
