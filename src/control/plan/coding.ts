/** Whether coded content is there sooner than the content as it is. Pure. */
import { limits } from '../../base/limits.js'

export interface CodingCost {
  readonly bytes: number
  /** What samples came to, coded, by what they were. */
  readonly ratio: number
  /** Of the file, by one worker. */
  readonly encodeBytesPerSecond: number
  /** Undefined: not known. */
  readonly uplinkBytesPerSecond: number | undefined
}

/** What is saved has to be clearly more than nothing: rates are never quite what they were. */
const leastGain = 0.1
/** Decoding takes less time than encoding; nodes do it at the same time. */
const decodeSpeedup = 2

/** Encoding comes before the first byte is sent, decoding after the last. */
function codingGain(cost: CodingCost): number {
  const { bytes, ratio, encodeBytesPerSecond, uplinkBytesPerSecond } = cost
  const plainSeconds = bytes / (uplinkBytesPerSecond ?? limits.assumedUplink)
  const codeSeconds = (bytes / encodeBytesPerSecond) * (1 + 1 / decodeSpeedup)
  return 1 - (ratio * plainSeconds + codeSeconds) / plainSeconds
}

export function isWorthCoding(cost: CodingCost): boolean {
  return cost.ratio < 1 && codingGain(cost) > leastGain
}
