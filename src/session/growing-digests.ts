/**
 * Digests of a content that was still written when it was sent, now that it is whole: its blocks
 * were cut by sections, and those of a file of its size are unions of them.
 */

import { concat } from '../base/bytes.js'
import { digestBytesOf } from '../base/digests.js'
import { blockBytesFor } from '../base/limits.js'
import { sectionOf } from '../base/sections.js'
import type { DataEngine, FileHandle } from '../ports.js'

const valueBytes = digestBytesOf('blake3')

/**
 * The BLAKE3 values of the blocks of a finished file, laid end to end, from those of its blocks by
 * sections. The only block of a small file has another value, so that is read again.
 */
export function finishedValues(
  engine: Pick<DataEngine, 'foldBlake3' | 'hashNow'>,
  file: FileHandle,
  size: number,
  values: Uint8Array,
): Uint8Array {
  const blockBytes = blockBytesFor(size)
  if (size === 0) return new Uint8Array()
  if (size <= blockBytes)
    return engine.hashNow(file, { offset: 0, length: size }, blockBytes, 'blake3-file')
  const parts: Uint8Array[] = []
  for (let at = 0, from = 0; at < size; ) {
    const section = sectionOf(at)
    const end = Math.min(section.end, size)
    const to = from + Math.ceil((end - at) / section.blockBytes) * valueBytes
    const part = values.subarray(from, to)
    const perValue = blockBytes / section.blockBytes
    parts.push(perValue === 1 ? part : engine.foldBlake3(part, perValue))
    at = end
    from = to
  }
  return concat(...parts)
}
