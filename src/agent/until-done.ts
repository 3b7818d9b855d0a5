/** Work that is tried again and again, with pauses that grow. */
import { setTimeout as pause } from 'node:timers/promises'
import { limits } from '../base/limits.js'

export interface Trying {
  readonly signal: AbortSignal
  readonly failed: (error: unknown) => void
}

/** False: the signal was aborted before the work succeeded. Never rejects. */
export async function untilDone(
  work: (attempt: number) => Promise<void>,
  { signal, failed }: Trying,
): Promise<boolean> {
  let waitMs: number = limits.commitApplyMs
  for (let attempt = 0; !signal.aborted; attempt++) {
    try {
      await work(attempt)
      return true
    } catch (error) {
      if (!signal.aborted) failed(error)
    }
    await pause(waitMs, undefined, { signal, ref: false }).catch(() => {})
    waitMs = Math.min(2 * waitMs, limits.commitApplyMsMax)
  }
  return false
}
