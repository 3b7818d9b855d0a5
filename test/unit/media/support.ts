/** Runs analyses over bytes in memory. */
import type { Division } from '../../../src/base/division.js'
import type { RangePair } from '../../../src/base/ranges.js'
import { analysis } from '../../../src/media/analysis.js'

export interface Analysed {
  readonly division: Division
  readonly readBytes: number
  readonly reads: number
}

/** `size` is what the payload claims, where it ends early. */
export function analysed(bytes: Uint8Array, size = bytes.length): Analysed {
  const reader = analysis(size)
  let [readBytes, reads] = [0, 0]
  for (let step = reader.next(); ; ) {
    if (step.done) return { division: step.value, readBytes, reads }
    const [offset, length]: RangePair = step.value
    reads++
    readBytes += length
    step = reader.next(bytes.slice(offset, offset + length))
  }
}

export function divisionOf(bytes: Uint8Array): Division {
  return analysed(bytes).division
}
