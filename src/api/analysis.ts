/** The analysis of a payload (src/media) over an open file. */
import type { FileHandle } from 'node:fs/promises'
import type { Division } from '../base/division.js'
import { analysis } from '../media/analysis.js'

/** Of its first `size` bytes. Rejects with the signal's reason, or as reading does. */
export async function divisionOfFile(
  file: FileHandle,
  size: number,
  signal: AbortSignal | undefined,
): Promise<Division> {
  const reader = analysis(size)
  for (let step = reader.next(); ; ) {
    if (step.done) return step.value
    signal?.throwIfAborted()
    const [offset, length] = step.value
    const buffer = Buffer.alloc(length)
    let at = 0
    while (at < length) {
      const { bytesRead } = await file.read(buffer, at, length - at, offset + at)
      if (bytesRead === 0) break
      at += bytesRead
    }
    step = reader.next(buffer.subarray(0, at))
  }
}
