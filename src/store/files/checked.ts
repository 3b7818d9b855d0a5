/** A small file that the product keeps for itself: a line with a checksum, then the body. */
import { utf8 } from '../../base/bytes.js'
import { checksum, readKept, replaceFile, syncParent, writeAll } from './durable.js'

/** The body; null: there is no file. Rejects where it is damaged, or has more than `mostBytes`. */
export async function readChecked(path: string, mostBytes: number): Promise<Uint8Array | null> {
  const bytes = await readKept(path, mostBytes)
  if (bytes === null) return null
  const end = bytes.indexOf('\n')
  const body = bytes.subarray(end + 1)
  if (bytes.subarray(0, end).toString() !== checksum(body)) throw new Error(`${path} is damaged`)
  return body
}

/** Durable when it resolves. Rejects where it cannot be written; what was there stays. */
export async function replaceChecked(path: string, body: string): Promise<void> {
  const bytes = utf8(`${checksum(body)}\n${body}`)
  await replaceFile(path, (file) => writeAll(file, bytes, 0))
  await syncParent(path)
}
